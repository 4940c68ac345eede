"""One heap of pictures, split by what they show: copies stay together, names and order do not matter."""
import json
import logging
import os
import shutil

import cv2
import pytest

from lib.dataset import get_dataset
from lib.dataset.formats import csv_table
from lib.dataset.image_sets import find_image_sets
from lib.dataset.picture_split import TRAIN, VAL
from lib.utils.errors import SniperError
from tests.dataset.test_picture_hash import saved_anew, scene

NUMBERS = range(10)


def label(path, width=128, height=96):
    shape = {'label': 'cat', 'points': [[5, 5], [40, 40]], 'shape_type': 'rectangle'}
    content = {'shapes': [shape], 'imagePath': os.path.basename(path), 'imageWidth': width, 'imageHeight': height}
    with open(os.path.splitext(path)[0] + '.json', 'w', encoding='utf-8') as stream:
        json.dump(content, stream)


def heap(folder, name='{}'):
    """Ten pictures; 3 and 4 have copies, one byte for byte, one saved anew."""
    os.makedirs(folder)
    for number in NUMBERS:
        path = f'{folder}/{name.format(number)}.png'
        assert cv2.imwrite(path, scene(number))
        label(path)
    shutil.copy(f'{folder}/{name.format(3)}.png', f'{folder}/copy3.png')
    assert cv2.imwrite(f'{folder}/copy4.png', saved_anew(scene(4), 60, 1))
    for number in (3, 4):
        label(f'{folder}/copy{number}.png')
    return str(folder)


def sides(folder, root):
    return [[os.path.splitext(name)[0] for name in get_dataset('auto', image_set, str(root), folder).image_ids]
            for image_set in (TRAIN, VAL)]


def test_split(tmp_path, caplog, monkeypatch):
    folder = heap(tmp_path / 'heap')
    found = find_image_sets(folder)
    assert (found.names, found.training, found.test) == ((TRAIN, VAL), (TRAIN,), VAL)
    with caplog.at_level(logging.INFO):
        train, val = sides(folder, tmp_path)
    assert 1 <= len(val) <= 2 and len(train) + len(val) == 12 and not set(train) & set(val)
    assert f'has no set to test on: {len(val)} of 12 pictures, chosen by what they show, are split_val' in caplog.text
    for one, copy in (('3', 'copy3'), ('4', 'copy4')):
        assert (one in train) == (copy in train)
    other = sides(heap(tmp_path / 'renamed', 'x{}y'), tmp_path)
    assert [sorted(name.strip('xy') if 'copy' not in name else name for name in side) for side in other] == [
        sorted(train), sorted(val)]
    monkeypatch.setattr('lib.dataset.picture_split.read_pictures', None)    # kept since
    assert sides(folder, tmp_path) == [train, val]


def test_files_are_read_once_for_a_set(tmp_path, monkeypatch):
    lines = ['filename,class,xmin,ymin,xmax,ymax']
    for number in range(4):
        assert cv2.imwrite(f'{tmp_path}/{number}.png', scene(number))
        lines.append(f'{number}.png,cat,5,5,40,40')
    (tmp_path / 'table.csv').write_text('\n'.join(lines))
    read, read_lines = [], csv_table.read_lines
    monkeypatch.setattr(csv_table, 'read_lines', lambda *words: read.append(words) or read_lines(*words))
    assert find_image_sets(str(tmp_path)).names == (TRAIN, VAL) and len(read) == 1
    assert len(get_dataset('csv', VAL, str(tmp_path), str(tmp_path)).image_ids) == 1 and len(read) == 2


def test_a_training_set_alone_is_split(tmp_path):
    heap(tmp_path / 'data' / 'train')
    assert find_image_sets(str(tmp_path / 'data')).names == (TRAIN, VAL)
    train, val = sides(str(tmp_path / 'data'), tmp_path)
    assert len(train) + len(val) == 12
    whole = get_dataset('labelme', 'train', str(tmp_path), str(tmp_path / 'data'))
    assert len(whole.image_ids) == 12   # as it was


def test_where_there_is_a_set_to_test_on(tmp_path):
    heap(tmp_path / 'data' / 'train')
    heap(tmp_path / 'data' / 'val')
    with pytest.raises(SniperError, match='is not split: its sets are train, val'):
        get_dataset('labelme', VAL, str(tmp_path), str(tmp_path / 'data'))


def test_one_picture_of_several_is_labelled(tmp_path):
    """Then there is nothing to split, and it is trained and tested on."""
    for number in range(3):
        assert cv2.imwrite(f'{tmp_path}/{number}.png', scene(number))
    label(f'{tmp_path}/1.png')
    found = find_image_sets(str(tmp_path))
    assert found.names == ('all',) and found.shared
    with pytest.raises(SniperError, match='is not split: its sets are all'):
        get_dataset('labelme', VAL, str(tmp_path), str(tmp_path))


def stills(folder, *counts):
    """So many pictures of each of some scenes that do not change."""
    os.makedirs(folder)
    for shown, count in enumerate(counts):
        for number in range(count):
            assert cv2.imwrite(f'{folder}/{shown}_{number}.png', scene(shown))
            label(f'{folder}/{shown}_{number}.png')
    return str(folder)


def test_scenes_that_do_not_change(tmp_path):
    """Of a few still scenes the smallest is for validation; one alone cannot be split."""
    for place, counts in enumerate(((5, 4), (4, 5))):
        train, val = sides(stills(tmp_path / str(place), *counts), tmp_path)
        assert (len(train), len(val)) == (5, 4)
    with pytest.raises(SniperError, match='its 4 pictures all show the same; list those to test on in .*val.txt'):
        sides(stills(tmp_path / 'one', 4), tmp_path)
