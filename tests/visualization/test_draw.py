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


def test_names_are_distinct():
    roidb = [{'image': path, 'image_id': number} for number, path in
             enumerate(['a/1.jpg', 'b/1.jpg', 'c/1_1.png', 'a/2.x.png'])]
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
