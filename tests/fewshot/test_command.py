"""python -m lib.fewshot, in this process."""
import csv
import json
import os
import shutil

import cv2
import numpy as np
import pytest

from lib.fewshot import FewShotClassifier, command
from lib.fewshot.network import FeatureNetwork
from lib.utils.errors import SniperError
from tests.fewshot import pictures
from tests.fewshot.conftest import CONFIG, SMALL
from tests.fewshot.pictures import write_classes


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Function that runs the command with options; its pictures looked at by the network are counted in .looked."""
    def run(*words, overrides=()):
        run.looked = []
        return command.main([*map(str, words), '--out', str(tmp_path / 'out'), '--cfg', CONFIG, '--set', *SMALL,
                             'output_path', str(tmp_path / 'nothing'), *overrides])

    def counted(name):
        plain = getattr(FeatureNetwork, name)

        def call(self, images):
            run.looked.append((name, len(images) if name == 'features' else 1))
            return plain(self, images)
        monkeypatch.setattr(FeatureNetwork, name, call)
    counted('features')
    counted('objects')
    return run


def test_from_pictures_to_detections_and_on(run, shapes, tmp_path, capsys):
    scenes = tmp_path / 'scenes'
    scenes.mkdir()
    cv2.imwrite(str(scenes / 'both.png'), pictures.scene({'ring': (12, 18, 50, 56), 'box': (78, 30, 116, 68)}, 4,
                                                         (90, 130)))
    (scenes / 'broken.jpg').write_bytes(b'no picture')
    assert run(shapes, '--holdout', '1', '--detect', scenes) == 0
    out = capsys.readouterr().out
    assert '3 pictures held out, 1 a class' in out and 'top-1 accuracy 100.0 % of 3 pictures (chance 33.3 %)' in out
    assert run.looked == [('features', 12), ('objects', 1)]
    with open(tmp_path / 'out' / 'detections.json') as stream:
        content = json.load(stream)
    assert [entry['name'] for entry in content['categories']] == ['box', 'disc', 'ring']
    found = {content['categories'][entry['category_id'] - 1]['name']: entry for entry in content['annotations']}
    assert set(found) == {'box', 'ring'} and min(entry['score'] for entry in found.values()) >= 0.5
    with open(tmp_path / 'out' / 'confusion.csv', newline='') as stream:
        assert list(csv.reader(stream))[1] == ['box', '1', '0', '0']
    assert os.listdir(tmp_path / 'out' / 'pictures') == ['both_detections.jpg']

    assert run(shapes, '--detect', scenes, '--thresh', '0.9') == 0     # nothing is looked at twice
    assert run.looked == []

    path = tmp_path / 'shapes.npz'
    shutil.move(tmp_path / 'out' / 'classifier.npz', path)
    others, tests = (write_classes(tmp_path / name, of, 3, seed) for name, of, seed in (
        ('more', ['wedge'], 1), ('test', ['box', 'wedge'], 2)))
    assert run('--classifier', path, '--add', others, '--test_folder', tests, '--detect', scenes / 'both.png') == 0
    assert FewShotClassifier.load(str(tmp_path / 'out' / 'classifier.npz')).classes == ('box', 'disc', 'ring', 'wedge')
    assert run.looked == [('features', 3), ('features', 6)]
    assert 'box' in capsys.readouterr().out


def test_all_pictures_of_the_test_folder_were_learnt(run, shapes):
    with pytest.raises(SniperError, match='all pictures of --test_folder were learnt'):
        run(shapes, '--test_folder', shapes)


def test_weights_by_their_file(run, shapes, tmp_path):
    model = shutil.copy(SMALL[3] + '-0000.params', tmp_path / 'mine-0007.params')
    shutil.copy(SMALL[3] + '-0000.json', tmp_path / 'mine-0007.json')
    assert run(shapes, '--weights', model) == 0
    path = tmp_path / 'out' / 'classifier.npz'
    assert run('--classifier', path, '--test_folder', write_classes(tmp_path / 'test', ['box', 'ring'], 2, seed=8)) == 0
    with open(model, 'r+b') as stream:      # a byte of a weight
        stream.seek(-5, os.SEEK_END)
        stream.write(b'\x01')
    with pytest.raises(SniperError, match='classifier.npz was learnt with other weights than the network has now'):
        run('--classifier', path, '--weights', model, '--test_folder', shapes)
    with pytest.raises(SniperError, match='model.bin is not called as a checkpoint is, PREFIX-0007.params'):
        run(shapes, '--weights', tmp_path / 'model.bin')


@pytest.mark.parametrize('words, says', [
    ([], 'give a folder of pictures a class to learn, or --classifier FILE'),
    (['a', '--classifier', 'b'], 'give a folder of pictures a class to learn, or --classifier FILE'),
    (['a', '--add', 'b'], '--add is for the classes of a --classifier'),
    (['--classifier', 'b'], 'there is nothing to do'),
    (['a', '--thresh', '1.5'], '--thresh 1.5: probabilities are from 0 to 1'),
    (['a', '--holdout', '-1'], '--holdout -1: give 0 or more'),
    (['--classifier', 'b', '--detect', 'c', '--scales', '0'], '--features, --scales and --no_mirror are what'),
    (['gone'], 'gone is missing: name a folder'),
    (['--classifier', 'gone.npz', '--detect', CONFIG], 'classifier gone.npz cannot be read'),
    (['a', '--detect', 'gone.jpg'], 'image gone.jpg cannot be read: it is missing')])
def test_what_cannot_be_meant(run, words, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SniperError, match=says) as error:
        run(*words)
    assert '\n' not in str(error.value)


def test_scales_that_there_are_not(run, shapes, tmp_path):
    with pytest.raises(SniperError, match='there is no entry 4 of TEST.SCALES'):
        run(shapes, '--scales', '4')
    assert run(shapes, '--scales', '1', overrides=['TEST.SCALES', '[1x, 2x]', 'TEST.VALID_RANGES',
                                                   '[[-1, -1], [-1, -1]]', 'TEST.BATCH_IMAGES', '[8, 8]']) == 0
    path = tmp_path / 'out' / 'classifier.npz'
    with pytest.raises(SniperError, match='classifier.npz was learnt with another network or other scales: there is'):
        run('--classifier', path, '--detect', os.path.join(shapes, 'box'))


def test_what_is_held_out_was_never_learnt(run, shapes, tmp_path, capsys):
    assert run(shapes, '--holdout', '0') == 0
    path = shutil.move(tmp_path / 'out' / 'classifier.npz', tmp_path / 'shapes.npz')
    fresh = write_classes(tmp_path / 'more', ['box', 'ring'], 2, seed=5)
    shutil.copytree(os.path.join(shapes, 'disc'), os.path.join(fresh, 'disc'))
    for name in os.listdir(os.path.join(shapes, 'box')):
        shutil.copy(os.path.join(shapes, 'box', name), os.path.join(fresh, 'box', 'old' + name))
    assert run('--classifier', path, '--add', fresh, '--holdout', '2') == 0
    assert '2 pictures held out' in capsys.readouterr().out     # one of each class that has two new ones


def test_a_test_of_unknown_classes_ends_before_anything_is_learnt(run, shapes, tmp_path):
    with pytest.raises(SniperError, match='have classes that are not learnt: wedge; known: box, disc, ring'):
        run(shapes, '--test_folder', write_classes(tmp_path / 'test', ['wedge'], 1))
    assert run.looked == [] and not os.path.exists(tmp_path / 'out' / 'classifier.npz')


def test_no_picture_to_detect_in_can_be_read(run, shapes, tmp_path):
    """What an earlier run has written stays."""
    earlier = tmp_path / 'out' / 'detections.json'
    earlier.parent.mkdir()
    earlier.write_text('earlier')
    path = tmp_path / 'broken.jpg'
    path.write_bytes(np.zeros(9, np.uint8).tobytes())
    with pytest.raises(SniperError, match='none of the 1 pictures can be read: image .*broken.jpg'):
        run(shapes, '--detect', path)
    assert earlier.read_text() == 'earlier'
