"""Watching a training: validations, the best weights, early stopping, averaged weights, metrics; none of it changes
what is trained, all of it goes on where a run ended."""
import glob
import json
import logging
import math
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest

from lib.utils.errors import SniperError
from lib.weights.params_file import read_arrays
from tests.train.test_run import Killed, assert_same_end, at, kill
from tests.train.tiny import FakeIterator, TinyDetector, make_config


class Judge:
    """A validator with given values of AP, by what the weights are called and when; notes what it was given."""

    def __init__(self, values, failing_at=None):
        self.values, self.failing_at, self.seen = values, failing_at, []

    def __call__(self, prefix, tag):
        with open(f'{prefix}-{tag}.json') as stream:
            step = json.load(stream)['step']
        self.seen.append((step, read_arrays(f'{prefix}-{tag}.params')))
        if step == self.failing_at:
            raise SniperError('none of the 3 images can be read')
        np.random.rand(3)   # as whoever draws numbers without thinking of training
        return SimpleNamespace(metrics={'AP': self.values[step], 'AP50': 0.5}, metric='AP', images=3, unreadable=0)

    @property
    def steps(self):
        return [step for step, _ in self.seen]


def run(prefix, judge=None, resume=False, on_batch=None, **keys):
    """Two epochs of three batches -> exit status."""
    from lib.train.run import train
    from sniper_mxnet import mx
    config = make_config(**keys)
    return train(config, TinyDetector(), FakeIterator(config.TRAIN.BATCH_IMAGES, 3, on_batch), ('__background__', 'a'),
                 prefix, [mx.cpu()], display=2, resume=resume, validator=judge)


def same(one, other):
    assert one.keys() == other.keys()
    return [name for name in one if one[name].tobytes() != other[name].tobytes()] == []


def metrics(prefix):
    path, = glob.glob(prefix + '-metrics-*.jsonl')
    with open(path) as stream:
        return [json.loads(line) for line in stream]


VALUES = {2: 0.3, 4: 0.5, 6: 0.4}
ALL = {'VALIDATE_EVERY': 2, 'EMA': 0.9}


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    prefix = str(tmp_path_factory.mktemp('plain') / 'S')
    assert run(prefix) == 0
    return prefix


@pytest.fixture(scope='module')
def watched(tmp_path_factory):
    """Prefix and validator of a run with everything on."""
    prefix, judge = str(tmp_path_factory.mktemp('watched') / 'S'), Judge(VALUES)
    assert run(prefix, judge, **ALL) == 0
    return prefix, judge


def test_watching_changes_nothing(plain, watched):
    for suffix in ('params', 'states'):
        one, other = (read_arrays(f'{prefix}-0002.{suffix}') for prefix in (plain, watched[0]))
        assert same(one, other)


def test_the_best_weights_are_kept_and_can_be_tested(watched):
    from configs import load_config
    from lib.inference.weights import find_weights
    prefix, judge = watched
    assert judge.steps == [2, 4, 6]
    assert same(read_arrays(prefix + '-best.params'), judge.seen[1][1])
    with open(prefix + '-best.json') as stream:
        facts = json.load(stream)
    assert (facts['epoch'], facts['batch'], facts['step']) == (1, 1, 4)
    assert facts['validation'] == {'metric': 'AP', 'value': 0.5, 'epoch': 1, 'batch': 1, 'step': 4, 'images': 3,
                                   'metrics': {'AP': 0.5, 'AP50': 0.5}}
    assert not glob.glob(prefix + '-validated*')
    for epoch, tag in (('best', 'best'), ('2-ema', '0002-ema'), (2, '0002')):
        found = find_weights(load_config(None, ['TEST.TEST_EPOCH', epoch, 'symbol', 'sniper_tiny']),
                             os.path.dirname(prefix), 'S')
        assert found.path == f'{prefix}-{tag}.params' and found.classes == ('__background__', 'a')
    with pytest.raises(SniperError, match='there are epochs 1, 1-ema, 2, 2-ema, best'):
        find_weights(load_config(None, ['TEST.TEST_EPOCH', 9, 'symbol', 'sniper_tiny']), os.path.dirname(prefix), 'S')


def test_averaged_weights(plain, watched, tmp_path):
    """They are the mean that the formula gives, statistics of batch norms too, and they are what is validated."""
    prefix, judge = watched
    given = Judge(dict.fromkeys(range(1, 7), 0.1))
    run(str(tmp_path / 'S'), given, VALIDATE_EVERY=1)
    trained = dict(given.seen)
    mean = middle = first_weights()
    for step in range(1, 7):
        kept = min(0.9, (1 + step) / (10 + step))
        mean = {name: kept * mean[name] + (1 - kept) * trained[step][name] for name in mean}
        middle = mean if step == 4 else middle
    for found, wanted in ((read_arrays(prefix + '-0002-ema.params'), mean), (judge.seen[1][1], middle)):
        assert found.keys() == trained[6].keys()
        for name in wanted:
            np.testing.assert_allclose(found[name], wanted[name], rtol=2e-5, atol=1e-7, err_msg=name)
    moved = np.abs(mean['aux:bn_moving_mean'] - trained[6]['aux:bn_moving_mean']).max()
    assert moved > 1e-6


def first_weights():
    """Those that training begins with."""
    from lib.train.initialise import init_parameters, make_step
    from sniper_mxnet import mx
    config = make_config()
    with make_step(config, TinyDetector(), FakeIterator(2, 3), [mx.cpu()]) as step:
        init_parameters(step, TinyDetector(), config)
        args, auxs = step.parameters()
        return dict({'arg:' + name: array.asnumpy() for name, array in args.items()},
                    **{'aux:' + name: array.asnumpy() for name, array in auxs.items()})


@pytest.mark.parametrize('ending', ['killed', 'stopped'])
def test_all_of_it_goes_on_exactly(watched, tmp_path, ending):
    """Ended after the validation at batch 4 has found the best weights."""
    straight, prefix = watched[0], str(tmp_path / 'S')
    if ending == 'killed':
        with pytest.raises(Killed):
            run(prefix, Judge(VALUES), on_batch=at(1, 2, kill), **ALL)
    else:
        stop = at(1, 1, lambda: os.kill(os.getpid(), signal.SIGTERM))
        assert run(prefix, Judge(VALUES), on_batch=stop, **ALL) == 143
        assert os.path.exists(prefix + '-interrupted-ema.params')
    judge = Judge(VALUES)
    assert run(prefix, judge, resume=True, **ALL) == 0
    assert judge.steps == ([4, 6] if ending == 'killed' else [6])
    assert_same_end(straight, prefix)
    for tag in ('0001-ema', '0002-ema', 'best'):
        assert same(*(read_arrays(f'{each}-{tag}.params') for each in (straight, prefix)))
    ends = [json.load(open(each + '-0002.json')) for each in (straight, prefix)]
    for key in ('validation', 'average', 'step'):
        assert ends[0][key] == ends[1][key]
    assert ends[0]['validation']['since_best'] == 1 and ends[0]['average'] == {'decay': 0.9, 'updates': 6}
    assert not glob.glob(prefix + '-interrupted*')
    both = [[(line['step'], line.get('validation'), line.get('training', {}).keys()) for line in metrics(each)]
            for each in (straight, prefix)]
    if ending == 'killed':
        assert both[0] == both[1]
    else:   # readings of both parts, each step once
        assert len(set(map(str, both[1]))) == len(both[1]) and [row for row in both[0] if row[1]] == [
            row for row in both[1] if row[1]]


def test_metrics_of_a_run(watched):
    lines = metrics(watched[0])
    assert sorted((line['step'], line['epoch'], line['batch'], 'validation' in line) for line in lines) == [
        (2, 1, 2, False), (2, 1, 2, True), (3, 1, 3, False), (4, 2, 1, True), (5, 2, 2, False), (6, 2, 3, False),
        (6, 2, 3, True)]
    reading = next(line for line in lines if line['step'] == 5 and 'training' in line)
    assert reading['rate'] > 0 and reading['chips_per_second'] > 0 and reading['batches'] == 3
    assert all(np.isfinite(value) for value in reading['training'].values()) and len(reading['training']) > 1
    found = [line for line in lines if 'validation' in line]
    assert [line['validation']['AP'] for line in found] == [0.3, 0.5, 0.4]
    assert [line['best'] for line in found] == [True, True, False] and found[0]['averaged'] is True


def test_patience_ends_a_training_and_survives_a_resume(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    prefix, values = str(tmp_path / 'S'), {1: 0.5, 2: 0.4, 3: 0.5, 4: 0.6, 5: 0.1, 6: 0.2}
    keys = {'VALIDATE_EVERY': 1, 'PATIENCE': 2}
    assert run(prefix, Judge(values), **keys) == 0
    said = ('Stopped: AP has not risen for 2 validations (TRAIN.PATIENCE 2). The best weights, AP 0.5000 in epoch 1, '
            'batch 1')
    assert said in caplog.text
    before = sorted(os.listdir(str(tmp_path)))
    caplog.clear()
    assert run(prefix, Judge(values), resume=True, **keys) == 0
    assert 'Nothing to do. ' + said in caplog.text and sorted(os.listdir(str(tmp_path))) == before
    judge = Judge(values)
    assert run(prefix, judge, resume=True, VALIDATE_EVERY=1, PATIENCE=3) == 0
    assert judge.steps == [4, 5, 6] and os.path.exists(prefix + '-0002.params')


def test_a_validation_that_fails_ends_the_training_with_its_message_and_loses_nothing(plain, tmp_path):
    prefix = str(tmp_path / 'S')
    with pytest.raises(SniperError, match='none of the 3 images can be read .*--resume'):
        run(prefix, Judge(VALUES, failing_at=4), VALIDATE_EVERY=2)
    with open(prefix + '-interrupted.json') as stream:
        assert json.load(stream)['step'] == 4
    assert run(prefix, Judge(VALUES), resume=True, VALIDATE_EVERY=2) == 0
    assert same(*(read_arrays(each + '-0002.params') for each in (plain, prefix)))


def test_after_every_epoch_and_a_new_run_beside_it(tmp_path):
    prefix, judge = str(tmp_path / 'S'), Judge({3: 0.1, 6: 0.2})
    run(prefix, judge, VALIDATE_EVERY='epoch')
    assert judge.steps == [3, 6]
    run(prefix, Judge({5: 0.3, 6: 0.1}), VALIDATE_EVERY=5)
    aside, = glob.glob(str(tmp_path / 'before-*'))
    for folder, step in ((aside, 6), (str(tmp_path), 5)):
        with open(os.path.join(folder, 'S-best.json')) as stream:
            assert json.load(stream)['step'] == step
        assert len(glob.glob(os.path.join(folder, 'S-metrics-*.jsonl'))) == 1


def test_damaged_averages_are_passed_over(watched, tmp_path, caplog):
    prefix = str(tmp_path / 'S')
    run(prefix, Judge(VALUES), **ALL)
    os.truncate(prefix + '-0002-ema.params', 100)
    judge = Judge(VALUES)
    assert run(prefix, judge, resume=True, **ALL) == 0
    assert judge.steps == [4, 6] and 'S-0002-ema.params is missing or damaged' in caplog.text
    assert same(*(read_arrays(each + '-0002-ema.params') for each in (watched[0], prefix)))


def test_tensorboard_is_asked_for_and_absent(tmp_path, monkeypatch):
    import sys
    monkeypatch.setitem(sys.modules, 'tensorboardX', None)
    with pytest.raises(SniperError, match='TRAIN.TENSORBOARD is True, but tensorboardX .*requirements-optional.txt'):
        run(str(tmp_path / 'S'), TENSORBOARD=True)


def test_lines_come_in_order_and_scores_of_nothing_are_none(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    prefix = str(tmp_path / 'S')
    judge = Judge(dict.fromkeys(range(1, 7), 0.5))
    run(prefix, lambda *weights: SimpleNamespace(**{**vars(judge(*weights)), 'metrics': {'AP': 0.5, 'APl': math.nan}}),
        VALIDATE_EVERY=1)
    said = [line for line in (record.getMessage() for record in caplog.records) if ' batch 2' in line]
    assert [line.split()[0] for line in said] == ['Validation', 'Epoch'] * 2 and 'AP 0.5000  APl -;' in said[0]
    steps = [line['step'] for line in metrics(prefix)]
    assert steps == sorted(steps)
    found = [line['validation'] for line in metrics(prefix) if 'validation' in line]
    assert found == [{'AP': 0.5, 'APl': None}] * 6
    with open(prefix + '-best.json') as stream:
        assert json.load(stream)['validation']['metrics'] == {'AP': 0.5, 'APl': None}
