"""Operators by themselves, at borders and in corner cases, against SNIPER-mxnet and MXNet."""
import numpy as np
import pytest

from sniper_mxnet import mx
from tests.export.engines import ENGINES, run_in

pytest.importorskip('onnx', reason='onnx is not installed (requirements-onnx.txt)')
PROPOSALS = dict(feature_stride=8, ratios=(0.5, 1, 2), scales=(2, 4), rpn_post_nms_top_n=12, rpn_min_size=3)
ANCHORS = 6


def both(engine, operator, inputs, fixed=False, **attributes):
    """Outputs of MXNet's operator and of what it is exported as, lists of arrays. Weights are constants. fixed: so are
    the sizes of the inputs."""
    from lib.export.conversion import convert
    from lib.export.operators import CONVERTERS
    symbol = getattr(mx.sym, operator)(**{name: mx.sym.var(name) for name in inputs}, name='op', **attributes)
    symbol = mx.sym.Group(list(symbol))
    arrays = {name: mx.nd.array(array) for name, array in inputs.items()}
    wanted = [output.asnumpy() for output in symbol.bind(mx.cpu(), arrays).forward()]
    constants = {name: arrays.pop(name) for name in list(arrays) if name in ('weight', 'bias')}
    shapes = {name: array.shape for name, array in arrays.items()}
    others = shapes if fixed else larger(shapes, attributes.get('stride', (1, 1)))
    converted = convert(symbol, constants, {}, [shapes, others], CONVERTERS)
    found = run_in(engine, converted.writer.model('op', {}, ''), {name: inputs[name] for name in arrays})
    return wanted, [found[name] for name in converted.outputs]


def larger(shapes, stride):
    """Shapes of another batch, with larger maps, so that nothing of these sizes is fixed in the file."""
    found = {}
    for name, (rows, *sides) in shapes.items():
        if len(sides) == 3 and name != 'trans':
            grow = 1 if name == 'offset' else stride[0]
            sides = [sides[0], sides[1] + 8 * grow, sides[2] + 8 * grow]
        found[name] = (rows + 1, *sides)
    return found


def proposal_inputs(rng, images, rows, columns, spread=0.3):
    """(cls_prob, bbox_pred, im_info): of images a little smaller than the map."""
    scores = rng.random_sample((images, ANCHORS, rows, columns)).astype(np.float32)
    deltas = rng.normal(0, spread, (images, 4 * ANCHORS, rows, columns)).astype(np.float32)
    sizes = np.array([[8 * rows - 3 * n, 8 * columns - 5 * n, 1] for n in range(images)], np.float32)
    return dict(cls_prob=np.concatenate([1 - scores, scores], 1), bbox_pred=deltas, im_info=sizes)


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('case', ('usual', 'fixed', 'limit', 'equal', 'dead', 'tiny', 'not finite', 'huge'))
def test_proposals(engine, case):
    """Bit by bit in ONNX Runtime; OpenVINO decodes in float."""
    rng = np.random.RandomState(3)
    inputs = proposal_inputs(rng, 2, *((1, 1) if case == 'tiny' else (7, 9)))
    settings = dict(PROPOSALS)
    if case == 'limit':         # the limit before NMS counts boxes that are large enough
        settings.update(rpn_pre_nms_top_n=9, rpn_min_size=24)
    elif case == 'equal':       # equal scores: the lower index first
        inputs['cls_prob'][:, ANCHORS:] = np.round(inputs['cls_prob'][:, ANCHORS:] * 3) / 4
    elif case == 'dead':        # no box of the first image is large enough: whole images, with the score 0
        inputs['bbox_pred'][0, 2::4] = -9
    elif case == 'not finite':
        inputs['bbox_pred'][0, :8, 2] = [[np.inf], [np.nan], [-np.inf], [np.nan]] * 2
    elif case == 'huge':        # sides beyond what float holds are clipped to the image
        inputs['bbox_pred'][:, 2:4, 3] = 200
    wanted, found = both(engine, 'MultiProposal', inputs, fixed=case == 'fixed', **settings)
    if engine == 'onnxruntime':
        for array, other in zip(wanted, found):
            np.testing.assert_array_equal(other, array)
    elif case not in ('equal', 'not finite'):       # whose order is another there
        for array, other in zip(wanted, found):
            np.testing.assert_allclose(other, array, atol=2e-3)


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('settings', (
    dict(kernel=(3, 3), pad=(2, 2), dilate=(2, 2), num_deformable_group=2, no_bias=True),
    dict(kernel=(3, 3), pad=(1, 1), stride=(2, 2), num_group=2, num_deformable_group=4),
    dict(kernel=(1, 3), pad=(0, 1), no_bias=True)))
def test_deformable_convolution(engine, settings):
    """Points on, near and off the map's borders, on whole cells and between them."""
    rng = np.random.RandomState(1)
    data = rng.normal(0, 1, (2, 8, 5, 7)).astype(np.float32)
    kernel, groups = settings['kernel'], settings.get('num_deformable_group', 1)
    stride = settings.get('stride', (1, 1))
    size = [-(-side // step) for side, step in zip(data.shape[2:], stride)]
    offset = rng.choice([0, 0, 0.5, -0.75, 1, -2, 2.99, -3, 3, 40, -1e6, np.nan], (
        2, 2 * groups * kernel[0] * kernel[1], *size)).astype(np.float32)
    offset += rng.normal(0, 0.3, offset.shape).astype(np.float32) * rng.randint(0, 2, offset.shape)
    inputs = dict(data=data, offset=offset.astype(np.float32),
                  weight=rng.normal(0, 1, (4, 8 // settings.get('num_group', 1), *kernel)).astype(np.float32))
    if not settings.get('no_bias'):
        inputs['bias'] = rng.normal(0, 1, 4).astype(np.float32)
    wanted, found = both(engine, 'DeformableConvolution', inputs, num_filter=4, **settings)
    np.testing.assert_allclose(found[0], wanted[0], atol=3e-5)


def border_rois(rng):
    """(R, 5) of two images of 48 x 64 pixels: at and over all borders, of no size, of halves that are rounded."""
    boxes = [[0, 0, 63, 47], [0, 0, 0, 0], [63, 47, 63, 47], [0, 46, 2, 47], [60, 0, 63, 1], [10.5, 11.5, 30.5, 20.5],
             [-20, -30, 10, 12], [50, 40, 90, 99], [-50, -50, -40, -40], [80, 80, 90, 90], [20, 20, 10, 10]]
    boxes += rng.uniform(0, 40, (10, 4)).tolist()
    return np.array([[place % 2, *box] for place, box in enumerate(boxes)], np.float32)


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('moves, groups, bins, samples, parts', (
    (False, 1, 7, 4, 7), (True, 1, 7, 4, 7), (False, 3, 3, 2, 3), (True, 2, 4, 2, 2), (True, 1, 22, 1, 22)))
def test_deformable_psroi_pooling(engine, moves, groups, bins, samples, parts):
    """Rois at the borders, with offsets that push bins over them, groups of channels, fewer offsets than bins."""
    rng = np.random.RandomState(2)
    rois = border_rois(rng)
    inputs = dict(data=rng.normal(0, 1, (2, 5 * groups ** 2, 6, 8)).astype(np.float32), rois=rois)
    settings = dict(spatial_scale=0.125, output_dim=5, group_size=groups, pooled_size=bins, part_size=parts,
                    sample_per_part=samples, no_trans=not moves)
    if moves:
        inputs['trans'] = rng.normal(0, 1, (len(rois), 2, parts, parts)).astype(np.float32)
        settings['trans_std'] = 0.1
    wanted, found = both(engine, 'DeformablePSROIPooling', inputs, **settings)
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-4)


@pytest.mark.parametrize('engine', ENGINES)
def test_rigid_pooling_by_products(engine, monkeypatch):
    """What rois of the proposal operator are pooled by, at the same borders."""
    from lib.export import psroi_pooling
    monkeypatch.setattr(psroi_pooling, 'is_by_image', lambda node: True)
    rng = np.random.RandomState(2)
    rois = border_rois(rng)[:20]
    rois = rois[np.argsort(rois[:, 0], kind='stable')]
    inputs = dict(data=rng.normal(0, 1, (2, 5, 6, 8)).astype(np.float32), rois=rois)
    wanted, found = both(engine, 'DeformablePSROIPooling', inputs, spatial_scale=0.125, output_dim=5, group_size=1,
                         pooled_size=7, part_size=7, sample_per_part=4, no_trans=True)
    np.testing.assert_allclose(found[0], wanted[0], atol=2e-6)


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('operator', ('ROIPooling', 'RoIMeanPooling'))
def test_roi_pooling(engine, operator):
    rng = np.random.RandomState(4)
    inside = border_rois(rng)[[0, 1, 2, 3, 4, 5, *range(11, 21)]]
    inside[:, 3:] = np.maximum(inside[:, 1:3], inside[:, 3:])
    wanted, found = both(engine, operator, dict(data=rng.normal(0, 1, (2, 5, 6, 8)).astype(np.float32), rois=inside),
                         spatial_scale=0.125, pooled_size=(7, 7))
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-6)


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('codes', ((0, -1, 4), (0, 2, -1, 0), (0, -3, 0), (0, -4, 2, -1, 0, 0), (-1, 12), (-3, -3)))
def test_reshape(engine, codes):
    data = np.arange(2 * 6 * 4 * 8, dtype=np.float32).reshape(2, 6, 4, 8)
    wanted, found = both(engine, 'Reshape', dict(data=data), shape=codes)
    np.testing.assert_array_equal(found[0], wanted[0])


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('convention, size', (('full', 6), ('full', 7), ('valid', 7)))
def test_pooling_rounds_as_mxnet_does(engine, convention, size):
    data = np.random.RandomState(0).normal(0, 1, (1, 2, size, size)).astype(np.float32)
    wanted, found = both(engine, 'Pooling', dict(data=data), kernel=(2, 2), stride=(2, 2), pool_type='max',
                         pooling_convention=convention)
    np.testing.assert_array_equal(found[0], wanted[0])


def test_an_unknown_operator_is_named():
    from lib.export.conversion import convert
    from lib.export.operators import CONVERTERS
    from lib.utils.errors import SniperError
    symbol = mx.sym.erfinv(mx.sym.var('data'), name='odd')
    with pytest.raises(SniperError, match='odd is of the operator erfinv'):
        convert(symbol, {}, {}, [{'data': (1, 2)}] * 2, CONVERTERS)
