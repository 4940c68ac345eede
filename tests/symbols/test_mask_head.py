"""The mask head: which logits a roi's class picks, what is learnt from, and the same masks from the graph for tests."""
import numpy as np
import pytest

from sniper_mxnet import mx
from symbols import get_detector
from symbols.heads.mask import mask_loss, mask_probabilities
from symbols.heads.rpn import MaskRois
from symbols.options import LossOptions, TrunkOptions
from tests.symbols.helpers import config_for, shapes_of
from tests.symbols.test_training import SIZE, feed, initialised

CLASSES, S = 5, 28
SQUARE = [1, 8, 10, 10, 30, 10, 30, 30, 10, 30]     # a ring of eight numbers


def losses(scale=1.0):
    return LossOptions(scale, 2, 256, 1.0, (0.1, 0.1, 0.2, 0.2), False)


def bind_loss(rois, ids, classes, scale=1.0):
    """Executor of the loss on logits of their own; every image has one object, the square, of the class given."""
    symbol = mx.sym.Group(list(mask_loss(mx.sym.var('logits'), MaskRois(mx.sym.var('rois'), mx.sym.var('ids')), S,
                                         CLASSES, losses(scale))))
    polygons = np.full((len(classes), 2, 20), -1.0)
    for image, label in enumerate(classes):
        polygons[image, 0, :11] = [label] + SQUARE
    inputs = {'rois': np.array(rois), 'ids': np.array(ids).reshape(-1, 1), 'gt_masks': polygons,
              'logits': np.random.RandomState(0).normal(0, 1, (len(rois), 2 * CLASSES, S, S))}
    executor = symbol.simple_bind(mx.cpu(), grad_req={name: 'write' if name == 'logits' else 'null' for name in inputs},
                                  **{name: array.shape for name, array in inputs.items()})
    for name, array in inputs.items():
        executor.arg_dict[name][:] = array
    return executor, executor.arg_dict['logits'].asnumpy()


def test_loss_by_hand():
    """Roi 0 is the square's left half and twice that to the left, roi 2 has no object, image 1's class is 3."""
    executor, logits = bind_loss([[0, -10, 10, 30, 30], [1, 10, 10, 30, 30], [1, 0, 0, 50, 50]], [0, 0, -1], [0, 3],
                                 scale=100.0)
    prob, targets = (output.asnumpy() for output in executor.forward(is_train=True))
    assert targets[0, :, :14].sum() == 0 and targets[0, :, 14:].mean() == 1
    assert targets[1].mean() == 1 and (targets[2] == -1).all()
    for row, label in enumerate([0, 3]):
        inside = 1 / (1 + np.exp(logits[row, label] - logits[row, label + CLASSES]))
        np.testing.assert_allclose(prob[row], [1 - inside, inside], rtol=1e-4, atol=1e-6)

    executor.backward()
    gradient = executor.grad_dict['logits'].asnumpy()
    expected = np.zeros_like(gradient)
    for row, label in enumerate([0, 3]):
        difference = (prob[row, 1] - targets[row]) * 100 / (2 * S * S)      # a mean over pixels of rows with an object
        expected[row, label + CLASSES], expected[row, label] = difference, -difference
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


def test_no_object_at_all_teaches_nothing():
    executor, _ = bind_loss([[0, 0, 0, 20, 20]] * 2, [-1, -1], [0])
    executor.forward(is_train=True)
    executor.backward()
    assert not executor.grad_dict['logits'].asnumpy().any()


def test_object_without_an_outline_teaches_nothing():
    executor, _ = bind_loss([[0, 0, 0, 20, 20]], [0], [np.nan])
    targets = executor.forward(is_train=True)[1].asnumpy()
    executor.backward()
    assert (targets == -1).all() and not executor.grad_dict['logits'].asnumpy().any()


def test_probabilities_are_the_softmax_of_a_class_pair():
    logits = np.random.RandomState(1).normal(0, 5, (3, 2 * CLASSES, 4, 4)).astype(np.float32)
    prob = mask_probabilities(mx.sym.var('logits'), CLASSES).eval(logits=mx.nd.array(logits))[0].asnumpy()
    pairs = np.exp(np.stack([logits[:, :CLASSES], logits[:, CLASSES:]]).astype(np.float64))
    np.testing.assert_allclose(prob, pairs[1] / pairs.sum(axis=0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('name', ['sniper_tiny', 'resnet_mx_50_e2e'])
def test_masks_at_test_are_those_of_training(name):
    """The test graph's feature, through mask_symbol, gives what the training graph computes for the same rois."""
    config = config_for(name, 'TRAIN.WITH_MASK', 'True', 'TEST.WITH_MASK', 'True', 'TRAIN.MAX_MASKS', '6',
                        'TRAIN.RPN_POST_NMS_TOP_N', '16', 'network.pretrained', 'any', 'network.FIX_BN', 'True',
                        'network.FIXED_PARAMS', '[]')
    detector = get_detector(name)
    train = detector.train_symbol(config)
    internals = train.get_internals()
    mask_rois = [key for key in internals.list_outputs() if key.startswith('multi_proposal_target_mask')][4:6]
    symbol = mx.sym.Group([train] + [internals[key] for key in mask_rois])
    trained = initialised(detector, symbol, shapes_of(detector, config, 2, SIZE, SIZE, 'train'))
    feed(trained, 2)
    outputs = dict(zip(symbol.list_outputs(), (output.asnumpy() for output in trained.forward(is_train=True))))
    rois, ids = (outputs[key] for key in mask_rois)
    assert (ids >= 0).any()

    def evaluate(variant, **inputs):
        graph = detector.symbol(config, variant)
        shapes = {key: array.shape for key, array in inputs.items()}
        executor = graph.simple_bind(mx.cpu(), grad_req='null', **shapes)
        executor.copy_params_from({key: array for key, array in trained.arg_dict.items() if key not in inputs},
                                  trained.aux_dict, allow_extra_params=True)
        for key, array in inputs.items():
            executor.arg_dict[key][:] = array
        return dict(zip(graph.list_outputs(), (output.asnumpy() for output in executor.forward(is_train=False))))

    tested = evaluate('test', data=trained.arg_dict['data'].asnumpy(), im_info=np.tile([SIZE, SIZE, 1], (2, 1)),
                      im_ids=np.zeros(2), chip_ids=np.zeros(2))
    prob = evaluate('mask', mask_feature=tested['mask_feature_output'], mask_rois=rois)['mask_prob_output']
    labels = trained.arg_dict['gt_boxes'].asnumpy()[rois[:, 0].astype(int), ids[:, 0].astype(int), 4].astype(int)
    for row in np.flatnonzero(ids[:, 0] >= 0):
        np.testing.assert_allclose(prob[row, labels[row] - 1], outputs['mask_cls_prob_output'][row, 1], atol=2e-4)


def test_fixed_statistics():
    """network.FIX_BN: no BatchNorm of any network has statistics of its own; from scratch there is nothing to fix."""
    for name in ('sniper_tiny', 'resnet_mx_50_e2e', 'mobilenetv2_e2e', 'resnext_mx_101'):
        fixed = config_for(name, 'network.pretrained', 'any', 'network.FIX_BN', 'True')
        norms = [values for values in get_detector(name).train_symbol(fixed).attr_dict().values() if 'eps' in values]
        assert norms and all(values.get('use_global_stats') == 'True' for values in norms), name
    assert TrunkOptions.from_config(config_for('sniper_tiny', 'network.FIX_BN', 'True')).bn_momentum is not None
