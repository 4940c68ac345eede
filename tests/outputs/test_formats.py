"""Formats of detections: what a program that reads them gets."""
import contextlib
import csv
import io
import json
import os
import sys
import types

import cv2
import numpy as np
import pytest

from lib.api import to_coco, to_supervision
from lib.bbox.detections import Detections
from lib.masks import pack
from lib.outputs import CocoFile, CropFolder, CsvFile, DrawnVideo, LabelmeFolder, YoloFolder
from lib.utils.errors import SniperError
from tests.outputs.samples import CLASSES, FakeVideo, found, frame


def written(writer, *pairs):
    for pair in pairs:
        writer.add(*pair)
    writer.close()


def mask(width=40, height=30):
    inside = np.zeros((height, width), bool)
    inside[3:13, 2:11] = True
    return inside


def test_coco_is_read_by_pycocotools(tmp_path):
    from pycocotools.coco import COCO
    path = str(tmp_path / 'new' / 'a.json')
    written(CocoFile(path, CLASSES), (frame(), found(mask=[pack(mask()), b''])), (frame('b"\n.png'), found(())),
            (frame('v.mp4', video=FakeVideo(), number=7, seconds=.7), found()))
    content = json.load(open(path))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(path)
        loaded = coco.loadRes(content['annotations'])
    assert [image['file_name'] for image in coco.loadImgs([1, 2, 3])] == ['a.png', 'b"\n.png', 'v_000007.jpg']
    assert coco.imgs[3]['frame'] == 7 and coco.imgs[3]['video'] == 'v.mp4'
    assert [category['name'] for category in coco.loadCats([1, 2, 3])] == list(CLASSES[1:])
    first, second = coco.loadAnns(coco.getAnnIds(1))
    assert first['bbox'] == [2, 3, 9, 10] and first['score'] == .9 and second['category_id'] == 2
    np.testing.assert_array_equal(coco.annToMask(first), mask())
    assert len(loaded.anns) == 4


def test_results_of_pycocotools_by_one_call():
    several = Detections([0, 2], [1, 3], [[2, 3, 10, 12], [0, 0, 0, 0]], [.5, .25], classes=CLASSES)
    assert to_coco(several, [11, 12, 13], {1: 18, 3: 44}) == [
        {'image_id': 11, 'category_id': 18, 'bbox': [2, 3, 9, 10], 'score': .5},
        {'image_id': 13, 'category_id': 44, 'bbox': [0, 0, 1, 1], 'score': .25}]
    assert to_coco(several)[1]['image_id'] == 2 and to_coco(Detections.empty(masks=True)) == []
    with pytest.raises(ValueError, match='sizes'):
        to_coco(found(mask=[b'1', b'']))


def test_csv_has_no_formulas_and_reads_back(tmp_path):
    path = str(tmp_path / 'a.csv')
    odd = '-1,"2"\n.png'
    written(CsvFile(path, CLASSES), (frame(odd), found()), (frame(os.fsdecode(b'caf\xe9.png')), found()),
            (frame('v.mp4', video=FakeVideo(), number=7, seconds=.7), found()))
    with open(path, encoding='utf-8', errors='surrogateescape', newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert [row['image'] for row in rows[::2]] == ["'" + odd, os.fsdecode(b'caf\xe9.png'), 'v.mp4']
    assert rows[1]['class'] == "'" + CLASSES[2] and rows[0]['frame'] == '' and rows[4]['seconds'] == '0.700'
    assert [float(rows[0][name]) for name in ('xmin', 'ymin', 'xmax', 'ymax', 'score')] == [2, 3, 11, 13, .9]


def test_yolo(tmp_path):
    import yaml
    written(YoloFolder(str(tmp_path), CLASSES), (frame(), found()), (frame('b.png'), found(())),
            (frame('v.mp4', video=FakeVideo(), number=7), found()))
    lines = [line.split() for line in (tmp_path / 'labels' / 'a.txt').read_text().splitlines()]
    np.testing.assert_allclose(np.array(lines, float), [[0, 6.5 / 40, 8 / 30, 9 / 40, 10 / 30], [1, .5, .5, 1, 1]],
                               atol=1e-6)
    assert (tmp_path / 'labels' / 'b.txt').read_text() == '' and (tmp_path / 'images' / 'v_000007.jpg').exists()
    assert yaml.safe_load((tmp_path / 'data.yaml').read_text())['names'] == dict(enumerate(CLASSES[1:]))
    assert (tmp_path / 'classes.txt').read_text().splitlines() == list(CLASSES[1:])


def test_labelme(tmp_path):
    folder = str(tmp_path / 'labels')
    written(LabelmeFolder(folder, CLASSES), (frame(str(tmp_path / 'a.png')), found(mask=[pack(mask()), b''])),
            (frame('v.mp4', video=FakeVideo(), number=7), found()))
    content = json.load(open(os.path.join(folder, 'a.json')))
    assert content['imagePath'] == os.path.join('..', 'a.png') and content['imageData'] is None
    polygon, box = content['shapes']
    assert polygon['shape_type'] == 'polygon' and polygon['label'] == 'cat' and '0.900' in polygon['description']
    corners = np.array(polygon['points'])
    assert corners.min(0).tolist() == pytest.approx([2, 3], abs=.3) and corners.max(0).tolist() == pytest.approx(
        [11, 13], abs=.3)
    assert box['shape_type'] == 'rectangle' and box['points'] == [[0, 0], [40, 30]]
    of_frame = json.load(open(os.path.join(folder, 'v_000007.json')))
    assert cv2.imread(os.path.join(folder, of_frame['imagePath'])).shape == (30, 40, 3)


def test_crops_stay_in_their_folder(tmp_path):
    written(CropFolder(str(tmp_path / 'crops'), CLASSES), (frame(), found(
        [(1, 2, 3, 10, 12, .9), (3, 5.2, 5.2, 8.5, 8.5, .8), (1, 60, 60, 70, 70, .7), (9, 0, 0, 1, 1, .5)])))
    assert sorted(os.listdir(str(tmp_path))) == ['crops']
    assert sorted(os.listdir(str(tmp_path / 'crops'))) == ['_dog', 'cat', 'class 9']
    assert os.listdir(str(tmp_path / 'crops' / 'cat')) == ['a_1.jpg']
    assert cv2.imread(str(tmp_path / 'crops' / 'cat' / 'a_1.jpg')).shape == (10, 9, 3)
    assert cv2.imread(str(tmp_path / 'crops' / '_dog' / 'a_2.jpg')).shape == (5, 5, 3)


def test_supervision(monkeypatch):
    monkeypatch.setitem(sys.modules, 'supervision', None)
    with pytest.raises(SniperError, match='pip install supervision'):
        to_supervision(found())
    fake = types.SimpleNamespace(Detections=lambda **fields: fields)
    monkeypatch.setitem(sys.modules, 'supervision', fake)
    fields = to_supervision(found(mask=[pack(mask()), b''], sizes=[(40, 30)]))
    assert fields['xyxy'].tolist() == [[2, 3, 11, 13], [0, 0, 40, 30]] and fields['class_id'].tolist() == [0, 1]
    assert fields['data']['class_name'].tolist() == list(CLASSES[1:3]) and fields['confidence'].dtype == np.float32
    assert fields['mask'].shape == (2, 30, 40) and np.array_equal(fields['mask'][0], mask())
    empty = to_supervision(Detections.empty())
    assert empty['xyxy'].shape == (0, 4) and empty['mask'] is None


def test_a_cameras_video_lasts_as_long_as_it_did(tmp_path):
    video = FakeVideo(live=True)
    writer = DrawnVideo(str(tmp_path / 'c.avi'), CLASSES, video)
    for seconds in (0, .5, 1.0):
        writer.add(frame('camera 0', video=video, seconds=seconds), found())
        writer.add(frame('camera 1', video=FakeVideo(live=True), seconds=seconds), found())
    writer.close()
    assert writer.count == 10


@pytest.mark.parametrize('make', [lambda path: CocoFile(path + '/a.json', CLASSES),
                                  lambda path: CsvFile(path + '/a.csv', CLASSES),
                                  lambda path: YoloFolder(path, CLASSES), lambda path: LabelmeFolder(path, CLASSES),
                                  lambda path: CropFolder(path, CLASSES),
                                  lambda path: DrawnVideo(path + '/a.mp4', CLASSES, FakeVideo())])
def test_a_place_that_takes_no_files_is_known_at_once(make, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(SniperError, match='cannot write'):
        make(str(tmp_path / 'file'))


def test_supervision_itself():
    supervision = pytest.importorskip('supervision')
    both = to_supervision(found(mask=[pack(mask()), b''], sizes=[(40, 30)]))
    first = both[both.confidence > .8]
    assert isinstance(both, supervision.Detections) and len(both) == 2 and first['class_name'].tolist() == ['cat']
    assert first.area.tolist() == [90] and first.box_area.tolist() == [90]
    empty = to_supervision(Detections.empty())
    assert len(empty) == 0 and len(supervision.Detections.merge([to_supervision(found()), empty])) == 2
    assert len(both.with_nms(.5)) == 2
