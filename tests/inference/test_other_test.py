"""Results of an earlier test: found, read, and refused when they are not those of these images."""
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.inference import evaluate
from lib.inference.detection_store import rows_of
from lib.inference.other_test import FINAL, KEPT, find_results, load_kept, load_other
from lib.utils.errors import SniperError
from lib.utils.npz import write_npz
from lib.utils.short_names import short_names

ROIDB = [{'image_id': number} for number in (5, 6, 7)]
CLASSES = ('__background__', 'cat', 'dog')


def write(folder, **changes):
    """Results of three images in another order, with classes in another order; -> folder."""
    found = Detections([0, 1, 1], [2, 1, 3], [(0, 0, 9, 9)] * 3, [0.5, 0.6, 0.7])
    arrays = {'rows': rows_of(found), 'rows_per_image': np.array([1, 2, 0]), 'image_ids': np.array(['7', '5', '6']),
              'classes': np.array(['__background__', 'dog', 'cat', 'cow'])}
    arrays.update(changes)
    write_npz(os.path.join(str(folder), FINAL), arrays, {})
    return str(folder)


def test_images_and_classes_are_matched_by_name(tmp_path):
    found = load_other(write(tmp_path), ROIDB, CLASSES).detections
    assert sorted(zip(found.image.tolist(), found.label.tolist())) == [(0, 2), (2, 1)]    # cows are left out


def test_other_images(tmp_path):
    with pytest.raises(SniperError, match='is of other images: 1 of the 4 of this test are not among its 3'):
        load_other(write(tmp_path), ROIDB + [{'image_id': 'new'}], CLASSES)


def test_other_images_are_refused_before_the_test(tmp_path, monkeypatch):
    setup = SimpleNamespace(roidb=ROIDB + [{'image_id': 'new'}], dataset=SimpleNamespace(classes=CLASSES))
    monkeypatch.setattr(evaluate, 'prepare', lambda *_: setup)
    with pytest.raises(SniperError, match='is of other images'):    # else the store would miss its folder
        evaluate.run_test(None, '', '', page=evaluate.PageRequest(write(tmp_path)))


@pytest.mark.parametrize('changes', [
    {'rows_per_image': np.array([1, 2, 9])}, {'rows_per_image': np.array([4, -1, 0])}, {'rows': np.zeros((3, 5))},
    {'rows': np.full((3, 6), np.nan, np.float32)}, {'rows': np.full((3, 6), 9, np.float32)},
    {'image_ids': np.array(['7', '7', '6'])}, {'rows': np.zeros(())},
    {'image_ids': np.array('7')}, {'classes': np.array(4)}])
def test_arrays_that_do_not_fit(tmp_path, changes):
    with pytest.raises(SniperError, match='damaged.*give a folder of results'):
        load_other(write(tmp_path, **changes), ROIDB, CLASSES)


def test_what_may_name_the_results(tmp_path):
    folder = write(tmp_path / 'train' / 'results' / 'coco_val' / 'SNIPER-0001')
    open(os.path.join(folder, 'report.html'), 'w').close()
    for path in (folder, os.path.join(folder, 'report.html'), os.path.join(folder, FINAL),
                 os.path.join(folder, 'dets_final'), str(tmp_path / 'train')):
        assert find_results(path) == folder
    write(tmp_path / 'train' / 'results' / 'coco_val' / 'SNIPER-0002')
    with pytest.raises(SniperError, match='the results of 2 tests, say which: .*SNIPER-0001'):
        find_results(str(tmp_path / 'train'))
    with pytest.raises(SniperError, match='there are no detections'):
        find_results(str(tmp_path / 'nowhere'))


def test_what_is_kept_is_not_trusted(tmp_path):
    kept = {'seconds': {'network': 'long'}, 'scales': [{'name': 'a', 'windows': 1}], 'facts': [['a', 'b'], 7],
            'metrics': [], 'configuration': {}}
    (tmp_path / KEPT).write_text(json.dumps(kept))
    assert load_kept(str(tmp_path)) == {}
    scale = {'name': '2x', 'windows': 1, 'pixels': 2.0, 'full': 3.0, 'network': 0}
    kept.update(seconds={'network': 1}, scales=[scale], facts=[['a', 'b']], metrics={'AP': 1}, configuration='a')
    (tmp_path / KEPT).write_text(json.dumps(kept))
    assert load_kept(str(tmp_path)) == dict(kept, facts=[('a', 'b')])


def test_short_names():
    assert short_names(['/o/a/train/SNIPER-0001', '/o/b/train/SNIPER-0001']) == ('a', 'b')
    assert short_names(['/o/a/SNIPER-0001', '/o/a/SNIPER-0002']) == ('SNIPER-0001', 'SNIPER-0002')
    assert short_names(['/o/a/SNIPER-0001']) == ('SNIPER-0001',)
