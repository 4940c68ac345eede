"""Slices: they cover the image, share what they should, and are of one size."""
import numpy as np
import pytest

from lib.chips.slices import slice_windows


def test_by_hand():
    """Sides of 4 and 5 with half in common: steps of 2 and 3; the last one is moved into the image."""
    assert slice_windows(9, 6, 4, 5, 0.5) == [
        (0, 0, 4, 5), (2, 0, 6, 5), (4, 0, 8, 5), (5, 0, 9, 5),
        (0, 1, 4, 6), (2, 1, 6, 6), (4, 1, 8, 6), (5, 1, 9, 6)]
    assert slice_windows(9, 5, 4, 5, 0) == [(0, 0, 4, 5), (4, 0, 8, 5), (5, 0, 9, 5)]
    assert slice_windows(8, 4, 4, 9, 0) == [(0, 0, 4, 4), (4, 0, 8, 4)]   # nothing is looked at twice
    assert slice_windows(3, 2, 4, 4, 0.5) == [(0, 0, 3, 2)]
    assert len(slice_windows(40, 1, 1, 1, 0.9)) == 40                     # a step of 0 would never end


def test_overlap_of_a_large_picture():
    """4000 pixels at 2x in slices of 256: 128 original pixels each, 25 of them in common with the next one."""
    row = slice_windows(4000, 128, 128, 128, 0.2)
    assert len(row) == 39 and [x1 for x1, _, _, _ in row[:3]] == [0, 103, 206] and row[-1] == (3872, 0, 4000, 128)


@pytest.mark.parametrize('seed', range(20))
def test_every_pixel_is_in_a_slice_and_small_objects_are_whole_in_one(seed):
    rng = np.random.default_rng(seed)
    (width, height), (side_x, side_y) = rng.integers(1, 80, 2), rng.integers(1, 40, 2)
    overlap = rng.uniform(0, 0.9)
    windows = np.array(slice_windows(width, height, side_x, side_y, overlap)).astype(int)
    seen = np.zeros((height, width), int)
    for x1, y1, x2, y2 in windows:
        assert (x2 - x1, y2 - y1) == (min(side_x, width), min(side_y, height))
        seen[y1:y2, x1:x2] += 1
    assert seen.min() >= 1 and len(np.unique(windows, axis=0)) == len(windows)
    w, h = min(width, max(1, int(side_x * overlap))), min(height, max(1, int(side_y * overlap)))
    for x in range(width - w + 1):
        for y in range(height - h + 1):
            assert ((windows[:, :2] <= (x, y)) & (windows[:, 2:] >= (x + w, y + h))).all(axis=1).any()
