"""The array file: MXNet reads ours, we read MXNet's, and nothing in a broken file does harm."""
import io

import numpy as np
import pytest

from lib.errors import SniperError
from lib.train.ndarray_file import read_arrays, write_arrays

ARRAYS = {'arg:w': np.arange(24, dtype=np.float32).reshape(2, 3, 4), 'aux:h': np.ones((3, 1), np.float16),
          'count:w': np.array([2 ** 40], np.int64), 'bytes': np.arange(5, dtype=np.uint8)}


def content():
    stream = io.BytesIO()
    write_arrays(stream, ARRAYS)
    return stream.getvalue()


def assert_equal(arrays):
    assert set(arrays) == set(ARRAYS)
    for name, expected in ARRAYS.items():
        assert arrays[name].dtype == expected.dtype
        np.testing.assert_array_equal(arrays[name], expected)


def test_mxnet_reads_ours(tmp_path):
    from sniper_mxnet import mx
    (tmp_path / 'a').write_bytes(content())
    loaded = mx.nd.load(str(tmp_path / 'a'))
    assert_equal({name: value.asnumpy() for name, value in loaded.items()})


def test_we_read_mxnet(tmp_path):
    from sniper_mxnet import mx
    mx.nd.save(str(tmp_path / 'a'), {name: mx.nd.array(value, dtype=value.dtype) for name, value in ARRAYS.items()})
    assert_equal(read_arrays(str(tmp_path / 'a')))
    assert (tmp_path / 'a').read_bytes() == content()


def test_oldest_layout(tmp_path):
    """Files of MXNet before 0.11: the rank in place of the magic, sizes of 32 bits."""
    import struct
    data = struct.pack('<QQQ', 0x112, 0, 1) + struct.pack('<III', 2, 1, 3) + struct.pack('<iii', 1, 0, 0)
    data += np.array([1, 2, 3], np.float32).tobytes() + struct.pack('<QQ', 1, 5) + b'arg:w'
    (tmp_path / 'a').write_bytes(data)
    np.testing.assert_array_equal(read_arrays(str(tmp_path / 'a'))['arg:w'], [[1, 2, 3]])


def test_every_truncation_is_noticed(tmp_path):
    path, whole = tmp_path / 'cut.params', content()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(SniperError, match='cut.params'):
            read_arrays(str(path))
    path.write_bytes(whole + b'x')
    with pytest.raises(SniperError, match='too many'):
        read_arrays(str(path))


@pytest.mark.parametrize('seed', range(5))
def test_random_damage_never_crashes(tmp_path, seed):
    rng = np.random.RandomState(seed)
    path, whole = tmp_path / 'bad.params', content()
    refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        for position in rng.randint(0, len(damaged), 4):
            damaged[position] = rng.randint(256)
        path.write_bytes(bytes(damaged))
        try:
            read_arrays(str(path))
        except SniperError:
            refused += 1
    assert refused > 20, 'seed %d' % seed


def test_pickles_and_missing_files_are_refused(tmp_path):
    import pickle
    (tmp_path / 'x.states').write_bytes(pickle.dumps({0: np.zeros(3)}))
    with pytest.raises(SniperError, match='x.states'):
        read_arrays(str(tmp_path / 'x.states'))
    with pytest.raises(SniperError, match='gone.params'):
        read_arrays(str(tmp_path / 'gone.params'))
