"""A training step of `sniper_tiny` gives every learnable array a gradient; initial values; from scratch or not."""
import numpy as np
import pytest

from sniper_mxnet import mx
from symbols import get_detector
from symbols.heads.focus import focus_loss
from symbols.options import LossOptions
from tests.symbols.helpers import CONFIG_FILES, config_for, shapes_of

SIZE = 96
SEED = 11
AUTO_FOCUS = ('TRAIN.AUTO_FOCUS', 'True')
FOCUS_LAYERS = ('conv_new_2', 'conv_new_3', 'conv_new_out')


MASK = ('TRAIN.WITH_MASK', 'True', 'TRAIN.MAX_MASKS', '8')
WITHOUT_MASK = ('TRAIN.WITH_MASK', 'False')


def tiny_config(*overrides):
    return config_for('sniper_tiny', 'TRAIN.RPN_POST_NMS_TOP_N', '32', *overrides)


def initialised(detector, symbol, shapes):
    """Executor with the arrays as training from scratch starts them."""
    mx.random.seed(SEED)
    executor = symbol.simple_bind(mx.cpu(), grad_req={name: 'null' if name in shapes else 'write'
                                                      for name in symbol.list_arguments()}, **shapes)
    initialise, attributes = detector.initializer(), symbol.attr_dict()
    for arrays in (executor.arg_dict, executor.aux_dict):
        for name, array in arrays.items():
            if name not in shapes:
                initialise(mx.init.InitDesc(name, attributes.get(name)), array)
    return executor


def feed(executor, batch):
    """A noise image with one object a chip, labels at random."""
    random = np.random.RandomState(SEED)
    values = executor.arg_dict
    values['data'][:] = random.normal(0, 50, values['data'].shape)
    values['label'][:] = random.choice([-1, 0, 1], size=values['label'].shape, p=[0.9, 0.05, 0.05])
    values['bbox_target'][:] = random.normal(0, 0.5, values['bbox_target'].shape)
    values['bbox_weight'][:] = random.randint(0, 2, values['bbox_weight'].shape)
    if 'scale_label' in values:
        values['scale_label'][:] = random.choice([-1, 0, 1], size=values['scale_label'].shape)
    if 'gt_boxes' in values:
        boxes = np.full(values['gt_boxes'].shape, -1)
        boxes[:, 0] = [10, 12, 50, 60, 1]
        boxes[:, 1] = [40, 20, 90, 70, 2]
        values['gt_boxes'][:] = boxes
        values['im_info'][:] = np.tile([SIZE, SIZE, 1], (batch, 1))
        values['valid_ranges'][:] = np.tile([0, 256], (batch, 1))
    if 'gt_masks' in values:
        masks = np.full(values['gt_masks'].shape, -1)
        masks[:, 0, :9] = [0, 1, 6, 10, 12, 50, 12, 10, 60]
        masks[:, 1, :9] = [1, 1, 6, 40, 20, 90, 70, 40, 70]
        values['gt_masks'][:] = masks


@pytest.mark.parametrize('variant', ['train', 'proposal_train'])
def test_every_parameter_learns(variant):
    config, detector = tiny_config(*AUTO_FOCUS, *MASK), get_detector('sniper_tiny')
    symbol = detector.symbol(config, variant)
    shapes = shapes_of(detector, config, 2, SIZE, SIZE, variant)
    executor = initialised(detector, symbol, shapes)
    feed(executor, 2)
    for output in executor.forward(is_train=True):
        assert np.isfinite(output.asnumpy()).all()
    executor.backward()
    for name, gradient in executor.grad_dict.items():
        if name not in shapes:
            array = gradient.asnumpy()
            assert np.isfinite(array).all(), name
            assert np.abs(array).max() > 0, f'no gradient reaches {name} (seed {SEED})'


def test_size_of_tiny():
    config, detector = tiny_config(), get_detector('sniper_tiny')
    symbol = detector.train_symbol(config)
    shapes = shapes_of(detector, config, 1, 256, 256, 'train')
    arguments, _, auxiliary = symbol.infer_shape(**shapes)
    count = sum(int(np.prod(shape)) for name, shape in zip(symbol.list_arguments(), arguments) if name not in shapes)
    assert count + sum(int(np.prod(shape)) for shape in auxiliary) < 1.45e6


def deformable_offsets(name):
    """Layers that move the sample points of the last stage."""
    if name.startswith('resnet_v1'):
        return [f'res5{unit}_branch2b_offset' for unit in 'abc']
    return [f'stage4_unit{unit}_offset' for unit in (1, 2, 3)] if name.startswith('resne') else []


@pytest.mark.parametrize('name', sorted(CONFIG_FILES))
def test_new_parameters(name):
    """Heads and deformable offsets are new, trunks are not (reference/networks.md section 9)."""
    detector, config = get_detector(name), config_for(name, *WITHOUT_MASK)
    new = detector.new_parameters(detector.train_symbol(config))
    layers = ['conv_new_1', 'fc_new_1', 'fc_new_2', 'cls_score', 'bbox_pred']
    proposal_layers = ['rpn_conv_3x3', 'rpn_cls_score', 'rpn_bbox_pred']
    if name != 'sniper_tiny':
        layers.append('offset')
    deformable = deformable_offsets(name)
    layers += proposal_layers
    assert new == {layer + suffix for layer in layers + deformable for suffix in ('_weight', '_bias')}
    with_focus = detector.new_parameters(detector.train_symbol(config_for(name, *AUTO_FOCUS, *WITHOUT_MASK)))
    assert with_focus - new == {layer + suffix for layer in FOCUS_LAYERS for suffix in ('_weight', '_bias')}
    if name == 'resnet_mx_101_e2e_mask':
        deformable = []     # its proposal network ends before them
    assert detector.new_parameters(detector.proposal_train_symbol(config)) == {
        layer + suffix for layer in proposal_layers + deformable for suffix in ('_weight', '_bias')}


def test_initial_values():
    detector = get_detector('resnet_mx_50_e2e')
    config = config_for('resnet_mx_50_e2e', 'network.pretrained', '', *AUTO_FOCUS)
    symbol = detector.train_symbol(config)
    attributes = symbol.attr_dict()
    arguments = dict(zip(symbol.list_arguments(), symbol.infer_shape(
        **shapes_of(detector, config, 1, 64, 64, 'train'))[0]))
    mx.random.seed(SEED)
    initialise = detector.initializer()

    def value(name):
        array = mx.nd.zeros(arguments[name]) - 7
        initialise(mx.init.InitDesc(name, attributes.get(name)), array)
        return array.asnumpy()

    for name in ('stage4_unit2_offset_weight', 'stage4_unit2_offset_bias', 'offset_weight', 'offset_bias',
                 'fc_new_1_bias', 'conv_new_2_bias', 'conv_new_out_bias', 'rpn_conv_3x3_bias', 'stage2_unit1_bn1_beta'):
        assert not value(name).any(), name
    for name in ('rpn_cls_score_weight', 'conv_new_1_weight', 'cls_score_weight', 'fc_new_2_weight',
                 'conv_new_2_weight', 'conv_new_3_weight'):
        assert value(name).std() == pytest.approx(0.01, rel=0.05) and abs(value(name).mean()) < 1e-3, name
    fan_in = 128 * 9
    assert value('stage2_unit2_conv2_weight').std() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)
    assert value('stage2_unit2_conv3_weight').std() == pytest.approx((2 / 128 / 16) ** 0.5, rel=0.05)   # 16 units
    assert (value('stage2_unit1_bn1_gamma') == 1).all()


@pytest.mark.parametrize('shape, labels_shape, multi', [((4, 2, 6), (4, 6), True), ((12, 3), (12,), False)])
def test_constant_normalisation_does_not_depend_on_the_split(shape, labels_shape, multi):
    """TRAIN.LOSS_MEAN 'update': gradients of a batch are the mean of those of its halves, whatever labels count; where
    all do, they are those of LOSS_MEAN 'device'."""
    rng = np.random.RandomState(SEED)
    values, label = rng.normal(size=shape).astype(np.float32), rng.randint(0, 2, labels_shape).astype(np.float32)
    chips, places = 4, int(np.prod(labels_shape)) // 4

    def gradient(values, label, chips, constant):
        losses = LossOptions(10.0, chips, 256, 1.0, (0.1, 0.1, 0.2, 0.2), False, constant)
        loss = mx.sym.SoftmaxOutput(mx.sym.var('x'), mx.sym.var('label'), multi_output=multi, use_ignore=True,
                                    ignore_label=-1, **losses.of_labels(places, places if multi else 1))
        executor = loss.simple_bind(mx.cpu(), x=values.shape, label=label.shape, grad_req='write')
        executor.forward(is_train=True, x=values, label=label)
        executor.backward()
        return executor.grad_dict['x'].asnumpy()
    np.testing.assert_allclose(gradient(values, label, chips, True), gradient(values, label, chips, False), rtol=1e-5)
    label.reshape(-1)[[0, 3, 4]] = -1  # more in the first half than in the second
    halves = [gradient(part, part_label, chips // 2, True) / 2
              for part, part_label in zip(np.split(values, 2), np.split(label, 2))]
    np.testing.assert_allclose(gradient(values, label, chips, True), np.concatenate(halves), rtol=1e-5, atol=1e-9)


def test_the_focus_loss_is_a_mean_over_the_cells_that_count():
    """Its gradient at the logits is (p - label) / their number, 0 where the label is -1, times the loss scale."""
    logits, label = mx.sym.var('logits'), np.array([[[1, 0, -1], [-1, -1, 1]]], np.float32)
    values = np.random.RandomState(SEED).normal(size=(1, 2, 2, 3)).astype(np.float32)
    for scale in (1.0, 100.0):
        losses = LossOptions.from_config(tiny_config('TRAIN.scale', str(scale)), 8)._replace(scale=scale)
        executor = focus_loss(logits, losses).simple_bind(mx.cpu(), logits=values.shape, scale_label=(1, 6),
                                                          grad_req={'logits': 'write', 'scale_label': 'null'})
        executor.arg_dict['logits'][:], executor.arg_dict['scale_label'][:] = values, label.reshape(1, 6)
        prob = executor.forward(is_train=True)[0].asnumpy()
        executor.backward()
        expected = np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(prob, expected.reshape(1, 2, 6), rtol=1e-5)
        one_hot = np.stack([label == 0, label == 1], axis=1)
        gradient = np.where(label[:, None] == -1, 0, expected - one_hot) / 3 * scale
        np.testing.assert_allclose(executor.grad_dict['logits'].asnumpy(), gradient, rtol=1e-4, atol=1e-6)


def test_from_scratch_all_statistics_are_of_the_batch():
    """Without pretrained weights no statistics are stored, hence none used in training."""
    for name in ('resnet_mx_50_e2e', 'resnext_mx_101', 'mobilenetv2_e2e'):
        detector = get_detector(name)
        pretrained = config_for(name, 'network.pretrained', 'data/weights')
        scratch = config_for(name, 'network.pretrained', '')
        symbols = {config.network.pretrained: detector.train_symbol(config) for config in (pretrained, scratch)}
        assert symbols[''].list_arguments() == symbols['data/weights'].list_arguments()
        stored = {key: [node for node, values in symbol.attr_dict().items()
                        if values.get('use_global_stats') == 'True'] for key, symbol in symbols.items()}
        assert stored[''] == []
        assert bool(stored['data/weights']) == (name != 'mobilenetv2_e2e')
