"""Learning-rate schedule and optimiser settings against the golden file, and the options of ours."""
import copy
import math

import numpy as np
import pytest

from configs import check_supported, flat_config
from lib.train.schedule import LearningRate, learning_rate
from lib.utils.errors import SniperError
from tests.golden import golden_file
from tests.train.tiny import make_config


def test_golden_schedule_and_settings():
    from lib.train.schedule import optimiser_settings
    golden = np.load(golden_file('pipeline/lr_schedule.npz'))
    for case in range(int(golden['n_cases'])):
        def value(name):
            return golden[f'{case:03d}/{name}']
        config = make_config()
        train = config.TRAIN
        train.lr, train.lr_factor = float(value('lr')), float(value('factor'))
        train.momentum, train.wd = float(value('momentum')), float(value('wd'))
        train.lr_step = ','.join(repr(float(epoch)) for epoch in value('lr_epochs'))
        train.begin_epoch, train.end_epoch = int(value('begin_epoch')), int(value('end_epoch'))
        train.warmup, train.warmup_lr = bool(value('warmup')), float(value('warmup_lr'))
        train.warmup_step = int(value('warmup_step'))
        train.fp16, train.scale = bool(value('fp16')), float(value('loss_scale'))
        before = copy.deepcopy(config)
        samples, batch = int(value('n_samples')), int(value('batch_size'))
        for _ in range(2):  # the original changed warmup_lr in place, so that a second call divided twice
            schedule = learning_rate(config, samples, batch)
        assert flat_config(config) == flat_config(before)
        assert schedule.steps == value('lr_iters').tolist()
        expected = value('lr_per_update')
        rates = np.array([schedule(update) for update in range(1, len(expected) + 1)])
        np.testing.assert_allclose(rates, expected, rtol=1e-9, err_msg=f'case {case}')
        settings = optimiser_settings(config, schedule)
        for key in ('momentum', 'wd', 'rescale_grad', 'multi_precision'):
            name = 'optimizer_' + key if key in ('momentum', 'wd') else key
            assert settings[key] == pytest.approx(value(name)), (case, key)
        assert settings['learning_rate'] == pytest.approx(value('optimizer_lr'), rel=1e-9)
        assert settings['clip_gradient'] is None


def test_cosine_ends_at_the_final_share():
    rate = LearningRate(0.1, 'cosine', warmup_lr=0.0, warmup_updates=10, total=110, final=0.01)
    assert rate(5) == pytest.approx(0.05)
    assert rate(10) == pytest.approx(0.1)
    assert rate(60) == pytest.approx((0.1 + 0.001) / 2)
    assert rate(110) == pytest.approx(0.001)
    assert rate(500) == pytest.approx(0.001)
    rates = [rate(update) for update in range(10, 111)]
    assert rates == sorted(rates, reverse=True)


def test_linear_rule_scales_with_the_batch():
    config = make_config()
    config.TRAIN.LR_SCALING, config.TRAIN.LR_REFERENCE_BATCH = 'linear', 128
    config.TRAIN.lr, config.TRAIN.warmup = 0.128, False
    assert learning_rate(config, 100, 4)(1) == pytest.approx(0.004)


def test_bad_values_are_one_line_errors():
    config = make_config()
    for key, value in (('lr_step', '5;6'), ('LR_POLICY', 'poly'), ('lr', 0.0)):
        broken = copy.deepcopy(config)
        broken.TRAIN[key] = value
        with pytest.raises(SniperError, match=key) as error:
            learning_rate(broken, 100, 4)
        assert '\n' not in str(error.value)


def test_clipping_follows_the_loss_scale():
    from lib.train.schedule import optimiser_settings
    config = make_config()
    config.TRAIN.CLIP_GRADIENT, config.TRAIN.fp16, config.TRAIN.scale = 2.0, True, 100.0
    assert optimiser_settings(config, learning_rate(config, 10, 2))['clip_gradient'] == 200.0
    assert math.isclose(optimiser_settings(config, learning_rate(config, 10, 2))['wd'], config.TRAIN.wd * 100)


def test_adam_takes_the_loss_scale_off_the_gradients():
    from lib.train.schedule import optimiser_settings
    config = make_config(OPTIMIZER='adam', CLIP_GRADIENT=2.0, fp16=True, scale=100.0, LOSS_MEAN='update')
    schedule = learning_rate(config, 10, 2)
    assert schedule.base_lr == config.TRAIN.lr and schedule.loss_factor == 100
    settings = optimiser_settings(config, schedule, parts=4)
    assert settings == dict(learning_rate=config.TRAIN.lr, lr_scheduler=schedule, multi_precision=True,
                            beta1=config.TRAIN.momentum, wd=config.TRAIN.wd, rescale_grad=1 / 400, clip_gradient=2.0)


def test_adam_with_a_momentum_of_one():
    from lib.train.schedule import optimiser_settings
    config = make_config(OPTIMIZER='adam', momentum=1.0)
    with pytest.raises(SniperError, match='TRAIN.momentum is 1.0, but Adam wants less than 1'):
        optimiser_settings(config, learning_rate(config, 10, 2))


SHARES = (0.5, 0.2, 0.1, 0.1)    # of the authors' list .004 .002 .0004 .00004 .000004, and the port's gamma


def rates_of(config, updates, samples=80, batch=4):
    schedule = learning_rate(config, samples, batch)
    return np.array([schedule(update) for update in range(1, updates + 1)])


def single_shot_config(**train):
    return make_config(lr_step='90,110,130,150', lr_factor=list(SHARES), end_epoch=160, warmup=True, WARMUP_EPOCHS=5,
                       warmup_step=7, **train)


def test_golden_schedules_of_m2det():
    golden = np.load(golden_file('m2det/lr_schedule.npz'))
    batch, samples = 4, 4 * int(golden['epoch_size'])
    authors = rates_of(single_shot_config(lr=0.004, warmup_lr=1e-6, WARMUP_FROM_LR=True), 3200, samples, batch)
    np.testing.assert_allclose(authors, golden['original_512'], rtol=1e-12)
    port = rates_of(single_shot_config(lr=1e-3, warmup_lr=0.0), 3200, samples, batch)
    np.testing.assert_allclose(port, golden['port_single_device_lr1e3'], rtol=1e-6)
    eight = single_shot_config(lr=1e-3, warmup_lr=0.0, LR_SCALING='linear', LR_REFERENCE_BATCH=7, LOSS_MEAN='update')
    np.testing.assert_allclose(rates_of(eight, 3200, 20 * 56, 56), golden['port_eight_devices_lr1e3'], rtol=1e-6)


def test_warmup_in_epochs_and_batches():
    by_batches = rates_of(make_config(warmup_step=4, warmup_lr=0.0, lr=0.4, lr_step='9'), 5)
    np.testing.assert_allclose(by_batches, [.1, .2, .3, .4, .4])
    from_lr = rates_of(make_config(WARMUP_EPOCHS=0.2, WARMUP_FROM_LR=True, warmup_lr=0.0, lr=0.4, lr_step='9'), 6)
    np.testing.assert_allclose(from_lr, [0, .1, .2, .3, .4, .4])


def test_every_so_many_iterations():
    """The original's rule, 0.95 after every 1000, which it kept up for one epoch only."""
    rates = rates_of(make_config(lr=0.015, lr_every=1000, lr_factor=0.95, lr_step='', warmup=False), 5000)
    np.testing.assert_allclose(rates, 0.015 * np.repeat(0.95 ** np.arange(5), 1000), rtol=1e-12)
    warm = rates_of(make_config(lr=0.4, lr_every=3, lr_factor=0.5, lr_step='', warmup_step=4, warmup_lr=0.0), 9)
    np.testing.assert_allclose(warm, [.1, .2, .3, .2, .2, .2, .1, .1, .1])    # counted from the first update
    ended = rates_of(make_config(lr=1.0, lr_every=2, lr_factor=0.5, lr_step='', warmup=False, end_epoch=0,
                                 end_iteration=5), 5)
    np.testing.assert_allclose(ended, [1, 1, .5, .5, .25])


def test_a_factor_of_each_step():
    config = make_config(lr=1.0, lr_step='1,3,2', lr_factor=[0.5, 0.1, 0.2], warmup=False)
    np.testing.assert_allclose(rates_of(config, 8, 8, 4), [1, 1, .5, .5, .1, .1, .01, .01])
    config.TRAIN.begin_epoch = 1    # its factor has passed
    np.testing.assert_allclose(rates_of(config, 6, 8, 4), [1, 1, .2, .2, .02, .02])
    config.TRAIN.lr_factor = [0.5, 0.1]
    with pytest.raises(SniperError, match='lr_factor.*3 epochs'):
        check_supported(config, 'train')


def test_which_parameters_decay():
    from lib.train.schedule import decayed_parameters
    shapes = {'reduce.conv.weight': (4, 3, 1, 1), 'loc.0.bias': (24,), 'Norm.weight': (8,), 'fc_weight': (5, 4)}
    assert decayed_parameters('weights', shapes) is None
    assert decayed_parameters('convolutions', shapes) == {'reduce.conv.weight', 'fc_weight'}
    assert decayed_parameters('all', shapes) == set(shapes)


def test_a_large_update_with_the_rate_of_a_small_one(caplog, monkeypatch):
    from lib.tasks.proposals import ProposalTask
    from lib.train import schedule
    config = make_config(BATCH_IMAGES=8)
    schedule._warn_of_odd_settings(config, 5, schedule.ALONE)
    assert not caplog.text      # nothing is known of this family
    monkeypatch.setattr(ProposalTask, 'largest_batch', 32)
    schedule._warn_of_odd_settings(config, 4, schedule.ALONE)
    assert not caplog.text
    schedule._warn_of_odd_settings(config, 5, schedule.ALONE)
    assert 'An update has 40 chips' in caplog.text and 'LR_REFERENCE_BATCH 32' in caplog.text
    caplog.clear()
    config.TRAIN.LR_SCALING, config.TRAIN.LOSS_MEAN = 'linear', 'update'
    schedule._warn_of_odd_settings(config, 5, schedule.ALONE)
    assert not caplog.text


def test_a_warmup_that_never_ends(caplog):
    from lib.train import schedule

    class Step:
        num_devices = 1

        def shapes(self):
            return {}, {}

        def init_optimiser(self, *_):
            pass

    for epochs, said in ((2, ''), (5, 'Warm-up lasts 50 updates and the whole training 50: the rate never reaches '
                                      'TRAIN.lr 0.1; lower TRAIN.WARMUP_EPOCHS')):
        config = make_config(lr=0.1, warmup=True, WARMUP_EPOCHS=epochs, end_epoch=5)
        caplog.clear()
        schedule.init_optimiser(Step(), config, learning_rate(config, 40, 4))
        assert said in caplog.text and bool(said) == ('Warm-up' in caplog.text)
