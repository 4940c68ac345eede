"""The array file: MXNet reads ours, we read MXNet's, and nothing in a broken file does harm."""
import io
import struct

import numpy as np
import pytest

from lib.utils.errors import SniperError
from lib.weights.params_file import index_arrays, read_arrays, read_entry, write_arrays
from tests.memory import at_most

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
    assert refused > 20, f'seed {seed}'


def one_array(shape, names=(b'arg:w',), arrays=1, magic=0x112):
    """A file that announces float32 arrays of `shape` and holds no number of them."""
    data = struct.pack('<QQQ', magic, 0, arrays)
    for _ in names:
        data += struct.pack(f'<IiI{len(shape)}qiii', 0xF993FAC9, 0, len(shape), *shape + (1, 0, 0))
    return data + struct.pack('<Q', len(names)) + b''.join(struct.pack('<Q', len(name)) + name for name in names)


@pytest.mark.parametrize('content', [
    one_array((2 ** 40,)), one_array((2 ** 20, 2 ** 20)), one_array((2 ** 62,) * 32), one_array((-1, -4)),
    one_array((1,) * 33), one_array((4,), arrays=2 ** 60), one_array((4,), magic=0x113), b'', b'PK\x03\x04',
    struct.pack('<QQQ', 0x112, 0, 0) + struct.pack('<QQ', 1, 2 ** 60),
    struct.pack('<QQQ', 0x112, 0, 1 << 18) + bytes(1 << 19), one_array((1,))[:-13] + bytes(4) + struct.pack(
        '<QQ', 1, 1 << 20) + b'x' * (1 << 20),
], ids=['large', 'product', 'overflow', 'negative', 'rank', 'arrays', 'magic', 'empty', 'zip', 'name', 'many arrays',
        'long name'])
def test_announced_sizes_cost_nothing(tmp_path, content):
    path = tmp_path / 'huge.params'
    path.write_bytes(content)
    for read in (read_arrays, index_arrays):
        with at_most(megabytes=1), pytest.raises(SniperError, match='huge.params') as error:
            read(str(path))
        assert '\n' not in str(error.value)


def test_sparse_files_and_names_given_twice(tmp_path):
    path = tmp_path / 'huge.params'
    with open(str(path), 'wb') as stream:
        stream.write(one_array((2 ** 40,)))
        stream.truncate(2 ** 42)
    with pytest.raises(SniperError, match='huge.params has 4398046511104 bytes'):
        read_arrays(str(path))
    stream = io.BytesIO()
    write_arrays(stream, {'a': np.ones(1), 'b': np.ones(1)})
    path.write_bytes(stream.getvalue()[:-1] + b'a')
    with pytest.raises(SniperError, match="it holds 'a' twice"):
        read_arrays(str(path))


def test_index_finds_the_same_arrays(tmp_path):
    (tmp_path / 'a').write_bytes(content())
    entries = index_arrays(str(tmp_path / 'a'))
    assert_equal({name: read_entry(str(tmp_path / 'a'), entry) for name, entry in entries.items()})


def test_pickles_and_missing_files_are_refused(tmp_path):
    import pickle
    (tmp_path / 'x.states').write_bytes(pickle.dumps({0: np.zeros(3)}))
    with pytest.raises(SniperError, match='x.states'):
        read_arrays(str(tmp_path / 'x.states'))
    with pytest.raises(SniperError, match='gone.params'):
        read_arrays(str(tmp_path / 'gone.params'))
