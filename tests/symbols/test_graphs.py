"""Every graph of every detector binds and runs; odd sizes and any batch work."""
import numpy as np
import pytest

from lib.tasks import get_task
from lib.utils.errors import SniperError
from sniper_mxnet import mx
from symbols import get_detector
from tests.symbols.helpers import CONFIG_FILES, FED, config_for, shapes_of

VARIANTS = ('train', 'test', 'proposal_train', 'proposal_test')
FOCUS = ('TRAIN.AUTO_FOCUS', 'True', 'TEST.AUTO_FOCUS', 'True')
MASK = ('TRAIN.WITH_MASK', 'True', 'TEST.WITH_MASK', 'True', 'TRAIN.MAX_MASKS', '3')
WITHOUT_MASK = ('TRAIN.WITH_MASK', 'False', 'TEST.WITH_MASK', 'False')
SMALL = ('TRAIN.RPN_POST_NMS_TOP_N', '6', 'TEST.RPN_POST_NMS_TOP_N', '5')


def run(detector, config, variant, batch, height, width, seed=None):
    """{output: array} of one forward pass; weights constant, or random from `seed`."""
    symbol = detector.symbol(config, variant)
    shapes = shapes_of(detector, config, batch, height, width, variant)
    executor = symbol.simple_bind(mx.cpu(), grad_req='null', **shapes)
    random = np.random.RandomState(0 if seed is None else seed)
    for name, array in list(executor.arg_dict.items()) + list(executor.aux_dict.items()):
        if name == 'data' or (seed is not None and name.endswith('weight') and name not in shapes):
            array[:] = random.normal(0, 0.1, array.shape)
        elif name == 'rois':
            array[:] = np.array([[[image, 3, 2, 30, 40]] for image in range(batch)])     # of every image the same box
        elif name == 'im_info':
            array[:] = np.tile([height, width, 1], (batch, 1))
        elif name == 'gt_boxes':
            array[:] = -1
            array[:, 0] = mx.nd.array([4, 4, 40, 40, 1])
        elif name == 'gt_masks':
            array[:] = -1
            array[:, 0, :9] = mx.nd.array([0, 1, 6, 4, 4, 40, 4, 4, 40])
        elif name == 'mask_rois':
            array[:] = np.array([0, 3, 2, 30, 40])
        elif name == 'valid_ranges':
            array[:] = np.tile([0, 512], (batch, 1))
        else:
            array[:] = 1 if name.endswith(('gamma', 'var')) else 0 if name in shapes else 0.001
    outputs = executor.forward(is_train='train' in variant)
    return dict(zip(symbol.list_outputs(), [output.asnumpy() for output in outputs]))


def expected_shapes(name, config, variant, batch, height, width):
    """{output: shape} as reference/networks.md sections 5 and 8 say."""
    task = get_task(config)
    stride, anchors, classes = task.stride, task.anchors, config.dataset.NUM_CLASSES
    rows, columns = -(-height // stride), -(-width // stride)
    rpn = {'rpn_cls_prob_output': (batch, 2, anchors * rows, columns),
           'rpn_bbox_loss_output': (batch, 4 * anchors, rows, columns)}
    rois, boxes, scores = 'rois_output', 4, {}
    cells, maps, masks = {}, {}, {}
    if variant == 'mask':
        return {'mask_prob_output': (batch * config.TEST.MAX_PER_IMAGE, classes - 1, 28, 28)}
    if config.TRAIN.AUTO_FOCUS:
        cells['cls_scale_prob_output'] = (batch, 2, rows * columns)
        maps['scale_prob_output'] = (batch, 2, rows, columns)
    if config.network.ROIS == 'input':
        rpn = {}
        rois, boxes = 'rois_reshape_output' if variant == 'test' else rois, 8
    if variant == 'train':
        scores = dict(cells, cls_prob_reshape_output=(batch, 6, classes),
                      bbox_loss_reshape_output=(batch, 6, boxes), blockgrad0_output=(batch * 6,))
        if config.TRAIN.WITH_MASK:
            masks = dict(mask_cls_prob_output=(batch * 3, 2, 28, 28), blockgrad1_output=(batch * 3, 28, 28))
    if variant.endswith('train'):
        return dict(rpn, **scores, **masks)
    if variant == 'proposal_test':
        return {'rois_output': (batch * 5, 5), 'rois_score': (batch * 5,), 'im_ids': (batch,)}
    return {rois: (batch * 5, 5), 'cls_prob_reshape_output': (batch, 5, classes),
            'bbox_pred_reshape_output': (batch, 5, boxes),
            'im_ids': (batch,), **maps, 'im_info': (batch, 3), 'chip_ids': (batch,),
            **({'mask_feature_output': (batch, 48 if name == 'sniper_tiny' else 256, rows, columns)}
               if config.TEST.WITH_MASK else {})}


@pytest.mark.parametrize('variant, focus',
                         [*((variant, ()) for variant in VARIANTS), ('train', FOCUS), ('test', FOCUS)],
                         ids=lambda value: value if isinstance(value, str) else 'autofocus' if value else 'plain')
@pytest.mark.parametrize('name', sorted(CONFIG_FILES))
def test_every_graph_runs(name, variant, focus):
    check_graph(name, variant, config_for(name, *SMALL, *WITHOUT_MASK, *focus))


@pytest.mark.parametrize('name, variant', [
    (name, variant) for name in sorted(CONFIG_FILES) for variant in ('train', 'test', 'mask')
    if name != 'resnext_mx_101' or variant == 'mask'])   # its other graphs take seconds each, and share all parts
def test_every_graph_with_masks_runs(name, variant):
    check_graph(name, variant, config_for(name, *SMALL, *MASK, *FOCUS, 'TEST.MAX_PER_IMAGE', '4'))


def test_graphs_that_rois_are_fed_to_run():
    check_graph('resnext_mx_101', 'train', config_for('resnext_mx_101', *SMALL, *WITHOUT_MASK, *FED))


def test_rois_from_elsewhere_have_no_masks():
    with pytest.raises(SniperError, match='TRAIN.WITH_MASK is True, but with network.ROIS input .* no mask head'):
        get_detector('resnext_mx_101').train_symbol(config_for('resnext_mx_101', *MASK, *FED))


@pytest.mark.parametrize('key', ['SOFT_SAMPLING', 'SOFT_SAMPLING_RPN'])
def test_rois_from_elsewhere_are_not_weighed(key):
    words = (*WITHOUT_MASK, *FED, f'TRAIN.{key}', 'True')
    with pytest.raises(SniperError, match=f'TRAIN.{key} is True, but with network.ROIS input .* nothing of the kind'):
        get_detector('resnext_mx_101').train_symbol(config_for('resnext_mx_101', *words))


def check_graph(name, variant, config):
    height, width = (64, 96) if variant.endswith('train') else (75, 50)
    outputs = run(get_detector(name), config, variant, 2, height, width)
    assert [(key, output.shape) for key, output in outputs.items()] == list(expected_shapes(
        name, config, variant, 2, height, width).items())
    for key, output in outputs.items():
        assert np.isfinite(output).all(), key


@pytest.mark.parametrize('name', sorted(CONFIG_FILES))
def test_other_heads_leave_the_proposal_graphs_alone(name):
    detector, plain = get_detector(name), config_for(name, *WITHOUT_MASK)
    focus = config_for(name, *FOCUS, *MASK)
    for variant in ('proposal_train', 'proposal_test'):
        symbols = [detector.symbol(config, variant) for config in (plain, focus)]
        assert symbols[0].list_arguments() == symbols[1].list_arguments()
        assert symbols[0].list_outputs() == symbols[1].list_outputs()
        shapes = [shapes_of(detector, config, 1, 64, 64, variant) for config in (plain, focus)]
        assert shapes[0] == shapes[1]


@pytest.mark.parametrize('height, width', [(33, 97), (64, 64), (95, 41), (17, 130)])
def test_tiny_takes_any_size(height, width):
    config = config_for('sniper_tiny', *SMALL, *FOCUS)
    for variant in VARIANTS:
        outputs = run(get_detector('sniper_tiny'), config, variant, 1, height, width, seed=3)
        assert {key: output.shape for key, output in outputs.items()} == expected_shapes(
            'sniper_tiny', config, variant, 1, height, width)


def test_batches_other_than_configured():
    """The images of a batch do not see each other at test, and the batch may be any."""
    config = config_for('sniper_tiny', 'TEST.BATCH_IMAGES', '2', *SMALL)
    detector = get_detector('sniper_tiny')
    symbol = detector.test_symbol(config)
    arrays, results = {}, {}
    for batch in (3, 1):
        shapes = shapes_of(detector, config, batch, 64, 80, 'test')
        executor = symbol.simple_bind(mx.cpu(), grad_req='null', **shapes)
        random = np.random.RandomState(5)
        for name, array in list(executor.arg_dict.items()) + list(executor.aux_dict.items()):
            if name not in arrays:
                positive = name.endswith(('gamma', 'var'))
                arrays[name] = random.uniform(0.5, 1, array.shape) if positive else random.normal(0, 0.2, array.shape)
            if name == 'im_info':
                arrays[name] = np.tile([64, 80, 1], (3, 1))
            array[:] = arrays[name][:batch] if name in shapes else arrays[name]
        results[batch] = [output.asnumpy() for output in executor.forward(is_train=False)]
    for index, (many, one) in enumerate(zip(results[3], results[1])):
        np.testing.assert_allclose(many[:len(one)], one, rtol=1e-4, atol=1e-4, err_msg=f'output {index}')


def test_fused_inference_gives_the_same(monkeypatch):
    """oneDNN's fusion of convolution, BN and ReLU, on by default at test, changes no output."""
    config = config_for('sniper_tiny', *SMALL)
    fused = run(get_detector('sniper_tiny'), config, 'test', 1, 64, 64, seed=7)
    monkeypatch.setenv('MXNET_SUBGRAPH_BACKEND', 'NONE')
    plain = run(get_detector('sniper_tiny'), config, 'test', 1, 64, 64, seed=7)
    for name in plain:
        np.testing.assert_allclose(fused[name], plain[name], rtol=1e-3, atol=1e-4, err_msg=name)


