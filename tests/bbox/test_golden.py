"""lib.bbox against the numbers recorded from the original program."""
import numpy as np
import pytest

from lib.bbox import (
    anchor_base,
    bbox_overlaps,
    bbox_pred,
    bbox_transform,
    clip_boxes,
    generate_anchors,
    ignore_overlaps,
    large_enough,
    nms,
    soft_nms,
)
from tests.bbox.golden_cases import cases

METHODS = ('hard', 'linear', 'gaussian')


def test_anchors():
    for case in cases('pipeline/anchors.npz'):
        ratios = case['ratios'].astype(int) if case['ratios_are_int'] else case['ratios']
        got = generate_anchors(int(case['base_size']), ratios, case['scales'])
        np.testing.assert_array_equal(got, case['anchors'])


@pytest.mark.parametrize('stride', [8, 16])
def test_operator_anchors_agree_with_generator_at_small_strides(stride):
    scales = [2, 4, 7, 10, 13, 16, 24]
    np.testing.assert_array_equal(anchor_base(stride, [0.5, 1, 2], scales),
                                  generate_anchors(stride, [0.5, 1, 2], scales))


def test_overlaps_are_bit_exact():
    for case in cases('pipeline/bbox.npz'):
        np.testing.assert_array_equal(bbox_overlaps(case['ex'], case['query']), case['overlaps'])
        np.testing.assert_array_equal(ignore_overlaps(case['ex'], case['query']), case['ignore'])


def test_codec_clip_and_filter():
    for case in cases('pipeline/bbox.npz'):
        np.testing.assert_allclose(bbox_transform(case['ex'], case['gt']), case['targets'], rtol=0, atol=1e-12)
        pred = bbox_pred(case['rois'], case['deltas'])
        np.testing.assert_allclose(pred, case['pred'], rtol=1e-7, atol=1e-4)
        np.testing.assert_allclose(clip_boxes(pred, case['im_shape']), case['clipped'], rtol=0, atol=1e-4)
        np.testing.assert_array_equal(large_enough(case['ex'], int(case['min_size'])), case['filter10'])


def test_nms_keeps_the_same_rows():
    for case in cases('pipeline/nms.npz'):
        thresh = float(case['thresh'])
        np.testing.assert_array_equal(nms(case['dets'], thresh), case['keep'])
        np.testing.assert_array_equal(nms(case['dets'].astype(np.float64), thresh), case['keep_float64'])
        np.testing.assert_array_equal(nms(case['dets'], 0.7), case['keep_proposal'])


def test_soft_nms_gives_the_same_rows_in_order():
    for case in cases('pipeline/soft_nms.npz'):
        got = soft_nms(case['dets'], float(case['sigma']), float(case['nt']), float(case['threshold']),
                       METHODS[int(case['method'])])
        assert got.dtype == np.float32 and got.shape == case['out'].shape
        np.testing.assert_array_equal(got[:, :4], case['out'][:, :4])
        np.testing.assert_allclose(got[:, 4], case['out'][:, 4], rtol=1e-5, atol=1e-7)
