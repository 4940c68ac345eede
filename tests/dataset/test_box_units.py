"""Boxes in other units, or of another meaning, are noticed; right ones are not."""
import numpy as np
import pytest

from lib.dataset import get_dataset
from lib.dataset.box_units import check_boxes
from lib.utils.errors import SniperError
from tests.dataset.coco_folder import content, make_folder
from tests.dataset.voc_folder import make_part, xml

SIZE = np.array([640., 480.])


def right_boxes(count=60, seed=0, largest=0.4, size=SIZE):
    """Random boxes x y w h inside their images."""
    rng = np.random.default_rng(seed)
    sides = rng.uniform(0.05, largest, (count, 2)) * size
    return np.round(np.hstack([rng.uniform(0, 1, (count, 2)) * (size - sides), sides]), 2)


def said(boxes, size=SIZE):
    return check_boxes('a.json', boxes, np.tile(size, (len(boxes), 1)))


def refused(boxes, size=SIZE):
    with pytest.raises(SniperError) as caught:
        said(boxes, size)
    return str(caught.value)


@pytest.mark.parametrize('seed', range(20))
@pytest.mark.parametrize('count', [1, 3, 12, 60])
def test_right_boxes(seed, count):
    assert said(right_boxes(count, seed)) == said(np.round(right_boxes(count, seed))) == []


def test_right_boxes_of_other_kinds():
    assert said(np.zeros((0, 4))) == said(np.zeros((50, 4))) == []       # nothing; images without objects
    assert said(np.tile([0., 0, 640, 480], (50, 1))) == []                  # each the whole image
    assert said(np.tile([0., 0, 1, 1], (9, 1)), np.array([1., 1.])) == []   # of one pixel
    assert said(right_boxes(size=np.array([90., 90.])), np.array([90., 90.])) == []
    assert said(np.tile([20., 30, 300, 400], (50, 1))) == []                # portraits: sizes above corners


@pytest.mark.parametrize('size', [SIZE, np.array([60., 40.])])
@pytest.mark.parametrize('count', [1, 60])
def test_shares(size, count):
    """x y w h, corners, centres; a little beyond the border; a few boxes in pixels."""
    boxes = right_boxes(count, size=size) / np.tile(size, 2)
    corners = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    for shares in (boxes, corners, np.hstack([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]]), boxes - 0.04):
        assert f'{count} of {count} boxes lie between 0 and 1: are boxes shares of the image?' in refused(shares, size)
    assert 'shares of the image?' in refused(np.vstack([corners, right_boxes(count // 3)]), size)


def test_corners():
    boxes = right_boxes()
    corners = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    message = refused(corners)
    assert 'of 60 boxes stick out of their images: is bbox x1 y1 x2 y2?' in message
    line, = said(corners[:5])
    assert 'is bbox x1 y1 x2 y2?' in line and 'of 5 boxes stick out' in line


def test_few_that_stick_out_are_counted():
    boxes = right_boxes()
    boxes[:4, 0], boxes[:4, 2] = [-100, 600, 620, -30], 150
    line, = said(boxes)
    assert line.startswith('a.json: 4 of 60 boxes stick out of their images by more than 3 pixels')
    assert line.endswith('they are cut')
    boxes[:4, 0] = [-3, 2, 0, 12]
    assert said(boxes) == []


def test_many_that_stick_out():
    boxes = right_boxes()
    boxes[::2, 0] -= 0.5 * boxes[::2, 2] + boxes[::2, 0]
    line, = said(boxes)
    assert '30 of 60 boxes stick out' in line and 'do boxes and images belong together?' in line


def test_every_box_may_stick_out():
    assert '3 of 3' in said(np.array([[-40., 30, 60, 50], [30, -40, 50, 60], [600, 30, 60, 50]]))[0]


def test_centres():
    boxes = right_boxes()
    line, = said(np.hstack([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]]))
    assert 'is bbox the centre, width and height (as YOLO has it)?' in line
    for seed in range(5):
        boxes = right_boxes(300, seed, largest=0.1)
        line, = said(np.hstack([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]]))
        assert 'is bbox the centre, width and height' in line
        boxes[:3, 0] = 630
        assert said(boxes)[0].endswith('they are cut')


def test_copies_of_other_sizes():
    boxes = right_boxes()
    assert 'boxes lie outside their images: were they made on a copy about 2.0 times as large?' in refused(boxes * 2)
    assert 'about 4.0 times' in refused(boxes * 4)
    assert 'about 1.5 times' in said(boxes * 1.5)[0]
    assert 'all 60 boxes lie in the upper left 50% of the width and height' in said(boxes * 0.5)[0]


def test_exchanged_sides():
    assert 'are width and height of the images exchanged?' in said(right_boxes(), SIZE[::-1])[0]


def test_percent_and_thousandths():
    shares = right_boxes() / np.tile(SIZE, 2)
    assert 'are they percent of the image, as Label Studio writes?' in said(shares * 100)[0]
    assert 'are they percent of the image' in said(shares * 100, np.array([160., 128.]))[0]
    assert 'thousandths of the image?' in refused(np.round(shares * 1000))
    assert 'are they thousandths of the image?' in said(np.round(shares * 1000), np.array([4000., 3000.]))[0]


def test_boxes_without_sides():
    boxes = right_boxes()
    boxes[:40, 2:] *= -1
    assert '40 of 60 boxes have no width or height' in refused(boxes)


def test_pictures_whose_objects_keep_together():
    """A crowd in a corner of one picture is no proof of another unit; the same in many pictures is."""
    for size in (SIZE, np.array([8000., 6000.])):
        crowd, sizes = right_boxes(60, largest=0.1) * 0.4, np.tile(size, (60, 1))
        assert check_boxes('a.json', crowd, sizes, np.zeros(60, int)) == []
        assert len(check_boxes('a.json', crowd, sizes, np.arange(60) // 5)) == 1


def test_some_shares_are_counted():
    boxes = right_boxes(40)
    boxes[:15] /= np.tile(SIZE, 2)
    assert 'the numbers of 15 of 40 boxes lie between 0 and 1' in said(boxes)[0]
    boxes[:15] = [0, 0, 1, 1]
    assert said(boxes) == []


def load_voc(folder, corners):
    """corners: (n, 4) xmin ymin xmax ymax, five an image of 640 x 480."""
    make_part(folder, {f'i{number}': xml(*(('a',) + tuple(corner) for corner in corners[number:number + 5].tolist()),
                                         size=(640, 480)) for number in range(0, len(corners), 5)})
    return get_dataset('PascalVOC', 'all', str(folder), str(folder)).roidb()


@pytest.mark.parametrize('change, said_of_it', [
    (lambda corners: corners / np.tile(SIZE, 2), 'are boxes shares of the image?'),
    (lambda corners: np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]), 'are they x, y, width, height'),
    (lambda corners: corners[:, [2, 3, 0, 1]], 'are the corners in another order?'),
    (lambda corners: corners * 3, 'were they made on a copy about 3.0 times as large?'),
    (lambda corners: corners / np.tile(SIZE, 2) * 100, 'are they percent of the image'),
    (lambda corners: corners / 2, 'were they made on a smaller copy?')])
def test_voc_is_asked_too(tmp_path, caplog, change, said_of_it):
    boxes = np.round(right_boxes())
    try:
        load_voc(tmp_path, change(np.hstack([boxes[:, :2] + 1, boxes[:, :2] + boxes[:, 2:]])))
    except SniperError as error:
        assert said_of_it in str(error)
    else:
        assert said_of_it in caplog.text


def test_right_voc_boxes_pass(tmp_path, caplog):
    boxes = np.round(right_boxes())
    load_voc(tmp_path, np.hstack([boxes[:, :2] + 1, boxes[:, :2] + boxes[:, 2:]]))
    assert not [record for record in caplog.records if record.levelname == 'WARNING']


def load(tmp_path, boxes):
    folder = make_folder(tmp_path, {'train2017': content(
        {number: [(1,) + tuple(box)] for number, box in enumerate(boxes.tolist())}, width=640, height=480)})
    return get_dataset('coco', 'train2017', folder, folder).roidb()


def test_the_loader_asks(tmp_path, caplog):
    with pytest.raises(SniperError, match='instances_train2017.json: .* shares of the image'):
        load(tmp_path, right_boxes() / np.tile(SIZE, 2))
    assert len(load(tmp_path, right_boxes() * 1.5)) == 60 and 'about 1.5 times as large' in caplog.text
