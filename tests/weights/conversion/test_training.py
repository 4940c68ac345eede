"""Post-activation networks train a step: from converted public weights, and from scratch."""
from types import SimpleNamespace

import numpy as np

from lib.train.initialise import frozen_parameters, init_parameters, make_step
from lib.weights.convert import convert_file
from lib.weights.params_file import read_arrays
from sniper_mxnet import mx
from symbols import get_detector
from tests.symbols.helpers import config_for, shapes_of
from tests.weights.conversion.sources import torch_arrays
from tests.weights.test_convert import as_file

SIDE = 64


class Batches:
    """What `make_step` asks of an iterator, and one batch of noise with an object."""

    def __init__(self, config, detector):
        shapes = shapes_of(detector, config, config.TRAIN.BATCH_IMAGES, SIDE, SIDE, 'train')
        data = ('data', 'valid_ranges', 'im_info')
        self.provide_data = [(name, shape) for name, shape in shapes.items() if name in data]
        self.provide_label = [(name, shape) for name, shape in shapes.items() if name not in data]

    def batch(self):
        random = np.random.RandomState(4)
        boxes = np.full(dict(self.provide_label)['gt_boxes'], -1)
        boxes[:, 0] = [10, 12, 40, 50, 1]
        made = {'data': random.normal(0, 50, dict(self.provide_data)['data']), 'gt_boxes': boxes,
                'label': random.randint(-1, 2, dict(self.provide_label)['label']),
                'im_info': np.tile([SIDE, SIDE, 1], (len(boxes), 1)),
                'valid_ranges': np.tile([0, 256], (len(boxes), 1))}
        return SimpleNamespace(**{kind: {name: made.get(name, np.zeros(shape)) for name, shape in provided}
                                  for kind, provided in (('data', self.provide_data), ('label', self.provide_label))})


def one_step(config):
    """-> ({name: array} before, after, auxiliary states after) of a training step."""
    detector = get_detector(config.symbol)
    batches = Batches(config, detector)
    with make_step(config, detector, batches, [mx.cpu()]) as step:
        init_parameters(step, detector, config)
        before = {name: array.asnumpy() for name, array in step.parameters()[0].items()}
        step.init_optimiser('sgd', {'learning_rate': 1e-3}, 'device')
        step.forward_backward(batches.batch())
        step.update()
        args, auxs = step.parameters()
        after = {name: array.asnumpy() for name, array in args.items()}
        assert all(np.isfinite(array).all() for array in after.values())
        assert all(np.isfinite(output).all() for output in step.outputs(step.output_names).read().values())
    return before, after, auxs


def test_converted_weights_are_trained_and_their_first_layers_stay(tmp_path):
    prefix, _ = convert_file(as_file(tmp_path / 'r.pth', torch_arrays('resnet50'), 'pth'), str(tmp_path / 'r'))
    config = config_for('resnet_v1_50_e2e', 'network.pretrained', prefix, 'TRAIN.RPN_POST_NMS_TOP_N', '16')
    before, after, _ = one_step(config)
    written = read_arrays(prefix + '-0000.params')
    trunk = [key.split(':')[1] for key in written if key.startswith('arg:')]
    assert all(np.array_equal(before[name], written['arg:' + name]) for name in trunk)
    frozen = frozen_parameters(config, before)
    assert {'conv1_weight', 'bn_conv1_gamma', 'res2a_branch1_weight', 'bn2c_branch2c_beta'} <= set(frozen)
    assert not [name for name in frozen if not name.startswith(('conv1', 'bn_conv1', 'res2', 'bn2'))]
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert not moved & set(frozen)
    assert {'res3a_branch2a_weight', 'res5c_branch2b_offset_weight', 'cls_score_weight', 'rpn_conv_3x3_weight'} <= moved


def test_from_scratch():
    config = config_for('resnet_v1_101_e2e', 'network.pretrained', '', 'TRAIN.RPN_POST_NMS_TOP_N', '16')
    before, after, auxs = one_step(config)
    assert not np.array_equal(before['conv1_weight'], after['conv1_weight'])
    assert auxs['bn_conv1_moving_mean'].asnumpy().any()
