"""Soft Sampling: what it does to gradients, in every head that has it."""
import zlib

import numpy as np
import pytest

from lib.targets.soft_sampling import soft_sampling_weight
from sniper_mxnet import mx
from symbols import get_detector
from symbols.heads.rcnn import RcnnOutputs, rcnn_losses
from symbols.heads.rpn import ProposalTargets
from symbols.heads.soft_sampling import weighted
from symbols.options import LossOptions, SoftSampling
from tests.symbols.helpers import config_for, shapes_of

DOCUMENTED = {0: 0.25, 0.1: 0.250864, 0.15: 0.312223, 0.2: 0.550153, 0.25: 0.785487, 0.3: 0.912576, 0.4: 0.987525,
              0.49: 0.997923, 0.5: 1, 0.9: 1}
SIDE = 96


def test_the_documented_weights():
    np.testing.assert_allclose(soft_sampling_weight(list(DOCUMENTED)), list(DOCUMENTED.values()), atol=1e-6)


def softmax(scores):
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def class_loss_gradient(scores, label, weight, settings, cls_rois=None):
    """Gradient of rcnn_losses' class loss by the scores."""
    rows = len(scores)
    losses = LossOptions(scale=settings.get('scale', 1.0), batch_images=1, rpn_batch=256, bbox_count=1.0,
                         bbox_stds=(0.1,) * 4, aligned=True, sampling=None if weight is None else SoftSampling())
    targets = ProposalTargets(None, mx.sym.var('label'), mx.sym.zeros((rows, 4)), mx.sym.zeros((rows, 4)),
                              label_weight=None if weight is None else mx.sym.var('weight'))
    outputs = RcnnOutputs(mx.sym.var('scores'), mx.sym.zeros((rows, 4)))
    graph = rcnn_losses(outputs, targets, losses, cls_rois)[0]
    inputs = dict(scores=scores, label=label) if weight is None else dict(scores=scores, label=label,
                                                                          weight=weight[:, None])
    executor = graph.simple_bind(mx.cpu(), grad_req='write', **{name: array.shape for name, array in inputs.items()})
    for name, array in inputs.items():
        executor.arg_dict[name][:] = array
    probability = executor.forward(is_train=True)[0].asnumpy()
    np.testing.assert_allclose(probability, softmax(scores), atol=1e-6)
    executor.backward()
    return executor.grad_dict['scores'].asnumpy()


@pytest.mark.parametrize('cls_rois, scale', [(None, 1.0), (None, 100.0), (4800, 1.0), (4800, 100.0)])
@pytest.mark.parametrize('seed', range(3))
def test_gradient_of_each_row(seed, cls_rois, scale):
    rng = np.random.default_rng(seed)
    overlaps = np.array(list(DOCUMENTED) + rng.uniform(0, 0.7, 6).tolist())
    scores = rng.normal(0, 3, (len(overlaps), 5)).astype(np.float32)
    label, weight = rng.integers(0, 5, len(overlaps)).astype(np.float32), soft_sampling_weight(overlaps)
    label[[3, 12]] = -1
    found = class_loss_gradient(scores, label, weight, dict(scale=scale), cls_rois)
    onehot = np.eye(5)[label.astype(int)]
    expected = scale / (cls_rois or (label >= 0).sum()) * weight[:, None] * (softmax(scores) - onehot)
    expected[label < 0] = 0
    np.testing.assert_allclose(found, expected, atol=5e-7 * scale)
    assert not found[[3, 12]].any()
    plain = class_loss_gradient(scores, label, None, dict(scale=scale), cls_rois)
    ones = class_loss_gradient(scores, label, np.ones(len(label), np.float32), dict(scale=scale), cls_rois)
    assert np.array_equal(plain, ones)


def test_scores_stay_what_they_were():
    scores = np.array([[1e6, -3.3], [0.1, 7e-9]], np.float32)
    graph = weighted(mx.sym.var('scores'), mx.sym.var('weight'), 'weighted')
    executor = graph.simple_bind(mx.cpu(), scores=(2, 2), weight=(2, 1))
    executor.arg_dict['scores'][:], executor.arg_dict['weight'][:] = scores, 0.3
    assert np.array_equal(executor.forward()[0].asnumpy(), scores)


HEADS = [('sniper_tiny', ()), ('sniper_tiny', ('TRAIN.WITH_MASK', 'True', 'TRAIN.AUTO_FOCUS', 'True')),
         ('rfcn_3k_tiny', ()), ('rfcn_3k_tiny', ('RFCN.num_super_classes', '2', 'RFCN.super_classes', 'x')),
         ('sniper_tiny_openimages', ())]


def step(name, *words):
    """{parameter: gradient} of a training step on random numbers."""
    config = config_for(name, 'dataset.NUM_CLASSES', '4', 'TRAIN.CHIP_SIZE', str(SIDE),
                        'TRAIN.RPN_POST_NMS_TOP_N', '16',
                        'TRAIN.MAX_MASKS', '3', *words)
    detector = get_detector(name)
    shapes, symbol = shapes_of(detector, config, 2, SIDE, SIDE, 'train'), detector.train_symbol(config)
    executor = symbol.simple_bind(mx.cpu(), grad_req={key: 'null' if key in shapes else 'write'
                                                      for key in symbol.list_arguments()}, **shapes)
    rng = np.random.RandomState(1)
    for key, array in executor.arg_dict.items():    # by their names: what else there is does not matter
        own = np.random.RandomState(zlib.crc32(key.encode()))
        array[:] = own.normal(0, (1 / max(1, np.prod(array.shape[1:]))) ** 0.5, array.shape)
    for key, array in executor.aux_dict.items():
        array[:] = key.endswith('_var')
    given = dict(data=rng.normal(0, 50, shapes['data']), im_info=[[SIDE, SIDE, 1]] * 2, valid_ranges=[[0, SIDE]] * 2,
                 gt_boxes=np.full(shapes['gt_boxes'], -1.0), label=rng.randint(-1, 2, shapes['label']), bbox_weight=0,
                 bbox_target=0, crowd_boxes=-1, scale_label=0, gt_masks=0, label_weight=0.5)
    given['gt_boxes'][:, :2] = [[10, 10, 50, 40, 1], [40, 50, 80, 90, 3]]
    for key, value in given.items():
        if key in executor.arg_dict:
            executor.arg_dict[key][:] = value
    outputs = dict(zip(symbol.list_outputs(), executor.forward(is_train=True)))
    executor.backward()
    gradients = {key: array.asnumpy() for key, array in executor.grad_dict.items() if array is not None}
    return {key: value for key, value in gradients.items() if key not in shapes}, {
        key: value.asnumpy() for key, value in outputs.items()}


@pytest.mark.parametrize('name, words', HEADS)
def test_every_head(name, words):
    """With weights of 1 gradients are those without, and with others the scores' are smaller."""
    last = 'rfcn_cls_bias' if name.startswith('rfcn') else 'cls_score_bias'
    plain, outputs = step(name, *words, 'TRAIN.SOFT_SAMPLING', 'False')
    ones, same = step(name, *words, 'TRAIN.SOFT_SAMPLING', 'True', 'TRAIN.SOFT_SAMPLING_A', '1')
    less, _ = step(name, *words, 'TRAIN.SOFT_SAMPLING', 'True', 'TRAIN.SOFT_SAMPLING_A', '0')
    assert list(outputs) == list(same) and set(plain) == set(ones)
    for key in set(outputs) - {'blockgrad1_output'} if name == 'sniper_tiny_openimages' else outputs:  # its weights
        np.testing.assert_array_equal(outputs[key], same[key], key)
    for key in plain:
        np.testing.assert_allclose(plain[key], ones[key], atol=1e-6, err_msg=key)
    assert np.abs(less[last] - plain[last]).max() > 1e-4


@pytest.mark.parametrize('name', ['sniper_tiny', 'rfcn_3k_tiny'])
def test_anchors(name):
    """A weight of 0.5 for all halves what the RPN's scores learn."""
    plain, _ = step(name)
    half, _ = step(name, 'TRAIN.SOFT_SAMPLING_RPN', 'True')
    np.testing.assert_allclose(half['rpn_cls_score_bias'], plain['rpn_cls_score_bias'] / 2, atol=1e-7)
    np.testing.assert_allclose(half['rpn_bbox_pred_bias'], plain['rpn_bbox_pred_bias'], atol=1e-7)
