"""SoftNMS: against plain NumPy, lib.bbox.soft_nms, golden vectors, cases by hand, empty sets."""
import numpy as np
import pytest

import soft_nms_reference as reference
from lib.bbox import soft_nms
from sniper_mxnet import mx
from tests.bbox.golden_cases import cases

METHODS = ('hard', 'linear', 'gaussian')


def random_sets(rng, sets, rows, ties=False):
    corners = rng.uniform(0, 200, (sets, rows, 2))
    scores = rng.uniform(0, 1, (sets, rows, 1))
    dets = np.concatenate([corners, corners + rng.uniform(0, 90, (sets, rows, 2)), scores], axis=2)
    if ties:
        dets[..., :4], dets[..., 4] = np.round(dets[..., :4] / 20) * 20, np.round(dets[..., 4], 1) + 0.05
    return dets.astype(np.float32)


def suppress(dets, **attributes):
    """[survivors (M, 5) of every set], after checking the padding behind them."""
    array = mx.nd.array(dets)
    output, count = (result.asnumpy() for result in mx.nd.SoftNMS(array, **attributes))
    np.testing.assert_array_equal(array.asnumpy(), dets)
    assert output.shape == np.shape(dets) and output.dtype == count.dtype == np.float32
    sets = output.reshape((-1,) + output.shape[-2:])
    assert count.shape == (len(sets),)
    for rows, left in zip(sets, count):
        assert (rows[int(left):] == -1).all() and not (rows[:int(left)] == -1).all(axis=1).any()
    return [rows[:int(left)] for rows, left in zip(sets, count)]


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('seed', range(6))
def test_equals_plain_numpy_and_lib(method, seed):
    rng = np.random.RandomState(seed)
    dets = random_sets(rng, rng.randint(1, 5), rng.randint(1, 120), ties=seed % 2)
    options = dict(sigma=float(rng.choice([0.3, 0.5, 0.9])), iou_thresh=float(rng.choice([0.2, 0.5])),
                   score_thresh=float(rng.choice([0.001, 0.2])), method=method)
    for rows, result in zip(dets, suppress(dets, **options)):
        expected = reference.soft_nms(rows, **options)
        np.testing.assert_array_equal(result[:, :4], expected[:, :4], err_msg=f'seed {seed}')
        np.testing.assert_allclose(result[:, 4], expected[:, 4], rtol=1e-5)
        kept = rows[rows[:, 4] >= np.float32(options['score_thresh'])]
        np.testing.assert_array_equal(result, soft_nms(kept, **options), err_msg=f'seed {seed}')


@pytest.mark.parametrize('number', range(len(METHODS)))
def test_golden(number):
    """The operator also leaves out rows below the threshold that touch nothing, which the original kept."""
    found = [case for case in cases('pipeline/soft_nms.npz') if int(case['method']) == number and len(case['dets'])]
    assert found
    for case in found:
        threshold = float(case['threshold'])
        expected = case['out'][case['out'][:, 4] >= threshold]
        got, = suppress(case['dets'].astype(np.float32), sigma=float(case['sigma']), iou_thresh=float(case['nt']),
                        score_thresh=threshold, method=METHODS[number])
        np.testing.assert_array_equal(got[:, :4], expected[:, :4])
        np.testing.assert_allclose(got[:, 4], expected[:, 4], rtol=1e-5, atol=1e-7)


def test_by_hand():
    """The second box shares 50 of 100 pixels with the first; the third touches neither and is too weak."""
    dets = np.array([[0, 0, 9, 4, 0.6], [0, 0, 9, 9, 0.8], [50, 50, 59, 59, 1e-5]], np.float32)
    got, = suppress(dets)
    np.testing.assert_allclose(got, [[0, 0, 9, 9, 0.8], [0, 0, 9, 4, 0.6 * np.exp(-0.25 / 0.5)]], rtol=1e-6)
    np.testing.assert_allclose(suppress(dets, method='linear')[0][1, 4], 0.3, rtol=1e-6)
    assert len(suppress(dets, method='hard')[0]) == 1
    assert len(suppress(dets, method='hard', iou_thresh=0.5)[0]) == 2  # an overlap equal to the threshold stays
    assert len(suppress(dets, score_thresh=0)[0]) == 3


def test_scores_never_rise_and_come_in_order():
    rng = np.random.RandomState(5)
    dets = random_sets(rng, 3, 80)
    for rows, result in zip(dets, suppress(dets)):
        before = {tuple(row[:4]): row[4] for row in rows}
        assert all(row[4] <= before[tuple(row[:4])] for row in result)
        assert (np.diff(result[:, 4]) <= 0).all()


def test_sets_are_independent():
    dets = random_sets(np.random.RandomState(1), 7, 40, ties=True)
    together = suppress(dets)
    for rows, result in zip(dets, together):
        np.testing.assert_array_equal(suppress(rows[None])[0], result)
        np.testing.assert_array_equal(suppress(rows)[0], result)  # rank 2


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf, 3e38])
def test_rows_that_are_not_finite_are_dropped(bad):
    """3e38 is a number, but a box that wide has an infinite area."""
    rng = np.random.RandomState(2)
    clean = random_sets(rng, 1, 30)[0]
    dirty = np.insert(clean, 11, clean[11], axis=0)
    for column in range(4 if bad == 3e38 else 5):
        rows = dirty.copy()
        rows[11, column] = bad
        if bad == 3e38:
            rows[11, (column + 2) % 4] = -bad
        for method in METHODS:
            np.testing.assert_array_equal(suppress(rows, method=method)[0], suppress(clean, method=method)[0])


def test_nothing_survives():
    dets = random_sets(np.random.RandomState(3), 2, 5)
    assert [len(rows) for rows in suppress(dets, score_thresh=2)] == [0, 0]
    assert len(suppress(np.full((4, 5), -1, np.float32))[0]) == 0


def test_no_rows():
    with mx.util.np_shape(True):
        for shape in ((0, 5), (3, 0, 5), (0, 4, 5)):
            output, count = mx.nd.SoftNMS(mx.nd.zeros(shape))
            assert output.shape == shape and count.shape == ((1,) if len(shape) == 2 else shape[:1])
            assert (count.asnumpy() == 0).all()


def test_symbol():
    symbol = mx.sym.SoftNMS(mx.sym.var('dets'), method='linear', name='nms')
    assert symbol.list_outputs() == ['nms_output', 'nms_count']
    assert symbol.infer_shape(dets=(80, 300, 5))[1] == [(80, 300, 5), (80,)]
    dets = random_sets(np.random.RandomState(4), 2, 20)
    output = symbol.bind(mx.cpu(), {'dets': mx.nd.array(dets)}).forward()[0].asnumpy()
    np.testing.assert_array_equal(output[0][:len(suppress(dets, method='linear')[0])],
                                  suppress(dets, method='linear')[0])


@pytest.mark.parametrize('attributes, shape, message', [
    (dict(method='soft'), (2, 5), 'SoftNMS: method must be one of hard, linear, gaussian, got soft'),
    (dict(sigma=0), (2, 5), 'SoftNMS: sigma must be above 0, got 0'),
    (dict(iou_thresh=1.5), (2, 5), 'SoftNMS: iou_thresh must be from 0 to 1, got 1.5'),
    (dict(score_thresh='low'), (2, 5), 'SoftNMS: score_thresh must be a number, got low'),
    ({}, (2, 6), r'SoftNMS: dets must be \(sets, N, 5\) or \(N, 5\) = \(2, 5\), got \(2, 6\)'),
    ({}, (2, 3, 4), r'SoftNMS: dets must be \(sets, N, 5\) or \(N, 5\) = \(2, 3, 5\), got \(2, 3, 4\)'),
    ({}, (5,), r'SoftNMS: dets must be \(sets, N, 5\) or \(N, 5\) .*, got \(5,\)'),
    ({}, (1, 2, 3, 5), r'SoftNMS: dets must be .* got \(1, 2, 3, 5\)'),
])
def test_mistakes(attributes, shape, message):
    with pytest.raises(mx.MXNetError, match=message):
        mx.nd.SoftNMS(mx.nd.zeros(shape), **attributes)


def test_a_sigma_that_is_not_looked_at():
    assert len(suppress(random_sets(np.random.RandomState(0), 1, 3), method='linear', sigma=0)) == 1
