"""Segmentations of annotations -> polygons: lists, run-length masks, and damaged ones."""
import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from lib.dataset.base import AnnotationWarnings
from lib.dataset.coco_masks import mask_outlines, polygons, run_length_mask


def found(segmentation, width=12, height=10):
    """(polygons as lists, kinds of warnings)."""
    warnings = AnnotationWarnings('file.json')
    outlines = polygons({'id': 3, 'segmentation': segmentation}, width, height, warnings)
    return [outline.tolist() for outline in outlines], list(warnings.kinds)


def coded(mask, text):
    """COCO's run-length code of a mask, as text or as numbers."""
    if text:
        code = coco_mask.encode(np.asfortranarray(mask))
        return {'size': list(code['size']), 'counts': code['counts'].decode()}
    flat = mask.T.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return {'size': list(mask.shape), 'counts': runs if not flat[0] else [0] + runs}


def blobs(seed, height=70, width=90):
    noise = np.random.default_rng(seed).random((height, width)).astype(np.float32)
    return (cv2.GaussianBlur(noise, (0, 0), 4) > 0.5).astype(np.uint8)


def without_holes(mask):
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[-2], -1, 1, -1)
    return filled


def test_lists_are_taken_as_they_are():
    assert found([[1, 2, 3, 4, 5, 6], [1.5, 2, 3, 4, 5, 6, 7, 8]]) == (
        [[1, 2, 3, 4, 5, 6], [1.5, 2, 3, 4, 5, 6, 7, 8]], [])


@pytest.mark.parametrize('segmentation', [[], [[]], [[1, 2, 3, 4]], None, 'text', 7])
def test_nothing_to_train_on(segmentation):
    assert found(segmentation) == ([], [])


@pytest.mark.parametrize('part', [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 'x'], [1, 2, 3, 4, 5, float('nan')], 'text', 5,
                                  [1, 2, 3, 4, 5, 1e300], [1, 2, 3, 4, 5, None], [[1, 2], [3, 4], [5, 6]]])
def test_odd_parts_are_left_out_and_counted(part):
    outlines, kinds = found([part, [1, 2, 3, 4, 5, 6]])
    assert outlines == [[1, 2, 3, 4, 5, 6]] and len(kinds) == 1


@pytest.mark.parametrize('text', [False, True])
def test_run_lengths_are_read(text):
    for seed in range(10):
        mask = blobs(seed)
        code = coded(mask, text)
        np.testing.assert_array_equal(run_length_mask(code, 90, 70), mask)
    for mask in (np.zeros((4, 5), np.uint8), np.ones((4, 5), np.uint8)):
        np.testing.assert_array_equal(run_length_mask(coded(mask, text), 5, 4), mask)


@pytest.mark.parametrize('code', [
    {}, {'size': [10, 12]}, {'counts': [120]}, {'size': [12, 10], 'counts': [120]}, {'size': [10, 12], 'counts': [119]},
    {'size': [10, 12], 'counts': [-1, 121]}, {'size': [10, 12], 'counts': [60.0, 60]},
    {'size': [10, 12], 'counts': 120},
    {'size': [10, 12], 'counts': ''}, {'size': [10, 12], 'counts': 'ooooo'}, {'size': [10, 12], 'counts': 'o' * 100000},
    {'size': [10, 12], 'counts': 'ä'}, {'size': '10', 'counts': [120]}, {'size': [10, 12], 'counts': [10 ** 30]}])
def test_damaged_run_lengths_are_left_out_and_counted(code):
    outlines, kinds = found(code)
    assert outlines == [] and len(kinds) == 1 and 'run-length' in kinds[0]


def test_a_mask_too_large_to_be_true_is_refused():
    code = {'size': [10 ** 6, 10 ** 6], 'counts': [10 ** 12]}
    assert run_length_mask(code, 10 ** 6, 10 ** 6) is None


def test_outline_of_a_rectangle():
    mask = np.zeros((10, 12), np.uint8)
    mask[2:5, 3:9] = 1
    outline, = mask_outlines(mask)
    points = outline.reshape(-1, 2)
    assert len(points) == 4
    # pixel i covers [i, i + 1); an eighth of a pixel is lost on each side
    np.testing.assert_allclose([points.min(0), points.max(0)], [[3, 2], [9, 5]], atol=0.13)


def test_outlines_at_the_borders_and_of_single_pixels():
    assert len(mask_outlines(np.ones((1, 1), np.uint8))) == 1
    assert mask_outlines(np.zeros((3, 3), np.uint8)) == []
    full, = mask_outlines(np.ones((6, 4), np.uint8))
    np.testing.assert_allclose([full.reshape(-1, 2).min(0), full.reshape(-1, 2).max(0)], [[0, 0], [4, 6]], atol=0.13)


def test_outlines_cover_what_the_masks_cover():
    """But for holes. Drawn back by the COCO tool."""
    for seed in range(10):
        mask = blobs(seed)
        outlines, kinds = found(coded(mask, True), 90, 70)
        assert not kinds
        drawn = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(outlines, 70, 90)))
        expected = without_holes(mask)
        assert np.count_nonzero(drawn & expected) / np.count_nonzero(drawn | expected) > 0.97, seed
