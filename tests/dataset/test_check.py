"""python -m lib.dataset.check: a folder with one of every fault, and one without any."""
import json
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from lib.dataset import check
from lib.dataset.class_choice import OneClass
from lib.dataset.image_sets import find_image_sets
from lib.dataset.object_check import MOST_COMPARED, balance_findings, object_findings
from lib.utils.counted import counted
from lib.utils.errors import SniperError
from tests.dataset.coco_folder import content, make_folder
from tests.dataset.test_picture_hash import saved_anew, scene

WIDTH, HEIGHT = 128, 96
BOX = (1, 10, 10, 30, 30)


def write(path, pixels, quality=95):
    assert cv2.imwrite(path, pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])


@pytest.fixture
def folder(tmp_path):
    """Six pictures to train on, two to test on, all sound."""
    objects = {number: [BOX, (7, 60, 40, 20, 25)] for number in range(1, 9)}
    train = content({number: objects[number] for number in range(1, 7)}, width=WIDTH, height=HEIGHT)
    val = content({number: objects[number] for number in (7, 8)}, width=WIDTH, height=HEIGHT)
    root = make_folder(tmp_path, {'train': train, 'val': val})
    for number in range(1, 9):
        write(f'{root}/images/{"train" if number < 7 else "val"}/{number}.jpg', scene(number))
    return root


def findings(folder):
    report = check.check_data(folder, find_image_sets(folder))
    return report, {(finding.kind, finding.mend): finding for finding in report.findings}


def test_a_sound_set(folder, capsys):
    report, found = findings(folder)
    assert report.status == 0 and report.pictures == {'train': 6, 'val': 2}
    assert set(found) == {('balance', False)}       # six objects a class are few
    assert check.main([folder, '--json', folder + '/report.json']) == 0
    assert 'coco, training on train, testing on val' in capsys.readouterr().out
    with open(folder + '/report.json', encoding='utf-8') as stream:
        assert json.load(stream)['objects']['train'] == {'cat': 6, 'dog': 6}


def test_as_one_class(folder):
    report = check.check_data(folder, find_image_sets(folder), choice=OneClass())
    assert report.counts == {'train': {'object': 12}, 'val': {'object': 4}} and report.status == 0


def test_every_fault(folder):
    with open(f'{folder}/images/train/1.jpg', 'r+b') as stream:
        stream.truncate(900)
    write(f'{folder}/images/train/2.jpg', cv2.resize(scene(2), (64, 64)))
    write(f'{folder}/images/val/8.jpg', saved_anew(scene(3), 50, 1), 50)
    write(f'{folder}/images/train/4.jpg', scene(5))
    write(f'{folder}/images/train/spare.jpg', scene(40))
    path = f'{folder}/annotations/instances_train.json'
    with open(path, encoding='utf-8') as stream:
        train = json.load(stream)
    extra = [(1, *BOX[1:]), (7, *BOX[1:]), (1, 80, 80, 4, 4), (1, 0, 0, WIDTH, HEIGHT), (1, 500, 10, 9, 9)]
    train['annotations'] += [dict(train['annotations'][0], id=100 + number, image_id=6, category_id=label, bbox=box)
                             for number, (label, *box) in enumerate(extra)]
    train['annotations'] = [one for one in train['annotations'] if one['image_id'] != 3]
    train['annotations'] = [one for one in train['annotations'] if one['category_id'] != 7]
    with open(path, 'w', encoding='utf-8') as stream:
        json.dump(train, stream)
    report, found = findings(folder)
    assert report.status == 1
    assert {kind for kind, mend in found if mend} == {'broken', 'size', 'leak', 'balance'}
    assert {'doubled', 'tiny', 'whole', 'empty', 'twice', 'unlisted', 'annotations'} <= {kind for kind, _ in found}
    assert '3.jpg = 8.jpg' in found['leak', True].text and 'saved anew' in found['leak', True].text
    assert found['leak', True].text.startswith('1 picture of train is in val too (')
    assert 'dog' in found['balance', True].text and '1.jpg' in found['broken', True].text
    assert any('lies outside' in finding.text for finding in report.findings if finding.kind == 'annotations')
    text = '\n'.join(report.lines())
    assert text.index('To be mended') < text.index('Worth a look')


def test_deep_turned_and_missing_pictures(folder):
    path = f'{folder}/images/train/1.jpg'
    deep = cv2.imencode('.png', (scene(1).astype(np.uint16) * 3))[1].tobytes()
    with open(path, 'wb') as stream:
        stream.write(deep)
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(scene(2)[:, :, ::-1]).save(f'{folder}/images/train/2.jpg', exif=exif)
    os.remove(f'{folder}/images/train/3.jpg')
    report, found = findings(folder)
    assert {('16-bit', False), ('turned', False), ('missing', True)} <= set(found) and report.status == 1


def test_a_refused_file_is_a_line(folder):
    with open(f'{folder}/annotations/instances_val.json', 'w', encoding='utf-8') as stream:
        stream.write('{"images": [')
    report, found = findings(folder)
    assert report.status == 1 and 'instances_val.json' in found['refused', True].text


def yolo(folder, count=4):
    """Pictures with an object each."""
    for number in range(count):
        write(f'{folder}/{number}.png', scene(number))
        with open(f'{folder}/{number}.txt', 'w', encoding='utf-8') as stream:
            stream.write('0 .5 .5 .5 .5\n')
    with open(f'{folder}/data.yaml', 'w', encoding='utf-8') as stream:
        stream.write('names: [cat]\n')
    return str(folder)


def test_a_picture_without_a_size_is_broken(tmp_path):
    """Formats that leave sizes to the pictures leave such a one out: it is to be mended all the same."""
    folder = yolo(tmp_path)
    open(f'{folder}/2.png', 'w', encoding='utf-8').close()
    report = findings(folder)[0]
    assert report.status == 1 and any('2.png' in finding.text for finding in report.findings if finding.mend)


def test_one_of_a_kind_is_said_in_the_singular():
    record = {'image': '1.jpg', 'width': 50, 'height': 50, 'boxes': np.float32([[1, 1, 5, 5]]),
              'gt_classes': np.ones(1, np.int64)}
    (tiny,) = object_findings({'train': [record]})
    assert tiny.text == '1 of 1 objects has a side below 8 pixels: 1.jpg'
    texts = [finding.text for finding in balance_findings({'a': {'cat': 2}, 'b': {}}, ['a'], 'b')]
    assert texts[0].startswith('1 class has no object in b: ') and texts[1].startswith('1 class has fewer than 20 ')
    assert counted(1, 'a', 'b') == '1 a' and counted(2000, 'a', 'b') == '2,000 b'


def test_a_refused_folder_is_said_once(tmp_path):
    folder = yolo(tmp_path)
    for number in range(3):
        with open(f'{folder}/{number}.txt', 'w', encoding='utf-8') as stream:
            stream.write('7 .5 .5 .5 .5\n')
    report = findings(folder)[0]
    assert [finding.kind for finding in report.findings] == ['refused'] and report.status == 1


def test_the_place_of_the_report_is_tried_first(folder, monkeypatch):
    monkeypatch.setattr(check, 'check_data', None)
    with pytest.raises(SniperError, match='cannot write'):
        check.main([folder, '--json', folder])


def test_boxes_without_end_take_no_more_time():
    record = {'image': '1.jpg', 'width': 9, 'height': 9, 'boxes': np.tile(np.float32([[1, 1, 5, 5]]), (100000, 1)),
              'gt_classes': np.ones(100000, np.int64)}
    found = {finding.kind: finding.number for finding in object_findings({'train': [record]})}
    assert found['doubled'] == MOST_COMPARED - 1 and found['tiny'] == 100000


def test_nothing_to_train_on(tmp_path):
    folder = yolo(tmp_path)
    for number in range(4):
        open(f'{folder}/{number}.txt', 'w', encoding='utf-8').close()
    report = findings(folder)[0]
    assert report.status == 1 and any('no object in split_train can be trained on' in finding.text
                                      for finding in report.findings if finding.mend)
