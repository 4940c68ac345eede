"""How the operators look from Python: names, places, JSON, error messages, import settings."""
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import proposal_reference as reference
import sniper_mxnet
from sniper_mxnet import mx
from sniper_mxnet.operators import OPERATORS

TARGET_INPUTS = ['cls_prob', 'bbox_pred', 'im_info', 'gt_boxes', 'valid_ranges']
SMALL = dict(feature_stride=8, ratios=(0.5, 1, 2), scales=(2, 4))


def variables(names):
    return {name: mx.sym.var(name) for name in names}


def proposal_arrays():
    return [mx.nd.array(a) for a in reference.random_case(np.random.RandomState(0), 2, 4, 5, 6, 8)]


def test_the_docstring_names_every_operator():
    words = re.findall(r'\w+', sniper_mxnet.__doc__)
    assert {op.name for op in OPERATORS} <= set(words)


def test_original_output_names():
    rois = mx.sym.MultiProposal(name='rois', **variables(TARGET_INPUTS[:3]))
    assert rois.list_outputs() == ['rois_output', 'rois_score']
    group = mx.sym.Group([rois[1], mx.sym.var('im_ids'), rois[0]])
    assert group.list_outputs() == ['rois_score', 'im_ids', 'rois_output']
    target = mx.sym.MultiProposalTarget(name='multi_proposal_target', **variables(TARGET_INPUTS))
    assert target.list_outputs() == ['multi_proposal_target_' + name
                                     for name in ('rois', 'label', 'bbox_target', 'bbox_weight')]
    pooled = mx.sym.DeformablePSROIPooling(mx.sym.var('data'), rois[0], name='pool', no_trans=True, spatial_scale=0.1,
                                           output_dim=1, group_size=1, pooled_size=1)
    assert pooled.list_outputs() == ['pool_output']


def test_outputs_by_place_and_name():
    rois = mx.sym.MultiProposal(name='rois', **variables(TARGET_INPUTS[:3]))
    assert rois[1].list_outputs() == rois['rois_score'].list_outputs() == ['rois_score']
    assert rois.get_internals()['rois_output'].list_outputs() == ['rois_output']
    first, second = rois
    assert (first.list_outputs(), second.list_outputs()) == (['rois_output'], ['rois_score'])


def test_other_numbered_outputs_keep_their_names():
    assert mx.sym.split(mx.sym.var('x'), num_outputs=2, name='s').list_outputs() == ['s_output0', 's_output1']


def test_json_round_trip(tmp_path):
    symbol = mx.sym.MultiProposal(name='rois', rpn_post_nms_top_n=10, **variables(TARGET_INPUTS[:3]), **SMALL)
    path = str(tmp_path / 'symbol.json')
    symbol.save(path)
    loaded = mx.sym.load(path)
    assert loaded.list_outputs() == symbol.list_outputs() and loaded.list_arguments() == symbol.list_arguments()
    arrays = dict(zip(TARGET_INPUTS, proposal_arrays()))
    results = []
    for graph in (symbol, loaded):
        executor = graph.bind(mx.cpu(), arrays)
        results.append([output.asnumpy() for output in executor.forward()])
        assert list(executor.output_dict) == ['rois_output', 'rois_score']
    for a, b, c in zip(results[0], results[1], mx.nd.MultiProposal(*arrays.values(), rpn_post_nms_top_n=10, **SMALL)):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c.asnumpy())


def test_inputs_by_name_in_any_order_and_by_place():
    cls_prob, bbox_pred, im_info = proposal_arrays()
    by_place = mx.nd.MultiProposal(cls_prob, bbox_pred, im_info, **SMALL)
    by_name = mx.nd.MultiProposal(im_info=im_info, bbox_pred=bbox_pred, cls_prob=cls_prob, **SMALL)
    mixed = mx.nd.MultiProposal(cls_prob, im_info=im_info, bbox_pred=bbox_pred, **SMALL)
    for other in (by_name, mixed):
        for a, b in zip(by_place, other):
            np.testing.assert_array_equal(a.asnumpy(), b.asnumpy())


def test_attribute_values_of_many_kinds():
    arrays = proposal_arrays()
    expected = mx.nd.MultiProposal(*arrays, **SMALL)[0].asnumpy()
    for ratios, scales in (([0.5, 1, 2], np.array([2, 4])), ('(0.5, 1, 2)', '[2,4]'),
                           (np.float32([0.5, 1, 2]), (np.int64(2), np.float32(4)))):
        actual = mx.nd.MultiProposal(*arrays, feature_stride=np.int32(8), ratios=ratios, scales=scales)[0]
        np.testing.assert_array_equal(actual.asnumpy(), expected)


def test_missing_inputs_become_variables():
    assert mx.sym.MultiProposal(name='rois', cls_prob=mx.sym.var('p')).list_arguments() == [
        'p', 'rois_bbox_pred', 'rois_im_info']
    with mx.name.Prefix('net_'):
        symbol = mx.sym.MultiProposal(name='rois')
    assert symbol.list_outputs() == ['net_rois_output', 'net_rois_score']
    assert symbol.list_arguments()[0] == 'net_rois_cls_prob'


def test_call_mistakes():
    cls_prob, bbox_pred, im_info = proposal_arrays()
    with pytest.raises(TypeError, match='needs the input im_info'):
        mx.nd.MultiProposal(cls_prob, bbox_pred)
    with pytest.raises(TypeError, match='cls_prob is given twice'):
        mx.nd.MultiProposal(cls_prob, bbox_pred, im_info, cls_prob=cls_prob)
    with pytest.raises(TypeError, match='at most 3 inputs'):
        mx.nd.MultiProposal(cls_prob, bbox_pred, im_info, im_info)
    with pytest.raises(TypeError, match='bbox_pred must be of type NDArray, got ndarray'):
        mx.nd.MultiProposal(cls_prob, bbox_pred.asnumpy(), im_info)


@pytest.mark.parametrize('attributes, message', [
    (dict(treshold=0.7), 'has no attribute treshold; it has feature_stride'),
    (dict(threshold='high'), 'threshold must be a number, got high'),
    (dict(threshold=1.5), 'threshold must be from 0 to 1'),
    (dict(scales=()), 'scales must be at least one number above 0'),
    (dict(ratios=(1, 0)), 'ratios must be at least one number above 0'),
    (dict(feature_stride=0), 'feature_stride must be above 0'),
    (dict(feature_stride=2.5), 'feature_stride must be a whole number'),
    (dict(rpn_post_nms_top_n=0), 'rpn_post_nms_top_n must be above 0'),
    (dict(rpn_pre_nms_top_n=-2), 'rpn_pre_nms_top_n must be above 0, or -1 for all'),
    (dict(rpn_min_size=-1), 'rpn_min_size must be 0 or above'),
    (dict(scales=(1,)), r'bbox_pred must be \(N, 4\*A, H, W\) with A = 3 anchors \(3 ratios, 1 scales\)'),
])
def test_bad_attributes(attributes, message):
    with pytest.raises(mx.MXNetError, match=message):
        mx.nd.MultiProposal(*proposal_arrays(), **dict(SMALL, **attributes))


@pytest.mark.parametrize('name, shape, message', [
    ('cls_prob', (2, 12, 4, 6), r'cls_prob must be \(N, 2, A\*H, W\) = \(2, 2, 24, 5\), got \(2, 12, 4, 6\)'),
    ('bbox_pred', (2, 24, 4), r'bbox_pred must be \(N, 4\*A, H, W\) with 4 known sizes, got \(2, 24, 4\)'),
    ('im_info', (2, 4), r'im_info must be \(N, 3\) = \(2, 3\), got \(2, 4\)'),
    ('gt_boxes', (2, 9, 4), r'gt_boxes must be \(N, objects, 5\) = \(2, 9, 5\), got \(2, 9, 4\)'),
    ('gt_boxes', (3, 9, 5), r'gt_boxes must be \(N, objects, 5\) = \(2, 9, 5\), got \(3, 9, 5\)'),
    ('valid_ranges', (1, 2), r'valid_ranges must be \(N, 2\) = \(2, 2\), got \(1, 2\)'),
])
def test_bad_shapes(name, shape, message):
    shapes = dict(cls_prob=(2, 2, 24, 5), bbox_pred=(2, 24, 4, 5), im_info=(2, 3), gt_boxes=(2, 9, 5),
                  valid_ranges=(2, 2))
    mx.nd.MultiProposalTarget(**{n: mx.nd.zeros(s) for n, s in shapes.items()}, **SMALL)
    shapes[name] = shape
    with pytest.raises(mx.MXNetError, match=message):
        mx.nd.MultiProposalTarget(**{n: mx.nd.zeros(s) for n, s in shapes.items()}, **SMALL)
    with pytest.raises(mx.MXNetError, match=message):
        mx.sym.MultiProposalTarget(**variables(TARGET_INPUTS), **SMALL).infer_shape(**shapes)


def test_only_float32():
    cls_prob, bbox_pred, im_info = proposal_arrays()
    with pytest.raises(mx.MXNetError, match='cls_prob must be float32, got float16: cast it first'):
        mx.nd.MultiProposal(cls_prob.astype('float16'), bbox_pred, im_info, **SMALL)


@pytest.mark.parametrize('changes, message', [
    (dict(data=(1, 8, 5, 5)), r'data must be \(N, output_dim\*group_size\*group_size, H, W\) = \(1, 4, 5, 5\)'),
    (dict(rois=(3, 4)), r'rois must be \(rois, 5\) = \(3, 5\), got \(3, 4\)'),
    (dict(trans=(3, 2, 3, 3)), r'trans must be .* = \(3, 2, 2, 2\), got \(3, 2, 3, 3\)'),
    (dict(trans=(3, 6, 2, 2)), 'trans has offsets for 3 classes, which do not divide the 4 channels'),
    (dict(pooled_size=0), 'pooled_size must be above 0'),
    (dict(output_dim=None), 'output_dim must be a number|output_dim must be given'),
])
def test_bad_pooling_calls(changes, message):
    shapes = dict(data=(1, 4, 5, 5), rois=(3, 5), trans=(3, 2, 2, 2))
    attributes = dict(spatial_scale=0.5, output_dim=4, group_size=1, pooled_size=2, sample_per_part=2, trans_std=0.1)
    for key, value in changes.items():
        (shapes if key in shapes else attributes)[key] = value
    with pytest.raises(mx.MXNetError, match=message):
        mx.nd.DeformablePSROIPooling(**{n: mx.nd.zeros(s) for n, s in shapes.items()}, **attributes)


@pytest.mark.parametrize('image', [-1, 2, np.nan])
def test_roi_of_an_image_that_is_not_there(image):
    rois = mx.nd.array([[0, 0, 0, 9, 9], [image, 0, 0, 9, 9]])
    with pytest.raises(mx.MXNetError, match='row 1 of rois names image .* of a batch of 2'):
        mx.nd.DeformablePSROIPooling(mx.nd.zeros((2, 4, 5, 5)), rois, spatial_scale=0.5, output_dim=4, group_size=1,
                                     pooled_size=2, no_trans=True).wait_to_read()


@pytest.mark.parametrize('shapes, message', [
    (dict(), 'MultiProposal rois: the shape of cls_prob, bbox_pred, im_info is not known; give the shape of data, '
             'conv_'),
    (dict(data=(2, 3, 8, 8)), 'MultiProposal rois: the shape of im_info is not known; give the shape of im_info'),
    (dict(data=(2, 3, 8, 8), im_info=(2, 3)), 'DeformablePSROIPooling pool: .* trans is not known; give the .* offset'),
])
def test_unknown_shapes(shapes, message):
    """MXNet would damage its heap."""
    data, im_info = mx.sym.var('data'), mx.sym.var('im_info')
    features = mx.sym.Convolution(data, kernel=(1, 1), num_filter=4, name='conv')
    scores = mx.sym.Convolution(features, kernel=(1, 1), num_filter=12, name='score')
    deltas = mx.sym.Convolution(features, kernel=(1, 1), num_filter=24, name='delta')
    rois = mx.sym.MultiProposal(scores, deltas, im_info, name='rois', **SMALL)
    pool = mx.sym.DeformablePSROIPooling(features, rois[0], mx.sym.var('offset'), name='pool', spatial_scale=0.125,
                                         output_dim=4, group_size=1, pooled_size=2, sample_per_part=2)
    for call in (pool.infer_shape, pool.infer_shape_partial, lambda **kw: pool.simple_bind(mx.cpu(), **kw)):
        with pytest.raises((mx.MXNetError, RuntimeError), match=message):
            call(**shapes)
    complete = dict(data=(2, 3, 8, 8), im_info=(2, 3), offset=(600, 2, 2, 2))
    assert pool.infer_shape(**complete)[1] == [(600, 4, 2, 2)]
    assert pool.simple_bind(mx.cpu(), **complete).forward()[0].shape == (600, 4, 2, 2)


def test_import_is_quiet_and_sets_defaults():
    script = 'import numpy, os; from sniper_mxnet import mx; numpy.bool; print(os.environ["OMP_NUM_THREADS"])'
    environment = {key: value for key, value in os.environ.items() if key != 'OMP_NUM_THREADS'}
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', script], env=environment, check=True,
                          capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr.strip()) == (str(len(os.sched_getaffinity(0))), '')
