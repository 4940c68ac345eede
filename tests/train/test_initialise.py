"""Pretrained files, frozen parameters and first values."""
import json

import numpy as np
import pytest

from lib.utils.errors import SniperError
from tests.train.tiny import FakeIterator, TinyDetector, make_config


def first_values(config):
    """Parameters of the small network before training, and names of the frozen ones."""
    from lib.train.initialise import init_parameters, make_step
    from sniper_mxnet import mx
    with make_step(config, TinyDetector(), FakeIterator(2), [mx.cpu()]) as step:
        init_parameters(step, TinyDetector(), config)
        args, auxs = step.parameters()
        return {name: value.asnumpy() for name, value in dict(args, **auxs).items()}, step.frozen


def pretrained_config(tmp_path, **change):
    """A pretrained file made of ones; `change`: name -> shape, or None to leave it out."""
    from sniper_mxnet import mx
    values, _ = first_values(make_config())
    arrays = {}
    for name, value in values.items():
        shape = change.get(name, value.shape)
        if shape is not None:
            arrays[f'{"aux" if "moving" in name else "arg"}:{name}'] = mx.nd.ones(shape)
    arrays['arg:fc1_weight'] = mx.nd.ones(3)
    mx.nd.save(str(tmp_path / 'weights-0002.params'), arrays)
    config = make_config()
    config.network.pretrained, config.network.pretrained_epoch = str(tmp_path / 'weights'), 2
    return config


def test_from_scratch_nothing_is_frozen_and_the_seed_counts(caplog):
    caplog.set_level('INFO')
    values, frozen = first_values(make_config())
    assert frozen == [] and 'training from scratch' in caplog.text
    again, _ = first_values(make_config())
    other, _ = first_values(make_config(SEED=1))
    assert all(np.array_equal(values[name], again[name]) for name in values)
    assert not np.array_equal(values['stem_weight'], other['stem_weight'])


def test_pretrained_values_new_layers_and_frozen_ones(tmp_path):
    values, frozen = first_values(pretrained_config(tmp_path))
    assert (values['stem_weight'] == 1).all() and (values['bn_moving_mean'] == 1).all()
    assert not (values['rpn_cls_score_weight'] == 1).any()  # a new layer, though the file has it
    assert sorted(frozen) == ['stem_bias', 'stem_weight']


def test_heads_are_kept_where_the_file_has_them(tmp_path):
    config = pretrained_config(tmp_path, rpn_cls_score_bias=None)
    config.network.KEEP_HEADS = True
    values, _ = first_values(config)
    assert (values['stem_weight'] == 1).all() and (values['rpn_cls_score_weight'] == 1).all()
    assert (values['rpn_cls_score_bias'] == 0).all()        # a new layer that the file does not have


def test_heads_of_another_shape_are_not_kept_silently(tmp_path):
    config = pretrained_config(tmp_path, rpn_cls_score_weight=(3, 3))
    first_values(config)
    config.network.KEEP_HEADS = True
    with pytest.raises(SniperError, match='rpn_cls_score_weight'):
        first_values(config)


def test_frozen_parameters_do_not_move(tmp_path):
    from lib.train.run import train
    from lib.weights.checkpoint import load_params
    from sniper_mxnet import mx
    config = pretrained_config(tmp_path)
    assert train(config, TinyDetector(), FakeIterator(2), ('a', 'b'), str(tmp_path / 'S'), [mx.cpu()]) == 0
    args, _ = load_params(str(tmp_path / 'S-0002.params'))
    assert (args['stem_weight'].asnumpy() == 1).all()
    assert not (args['bn_gamma'].asnumpy() == 1).any()


def test_missing_and_misshapen_parameters_are_one_line(tmp_path):
    config = pretrained_config(tmp_path, stem_weight=(4, 3, 5, 5), bn_gamma=None, bn_moving_var=None)
    with pytest.raises(SniperError) as error:
        first_values(config)
    text = str(error.value)
    assert '2 parameters are missing (bn_gamma, bn_moving_var)' in text and '\n' not in text
    assert 'stem_weight is 4x3x5x5, the network wants 4x3x3x3' in text and 'weights-0002.params' in text


def test_missing_file_and_damaged_file(tmp_path):
    config = pretrained_config(tmp_path)
    config.network.pretrained_epoch = 7
    with pytest.raises(SniperError, match='weights-0007.params do not exist'):
        first_values(config)
    config.network.pretrained_epoch = 2
    path = tmp_path / 'weights-0002.params'
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SniperError, match='weights-0002.params is cut off'):
        first_values(config)


def test_heads_of_a_network_with_other_anchors_are_said(tmp_path, caplog):
    config = pretrained_config(tmp_path)
    config.network.KEEP_HEADS = True
    (tmp_path / 'weights-0002.json').write_text(json.dumps({'config': {'network.ANCHOR_RATIOS': [3, 4]}}))
    first_values(config)
    assert 'weights-0002.params was trained with other values' in caplog.text
    assert '--set network.ANCHOR_RATIOS [3,4]' in caplog.text
