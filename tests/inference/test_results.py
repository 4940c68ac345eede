"""Folders of results: one a test, and the same for the same test."""
import json
import os

import pytest

import main_test
from lib.inference.results import RECORD, take_folder
from lib.utils.errors import SniperError
from lib.utils.npz import write_npz
from tests.inference import tiny_data

MADE_FROM = {'weights': 'abc', 'images': 'def', 'TEST.NMS': 0.3, 'TEST.SCALES': [[1, 2]], 'classes': ['a', 'b']}


def take(tmp_path, **change):
    base = str(tmp_path / 'SNIPER-0001')
    return os.path.basename(take_folder(base, dict(MADE_FROM, **change), os.path.join(base, 'detections.npz')))


def test_the_first_test_and_others(tmp_path, caplog):
    caplog.set_level('INFO')
    assert take(tmp_path) == 'SNIPER-0001' and not caplog.text
    other = take(tmp_path, **{'TEST.NMS': 0.5})
    assert other.startswith('SNIPER-0001-') and len(other) == len('SNIPER-0001-') + 8
    assert 'holds the results of a test with other TEST.NMS: those of this one go to' in caplog.text
    kinds = [other, take(tmp_path, weights='x'), take(tmp_path, images='x'), take(tmp_path, classes=['b', 'a'])]
    assert len(set(kinds)) == 4
    assert take(tmp_path) == 'SNIPER-0001' and take(tmp_path, **{'TEST.NMS': 0.5}) == other  # again
    assert json.loads((tmp_path / other / RECORD).read_text()) == dict(MADE_FROM, **{'TEST.NMS': 0.5})
    assert take(tmp_path, **{'TEST.SCALES': [(1, 2)]}) == 'SNIPER-0001'  # tuples are lists in a file


def test_results_without_a_record(tmp_path):
    """Of a version that wrote none: detections know what they were made from."""
    final = str(tmp_path / 'SNIPER-0001' / 'detections.npz')
    write_npz(final, {}, {name: value for name, value in MADE_FROM.items() if name != 'classes'})
    assert take(tmp_path, weights='new') != 'SNIPER-0001'
    assert take(tmp_path) == 'SNIPER-0001'
    (tmp_path / 'SNIPER-0001' / RECORD).write_text('{')
    assert take(tmp_path) != 'SNIPER-0001'


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'SNIPER-0001').write_text('a file')
    with pytest.raises(SniperError, match='cannot write results to'):
        take(tmp_path)


def test_programs(tmp_path):
    """Other settings and folding beside the first test; all keep their files."""
    folder, name = str(tmp_path), 'detections_val_metrics.json'
    tiny_data.write_all(folder)
    places = []
    for keys in ({}, {'NMS': 0.1}, {'SCALES': '[(96, 128), (32, 64)]'}, {'FOLD': True}, {}):
        assert main_test.main(['--cfg', tiny_data.CONFIG, '--set'] + tiny_data.settings(folder, **keys)) == 0
        places.append(tiny_data.results(folder))  # of all whose names begin so
        assert sorted(set(os.listdir(places[-1])) - {'dets_scale_96x128', 'dets_scale_48x64', 'dets_scale_32x64'}) == [
            name, 'detections_val_results.json', 'dets_final', RECORD]
    first = places[0]
    assert first.endswith('SNIPER-0001') and places[-1] == first
    assert len(set(places)) == 4 and first + '-folded' in places
