"""What kernels build on: barriers, warps, atomics, the sort, matrix products; and that the emulation finds mistakes."""
import numpy as np
import pytest

from arrays import KernelError


@pytest.mark.parametrize('count', [0, 1, 31, 128, 1000])
def test_barriers_shuffles_and_atomics(device, count):
    values = np.random.RandomState(count).randint(-50, 50, count).astype(np.float32)
    sums = device.output(2)
    device.call('test_sum', device.array(values), count, sums)
    np.testing.assert_array_equal(sums.numpy(), [values.sum(), (values > 0).sum()])


def test_a_barrier_that_some_threads_never_reach_is_an_error(emulated):
    sums = emulated.array([0])
    with pytest.raises(KernelError, match='__syncthreads .* 32 threads have left'):
        emulated.call('test_wrong_barrier', sums)
    total = emulated.output(2)
    emulated.call('test_sum', emulated.array(np.ones(300)), 300, total)  # the next kernel runs as if nothing was
    np.testing.assert_array_equal(total.numpy(), [300, 300])


@pytest.mark.parametrize('count', [0, 1, 5000])
@pytest.mark.parametrize('bits', [8, 35, 64])
def test_sort_is_stable_and_looks_at_the_lowest_bits(device, count, bits):
    draw = np.random.RandomState(3)
    keys = draw.randint(0, 1 << 62, count).astype(np.uint64) & np.uint64(0x700000007000f)
    values = np.arange(count, dtype=np.uint32)
    mask = np.uint64((1 << bits) - 1)
    order = np.argsort(keys & mask, kind='stable')
    sorted_keys, sorted_values = device.array(keys, np.uint64), device.array(values, np.uint32)
    device.call('test_sort', sorted_keys, sorted_values, count, bits)
    np.testing.assert_array_equal(sorted_keys.numpy(), keys[order])
    np.testing.assert_array_equal(sorted_values.numpy(), values[order])


@pytest.mark.parametrize('tiled', [False, True])
@pytest.mark.parametrize('transpose_a', [False, True])
@pytest.mark.parametrize('transpose_b', [False, True])
def test_matrix_products(device, transpose_a, transpose_b, tiled):
    rows, columns, inner, batch = 70, 33, 19, 2
    draw = np.random.RandomState(0)
    a = draw.normal(size=(batch, rows, inner)).astype(np.float32)
    b = draw.normal(size=(batch, inner, columns)).astype(np.float32)
    c = draw.normal(size=(batch, rows, columns)).astype(np.float32)
    sizes = np.array([rows, columns, inner, batch], np.int32)
    for beta in (0.0, 1.0):
        result = device.array(c) if beta else device.output(batch, rows, columns)
        device.call('test_gemm', device.array(np.swapaxes(a, 1, 2) if transpose_a else a),
                    device.array(np.swapaxes(b, 1, 2) if transpose_b else b), result, sizes, transpose_a, transpose_b,
                    beta, tiled)
        np.testing.assert_allclose(result.numpy(), a @ b + beta * c, rtol=1e-5, atol=1e-5)
