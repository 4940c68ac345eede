"""SoftNMS: the device's kernel against the CPU's loop, which has a reference of its own."""
import numpy as np
import pytest

METHODS = {'hard': 0, 'linear': 1, 'gaussian': 2}


def detections(seed, sets, rows, size=60.0):
    """(sets, rows, 5) boxes that overlap a lot, some scores equal."""
    draw = np.random.RandomState(seed)
    corner = draw.uniform(0, size, (sets, rows, 2))
    scores = np.round(draw.uniform(0, 1, (sets, rows, 1)), 2)
    return np.concatenate([corner, corner + draw.uniform(1, 40, (sets, rows, 2)), scores], axis=2).astype(np.float32)


def run(library, dets, method='gaussian', sigma=0.5, iou_thresh=0.3, score_thresh=0.001):
    out, counts = library.output(*dets.shape), library.output(dets.shape[0])
    library.call('soft_nms', library.array(dets), dets.shape[0], dets.shape[1], sigma, iou_thresh, score_thresh,
                 METHODS[method], out, counts)
    return out.numpy(), counts.numpy()


def check(cpu, device, dets, **options):
    out, counts = run(device, dets, **options)
    expected, expected_counts = run(cpu, dets, **options)
    np.testing.assert_array_equal(counts, expected_counts)
    np.testing.assert_array_equal(out[..., :4], expected[..., :4])
    # A GPU's exponential may differ by one unit in the last place of a double, rounded to float.
    np.testing.assert_allclose(out[..., 4], expected[..., 4], rtol=0 if device.kind != 'cuda' else 1e-6)
    return counts


@pytest.mark.parametrize('method', sorted(METHODS))
@pytest.mark.parametrize('score_thresh', [0.05, 0.3])
def test_agrees_with_the_cpu(cpu, device, method, score_thresh):
    counts = check(cpu, device, detections(0, 3, 70), method=method, score_thresh=score_thresh)
    assert (counts > 0).all() and (counts < 70).all()


@pytest.mark.parametrize('rows', [1, 2, 31, 33, 255, 257, 600])
def test_agrees_with_the_cpu_at_other_sizes(cpu, device, rows):
    check(cpu, device, detections(rows, 2, rows, size=100.0), method='linear', score_thresh=0.05)


@pytest.mark.parametrize('seed', range(4))
def test_agrees_with_the_cpu_at_random_options(cpu, device, seed):
    draw = np.random.RandomState(seed)
    check(cpu, device, detections(seed, draw.randint(1, 4), draw.randint(1, 300)), sigma=draw.uniform(0.1, 1.0),
          iou_thresh=draw.uniform(0, 1), score_thresh=draw.choice([-1.0, 0.0, 0.01, 0.2]),
          method=sorted(METHODS)[seed % 3])


def test_rows_beyond_shared_memory(cpu, device):
    dets = detections(1, 2, 1700, size=20.0)
    counts = check(cpu, device, dets, method='hard', iou_thresh=0.1)
    assert device.scratch_bytes() > 0 and (counts < 60).all()
    assert device.scratch_bytes() <= 4 * 2 * dets.nbytes


def test_equal_scores_keep_the_cpus_order(cpu, device):
    dets = detections(2, 1, 300)
    dets[..., 4] = 0.5
    dets[:, ::7, 4] = 0.0
    dets[:, 1::7, 4] = -0.0
    check(cpu, device, dets, score_thresh=0.0, method='hard')
    check(cpu, device, dets, score_thresh=-1.0, method='linear')


def test_rows_with_nan_infinity_or_too_low_a_score_are_left_out(cpu, device):
    dets = detections(3, 2, 40)
    dets[0, 3, 0], dets[0, 9, 4], dets[0, 11, 2], dets[1, 0, 4], dets[1, 5, 4] = np.nan, np.nan, np.inf, -np.inf, 1e-4
    dets[1, 7, :4] = [-3e38, -3e38, 3e38, 3e38]
    check(cpu, device, dets)
    dets[0] = np.nan
    counts = check(cpu, device, dets)
    assert counts[0] == 0


@pytest.mark.parametrize('sets, rows', [(0, 5), (3, 0)])
def test_nothing(device, sets, rows):
    out, counts = run(device, np.zeros((sets, rows, 5), np.float32))
    assert out.size == 0 and not counts.any() and counts.shape == (sets,)
