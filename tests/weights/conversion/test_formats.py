"""safetensors and ONNX files: what they hold, and what is refused."""
import importlib.util
import json
import struct
import sys

import numpy as np
import pytest

from lib.utils.errors import SniperError
from lib.weights.conversion import formats
from lib.weights.conversion.formats import read_onnx, read_safetensors, read_weights
from tests.memory import at_most

needs_packages = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ('onnx', 'safetensors'))),
    reason='the packages of requirements-optional.txt are not installed')


def safetensors(entries, data=b'', length=None):
    header = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack('<Q', len(header) if length is None else length) + header + data


def entry(shape, begin, end, dtype='F32'):
    return {'dtype': dtype, 'shape': shape, 'data_offsets': [begin, end]}


@needs_packages
def test_safetensors(tmp_path):
    data = np.arange(6, dtype=np.float32).tobytes() + np.array([1, 2], np.float16).tobytes() + b'\xc0\x3f'
    (tmp_path / 'x').write_bytes(safetensors({
        '__metadata__': {'format': 'pt'}, 'a': entry([2, 3], 0, 24), 'h': entry([2], 24, 28, 'F16'),
        'b': entry([], 28, 30, 'BF16')}, data))
    kind, arrays = read_weights(str(tmp_path / 'x'))
    assert kind == 'safetensors' and set(arrays) == {'a', 'h', 'b'}
    np.testing.assert_array_equal(arrays['a'], np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(arrays['h'], [1, 2])
    assert arrays['b'] == 1.5 and arrays['b'].shape == ()


BAD_SAFETENSORS = {
    'shape 2^40': safetensors({'a': entry([1 << 40], 0, 4 << 40)}, bytes(8)),
    'shape and offsets': safetensors({'a': entry([1 << 20, 1 << 20], 0, 8)}, bytes(8)),
    'behind the end': safetensors({'a': entry([2], 4, 12)}, bytes(8)),
    'negative': safetensors({'a': entry([-2, -1], 0, 8)}, bytes(8)),
    'negative offset': safetensors({'a': entry([2], -8, 0)}, bytes(8)),
    'shared bytes made up for': safetensors(dict({str(k): entry([256], 0, 1024) for k in range(2000)},
                                                 z=entry([0], 2000 << 10, 0)), bytes(1024)),
    'a header of lists': safetensors(b'{"a": [' + b'[],' * 1500000 + b'[]]}'),
    'a number of a million digits': safetensors(b'{"a": ' + b'9' * 1000000 + b'}'),
    'line break in a name': safetensors({'a\n\x1b[2J': entry([2], 0, 9)}, bytes(9)),
    'text shape': safetensors({'a': entry('x', 0, 8)}, bytes(8)),
    'boolean side': safetensors({'a': entry([True], 0, 4)}, bytes(8)),
    'shared bytes': safetensors({str(k): entry([256], 0, 1024) for k in range(200)}, bytes(1024)),
    'type': safetensors({'a': entry([2], 0, 8, 'Q4')}, bytes(8)), 'header 2^60': safetensors({}, length=1 << 60),
    'header cut': safetensors({'a': entry([2], 0, 8)})[:20], 'no JSON': safetensors(b'{"a": nul}'),
    'list': safetensors(b'[1, 2]'),
    'deep': safetensors(b'{"a":' * 100000), 'half an entry': safetensors({'a': {'dtype': 'F32'}}), 'empty': b'',
    'infinite': safetensors(b'{"a": {"dtype": "F32", "shape": [1e400], "data_offsets": [0, 8]}}', bytes(8)),
}


@needs_packages
@pytest.mark.parametrize('name', sorted(BAD_SAFETENSORS))
def test_bad_safetensors(tmp_path, name):
    refused(tmp_path, read_safetensors, BAD_SAFETENSORS[name])


def refused(tmp_path, read, content):
    (tmp_path / 'x.bin').write_bytes(content)
    with at_most(megabytes=max(1, len(content) >> 14)), pytest.raises(SniperError, match='x.bin') as error:
        read(str(tmp_path / 'x.bin'))
    assert '\n' not in str(error.value) and len(str(error.value)) < 500


def varint(value):
    data = b''
    while value > 127:
        data += bytes([value & 127 | 128])
        value >>= 7
    return data + bytes([value])


def field(number, value):
    """Length-delimited if bytes, else a varint."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def initialiser(name, kind, dims, *parts):
    return b''.join([field(1, side) for side in dims] + [field(2, kind), field(8, name.encode())] + list(parts))


def model(*initialisers):
    return field(1, 8) + field(7, field(2, b'graph') + b''.join(field(5, entry) for entry in initialisers))


def onnx_of(arrays):
    """A model with these float32 arrays."""
    return model(*[initialiser(name, 1, array.shape, field(9, array.astype('<f4').tobytes()))
                   for name, array in arrays.items()])


@needs_packages
def test_onnx(tmp_path):
    floats = np.array([1, -2], '<f4').tobytes()
    (tmp_path / 'x').write_bytes(model(
        initialiser('raw', 1, [2, 1], field(9, floats)), initialiser('typed', 1, [2], field(4, floats)),
        initialiser('packed', 7, [3], field(7, varint(1) + varint((1 << 64) - 2) + varint(1 << 40))),
        initialiser('scalar', 11, [], field(10, np.array(3, '<f8').tobytes())),
        initialiser('half', 10, [1], field(5, varint(0x3e00))), initialiser('int', 6, [1], field(5, (1 << 64) - 7))))
    kind, arrays = read_weights(str(tmp_path / 'x'))
    assert kind == 'ONNX' and arrays['raw'].shape == (2, 1) and arrays['scalar'] == 3
    for name, values in (('raw', [[1], [-2]]), ('typed', [1, -2]), ('packed', [1, -2, 1 << 40]), ('half', [1.5]),
                         ('int', [-7])):
        np.testing.assert_array_equal(arrays[name], values)


WHOLE = model(initialiser('a', 1, [4], field(9, bytes(16))))
BAD_ONNX = {
    'shape 2^40': model(initialiser('a', 1, [1 << 40], field(9, bytes(16)))),
    'product': model(initialiser('a', 1, [1 << 62] * 4, field(9, bytes(16)))),
    'length': field(7, b'')[:1] + varint(1 << 60), 'cut': WHOLE[:-5],
    'type': model(initialiser('a', 99, [4], field(9, bytes(16)))),
    'odd bytes': model(initialiser('a', 1, [4], field(9, bytes(15)))),
    'external': model(initialiser('a', 1, [4], field(14, 1))),
    'sides without end': model(initialiser('a', 1, [1] * 100000, field(9, bytes(4)))),
    'crumbs': model(initialiser('a', 1, [4], *[field(4, b'')] * 20000, field(4, bytes(12)))),
    'two kinds of numbers': model(initialiser('a', 1, [4], field(4, bytes(12)), field(10, bytes(8)))),
    'wire type': b'\x3b' + WHOLE, 'endless number': b'\xff' * 40, 'no weights': model(),
    'text': b'<html>not found</html>' * 9,
    'text as name': model(field(8, b'\xff\xfe') + field(2, 1)), 'dims as text': model(field(1, b'\xff') + field(2, 1)),
    'name as number': model(field(8, 3) + field(2, 1)),
    'rank': model(initialiser('a', 1, [1] * 40, field(9, bytes(4)))),
}


@needs_packages
@pytest.mark.parametrize('name', sorted(BAD_ONNX))
def test_bad_onnx(tmp_path, name):
    refused(tmp_path, read_onnx, BAD_ONNX[name])


@needs_packages
def test_what_takes_more_memory_than_it_has_bytes_has_a_limit():
    """Numbers of arrays may be any amount; sides, names, nodes and numbers of variable length may not."""
    numbers = model(*[initialiser('a', 1, [1 << 20], field(9, bytes(4 << 20)))] * 2)
    assert 0 < formats.MAX_STRUCTURE - formats._check_structure(memoryview(numbers)) < 200
    for content in (model(initialiser('a', 7, [3 << 20], field(7, b'\x01' * (3 << 20)))),
                    field(7, b'\n\x00' * (2 << 20)),
                    model(initialiser('a', 1, [4], *[field(4, b'')] * (2 << 20))), b'\n\x00' * (2 << 20)):
        with pytest.raises(formats.Broken, match='no numbers of arrays'):
            formats._check_structure(memoryview(content))


def test_a_package_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    for name, content in (('onnx', WHOLE), ('safetensors', safetensors({'a': entry([0], 0, 0)}))):
        (tmp_path / 'x').write_bytes(content)
        with pytest.raises(SniperError, match=f'x needs the package {name}.*requirements-optional.txt'):
            read_weights(str(tmp_path / 'x'))


@needs_packages
@pytest.mark.parametrize('seed', range(3))
def test_random_damage(tmp_path, seed):
    random = np.random.RandomState(seed)
    arrays = {'a': np.ones((2, 3), np.float32), 'b': np.ones(4, np.float32)}
    header = {'a': entry([2, 3], 0, 24), 'b': entry([4], 24, 40)}
    for content in (onnx_of(arrays), safetensors(header, bytes(40))):
        complaints = 0
        for _ in range(150):
            damaged = bytearray(content)
            for place in random.randint(0, len(damaged), 3):
                damaged[place] = random.randint(256)
            (tmp_path / 'x').write_bytes(bytes(damaged))
            try:
                read_weights(str(tmp_path / 'x'))
            except SniperError:
                complaints += 1
        assert complaints > 30, f'seed {seed}'


def test_readers_refuse_what_is_no_file_of_weights(tmp_path):
    for content in (b'', b'abc', b'<html>404</html>' * 20, bytes(1000)):
        refused(tmp_path, read_weights, content)
    with pytest.raises(SniperError, match='gone'):
        read_weights(str(tmp_path / 'gone'))
