"""R-FCN-3K's networks: what scores add up to, what the fine head does not touch, labels of classes and
super-classes."""
import numpy as np
import pytest

from lib.chips.window import Window
from lib.tasks.rfcn3k import decode_rfcn
from sniper_mxnet import mx
from symbols import get_detector
from symbols.heads.rfcn import SUPER_CLASS_OF
from symbols.layers import optional_parameters
from tests.symbols.helpers import config_for, shapes_of

SIDE, ROIS = 96, 12
FEW = ('dataset.NUM_CLASSES', '8', 'TRAIN.CHIP_SIZE', str(SIDE), 'TRAIN.RPN_POST_NMS_TOP_N', str(ROIS),
       'TEST.RPN_POST_NMS_TOP_N', str(ROIS), 'RFCN.fine_rois', '5')
WINDOWS = [Window((0, 0, SIDE, SIDE), 1.0, 1.0, SIDE, SIDE)] * 2
SUPER = np.array([0, 1, 2, 0, 1, 2, 2], np.float32)
OBJECTS = np.array([[[10, 10, 40, 40, 1], [50, 50, 80, 90, 7]], [[20, 30, 60, 70, 3], [-1] * 5]], np.float32)


def bound(variant, *overrides, grad='null', batch=2):
    config = config_for('rfcn_3k_tiny', *FEW, *overrides)
    detector = get_detector('rfcn_3k_tiny')
    symbol, shapes = detector.symbol(config, variant), shapes_of(detector, config, batch, SIDE, SIDE, variant)
    executor = symbol.simple_bind(mx.cpu(), grad_req={name: 'null' if name in shapes else grad
                                                      for name in symbol.list_arguments()}, **shapes)
    random = np.random.RandomState(0)
    for name, array in executor.arg_dict.items():
        deviation = (1 / max(1, np.prod(array.shape[1:]))) ** 0.5
        array[:] = SUPER if name == SUPER_CLASS_OF else random.normal(0, deviation, array.shape)
    for name, array in executor.aux_dict.items():
        array[:] = name.endswith('_var')
    executor.arg_dict['data'][:] = random.normal(0, 50, (batch, 3, SIDE, SIDE))
    executor.arg_dict['im_info'][:] = [[SIDE, SIDE, 1]] * batch
    if variant == 'train':
        executor.arg_dict['gt_boxes'][:] = -1
        executor.arg_dict['gt_boxes'][:, :2] = OBJECTS
        executor.arg_dict['valid_ranges'][:] = [[0, SIDE]] * batch
    return executor


def forward(executor, train=False):
    outputs = dict(zip(executor.output_dict, executor.forward(is_train=train)))
    return {name: output.asnumpy() for name, output in outputs.items()}


def test_parameters_of_the_published_network():
    config = config_for('resnet_mx_101_e2e_3k')
    symbol = get_detector('resnet_mx_101_e2e_3k').train_symbol(config)
    inputs = shapes_of(get_detector('resnet_mx_101_e2e_3k'), config, 1, 64, 64, 'train')
    shapes = dict(zip(symbol.list_arguments(), symbol.infer_shape(**inputs)[0]))
    assert sum(int(np.prod(shape)) for name, shape in shapes.items() if name not in inputs) == 58043206


def test_scores_of_all_classes_add_up_to_that_of_an_object():
    outputs = forward(bound('test'))
    found = decode_rfcn(outputs, WINDOWS, -1.0, 0.0)
    assert len(found) == 2 * ROIS * 7
    objects = outputs['cls_prob_reshape_output'][:, :, 1]
    total = np.zeros(2)
    np.add.at(total, found.image, found.score)
    np.testing.assert_allclose(total, objects.sum(1), atol=1e-5)
    every = outputs['subcls_prob_reshape_output'].astype(np.float64).sum(2) * objects
    np.testing.assert_allclose(every, objects, atol=1e-6)


def test_another_fine_head_leaves_rois_objects_and_boxes_as_they_were():
    executor = bound('test')
    before = forward(executor)
    for name in ('conv_new_2_weight', 'conv_new_3_weight', 'conv_new_3_bias'):
        executor.arg_dict[name][:] = executor.arg_dict[name].asnumpy()[::-1] + 0.1
    after = forward(executor)
    for name in ('rois_output', 'cls_prob_reshape_output', 'bbox_pred_reshape_output'):
        assert np.array_equal(before[name], after[name]), name
    assert not np.allclose(before['subcls_prob_reshape_output'], after['subcls_prob_reshape_output'])


def test_the_first_class_learns():
    """Its objects pull channel 0 up and all others down."""
    executor = bound('train', grad='write')
    table = executor.arg_dict['gt_boxes'].asnumpy()
    table[table[:, :, 4] > 0, 4] = 1
    executor.arg_dict['gt_boxes'][:] = table
    outputs = forward(executor, train=True)
    executor.backward()
    assert set(outputs['blockgrad1_output']) <= {-1.0, 0.0} and 0 in outputs['blockgrad1_output']
    gradient = executor.grad_dict['conv_new_3_bias'].asnumpy()
    assert gradient[0] < 0 and (gradient[1:] > 0).all()


@pytest.mark.parametrize('several', [False, True])
def test_labels_of_objects_and_of_classes(several):
    words = ('RFCN.num_super_classes', '3', 'RFCN.super_classes', 'file') if several else ()
    outputs = forward(bound('train', *words), train=True)
    label, fine = outputs['blockgrad0_output'].reshape(2, ROIS), outputs['blockgrad1_output']
    classes = [{1, 7}, {3}]
    for of_image, wanted in zip(label, classes):
        expected = {1 + SUPER[kind - 1] for kind in wanted} if several else {1.0}
        assert set(of_image[of_image > 0]) == expected and (of_image == 0).any()
    positives = int((label > 0).sum())
    kept = fine[fine >= 0]
    assert len(kept) == min(positives, len(fine)) and set(kept) <= {0.0, 6.0, 2.0} and {0.0, 6.0} & set(kept)
    assert (fine[len(kept):] == -1).all()
    assert outputs['cls_prob_reshape_output'].shape == (2, ROIS, 4 if several else 2)


def test_super_classes_travel_with_the_weights_and_do_not_learn():
    words = ('RFCN.num_super_classes', '3', 'RFCN.super_classes', 'file')
    executor = bound('train', *words, grad='write')
    forward(executor, train=True)
    executor.backward()
    assert not executor.grad_dict[SUPER_CLASS_OF].asnumpy().any()
    attributes = get_detector('rfcn_3k_tiny').train_symbol(config_for('rfcn_3k_tiny', *FEW, *words)).attr_dict()
    assert [attributes[SUPER_CLASS_OF][f'__{kind}_mult__'] for kind in ('lr', 'wd')] == ['0.0', '0.0']
    outputs = forward(bound('test', *words))
    assert np.array_equal(outputs['super_class_output'], [SUPER, SUPER])
    found = decode_rfcn(outputs, WINDOWS, -1.0, 0.0)
    objects, fine = outputs['cls_prob_reshape_output'], outputs['subcls_prob_reshape_output']
    expected = objects[:, :, 1 + SUPER.astype(int)] * fine
    np.testing.assert_allclose(np.sort(found.score), np.sort(expected.ravel()), rtol=1e-6)


def test_weights_tell_how_many_classes_super_classes_and_anchors():
    config = config_for('rfcn_3k_tiny', *FEW, 'RFCN.num_super_classes', '3', 'RFCN.super_classes', 'file')
    symbol = get_detector('rfcn_3k_tiny').train_symbol(config)
    inputs = shapes_of(get_detector('rfcn_3k_tiny'), config, 1, SIDE, SIDE, 'train')
    shapes = dict(zip(symbol.list_arguments(), symbol.infer_shape(**inputs)[0]))
    variant, = get_detector('rfcn_3k_tiny').variants(shapes)
    assert variant.heads == ('7 classes', '3 super-classes', '15 anchors a cell')
    assert dict(variant.keys)['dataset.NUM_CLASSES'] == 8 and dict(variant.keys)['RFCN.num_super_classes'] == 3


def test_the_pooling_in_one_operator_finds_what_the_original_graph_does():
    outputs = [forward(bound(variant)) for variant in ('test', 'detect')]
    assert list(outputs[0]) == list(outputs[1])
    for name, value in outputs[0].items():
        np.testing.assert_allclose(outputs[1][name], value, atol=1e-5, err_msg=name)


def test_what_a_detector_to_begin_from_may_lack():
    """Offsets and the RPN's convolution come from the file where it has them, as the original's; heads are new."""
    detector, config = get_detector('resnet_mx_101_e2e_3k'), config_for('resnet_mx_101_e2e_3k')
    symbol = detector.train_symbol(config)
    kinds = ('weight', 'bias')
    optional = {f'stage4_unit{unit}_offset_{kind}' for unit in (1, 2, 3) for kind in kinds}
    assert optional_parameters(symbol) == optional | {f'rpn_conv_3x3_{kind}' for kind in kinds}
    assert detector.new_parameters(symbol) == {f'{layer}_{kind}' for kind in kinds for layer in (
        'rpn_cls_score', 'rpn_bbox_pred', 'conv_new_1', 'conv_new_2', 'conv_new_3', 'rfcn_cls', 'rfcn_bbox')}
    first = {name: values['__init__'] for name, values in symbol.attr_dict().items() if '__init__' in values}
    assert 'zero' in first['stage4_unit1_offset_weight'] and '0.01' in first['conv_new_3_weight']
