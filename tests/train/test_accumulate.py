"""TRAIN.ACCUMULATE: batches one after the other are as good as devices side by side."""
import json
import os
import signal

import numpy as np
import pytest

from lib.weights.params_file import read_arrays
from tests.train.test_run import END, assert_same_end, at, run
from tests.train.tiny import FakeIterator, TinyDetector, make_config


@pytest.fixture(scope='module')
def mx():
    from sniper_mxnet import mx
    return mx


def end(prefix):
    return [read_arrays(END % (prefix, suffix)) for suffix in ('params', 'states')]


@pytest.mark.parametrize('loss_mean, clip', [('device', 0.0), ('update', 0.0), ('update', 0.02)])
def test_two_parts_are_as_two_devices(mx, tmp_path, loss_mean, clip):
    """Parameters and momenta; the statistics of BatchNorm are updated twice instead of averaged."""
    settings = dict(LOSS_MEAN=loss_mean, CLIP_NORM=clip)
    run(str(tmp_path / 'A'), config=make_config(**settings), devices=[mx.cpu(0), mx.cpu(1)])
    run(str(tmp_path / 'B'), config=make_config(ACCUMULATE=2, **settings))
    for one, other in zip(end(str(tmp_path / 'A')), end(str(tmp_path / 'B'))):
        assert one.keys() == other.keys()
        for name in (name for name in one if not name.startswith('aux:')):
            np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-6, err_msg=name)
    facts = [json.load(open(END % (tmp_path / name, 'json'))) for name in 'AB']
    for key in ('num_update', 'samples', 'batch_size'):
        assert facts[0][key] == facts[1][key], key
    one, other = (np.array([numbers for numbers in metrics.values()], np.float64) if isinstance(metrics, dict) else
                  np.array(metrics) for metrics in (fact['metrics'] for fact in facts))
    np.testing.assert_allclose(one, other, rtol=1e-4)


def test_parts_are_as_the_whole_batch(mx, tmp_path):
    """Where losses are divided by constants, and BatchNorms keep their statistics."""
    for name, settings in (('A', dict(BATCH_IMAGES=4)), ('B', dict(BATCH_IMAGES=2, ACCUMULATE=2))):
        config = make_config(LOSS_MEAN='update', **settings)
        config.network.FIX_BN = True
        run(str(tmp_path / name), config=config)
    for one, other in zip(end(str(tmp_path / 'A')), end(str(tmp_path / 'B'))):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=0, atol=1e-5, err_msg=name)


def test_parts_of_parts(mx, tmp_path):
    """Three parts on two devices: the order of the chips is that of six devices."""
    run(str(tmp_path / 'A'), config=make_config(BATCH_IMAGES=1), devices=[mx.cpu(number) for number in range(6)])
    run(str(tmp_path / 'B'), config=make_config(BATCH_IMAGES=1, ACCUMULATE=3), devices=[mx.cpu(0), mx.cpu(1)])
    one, other = end(str(tmp_path / 'A'))[0], end(str(tmp_path / 'B'))[0]
    for name in (name for name in one if not name.startswith('aux:')):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_resume_is_exact(tmp_path):
    config = make_config(ACCUMULATE=2, CLIP_NORM=0.5, WD_ON='all')
    run(str(tmp_path / 'A'), config=config)
    status, _ = run(str(tmp_path / 'B'), on_batch=at(1, 1, lambda: os.kill(os.getpid(), signal.SIGTERM)), config=config)
    assert status == 143
    run(str(tmp_path / 'B'), resume=True, config=config)
    assert_same_end(str(tmp_path / 'A'), str(tmp_path / 'B'))


def test_outputs_are_those_of_all_parts(mx):
    from lib.train.initialise import init_parameters, make_step
    config, iterator = make_config(ACCUMULATE=3, FG_THRESH=0.5), FakeIterator(6)
    iterator.start_epoch(0)
    batch = next(iterator)
    with make_step(config, TinyDetector(), iterator, [mx.cpu()]) as step:
        init_parameters(step, TinyDetector(), config)
        step.init_optimiser('sgd', {'learning_rate': 0.1})
        step.forward_backward(batch, ['rpn_cls_prob_output'])
        found = step.outputs(['rpn_cls_prob_output']).read()['rpn_cls_prob_output']
        assert len(found) == 6
        batch.data = {name: np.concatenate([values[4:], values[:4]]) for name, values in batch.data.items()}
        step.forward_backward(batch)
        moved = step.outputs(step.output_names).read()
        np.testing.assert_allclose(moved['rpn_cls_prob_output'], np.concatenate([found[4:], found[:4]]), rtol=1e-5)
        assert set(moved) == set(step.output_names)
