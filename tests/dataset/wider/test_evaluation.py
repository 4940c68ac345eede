"""A data set in WIDER FACE's layout with its lists: what scores it, what is written, parts of it, and the command."""
import json
import logging
import os
import re
import shutil

import cv2
import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.cli import run
from lib.dataset import get_dataset
from lib.dataset.wider_eval import main
from lib.utils.errors import SniperError
from tests.dataset.formats import folders
from tests.dataset.voc_folder import write
from tests.dataset.wider.made_up import write_lists

STEMS = 'abcd'      # those of folders.SIZES: two objects, one, two, none


def faces_of(stems):
    return {'0--Parade': {stem: [box for _, *box in folders.BOXES[stem]] for stem in stems}}


@pytest.fixture
def folder(tmp_path, caplog):
    """A data set with lists of its faces."""
    caplog.set_level(logging.INFO)
    folders.wider(tmp_path / 'data')
    write_lists(tmp_path / 'data' / 'eval_tools' / 'ground_truth', faces_of(STEMS))
    return str(tmp_path / 'data')


def opened(folder, lists=''):
    dataset = get_dataset('wider', 'val', folder, folder)
    dataset.roidb()
    dataset.score_by(lists)
    return dataset


def found_of(dataset, score=0.9):
    """All faces, and a wrong one that scores higher in the first picture."""
    truth = dataset.truth()
    box = np.concatenate([truth.box, [(60, 2, 90, 20)]])
    scores = np.append(np.linspace(score / 2, score, len(truth.box)), 1.0)
    return Detections(np.append(truth.image, 0), [1] * len(box), box, scores)


def test_files_and_scores(folder, tmp_path, caplog):
    dataset = opened(folder)
    assert f'scored by the lists wider_<setting>_val.mat in {os.path.join(folder, "eval_tools", "ground_truth")}' \
        in caplog.text and not [line for line in caplog.records if line.levelno > logging.INFO]
    metrics = dataset.evaluate(found_of(dataset), str(tmp_path))
    assert list(metrics) == ['easy', 'medium', 'hard'] and all(0.5 < ap < 1 for ap in metrics.values())
    with open(tmp_path / 'detections_val_metrics.json') as stream:
        assert json.load(stream) == metrics
    assert f'hard    {metrics["hard"]:.4f}   5 faces count' in caplog.text
    assert [(curve.name, curve.ap) for curve in dataset.curves] == list(metrics.items())
    assert dataset.curves[2].recall[-1] == 1 and dataset.curves[2].precision[0] == 0
    assert os.listdir(tmp_path / 'detections' / '0--Parade') and (
        tmp_path / 'detections' / '0--Parade' / 'a.txt').read_text().startswith('0--Parade/a.png\n3\n60 2 30 18 1 \n')


def test_the_command_gives_the_same(folder, tmp_path, capsys):
    dataset = opened(folder)
    metrics = dataset.evaluate(found_of(dataset), str(tmp_path))
    plot = tmp_path / 'curves.png'
    assert main(['--detections', str(tmp_path / 'detections'), '--lists', folder, '--plot', str(plot)]) == 0
    said = capsys.readouterr()
    assert '4 pictures, 6 detections' in said.out and cv2.imread(str(plot)).shape[0] > 300
    for setting, ap in metrics.items():
        assert f'{setting:<7} {ap:.4f}' in said.out
    os.remove(tmp_path / 'detections' / '0--Parade' / 'b.txt')
    write(tmp_path / 'detections' / '2--New' / 'n.txt', 'not read')
    assert main(['--detections', str(tmp_path / 'detections'), '--lists', folder]) == 0
    said = capsys.readouterr()
    assert f'hard    {metrics["hard"]:.4f}' not in said.out
    assert '1 of 4 pictures have no file of detections and count as without any: 0--Parade/b' in said.err
    assert '1 file is of no picture in the lists and not scored: 2--New/n' in said.err


@pytest.mark.parametrize('more, said', [
    (['--lists', '{tmp}'], 'error: --lists .* has no wider_easy_val.mat, nor its folders eval, '),
    (['--set', 'train'], "no wider_easy_train.mat, .* it has those of the set val"),
    (['--detections', '{tmp}'], 'error: .* has no file of detections of any of the 4 pictures'),
    (['--plot', '{tmp}/x.txt'], 'error: --plot .*x.txt must end in .png')])
def test_mistakes_on_the_command_line(folder, tmp_path, capsys, more, said):
    arguments = ['--detections', folder, '--lists', folder] + [word.format(tmp=tmp_path / 'none') for word in more]
    with pytest.raises(SystemExit) as stop:
        run(main, arguments)
    lines = capsys.readouterr().err.splitlines()
    assert stop.value.code == 1 and len(lines) == 1
    assert re.search(said, lines[0])


def test_without_lists_by_the_rules_of_coco(folder, tmp_path, caplog):
    """The text files are written all the same."""
    shutil.rmtree(os.path.join(folder, 'eval_tools'))
    dataset = opened(folder)
    assert f"WIDER_val is scored by COCO's rules: no wider_<setting>_val.mat lies in {folder}" in caplog.text
    metrics = dataset.evaluate(found_of(dataset), str(tmp_path))
    assert 'AP50' in metrics and not dataset.curves and (tmp_path / 'detections' / '0--Parade' / 'd.txt').exists()
    with pytest.raises(SniperError, match='dataset.WIDER_LISTS: .* has no list of WIDER FACE'):
        opened(folder, str(tmp_path))


def test_lists_elsewhere_and_of_other_pictures(folder, tmp_path, caplog):
    place = os.path.join(folder, 'eval_tools', 'ground_truth')
    shutil.rmtree(place)
    other = write_lists(tmp_path / 'other', {'5--Car': {'x': [(1, 2, 3, 40)]}})
    with pytest.raises(SniperError, match='name no picture of WIDER_val .0--Parade/a.png'):
        opened(folder, other)
    shutil.copytree(other, place)
    dataset = opened(folder)
    assert "COCO's rules: the lists wider_<setting>_val.mat in" in caplog.text
    assert 'AP' in dataset.evaluate(found_of(dataset), str(tmp_path))
    own = write_lists(tmp_path / 'own', faces_of(STEMS))
    assert 'hard' in opened(folder, own).evaluate(found_of(dataset), str(tmp_path))


def test_pictures_that_the_lists_or_the_test_lack(folder, tmp_path, caplog):
    """Neither counts: a part of a set is scored as if the others were not there."""
    lists = write_lists(tmp_path / 'lists', dict(faces_of('abd'), other={'x': [(1, 2, 3, 40)]}))
    dataset = opened(folder, lists)
    assert ('scored are the 3 pictures that are both in the lists and in this test; 1 of 4 in the lists are not '
            'tested; 1 are in no list (0--Parade/c.png)') in caplog.text
    found = found_of(dataset)
    metrics = dataset.evaluate(found, str(tmp_path))
    assert set(dataset.own_scores) == set(metrics)
    assert dataset._scoring.lists.counted['hard'].sum() == 4 and dataset.curves[2].recall[-1] == 1
    part = dataset.part([1, 3])
    assert part.evaluate(Detections([0], [1], found.box[found.image == 1], [0.5]), str(tmp_path)) == {
        'easy': 1.0, 'medium': 1.0, 'hard': 1.0}
    assert part.evaluate(Detections.empty(), str(tmp_path)) == {'easy': 0.0, 'medium': 0.0, 'hard': 0.0}
    none = dataset.part([3]).evaluate(Detections.empty(), str(tmp_path))
    assert none == {'easy': -1, 'medium': -1, 'hard': -1} and dataset.evaluate(found, str(tmp_path)) == metrics


def test_other_data_sets_have_no_lists(tmp_path):
    folders.coco(tmp_path)
    dataset = get_dataset('coco', 'val', str(tmp_path), str(tmp_path))
    dataset.score_by('')
    with pytest.raises(SniperError, match='dataset.WIDER_LISTS is x, but COCO_val is not scored by lists'):
        dataset.score_by('x')
