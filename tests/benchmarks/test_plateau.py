"""Training until it stops improving: the rule, what is run, going on, the order of several; and a real training."""
import json
import os

import pytest

from benchmarks import plateau
from benchmarks.plateau import PlateauTraining, Stopping, parts_at_full_rate, run_all
from lib.utils.errors import SniperError
from tests.benchmarks.test_sniper_gain import CFG, SETTINGS, data, run_here  # noqa: F401 (a fixture)


@pytest.mark.parametrize('scores, stopping, expected', [
    ([], Stopping(2, 9), 0), ([0.1, 0.2, 0.3], Stopping(2, 9), 0), ([0.1, 0.2, 0.3], Stopping(2, 3), 3),
    ([0.1, 0.3, 0.2], Stopping(2, 9), 0), ([0.1, 0.3, 0.2, 0.3], Stopping(2, 9), 4),
    ([0.1, 0.3, 0.301, 0.3015], Stopping(2, 9), 4),   # less than LEAST_GAIN is none
    ([0.1, 0.3, 0.2, 0.31, 0.3], Stopping(2, 9), 0),
    ([0.1, 0.3, 0.2, 0.3, 0.9], Stopping(2, 9), 4),   # what comes at the low rate does not count
    ([0.5, 0.4], Stopping(1, 9), 2)])
def test_when_the_rate_falls(scores, stopping, expected):
    assert parts_at_full_rate(scores, stopping) == expected


class Program:
    """In the place of the programs: keeps their --set, and gives a test the next of `scores`."""

    def __init__(self, monkeypatch, scores):
        self.trained, self.tested, self.scores = [], [], list(scores)
        monkeypatch.setattr(plateau, 'read_metrics', lambda folder: {'AP': self.scores.pop(0), 'name': 'x'})

    def __call__(self, name, *arguments):
        words = arguments[arguments.index('--set') + 1:]
        keys = dict(zip(words[::2], words[1::2]))
        assert ('--resume' in arguments) == (name == 'main_train.py')
        (self.trained if name == 'main_train.py' else self.tested).append(keys)
        return 60.0


def make(tmp_path, program, name='one', **keys):
    return PlateauTraining(CFG, str(tmp_path / name), dict({'TRAIN.MAX_BATCHES': 2}, **keys), {'TEST.MAX_PER_IMAGE': 7},
                           Stopping(2, 9), ['gpus', 'cpu'], program)


def test_parts_rates_and_tests(tmp_path, monkeypatch):
    program = Program(monkeypatch, [0.1, 0.3, 0.2, 0.3, 0.5, 0.45])
    training = make(tmp_path, program)
    run_all([training])
    assert [keys['TRAIN.end_epoch'] for keys in program.trained] == ['1', '2', '3', '4', '5']
    assert {keys['TRAIN.LR_POLICY'] for keys in program.trained} == {'step'}
    assert [keys.get('TRAIN.lr_step') for keys in program.trained] == [None] * 4 + ['4']
    assert program.trained[4]['TRAIN.lr_factor'] == '0.1' and program.trained[0]['gpus'] == 'cpu'
    assert [keys['TEST.TEST_EPOCH'] for keys in program.tested] == ['1', '2', '3', '4', '5']
    assert all(keys['TEST.MAX_PER_IMAGE'] == '7' for keys in program.tested)
    assert [(point['AP'], point['low_rate']) for point in training.curve] == [
        (0.1, False), (0.3, False), (0.2, False), (0.3, False), (0.5, True)]
    assert training.test('other', {'TEST.MAX_PER_IMAGE': 9}) == {'AP': 0.45} == training.test('other', {})
    assert len(program.tested) == 6 and program.tested[5]['TEST.MAX_PER_IMAGE'] == '9'


def test_it_goes_on_where_it_was_ended(tmp_path, monkeypatch):
    program = Program(monkeypatch, [0.1, 0.3])
    training = make(tmp_path, program)
    training.run_part()
    training.run_part()
    with pytest.raises(IndexError):  # ended in the third test
        training.run_part()
    again = make(tmp_path, Program(monkeypatch, [0.2, 0.25, 0.4]))
    run_all([again])
    assert [keys['TRAIN.end_epoch'] for keys in again.program.trained] == ['3', '4', '5']
    assert again.finished and [point['AP'] for point in again.curve] == [0.1, 0.3, 0.2, 0.25, 0.4]
    with pytest.raises(SniperError, match='other settings'):
        make(tmp_path, program, **{'TRAIN.SEED': 3})


@pytest.mark.parametrize('jobs', [1, 2])
def test_all_come_forward_together(tmp_path, monkeypatch, jobs):
    program = Program(monkeypatch, [0.1] * 8)
    trainings = [make(tmp_path, program, name) for name in ('one', 'two')]
    run_all(trainings, jobs)
    assert [len(training.curve) for training in trainings] == [4, 4]  # three at the full rate, one at the low
    if jobs == 1:
        assert [os.path.basename(keys['output_path']) for keys in program.trained] == ['one', 'two'] * 4


def test_a_real_training(data, tmp_path):  # noqa: F811
    """Two parts; the second, at the low rate, goes on from the first."""
    keys = {'dataset.dataset_path': data, 'dataset.root_path': tmp_path, 'TRAIN.MAX_BATCHES': 1}
    training = PlateauTraining(CFG, str(tmp_path / 'out'), keys, {}, Stopping(1, 1), SETTINGS, run_here)
    run_all([training])
    assert training.finished and [point['low_rate'] for point in training.curve] == [False, True]
    assert set(training.curve[0]) >= {'AP', 'APs', 'APl', 'seconds'}
    with open(str(tmp_path / 'out' / 'curve.json'), encoding='utf-8') as stream:
        assert json.load(stream)['curve'] == training.curve
