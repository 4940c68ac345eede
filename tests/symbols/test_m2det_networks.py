"""Whole M2Det networks against golden vectors and manifests of the original's, and their graphs."""
import json

import numpy as np
import pytest

from configs.m2det_keys import Pyramid
from sniper_mxnet import mx
from symbols import get_detector
from symbols.detectors.m2det import unused_parameters
from symbols.layers import new_parameters, optional_parameters
from tests.golden import reference_file
from tests.symbols.m2det_recipe import config_for, filled, golden

SETTINGS = {'m2det320_vgg': (), 'm2det512_vgg': ('M2DET.input_size', '512'),
            'm2det320_vgg_sfam': ('M2DET.sfam', 'True'), 'm2det320_resnet101': ('M2DET.backbone', 'resnet101')}
SMALL = ('M2DET.width', '0.125', 'M2DET.planes', '16', 'M2DET.num_levels', '2', 'M2DET.input_size', '64',
         'M2DET.num_scales', '3', 'M2DET.size_pattern', '[0.1, 0.3, 0.6, 0.9]', 'dataset.NUM_CLASSES', '4')


def inputs_of(config, batch):
    """{input: shape} of the training graph."""
    pyramid = Pyramid.from_config(config)
    return dict(data=(batch, 3, pyramid.size, pyramid.size), cls_target=(batch, pyramid.priors),
                loc_target=(batch, pyramid.priors, 4))


@pytest.fixture(scope='module', params=sorted(SETTINGS))
def manifest(request):
    """(record of the original's network, configuration, training graph)."""
    with open(reference_file(f'm2det/{request.param}.json')) as stream:
        record = json.load(stream)
    config = config_for(*SETTINGS[request.param])
    return record, config, get_detector('m2det').train_symbol(config)


def test_names_shapes_and_counts(manifest):
    record, config, symbol = manifest
    inputs = inputs_of(config, 1)
    arguments, _, auxiliary = symbol.infer_shape(**inputs)
    found = {name: shape for name, shape in zip(symbol.list_arguments(), arguments) if name not in inputs}
    found.update(unused_parameters(config.M2DET.backbone))      # the original counts the classifier of a ResNet
    assert found == {name: tuple(shape) for name, (shape, _) in record['parameters'].items()}
    assert sum(int(np.prod(shape)) for shape in found.values()) == record['trainable_values']
    assert dict(zip(symbol.list_auxiliary_states(), auxiliary)) == {
        name: tuple(shape) for name, (shape, kind) in record['buffers'].items() if kind != 'bn_counter'}
    assert Pyramid.from_config(config).priors == record['prior_count']
    assert list(Pyramid.from_config(config).sides) == record['anchors']['feature_maps']


def test_activations(manifest):
    record, config, _ = manifest
    symbol = get_detector('m2det').test_symbol(config)
    internals = symbol.get_internals()
    names = internals.list_outputs()
    nodes = {**{f'{head}.{scale}': f'{head}.{scale}_output' for head in ('loc', 'conf') for scale in range(6)},
             'reduce': 'reduce.bn.relu_output', 'up_reduce': 'up_reduce.bn.relu_output',
             'leach': 'leach.0.bn.relu_output', 'output.loc': 'loc_output', 'output.conf': 'conf_output'}
    wanted = mx.sym.Group([internals[names.index(node)] for node in nodes.values()])
    _, shapes, _ = wanted.infer_shape(data=tuple(record['activation_shapes']['input']))
    assert dict(zip(nodes, map(list, shapes))) == {name: record['activation_shapes'][name] for name in nodes}


@pytest.mark.parametrize('name, overrides', [('net_320_vgg', ()), ('net_320_vgg_sfam', ('M2DET.sfam', 'True')),
                                             ('net_320_resnet101', ('M2DET.backbone', 'resnet101'))])
def test_whole_network(name, overrides):
    record = golden(name)
    seed = int(record['seed'])
    data = np.random.RandomState(seed + 1).uniform(-2, 2, (1, 3, 320, 320))
    assert data.sum() == pytest.approx(record['x_checksum'])
    outputs = get_detector('m2det').outputs(config_for(*overrides))
    scores = mx.sym.softmax(outputs.conf, axis=-1)
    executor = filled(mx.sym.Group([outputs.loc, outputs.conf, scores]), {'data': data}, seed, float(record['gain']),
                      float(record['gain_base']))
    loc, conf, scores = (output.asnumpy()[0] for output in executor.forward())
    rows = record['rows']
    np.testing.assert_allclose(loc[rows], record['loc'], rtol=0, atol=1.5e-4)
    np.testing.assert_allclose(conf[rows], record['conf'], rtol=0, atol=1.5e-4)
    for array, key in ((loc, 'loc'), (conf, 'conf')):
        magnitude = float(record[f'{key}_abs'])
        assert np.abs(array).sum(dtype=np.float64) == pytest.approx(magnitude, rel=2e-5)
        assert array.sum(dtype=np.float64) == pytest.approx(record[f'{key}_sum'], abs=2e-6 * magnitude)
    np.testing.assert_allclose(scores[rows].max(axis=1), record['prob_max'], atol=2e-4)
    assert (scores[rows].argmax(axis=1) == record['prob_argmax']).mean() > 0.99
    np.testing.assert_allclose(np.concatenate([loc[:3], loc[-3:]]), record['loc_head_tail'], rtol=0, atol=1.5e-4)


# Graphs

def bound(overrides, batch=2, variant='train'):
    """(executor with initial weights, configuration) of a small network."""
    config = config_for(*SMALL, *overrides)
    detector = get_detector('m2det')
    symbol = detector.symbol(config, variant)
    shapes = inputs_of(config, batch) if variant == 'train' else detector.input_shapes(config, batch, 1, 1, variant)
    executor = symbol.simple_bind(mx.cpu(), **shapes)
    attributes = symbol.attr_dict()
    mx.random.seed(3)
    np.random.seed(3)
    for arrays in (executor.arg_dict, executor.aux_dict):
        for name, array in arrays.items():
            if name not in shapes:
                detector.initializer()(mx.init.InitDesc(name, attributes.get(name)), array)
    executor.arg_dict['data'][:] = np.random.RandomState(1).uniform(-100, 150, shapes['data'])
    return executor, config


def with_targets(executor):
    """Four priors of each image become objects."""
    classes = np.zeros(executor.arg_dict['cls_target'].shape, np.float32)
    classes[:, [5, 200, 400, 490]] = [1, 2, 3, 2]       # on all three maps
    executor.arg_dict['cls_target'][:] = classes
    executor.arg_dict['loc_target'][:] = np.random.RandomState(2).normal(0, 1, executor.arg_dict['loc_target'].shape)
    return classes


def test_a_training_step_lowers_the_losses():
    executor, _ = bound(())
    classes = with_targets(executor)
    losses = []
    for _ in range(6):
        conf, loc, used = (output.asnumpy() for output in executor.forward(is_train=True))
        executor.backward()
        losses.append(conf[0] + loc[0])
        assert used.sum() == 4 * (classes > 0).sum() and (used[classes > 0] == 1).all()
        for name, gradient in executor.grad_dict.items():
            if name not in ('data', 'cls_target', 'loc_target'):
                executor.arg_dict[name][:] = executor.arg_dict[name] - 0.005 * gradient
    assert np.isfinite(losses).all() and losses[-1] < 0.9 * losses[0]
    unmoved = [name for name, gradient in executor.grad_dict.items()
               if name.endswith('weight') and not gradient.asnumpy().any()]
    assert not unmoved


def test_losses_over_a_constant_add_up():
    """Of two halves of a batch they give the whole's gradients; with statistics of their own they would not."""
    update = ('TRAIN.LOSS_MEAN', 'update', 'network.pretrained', 'x', 'network.FIX_BN', 'True')
    whole, _ = bound((*update, 'TRAIN.BATCH_IMAGES', '2'))
    classes = with_targets(whole)
    classes[0, 50:90] = 1
    whole.arg_dict['cls_target'][:] = classes
    losses = np.array([output.asnumpy()[0] for output in whole.forward(is_train=True)[:2]])
    whole.backward()
    gradients, parts = {}, np.zeros(2)
    for half in range(2):
        part, _ = bound((*update, 'TRAIN.BATCH_IMAGES', '1'), batch=1)
        for name in ('data', 'cls_target', 'loc_target'):
            part.arg_dict[name][:] = whole.arg_dict[name][half:half + 1]
        parts += [output.asnumpy()[0] / 2 for output in part.forward(is_train=True)[:2]]
        part.backward()
        for name, gradient in part.grad_dict.items():
            gradients[name] = gradients.get(name, 0) + gradient.asnumpy() / 2
    np.testing.assert_allclose(parts, losses, rtol=1e-4)
    for name in ('loc.0.weight', 'conf.2.bias', 'base.0.weight', 'unet1.layers.0.conv.weight'):
        wanted = whole.grad_dict[name].asnumpy()
        np.testing.assert_allclose(gradients[name], wanted, atol=1e-4 * np.abs(wanted).max(), err_msg=name)


def test_both_forms_of_the_test_phase():
    by_image, config = bound((), variant='test')
    table, _ = bound((), variant='export')
    count = Pyramid.from_config(config).priors
    (loc, conf), (same, rows) = ([output.asnumpy() for output in executor.forward()] for executor in (by_image, table))
    assert loc.shape == (2, count, 4) and conf.shape == (2, count, 4) and rows.shape == (2 * count, 4)
    np.testing.assert_array_equal(rows, conf.reshape(-1, 4))
    np.testing.assert_array_equal(same, loc)
    np.testing.assert_allclose(conf.sum(axis=2), 1, rtol=1e-5)


@pytest.mark.parametrize('backbone', ['resnet18', 'resnet152', 'se_resnet50', 'se_resnext101_32x4d', 'senet154'])
def test_every_kind_of_backbone_is_trained(backbone):
    config = config_for(*SMALL, 'M2DET.width', '1', 'M2DET.backbone', backbone)
    inputs = inputs_of(config, 2)
    symbol = get_detector('m2det').train_symbol(config)
    _, outputs, _ = symbol.infer_shape(**inputs)
    assert outputs == [(1,), (1,), inputs['cls_target']]


def test_what_a_pretrained_file_must_bring():
    symbol = get_detector('m2det').train_symbol(config_for(*SMALL))
    new, optional = new_parameters(symbol), optional_parameters(symbol)
    assert {name.split('.')[0] for name in new} == {'loc', 'conf'}
    names = set(symbol.list_arguments() + symbol.list_auxiliary_states()) - new - optional
    assert {name.split('.')[0] for name in names - {'data', 'cls_target', 'loc_target'}} == {'base'}
    assert {'Norm.running_var', 'unet2.smooth.1.bn.bias', 'leach.0.conv.weight'} <= optional


def test_what_weight_decay_reaches():
    """Without TRAIN.WD_ON: the weights of convolutions, as the port has it."""
    symbol = get_detector('m2det').train_symbol(config_for(*SMALL, 'M2DET.sfam', 'True'))
    names = [name for name in symbol.list_arguments() if '.' in name or name.startswith('Norm')]
    optimizer = mx.optimizer.SGD(sym=symbol, param_idx2name=dict(enumerate(names)))
    shapes = dict(zip(symbol.list_arguments(), symbol.infer_shape(**inputs_of(config_for(*SMALL), 1))[0]))
    assert {name for name in names if optimizer.wd_mult.get(name, 1.0)} == {
        name for name in names if len(shapes[name]) == 4}


def test_first_values():
    authors, _ = bound(('M2DET.sfam', 'True', 'M2DET.planes', '64'))
    port, _ = bound(('M2DET.init', 'port'))
    weight = authors.arg_dict['unet2.layers.1.conv.weight'].asnumpy()
    assert weight.std() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.03)       # fan-out
    head = authors.arg_dict['conf.0.weight'].asnumpy()
    assert np.abs(head).max() == pytest.approx((128 * 9) ** -0.5, rel=0.01) and abs(head.mean()) < 1e-3
    assert head.std() == pytest.approx((128 * 9 * 3) ** -0.5, rel=0.03)
    bias = authors.arg_dict['sfam_module.fc1.0.bias'].asnumpy()
    assert 0 < np.abs(bias).max() <= 128 ** -0.5
    for name in ('unet1.layers.0.conv.weight', 'loc.1.weight', 'reduce.conv.weight', 'conf.2.weight'):
        assert port.arg_dict[name].asnumpy().std() == pytest.approx(0.001, rel=0.1), name
    for executor in (authors, port):
        for name, array in list(executor.arg_dict.items()) + list(executor.aux_dict.items()):
            if name.endswith(('running_var', 'bn.weight', 'Norm.weight')):
                assert (array.asnumpy() == 1).all(), name
            elif name.endswith(('running_mean', 'bn.bias', 'loc.0.bias')):
                assert not array.asnumpy().any(), name


def test_half_precision_of_trunk_and_pyramid():
    symbol = get_detector('m2det').train_symbol(config_for(*SMALL, 'TRAIN.fp16', 'True'))
    types = dict(zip(symbol.list_arguments(), symbol.infer_type(data='float32')[0]))
    assert types['unet1.layers.0.conv.weight'] is np.float16 and types['loc.0.weight'] is np.float32
    assert types['Norm.weight'] is np.float32 and types['base.0.weight'] is np.float32
