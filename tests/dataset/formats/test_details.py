"""What the formats have beyond boxes of one kind in one folder, and what is said of broken files."""
import json
import logging

import numpy as np
import pytest

from lib.dataset import get_dataset
from lib.dataset.formats.pictures import PictureIndex
from lib.utils.errors import SniperError
from tests.dataset.coco_folder import touch
from tests.dataset.formats import folders
from tests.dataset.voc_folder import write


def records(form, folder, image_set='all', **more):
    dataset = get_dataset(form, image_set, str(folder), str(folder), **more)
    return dataset, list(dataset.roidb())


@pytest.mark.parametrize('said, beside, found', [
    ('a.jpg', 'train', 'train/images/a.jpg'), ('a.jpg', 'valid', 'valid/images/a.jpg'), ('a.jpg', '', ''),
    ('../images/a.jpg', 'train/json', 'train/images/a.jpg'), (r'C:\my\Valid\images\A.JPG', '', 'valid/images/a.jpg'),
    ('/data/upload/b%20c.png', 'train', 'valid/images/b c.png'), ('../../etc/passwd', 'train', ''), ('', '', '')])
def test_pictures_are_found_by_what_tools_write(tmp_path, said, beside, found):
    for name in ('train/images/a.jpg', 'valid/images/a.jpg', 'valid/images/b c.png'):
        touch(tmp_path, name)
    assert PictureIndex(str(tmp_path)).find(said, beside) == found


def test_outlines_of_yolo_are_masks(tmp_path):
    folders.yolo_outlines(tmp_path)
    _, (first, *_) = records('yolo', tmp_path, masks=True)
    np.testing.assert_allclose(first['gt_masks'][0][0], [5, 6, 35, 6, 35, 46, 5, 46])


@pytest.mark.parametrize('rows, said', [
    ('0 10 20 30 40', 'numbers are no shares of the picture'), ('7 0.5 0.5 0.1 0.1', 'is no object of the 3 classes'),
    ('cat 0.5 0.5 0.1 0.1', 'is no object of the 3 classes'), ('0 0.5 0.5', 'is no object of the 3 classes')])
def test_rows_that_are_no_yolo(tmp_path, rows, said):
    folders.yolo(tmp_path, ['a'])
    write(tmp_path / 'val' / 'labels' / 'a.txt', rows)
    with pytest.raises(SniperError, match=said):
        records('yolo', tmp_path, 'val')


def test_yolo_without_names(tmp_path):
    folders.yolo(tmp_path, ['a'])
    (tmp_path / 'data.yaml').unlink()
    with pytest.raises(SniperError, match=r'says what the classes are called: write them into .*classes\.txt'):
        records('yolo', tmp_path)
    with pytest.raises(SniperError, match=r"has no image set 'test': sets there: all, val; test\.txt in it would list"):
        write(tmp_path / 'notes.json', json.dumps({'categories': [{'id': 0, 'name': 'x'}, {'id': 2, 'name': 'y'}]}))
        records('yolo', tmp_path, 'test')


def test_shapes_of_labelme(tmp_path, caplog):
    """Parts of one group are one object, circles have a box, points none; a broken file leaves its picture out."""
    def shape(kind, *points, group=None):
        return {'label': 'egg', 'points': points, 'shape_type': kind, 'group_id': group}
    shapes = [shape('polygon', [1, 1], [9, 1], [5, 8], group=4), shape('polygon', [20, 3], [30, 3], [30, 20], group=4),
              shape('circle', [40, 40], [40, 50]), shape('point', [3, 3]), shape('rectangle', [50, 30], [45, 20])]
    write(tmp_path / 'a.json', folders.labelme_content('a', shapes=shapes))
    write(tmp_path / 'b.json', folders.labelme_content('b')[:-9])
    write(tmp_path / 'c.json', folders.labelme_content('c'))
    folders.pictures(str(tmp_path))
    dataset, (first, other) = records('labelme', tmp_path)
    assert dataset.image_ids == ['a.png', 'c.png']
    np.testing.assert_array_equal(first['boxes'], [[1, 1, 29, 19], [30, 30, 49, 49], [45, 20, 49, 29]])
    assert 'shapes are points or lines, which have no area' in caplog.text and 'b.json' in caplog.text


def test_turned_boxes_of_cvat(tmp_path, caplog):
    shapes = ('<box label="egg" xtl="20" ytl="10" xbr="40" ybr="20" rotation="90"/><mask label="rod" rle="1" left="3" '
              'top="4" width="10" height="20"/><points label="egg" points="1,2"/>')
    write(tmp_path / 'annotations.xml', folders.cvat_content().replace('</image>', shapes + '</image>', 1))
    folders.pictures(str(tmp_path / 'images'))
    _, (first, *_) = records('cvat', tmp_path, 'val')
    np.testing.assert_array_equal(first['boxes'][2:], [[25, 5, 34, 24], [3, 4, 12, 23]])
    assert 'shapes are of the kind points, which is no box' in caplog.text
    write(tmp_path / 'annotations.xml', '<annotations><track id="0" label="egg"></track></annotations>')
    with pytest.raises(SniperError, match="CVAT's format for videos: export it as CVAT for images"):
        records('cvat', tmp_path)


@pytest.mark.parametrize('text', [
    'image;label;x;y;width;height;split\na.png;egg;3;4;10;20;val\nb.png;;;;;;val\nc.png;rod;1;1;5;5;train',
    'Image_ID\tclass name\tbbox_x\tbbox_y\tbbox_w\tbbox_h\tset\na\tegg\t3\t4\t10\t20\tval\nb\t\t\t\t\t\tval\n'
    'c\trod\t1\t1\t5\t5\ttrain'])
def test_columns_of_tables(tmp_path, text):
    write(tmp_path / 'boxes.csv', text.replace('class name', 'class_name'))
    folders.pictures(str(tmp_path))
    dataset, (first, other) = records('csv', tmp_path, 'val')
    assert dataset.classes[1:] == ('egg', 'rod') and dataset.image_ids == ['a.png', 'b.png']
    assert first['boxes'].tolist() == [[3, 4, 12, 23]] and not len(other['boxes'])
    with pytest.raises(SniperError, match="first line, 'one,two', neither names columns"):
        write(tmp_path / 'boxes.csv', 'one,two\n1,2')
        records('csv', tmp_path)


def test_a_folder_of_two_formats(tmp_path, caplog):
    folders.yolo(tmp_path, ['a'])
    folders.labelme(tmp_path, ['a'])
    with caplog.at_level(logging.INFO):
        records('auto', tmp_path, 'val')
    assert ("is read as yolo, for data.yaml is there; it also holds val/a.json (labelme): set dataset.dataset"
            in caplog.text)
