"""Schedules that count iterations: where they end, what they keep, and --resume, bit for bit."""
import json
import logging
import os
import signal

import numpy as np
import pytest

from configs import load_config
from lib.train.loop import Epoch
from lib.train.plan import Plan
from lib.train.schedule import learning_rate
from lib.utils.errors import SniperError
from lib.weights.params_file import read_arrays
from tests.train.test_run import Killed, at, kill, run as run_epochs
from tests.train.test_watching import Judge, run as run_watched
from tests.train.tiny import make_config

KEYS = {'end_epoch': 0, 'end_iteration': 5, 'lr_step': "''", 'lr_step_iterations': [3], 'SNAPSHOT_ITERATIONS': 2}


def config(**train):
    return make_config(**dict(KEYS, **train))


def run(prefix, resume=False, on_batch=None, batches=3, **train):
    """Epochs of three batches -> (exit status, where each part began)."""
    status, iterator = run_epochs(prefix, resume, on_batch, config(**train), batches=batches)
    return status, iterator.started


def stop():
    os.kill(os.getpid(), signal.SIGTERM)


def checkpoints(prefix):
    folder, base = os.path.split(prefix)
    return sorted(name[len(base) + 1:-len('.params')] for name in os.listdir(folder)
                  if name.startswith(base) and name.endswith('.params'))


def side(prefix, tag):
    with open(f'{prefix}-{tag}.json') as stream:
        return json.load(stream)


def assert_same(first, second, tag):
    for suffix in ('params', 'states'):
        one, other = (read_arrays(f'{prefix}-{tag}.{suffix}') for prefix in (first, second))
        assert one.keys() == other.keys()
        assert [name for name in one if one[name].tobytes() != other[name].tobytes()] == []
    one, other = side(first, tag), side(second, tag)
    for key in ('metrics', 'num_update', 'epoch', 'batch', 'step', 'samples', 'first_chip', 'order_batch'):
        assert one.get(key) == other.get(key), key


@pytest.fixture(scope='module')
def straight(tmp_path_factory):
    """Prefix of a run of 5 iterations, in the middle of the second epoch, which nothing has interrupted."""
    prefix = str(tmp_path_factory.mktemp('straight') / 'S')
    assert run(prefix) == (0, [(0, 0), (1, 0)])
    return prefix


def test_it_ends_and_keeps_checkpoints_where_it_should(straight, tmp_path):
    assert checkpoints(straight) == ['iter2', 'iter4', 'iter5']
    last = side(straight, 'iter5')
    assert (last['epoch'], last['batch'], last['step'], last['num_update']) == (1, 2, 5, 5)
    prefix = str(tmp_path / 'S')
    run(prefix, SNAPSHOT_ITERATIONS=0)
    assert checkpoints(prefix) == ['0001', 'iter5']
    assert_same(straight, prefix, 'iter5')      # to keep checkpoints changes nothing
    assert read_arrays(prefix + '-0001.params').keys() == read_arrays(straight + '-iter2.params').keys()


@pytest.mark.parametrize('moment, action, kept, began', [
    ((0, 0), stop, ['interrupted'], (0, 1)),
    ((0, 1), stop, ['iter2'], (0, 2)),                      # at a checkpoint: no second one
    ((0, 2), stop, ['interrupted', 'iter2'], (1, 0)),       # the last batch of an epoch
    ((1, 0), stop, ['iter2', 'iter4'], (1, 1)),
    ((1, 0), kill, ['iter2'], (0, 2)),
    ((1, 1), kill, ['iter2', 'iter4'], (1, 1)),
    ((1, 1), stop, ['iter2', 'iter4', 'iter5'], None)])     # the last of all
def test_resume_is_exact(straight, tmp_path, moment, action, kept, began):
    prefix = str(tmp_path / 'S')
    try:
        status, _ = run(prefix, on_batch=at(*moment, action))
        assert status == (143 if began else 0)
    except Killed:
        assert action is kill
    assert checkpoints(prefix) == kept
    assert run(prefix, resume=True) == (0, [began] + [(1, 0)] * (began == (0, 1) or began == (0, 2)) if began else [])
    assert checkpoints(prefix) == ['iter2', 'iter4', 'iter5']
    for tag in checkpoints(prefix):
        assert_same(straight, prefix, tag)


def test_on_past_an_end_that_was_moved(straight, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    whole, parts = str(tmp_path / 'a' / 'S'), str(tmp_path / 'b' / 'S')
    run(whole, end_iteration=8)
    run(parts)
    caplog.clear()
    assert run(parts, resume=True) == (0, []) and 'All 5 iterations are trained already' in caplog.text
    assert run(parts, resume=True, end_iteration=8) == (0, [(1, 2), (2, 0)])
    assert 'configuration has changed' not in caplog.text
    for tag in ('iter6', 'iter8'):
        assert_same(whole, parts, tag)
    assert run(parts, resume=True, end_iteration=3)[1] == []


def test_epochs_and_snapshots(tmp_path):
    """Training by epochs keeps its last checkpoint's name; an end in iterations may be an epoch's."""
    prefix = str(tmp_path / 'S')
    run_epochs(prefix, config=make_config(SNAPSHOT_ITERATIONS=4))
    assert checkpoints(prefix) == ['0002', 'iter4']
    run(prefix, end_iteration=6, SNAPSHOT_ITERATIONS=3)
    assert checkpoints(prefix) == ['iter3', 'iter6']
    assert (side(prefix, 'iter3')['epoch'], side(prefix, 'iter3')['batch']) == (1, 0)
    assert run(prefix, resume=True, end_iteration=7)[1] == [(2, 0)]


def test_what_tests_take(straight, tmp_path):
    from lib.inference.weights import find_weights
    from lib.weights.initial import initial_weights

    def found(epoch, folder=os.path.dirname(straight)):
        return find_weights(load_config(None, ['TEST.TEST_EPOCH', epoch, 'symbol', 'sniper_tiny']), folder, 'S')
    for epoch, tag in (('last', 'iter5'), ('iter4', 'iter4')):
        assert found(epoch).path == f'{straight}-{tag}.params' and found(epoch).classes == ('__background__', 'a')
        begun = load_config(None, ['network.pretrained', straight, 'network.pretrained_epoch', epoch])
        assert initial_weights(begun).path == f'{straight}-{tag}.params'
    for epoch in ('iter3', 'last-ema'):
        with pytest.raises(SniperError, match='there are epochs iter2, iter4, iter5'):
            found(epoch)
    with pytest.raises(SniperError, match='S-last.params do not exist'):
        found('last', str(tmp_path))
    run(str(tmp_path / 'S'), EMA=0.9, end_iteration=1)
    assert found('last-ema', str(tmp_path)).epoch == 'iter1-ema'


def test_a_test_with_the_same_configuration_finds_the_weights(straight, tmp_path, caplog):
    """A number of epochs is of another length, unless somebody asks for it."""
    from lib.weights.newest import checkpoint_to_test
    caplog.set_level(logging.INFO)
    path, prefix = tmp_path / 'my.yml', str(tmp_path / 'S')
    path.write_text('TRAIN: {end_iteration: 5}\nTEST: {TEST_EPOCH: 1}\n')
    for words, found in (([], 'iter5'), (['TEST.TEST_EPOCH', 1], 1), (['TRAIN.end_iteration', 0], 1)):
        assert checkpoint_to_test(load_config(str(path), words), straight) == found
    assert checkpoint_to_test(load_config(None, ['TRAIN.end_iteration', 5]), straight) == 'iter5'
    assert checkpoint_to_test(load_config(str(path)), prefix) == 1
    run(prefix, end_iteration=1)
    assert 'TEST.TEST_EPOCH is' not in caplog.text
    run_epochs(prefix)
    assert 'TEST.TEST_EPOCH is 7, of which there is no checkpoint: --set TEST.TEST_EPOCH last' in caplog.text


def test_validations_patience_and_averages_go_with_it(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    whole, parts, judge = str(tmp_path / 'a' / 'S'), str(tmp_path / 'b' / 'S'), Judge({3: 0.5, 5: 0.4})
    keys = dict(KEYS, VALIDATE_EVERY='epoch', EMA=0.9)
    run_watched(whole, judge, **keys)
    assert judge.steps == [3, 5] and side(whole, 'best')['step'] == 3
    assert 'Iteration 5/5 (epoch 2, batch 2/3)' in caplog.text and 'Trained to iteration 5' in caplog.text
    assert 'Validation in iteration 5 (averaged weights): AP 0.4000' in caplog.text
    assert 'the best is 0.5000 of iteration 3' in caplog.text and 'left 0:00' in caplog.text
    with pytest.raises(Killed):
        run_watched(parts, Judge({3: 0.5}), on_batch=at(1, 1, kill), **keys)
    run_watched(parts, Judge({5: 0.4}), resume=True, **keys)
    one, other = (read_arrays(prefix + '-iter5-ema.params') for prefix in (whole, parts))
    assert [name for name in one if one[name].tobytes() != other[name].tobytes()] == []
    assert side(parts, 'iter5')['validation'] == side(whole, 'iter5')['validation']
    caplog.clear()
    stopped = str(tmp_path / 'c' / 'S')
    run_watched(stopped, Judge({1: 0.5, 2: 0.4}), **dict(KEYS, VALIDATE_EVERY=1, PATIENCE=1))
    assert 'AP 0.5000 in iteration 1, are tested by' in caplog.text and checkpoints(stopped) == ['best', 'iter2']


def rates(train_config, count, samples=6, batch=2):
    rate = learning_rate(train_config, samples, batch)
    return [rate(update) for update in range(1, count + 1)]


def test_rates():
    plain = dict(lr=1.0, warmup=False)
    np.testing.assert_allclose(rates(config(**plain), 5), [1, 1, 1, .1, .1])
    np.testing.assert_allclose(
        rates(config(lr_step_iterations=[1, 3], lr_factor=[0.5, 0.1], **plain), 5), [1, .5, .5, .05, .05])
    cosine = rates(config(LR_POLICY='cosine', LR_FINAL=0.2, lr=1.0, warmup_lr=0.0, warmup_step=1), 6)
    assert cosine[4] == pytest.approx(0.2) == cosine[5] and 0.2 < cosine[3] < cosine[2] < 1


@pytest.mark.parametrize('end', [{'end_epoch': 2, 'end_iteration': 0, 'SNAPSHOT_ITERATIONS': 1}, {}])
def test_a_rate_that_falls_all_the_time_goes_on_exactly(tmp_path, end):
    """Stopped between two of its steps, in the second epoch; trainings by epochs and by iterations."""
    keys = dict(end, lr_step_iterations=[], lr_every=2, lr_factor=0.5)
    whole, parts = str(tmp_path / 'a' / 'S'), str(tmp_path / 'b' / 'S')
    run(whole, **keys)
    with pytest.raises(Killed):
        run(parts, on_batch=at(1, 1, kill), **keys)
    assert run(parts, resume=True, **keys)[1] == [(1, 1)]
    tag = checkpoints(whole)[-1]
    assert tag == checkpoints(parts)[-1]
    assert_same(whole, parts, tag)


def test_other_batches_on_the_way(tmp_path, caplog):
    """Updates are counted as they were made, whatever their size: the rate drops after three."""
    caplog.set_level(logging.INFO)
    prefix = str(tmp_path / 'S')
    run(prefix, on_batch=at(0, 1, stop))
    assert run(prefix, resume=True, BATCH_IMAGES=4, batches=2)[1] == [(0, 0), (1, 0)]
    assert 'the schedule counts updates, whatever their size' in caplog.text
    last = side(prefix, 'iter5')
    assert (last['step'], last['num_update']) == (5, 5)


def test_plan():
    by_epochs, epoch = Plan(3), Epoch(1, 10, before=10)
    epoch.done = 4
    assert not by_epochs.ended(epoch) and by_epochs.left(epoch, 4) == 16 and not by_epochs.rests(epoch)
    assert by_epochs.text(epoch, 4) == 'Epoch 2/3 batch 4/10' and by_epochs.last_tag() == '0003'
    plan = Plan(0, 21000, 7)
    assert plan.rests(epoch) and plan.left(epoch, 4) == 20986 and plan.last_tag() == 'iter21000'
    assert plan.bar(epoch, 4) == ('Iteration', 14, 21000)
    assert plan.text(Epoch(1, 2000, before=2000), 1) == 'Iteration 2,001/21,000 (epoch 2, batch 1/2000)'
    assert not Plan(0, 14, 7).rests(epoch) and Plan(0, 14, 7).ended(epoch)
