"""Learning-rate schedule and optimiser settings against the golden file, and the options of ours."""
import copy
import math

import numpy as np
import pytest

from configs import flat_config
from lib.train.schedule import LearningRate, learning_rate
from lib.utils.errors import SniperError
from tests.golden import golden_file
from tests.train.tiny import make_config


def test_golden_schedule_and_settings():
    from lib.train.schedule import sgd_settings
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
        settings = sgd_settings(config, schedule)
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
    from lib.train.schedule import sgd_settings
    config = make_config()
    config.TRAIN.CLIP_GRADIENT, config.TRAIN.fp16, config.TRAIN.scale = 2.0, True, 100.0
    assert sgd_settings(config, learning_rate(config, 10, 2))['clip_gradient'] == 200.0
    assert math.isclose(sgd_settings(config, learning_rate(config, 10, 2))['wd'], config.TRAIN.wd * 100)
