"""Scores and deltas of anchors to boxes: the original's golden boxes, what is passed over, and a slow reference."""
import numpy as np
import pytest

from lib.bbox.anchor_rows import anchor_rows
from lib.bbox.anchors import anchor_base
from lib.bbox.boxes import clip_boxes
from lib.bbox.transform import bbox_pred
from tests.golden import golden_file

MODULES = {'m1': (8, (1, 2)), 'm2': (16, (4, 8)), 'm3': (32, (16, 32))}


def base_of(module):
    return anchor_base(16, (1.0,), MODULES[module][1])


def test_golden_boxes():
    golden = np.load(golden_file('detectors/ssh_targets_and_proposals.npz'))
    for case in sorted({name.split('/')[0] for name in golden.files}):
        for module, (stride, _) in MODULES.items():
            key = f'{case}/{module}_'
            np.testing.assert_array_equal(base_of(module), golden[key + 'anchors'])
            rows = anchor_rows(golden[key + 'prob'][0][2:], golden[key + 'deltas'][0], base_of(module), stride,
                               golden[f'{case}/im_info'][0][:2], -1, 1000, wide=True)
            np.testing.assert_array_equal(rows.score, golden[key + 'scores'][:, 0])
            wanted = golden[key + 'boxes'][:, 1:]
            for score in np.unique(rows.score):     # equal scores come in any order there
                same = rows.score == score
                np.testing.assert_allclose(sorted(rows.box[same].tolist()), sorted(wanted[same].tolist()), atol=1e-4)


def test_by_hand():
    scores, deltas = np.zeros((1, 2, 2)), np.zeros((4, 2, 2))
    scores[0, 1, 0], scores[0, 0, 1] = 0.75, 0.5
    deltas[:, 1, 0] = 0.5, 0.25, np.log(2), 0
    rows = anchor_rows(scores, deltas, [[0, 0, 7, 7]], 8, (16, 16), 0.25)
    # The anchor (0, 8, 7, 15) moves 4 right and 2 down and becomes 16 wide: -0.5 + 4 + ..., clipped at 15.
    np.testing.assert_allclose(rows.box, [[0, 10, 15, 15], [8, 0, 15, 7]])
    np.testing.assert_allclose(rows.score, [0.75, 0.5])
    wide = anchor_rows(scores, deltas, [[0, 0, 7, 7]], 8, (40, 40), 0.6, wide=True)
    np.testing.assert_allclose(wide.box, [[0, 10, 16, 18]])


def test_most_least_side_and_the_picture():
    scores, deltas = np.full((1, 3, 3), 0.5), np.zeros((4, 3, 3))
    scores[0, 2, 2] = 0.9    # outside of a picture of 10 x 16 pixels
    assert len(anchor_rows(scores, deltas, [[0, 0, 7, 7]], 8, (24, 24), 0.1, 4).box) == 4
    rows = anchor_rows(scores, deltas, [[0, 0, 7, 7]], 8, (10, 16), 0.1)
    assert rows.box.tolist() == [[0, 0, 7, 7], [8, 0, 15, 7], [0, 8, 7, 9], [8, 8, 15, 9]] and rows.score.max() < 0.9
    assert len(anchor_rows(scores, deltas, [[0, 0, 7, 7]], 8, (10, 16), 0.1, min_side=3).box) == 2
    assert anchor_rows(scores, deltas, [[0, 0, 7, 7]], 8, (10, 16), 0.95).box.shape == (0, 4)


def test_a_network_that_lost_its_way():
    deltas = np.zeros((4, 1, 1), np.float32)
    deltas[2:] = 60
    rows = anchor_rows(np.ones((1, 1, 1)), deltas, [[0, 0, 7, 7]], 8, (5000, 5000), 0.5)
    np.testing.assert_allclose(rows.box[0, 2:], 3.5 + 4 * np.exp(5) - 0.5, rtol=1e-5)
    deltas[:] = np.nan
    assert len(anchor_rows(np.ones((1, 1, 1)), deltas, [[0, 0, 7, 7]], 8, (50, 50), 0.5).box) == 0


def test_against_a_slow_reference():
    rng = np.random.default_rng(5)
    for _ in range(20):
        anchors, rows, columns = rng.integers(1, 5, 3)
        base = anchor_base(16, (1.0,), 1 + np.arange(anchors))
        scores, deltas = rng.random((anchors, rows, columns)), rng.normal(0, 0.4, (4 * anchors, rows, columns))
        size = int(rows) * 8, int(columns) * 8
        found = anchor_rows(scores, deltas, base, 8, size, 0.3)
        wanted = []
        for y in range(rows):
            for x in range(columns):
                for anchor in range(anchors):
                    if np.float32(scores[anchor, y, x]) > np.float32(0.3):
                        box = bbox_pred(base[[anchor]] + np.array([x, y, x, y]) * 8.0,
                                        deltas[None, 4 * anchor:4 * anchor + 4, y, x])
                        wanted.append((scores[anchor, y, x], clip_boxes(box, size)[0]))
        wanted.sort(key=lambda row: -row[0])
        np.testing.assert_allclose(found.score, [score for score, _ in wanted], rtol=1e-6)
        np.testing.assert_allclose(found.box, np.reshape([box for _, box in wanted], (-1, 4)), atol=1e-3)


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match='base anchors'):
        anchor_rows(np.zeros((2, 3, 3)), np.zeros((4, 3, 3)), np.zeros((2, 4)), 8, (24, 24), 0.1)
