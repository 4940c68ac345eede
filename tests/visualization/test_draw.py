"""Pictures of detections and FocusChips: geometry, colours, files."""
import os

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from lib.bbox.detections import Detections
from lib.utils.errors import SniperError
from lib.visualization import class_colour, class_name, draw_detections, draw_focus_chips, picture_names, write_picture
from lib.visualization.draw import CHIP_COLOURS, text_colour
from lib.visualization.labels import place_labels

CLASSES = ('__background__', 'cat', 'dög')


def one(box, score=0.9, label=1, mask=None):
    return Detections([0], [label], [box], [score], None if mask is None else [mask])


def test_box_is_where_it_should_be():
    grey = np.full((200, 300, 3), 127, np.uint8)
    picture = draw_detections(grey, one((100, 80, 180, 150)), CLASSES)
    assert (grey == 127).all(), 'the input was drawn upon'
    assert tuple(picture[150, 140]) == class_colour(1) and tuple(picture[115, 180]) == class_colour(1)
    assert (picture[90:140, 110:170] == 127).all() and (picture[160:] == 127).all()
    assert (picture[60:79, 100:130] != 127).any(), 'no label above the box'


def test_threshold():
    grey = np.full((100, 100, 3), 127, np.uint8)
    assert (draw_detections(grey, one((10, 40, 50, 90), 0.4), CLASSES, 0.5) == grey).all()
    assert (draw_detections(grey, one((10, 40, 50, 90), 0.5), CLASSES, 0.5) != grey).any()


@pytest.mark.parametrize('box', [(0, 0, 119, 119), (-50, -50, 500, 500), (118, 118, 119, 119),
                                 (40, 119, 40, 119), (50, 0, 40, 5)])
def test_labels_stay_inside(box):
    """Any box is drawn with a whole label: as much of its background as in the middle of a large picture."""
    picture = draw_detections(np.full((120, 120, 3), 127, np.uint8), one(box), CLASSES)
    middle = draw_detections(np.full((400, 400, 3), 127, np.uint8), one((200, 200, 201, 201)), CLASSES)
    filled = lambda image: int((image == class_colour(1)).all(axis=2).sum())
    assert filled(picture) >= filled(middle) - 12 > 300  # 12: the box itself


def test_letters_beyond_ascii_and_tiny_pictures():
    assert draw_detections(np.zeros((3, 2, 3), np.uint8), one((0, 0, 1, 2), label=2), CLASSES).shape == (3, 2, 3)
    assert (draw_detections(np.zeros((90, 90, 3), np.uint8), one((20, 40, 60, 80), label=2), CLASSES) > 0).any()


def test_many_classes_have_distinct_readable_colours():
    colours = [class_colour(label) for label in range(1, 81)]
    assert len(set(colours)) == 80 and colours == [class_colour(label) for label in range(1, 81)]
    for first, second in zip(colours, colours[1:]):
        assert np.abs(np.subtract(first, second)).max() > 40, f'neighbours look alike: {first} {second}'
    for colour in colours:
        assert np.abs(np.dot(colour, (.114, .587, .299)) - text_colour(colour)[0]) > 80, f'unreadable on {colour}'


def test_class_without_name():
    assert class_name(CLASSES, 1) == 'cat' and class_name(CLASSES, 7) == 'class 7'


@pytest.mark.parametrize('ending', ['.jpg', '.png'])
def test_file(tmp_path, ending):
    picture = np.full((40, 50, 3), (10, 120, 240), np.uint8)
    path = str(tmp_path / 'new' / ('a' + ending))
    write_picture(path, picture)
    assert np.abs(cv2.imread(path).astype(int) - picture).max() <= 3
    assert os.listdir(os.path.dirname(path)) == ['a' + ending]


def test_bad_files(tmp_path):
    with pytest.raises(SniperError, match='must end in one of .jpg'):
        write_picture(str(tmp_path / 'a.pdf'), np.zeros((2, 2, 3), np.uint8))
    (tmp_path / 'file').write_text('')
    with pytest.raises(SniperError, match='cannot write .*a.jpg'):
        write_picture(str(tmp_path / 'file' / 'a.jpg'), np.zeros((2, 2, 3), np.uint8))


@pytest.mark.parametrize('ending, longest', [('.jpg', 65500), ('.png', 1000000)])
@pytest.mark.parametrize('across', [False, True])
def test_pictures_beyond_a_format_are_made_smaller(tmp_path, ending, longest, across, caplog):
    shape = (longest * 2 + 7, 1, 3) if across else (3, longest + 1, 3)
    write_picture(str(tmp_path / ('a' + ending)), np.full(shape, 80, np.uint8))
    assert max(cv2.imread(str(tmp_path / ('a' + ending))).shape) == longest
    assert f'a{ending} is drawn smaller' in caplog.text and f'instead of {shape[1]} x {shape[0]} pixels' in caplog.text


def test_names_are_distinct():
    roidb = [{'image': path, 'image_id': number} for number, path in
             enumerate(['a/1.jpg', 'b/1.jpg', 'c/1_1.png', 'a/2.x.png'])]
    assert picture_names([roidb[0], dict(roidb[1], image_id='sub/1')]) == ['1.jpg', '1_sub_1.jpg']
    names = picture_names(roidb)
    assert names[0] == '1.jpg' and names[3] == '2.x.jpg' and len(set(names)) == 4


def code_of(picture):
    return coco_mask.encode(np.asfortranarray(picture, dtype=np.uint8))['counts']


def test_masks_tint_what_they_cover():
    grey = np.full((200, 300, 3), 100, np.uint8)
    grey[110] = 20
    mask = np.zeros((200, 300), bool)
    mask[100:140, 120:200] = True
    plain = draw_detections(grey, one((100, 80, 220, 160)), CLASSES)
    picture = draw_detections(grey, one((100, 80, 220, 160), mask=code_of(mask)), CLASSES)
    inside = mask.copy()
    inside[:102] = inside[138:] = inside[:, :122] = inside[:, 198:] = False
    outline = mask & ~inside
    assert (picture[~mask] == plain[~mask]).mean() > 0.999
    assert (picture[120, 150] == np.rint(0.55 * 100 + 0.45 * np.array(class_colour(1)))).all()
    assert (picture[110, 150] < picture[120, 150]).any(), 'the object does not show through'
    assert (picture[outline] == class_colour(1)).all(axis=1).mean() > 0.2, 'no outline'


def test_masks_of_weak_detections_are_not_drawn_nor_are_absent_ones():
    grey = np.full((80, 80, 3), 100, np.uint8)
    full = code_of(np.ones((80, 80), bool))
    weak = lambda code: one((10, 30, 40, 60), 0.4, mask=code)
    assert (draw_detections(grey, weak(full), CLASSES, 0.5) == grey).all()
    for code in (b'', code_of(np.zeros((80, 80), bool))):
        assert (draw_detections(grey, weak(code), CLASSES, 0) == draw_detections(grey, weak(None), CLASSES)).all()
    assert (draw_detections(grey, weak(full), CLASSES, 0) != 100).any(axis=2).all()


def test_labels_hide_no_neighbour():
    """Small objects in a row, closer than a label is high or wide."""
    boxes = [(40 + 22 * column, 60 + 22 * row, 57 + 22 * column, 77 + 22 * row)
             for row in range(4) for column in range(6)]
    found = Detections(np.zeros(24, int), np.tile([1, 2], 12), np.array(boxes, np.float32), np.linspace(0.5, 1, 24))
    picture = draw_detections(np.full((220, 260, 3), 127, np.uint8), found, CLASSES)
    for x1, y1, x2, y2 in boxes:
        assert (picture[y1:y2 + 1, x1:x2 + 1] == 127).all(axis=2).mean() > 0.9
    assert (picture != 127).any(axis=2).mean() > 0.1, 'no label where there is room'


def test_labels_are_placed_without_overlap():
    rng = np.random.default_rng(1)
    low = rng.integers(0, 300, (40, 2))
    boxes = np.hstack([low, low + rng.integers(5, 80, (40, 2))])
    places = place_labels(boxes, [[(60, 14), (30, 14)]] * 40, 380, 380)
    labels = [(x, y, x + (60, 30)[choice], y + 14) for choice, x, y in filter(None, places)]
    assert len(labels) > 10 and places[0]
    for number, (x1, y1, x2, y2) in enumerate(labels):
        assert 0 <= x1 and 0 <= y1 and x2 <= 380 and y2 <= 380
        for a1, b1, a2, b2 in labels[:number]:
            assert x2 <= a1 or a2 <= x1 or y2 <= b1 or b2 <= y1
    assert place_labels([(0, 0, 3, 3)], [[(60, 14)]], 40, 40) == [None]     # no room at all
    assert place_labels([], [], 40, 40) == []


def test_objects_of_the_annotations_are_dashed_and_a_legend_says_so():
    grey = np.full((300, 400, 3), 127, np.uint8)
    found = one((100, 80, 180, 150))
    truth = np.array([[240, 200, 320, 260]], np.float32), np.array([2])
    plain, picture = draw_detections(grey, found, CLASSES), draw_detections(grey, found, CLASSES, objects=truth)
    line = picture[200, 240:321]
    assert (line == 255).all(axis=1).any() and (line == class_colour(2)).all(axis=1).any()
    assert (picture[205:255, 245:315] == 127).all() and picture.shape == grey.shape
    changed = (picture != plain).any(axis=2)
    changed[199:262, 239:322] = False
    rows, columns = np.nonzero(changed)
    assert len(rows) and (rows.min() > 260 or rows.max() < 40), 'the legend is in a corner'
    none = np.zeros((0, 4)), np.zeros(0, int)
    assert (draw_detections(grey, found.take(np.zeros(1, bool)), CLASSES, objects=none) != 127).any()
    assert draw_detections(grey[:20, :30], found, CLASSES, objects=truth).shape == (20, 30, 3)


def test_lines_go_around_small_objects():
    picture = draw_detections(np.full((900, 900, 3), 127, np.uint8), one((400, 400, 409, 411)), CLASSES)
    assert (picture[400:412, 400:410] == 127).all() and tuple(picture[405, 399]) == class_colour(1)


def test_chips_are_outlined_and_the_rest_is_dark():
    grey = np.full((200, 300, 3), 120, np.uint8)
    picture = draw_focus_chips(grey, [('480x640', [(100, 50, 200, 150)]), ('960x1280', [(120.4, 70.2, 160, 110)])])
    assert (grey == 120).all() and picture.shape == grey.shape
    assert (picture[160:, 100:] == 54).all()
    assert (picture[130:140, 110:190] == 120).all() and (picture[80:100, 130:150] == 120).all()
    assert tuple(picture[50, 180]) == CHIP_COLOURS[0] and tuple(picture[70, 140]) == CHIP_COLOURS[1]


def test_odd_chips():
    """No chip at all; chips beyond the picture, or thinner than a pixel."""
    grey = np.full((20, 30, 3), 120, np.uint8)
    assert draw_focus_chips(grey, []).max() == 54
    assert draw_focus_chips(grey, [('a', []), ('b', [(-5, -5, 900, 900), (29.8, 19.9, 30, 20)])]).shape == grey.shape
