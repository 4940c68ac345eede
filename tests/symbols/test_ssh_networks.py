"""SSH's networks: the published layers and sizes, rates of their own, mining inside the graph, losses at the start."""
import json
import math
import os

import numpy as np
import pytest

from configs import load_config
from lib.engine.training import TrainingStep
from lib.targets.chip_boxes import OUT_OF_RANGE
from lib.train.schedule import init_optimiser, learning_rate
from lib.weights.parameter_matching import match_network
from sniper_mxnet import mx
from symbols import get_detector
from symbols.backbones.resnet import ResNet
from symbols.backbones.vgg import VGG16
from symbols.detectors.ssh import TRUNK_BIAS
from symbols.feature import Feature
from symbols.heads.ssh import DetectionModule, module_losses
from symbols.layers import gaussian, new_parameters
from symbols.necks.fusion import Fusion
from symbols.options import AnchorOptions, LossOptions, MiningOptions, TrunkOptions
from tests.conftest import ROOT
from tests.golden import reference_file

MODULES = ('m1', 'm2', 'm3')
SIDE = 128


def config_of(name='ssh_tiny', *overrides):
    return load_config(os.path.join(ROOT, 'configs', 'ssh', name + '.yml'), [
        'TRAIN.CHIP_SIZE', SIDE, 'TRAIN.BATCH_IMAGES', 2, 'TRAIN.MAX_GT', 5, 'TRAIN.RPN_BATCH_SIZE', 256, 'gpus', 'cpu',
        *overrides])


def test_the_published_layers():
    with open(reference_file('other_detectors_layers.json')) as stream:
        table = json.load(stream)['ssh_vgg16']
    symbol = get_detector('ssh_vgg16').symbol(config_of('ssh_vgg16'), 'test')
    shapes = dict(zip(symbol.list_arguments(), symbol.infer_shape(data=(1, 3, 640, 640))[0]))
    rates, count = symbol.attr_dict(), 0
    for row in (dict(zip(table['columns'], row)) for row in table['rows']):
        name = row['name']
        if row['kind'] == 'conv':
            assert shapes[f'{name}_weight'] == (row['out'], row['in'], row['kernel'], row['kernel'])
            assert shapes[f'{name}_bias'] == (row['out'],)
            count += row['out'] * (row['in'] * row['kernel'] ** 2 + 1)
            if row['lr_mult_weight']:
                bias = rates[f'{name}_bias']
                assert float(bias['__lr_mult__']) == row['lr_mult_bias'] == 2
                assert float(bias.get('__wd_mult__', 0)) == row['bias_decay']
            else:       # is not trained at all
                assert any(part in f'{name}_weight' for part in config_of('ssh_vgg16').network.FIXED_PARAMS)
        elif row['kind'].startswith('deconv'):
            assert shapes[f'{name}_weight'] == (128, 1, 4, 4) and float(rates[f'{name}_weight']['__lr_mult__']) == 0
            count += 128 * 16
    assert count == table['parameters'] == 19768420
    assert count == sum(np.prod(shape) for name, shape in shapes.items() if name != 'data')


@pytest.mark.parametrize('size, sides', [((640, 640), [(80, 80), (40, 40), (20, 20)]),
                                         ((1200, 1600), [(150, 200), (75, 100), (38, 50)]),
                                         ((1201, 1603), [(151, 201), (76, 101), (38, 51)])])
def test_maps(size, sides):
    for name in ('ssh_vgg16', 'ssh_res50', 'ssh_tiny'):
        symbol = get_detector(name).symbol(config_of(), 'test')
        outputs = symbol.infer_shape(data=(1, 3, *size))[1]
        wanted = sides if name == 'ssh_vgg16' or size == (640, 640) else None
        if wanted:
            assert outputs == [(1, channels, *side) for side in wanted for channels in (2, 8)]
        else:       # strided convolutions round up as poolings do
            assert outputs[0][2:] == tuple(-(-side // 8) for side in size)


@pytest.mark.parametrize('name, backbone, last', [('ssh_vgg16', VGG16(), 'conv5_3'),
                                                  ('ssh_res50', ResNet(50), 'stage4')])
def test_training_begins_with_a_file_of_the_backbone(name, backbone, last):
    """Whatever else there is, is new: a file need not have it."""
    config = config_of(name)
    symbol = get_detector(name).symbol(config, 'train')
    trunk = backbone(mx.sym.var('data'), TrunkOptions.from_config(config))[last].symbol
    own, of_file = ({*one.list_arguments(), *one.list_auxiliary_states()} - new_parameters(one)
                    for one in (symbol, trunk))
    assert own - {'im_info', 'gt_boxes'} == of_file


def test_enlarging_by_bilinear_weights():
    symbol = get_detector('ssh_vgg16').symbol(config_of('ssh_vgg16'), 'test')
    weight = mx.nd.zeros((128, 1, 4, 4))
    mx.init.Xavier()(mx.init.InitDesc('conv5_128_up_weight', symbol.attr_dict()['conv5_128_up_weight']), weight)
    taps = np.array([0.25, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(weight.asnumpy()[[0, 127], 0], np.stack([np.outer(taps, taps)] * 2))


@pytest.mark.parametrize('optimiser, decay_on', [('sgd', 'weights'), ('adam', 'weights'), ('sgd', 'all')])
def test_rates_and_decay_reach_the_optimiser(optimiser, decay_on):
    """One update of parameters of 1 by gradients of 1 (SGD: rate times 1 + decay) or 0 (Adam: rate, if decayed)."""
    config = config_of('ssh_vgg16', 'TRAIN.OPTIMIZER', optimiser, 'TRAIN.WD_ON', decay_on, 'TRAIN.lr', 0.1, 'TRAIN.wd',
                       0.5, 'TRAIN.ACCUMULATE', 1)
    features = {name: Feature(mx.sym.var(name), stride, 4) for name, stride in (('fine', 8), ('coarse', 16))}
    fused = Fusion('fine', 'coarse', 4, ('conv5_128', 'conv5_128_up', 'conv4_128', 'conv4_fuse_final'), gaussian,
                   TRUNK_BIAS)(features, TrunkOptions.from_config(config))
    module = DetectionModule('m1', 4, 2)(fused)
    symbol = mx.sym.Group([module.scores, mx.sym.LinearRegressionOutput(module.deltas, mx.sym.var('wanted'))])
    inputs = [('fine', (1, 4, 6, 6)), ('coarse', (1, 4, 3, 3))]
    with TrainingStep(symbol, inputs, [('wanted', (1, 8, 6, 6))], [mx.cpu()]) as step:
        step.initialise(mx.init.One())
        step.set_parameters({name: mx.nd.ones(shape) for name, shape in step.shapes()[0].items()}, {})
        init_optimiser(step, config, learning_rate(config, 100, 1))
        for _, (gradient,), _ in step.trained_arrays():
            gradient[:] = optimiser == 'sgd'
        step.update()
        moved = {name: 1 - array.asnumpy() for name, array in step.parameters()[0].items()}
    assert not moved.pop('conv5_128_up_weight').any()
    for name, change in moved.items():
        rate = 0.2 if name.endswith('bias') else 0.1
        decays = decay_on == 'all' or not name.startswith('m1@') or name.endswith('weight')
        np.testing.assert_allclose(change, rate * (1 + 0.5 * decays if optimiser == 'sgd' else decays), atol=1e-5,
                                   err_msg=name)


class Trained:
    """A training graph with random weights, two pictures and their faces."""

    def __init__(self, *overrides, name='ssh_tiny'):
        config = config_of(name, *overrides)
        self.detector = get_detector(name)
        self.symbol = self.detector.symbol(config, 'train')
        shapes = dict(data=(2, 3, SIDE, SIDE), im_info=(2, 3), gt_boxes=(2, 5, 5))
        requests = {name: 'null' if name in shapes else 'write' for name in self.symbol.list_arguments()}
        self.executor = self.symbol.simple_bind(mx.cpu(), grad_req=requests, **shapes)
        attributes, initialise = self.symbol.attr_dict(), self.detector.initializer()
        mx.random.seed(3)
        for name, array in list(self.executor.arg_dict.items()) + list(self.executor.aux_dict.items()):
            if name not in shapes:
                initialise(mx.init.InitDesc(name, attributes.get(name, {})), array)
        self.executor.arg_dict['data'][:] = np.random.default_rng(0).normal(0, 50, shapes['data'])
        self.executor.arg_dict['im_info'][:] = [[SIDE, SIDE, 1], [96, SIDE, 1]]
        boxes = np.full((2, 5, 5), -1.0)
        boxes[0, :2] = [[20, 20, 35, 36, 1], [60, 70, 91, 100, 1]]
        boxes[1, 0] = [3, 4, 66, 67, 1]
        boxes[1, 1] = [100, 30, 115, 45, OUT_OF_RANGE]
        self.executor.arg_dict['gt_boxes'][:] = boxes

    def outputs(self):
        return dict(zip(self.symbol.list_outputs(), (array.asnumpy() for array in self.executor.forward(
            is_train=True))))


def losses_of(outputs, module):
    """(mean cross entropy of the anchors that count, labels (B, ...))."""
    prob, label = outputs[f'{module}_cls_prob_output'], outputs[f'{module}_label_output']
    face = prob[:, 1].reshape(len(prob), -1)
    picked = np.where(label == 1, face, 1 - face)[label >= 0]
    return -np.log(picked).mean(), label


@pytest.mark.parametrize('name', ['ssh_vgg16', 'ssh_res50'])
def test_the_loss_at_the_start_of_large_networks(name):
    outputs = Trained('network.pretrained', '', name=name).outputs()
    assert sum(losses_of(outputs, module)[0] for module in MODULES) == pytest.approx(3 * math.log(2), rel=0.15)


def test_the_loss_at_the_start_and_the_anchors_that_count():
    outputs = Trained().outputs()
    total = 0
    for module, anchors in zip(MODULES, (2 * 16 * 16, 2 * 8 * 8, 2 * 4 * 4)):
        loss, label = losses_of(outputs, module)
        total += loss
        assert label.shape == (2, anchors) and ((label >= 0).sum(axis=1) <= 256).all()
        assert outputs[f'{module}_bbox_loss_output'].shape[1] == 8
    assert total == pytest.approx(3 * math.log(2), rel=0.1)
    assert (outputs['m1_label_output'][0] == 1).sum() >= 2      # both faces have anchors of their sizes
    assert not (outputs['m1_label_output'][1] == 1).any()       # the large one has none there,
    assert (outputs['m2_label_output'][1] == 1).any()           # but in the second module
    beyond = outputs['m1_label_output'][1].reshape(2, 16, 16)[:, 12:]
    assert (beyond == -1).all()                                 # nothing is learnt below the picture


def test_hard_negatives_are_those_that_look_like_faces():
    outputs = Trained('TRAIN.RPN_BATCH_SIZE', 16, 'TRAIN.RPN_FG_FRACTION', 0.25).outputs()
    prob, label = outputs['m1_cls_prob_output'][0, 1].reshape(-1), outputs['m1_label_output'][0]
    assert (label >= 0).sum() == 16 and 2 <= (label == 1).sum() <= 4
    chosen = np.flatnonzero(label == 0)
    everything = Trained('TRAIN.RPN_BATCH_SIZE', 4096).outputs()['m1_label_output'][0]
    negatives = np.flatnonzero(everything == 0)
    best = negatives[np.argsort(-prob[negatives], kind='stable')[:len(chosen)]]
    assert set(chosen) == set(best)
    drawn = Trained('TRAIN.RPN_BATCH_SIZE', 16, 'SSH.hard_mining', False).outputs()['m1_label_output'][0]
    assert (drawn >= 0).sum() == 16 and set(np.flatnonzero(drawn == 0)) != set(best)


def test_gradients_are_those_of_the_losses_alone():
    """By hand: softmax of the anchors that count, divided by their number; smooth L1 of sigma 3; none by mining."""
    trained = Trained()
    outputs = trained.outputs()
    trained.executor.backward()
    kept = (outputs['m2_label_output'] >= 0)
    face = outputs['m2_cls_prob_output'][:, 1].reshape(2, -1)
    wanted = (np.where(kept, face - (outputs['m2_label_output'] == 1), 0) / kept.sum()).sum()
    bias = trained.executor.grad_dict['m2@ssh_cls_score_bias'].asnumpy()
    assert bias[2:].sum() == pytest.approx(wanted, rel=1e-3, abs=1e-6)
    assert bias[:2].sum() == pytest.approx(-wanted, rel=1e-3, abs=1e-6)
    assert np.abs(trained.executor.grad_dict['m2@ssh_bbox_pred_bias'].asnumpy()).sum() > 0


def gradients_of_a_module(mean, pictures):
    """{name: gradient} of a module's parameters, for some of two pictures of 96 x 128 and 64 x 128 pixels."""
    config = config_of('ssh_vgg16', 'TRAIN.LOSS_MEAN', mean, 'TRAIN.BATCH_IMAGES', len(pictures))
    module = DetectionModule('m1', 4, 2)(Feature(mx.sym.var('map'), 8, 4))
    symbol = mx.sym.Group(module_losses(module, mx.sym.var('gt_boxes'), mx.sym.var('im_info'),
                                        AnchorOptions(8, (1, 2), (1.0,)), MiningOptions.from_config(config, 0),
                                        LossOptions.from_config(config, 8)))
    rng = np.random.default_rng(4)
    inputs = dict(map=rng.normal(size=(2, 4, 16, 16)), im_info=np.array([[96, SIDE, 1], [64, SIDE, 1]]),
                  gt_boxes=np.array([[[20, 20, 35, 36, 1], [60, 50, 91, 80, 1]], [[90, 8, 104, 23, 1]] * 2]))
    inputs = {name: array[pictures] for name, array in inputs.items()}
    executor = symbol.simple_bind(mx.cpu(), grad_req={name: 'null' if name in inputs else 'write'
                                                      for name in symbol.list_arguments()},
                                  **{name: array.shape for name, array in inputs.items()})
    for name, array in sorted(executor.arg_dict.items()):
        array[:] = inputs[name] if name in inputs else rng.normal(0, 0.3, array.shape)
    executor.forward(is_train=True)
    executor.backward()
    return {name: array.asnumpy() for name, array in executor.grad_dict.items() if array is not None}


def test_pictures_one_by_one_are_as_a_batch():
    """With LOSS_MEAN 'update': the mean of both, for classes and boxes, however many anchors each keeps."""
    both, one, other = (gradients_of_a_module('update', pictures) for pictures in ([0, 1], [0], [1]))
    for name, gradient in both.items():
        assert np.abs(gradient).max() > 0
        np.testing.assert_allclose(gradient, (one[name] + other[name]) / 2, rtol=1e-4, atol=1e-6, err_msg=name)
    assert not np.allclose(one['m1@ssh_bbox_pred_bias'], other['m1@ssh_bbox_pred_bias'], rtol=0.1)


@pytest.mark.parametrize('mean', ['device', 'update'])
def test_halves_of_a_batch_add_up(mean):
    """With LOSS_MEAN 'update' the classes' gradient is that of constants, with 'device' of the anchors that count."""
    trained = Trained('TRAIN.LOSS_MEAN', mean)
    outputs = trained.outputs()
    trained.executor.backward()
    label, face = outputs['m1_label_output'], outputs['m1_cls_prob_output'][:, 1].reshape(2, -1)
    count = 2 * 256 if mean == 'update' else (label >= 0).sum()
    wanted = np.where(label >= 0, face - (label == 1), 0).sum() / count
    assert trained.executor.grad_dict['m1@ssh_cls_score_bias'].asnumpy()[2:].sum() == pytest.approx(wanted, rel=1e-3)


def test_focus_pixels_beside_the_modules():
    config = config_of('ssh_tiny', 'TRAIN.AUTO_FOCUS', True, 'TEST.AUTO_FOCUS', True)
    detector = get_detector('ssh_tiny')
    train = detector.symbol(config, 'train')
    assert train.list_outputs()[-1] == 'cls_scale_prob_output'
    assert train.infer_shape(data=(2, 3, SIDE, SIDE), im_info=(2, 3), gt_boxes=(2, 5, 5),
                             scale_label=(2, 256))[1][-1] == (2, 2, 256)
    assert detector.symbol(config, 'test').list_outputs()[-1] == 'scale_prob_output'


def test_a_file_tells_which_network_it_fits():
    for name, variant, overrides in (('ssh_tiny', 'whole', ()), ('ssh_vgg16', 'whole', ()),
                                     ('ssh_tiny', 'whole_autofocus', ('TEST.AUTO_FOCUS', True))):
        symbol = get_detector(name).symbol(config_of(name, *overrides), 'test')
        shapes, _, aux = symbol.infer_shape(data=(1, 3, 64, 64))
        arrays = dict(zip(symbol.list_arguments() + symbol.list_auxiliary_states(), shapes + aux))
        del arrays['data']
        found = min((match for other in ('ssh_vgg16', 'ssh_res50', 'ssh_tiny')
                     for match in match_network(other, arrays)), key=lambda match: match.rank)
        assert (found.network, found.variant.name, found.variant.heads) == (name, variant, ('one class',))
        assert found.whole.complete and not found.extra


def test_faces_between_the_anchors():
    """16 pixels wide and 4 high: nothing is learnt of it unless its best anchors are forced."""
    for forced in (False, True):
        trained = Trained('SSH.force_best', forced)
        boxes = np.full((2, 5, 5), -1.0)
        boxes[0, 0] = [40, 40, 55, 43, 1]
        trained.executor.arg_dict['gt_boxes'][:] = boxes
        assert (trained.outputs()['m1_label_output'][0] == 1).any() == forced
