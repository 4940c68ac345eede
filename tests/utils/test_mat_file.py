"""MATLAB's files: what SciPy writes is read, what is of another form, damaged or hostile is refused in one line."""
import io
import struct
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from lib.utils.errors import SniperError
from lib.utils.mat_file import MOST_BYTES, read_mat


def cell(*values):
    array = np.empty((len(values), 1), object)
    array[:, 0] = values
    return array


VALUES = {'texts': cell('0--Parade', 'café', ''), 'numbers': np.arange(6.0).reshape(2, 3) / 4,
          'small': np.array([[3], [200]], np.uint8), 'large': np.array([[-70000, 5]], np.int32),
          'single': np.float32([[0.5]]), 'logical': np.array([[True, False]]), 'nothing': np.zeros((0, 4)),
          'deep': cell(cell(np.ones((2, 4)), 'x'), cell())}


def saved(values, **options):
    stream = io.BytesIO()
    savemat(stream, values, **options)
    return stream.getvalue()


def read(folder, content, names=('a',)):
    (folder / 'x.mat').write_bytes(content)
    return read_mat(str(folder / 'x.mat'), names)


@pytest.mark.parametrize('packed', [False, True])
def test_what_scipy_writes(tmp_path, packed):
    found = read(tmp_path, saved(VALUES, do_compression=packed), [*VALUES, 'absent'])
    assert set(found) == set(VALUES) and found['texts'][:2] == ['0--Parade', 'café'] and not len(found['texts'][2])
    for name in ('numbers', 'small', 'large', 'single', 'logical'):
        assert found[name].dtype == np.float64
        np.testing.assert_array_equal(found[name], VALUES[name])
    assert found['nothing'].size == 0 and found['deep'][1] == []
    np.testing.assert_array_equal(found['deep'][0][0], np.ones((2, 4)))
    assert found['deep'][0][1] == 'x' and read(tmp_path, saved(VALUES), ['small']).keys() == {'small'}


def element(kind, content, order='<'):
    return struct.pack(order + 'II', kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(kind, shape, *parts, name=b'', order='<'):
    head = [element(6, struct.pack(order + 'II', kind, 0), order),
            element(5, struct.pack(order + f'{len(shape)}i', *shape), order), element(1, name, order)]
    return element(14, b''.join([*head, *parts]), order)


def file_of(*elements, order='<'):
    return b'MATLAB 5.0'.ljust(124) + struct.pack(order + 'H', 0x100) + (b'IM' if order == '<' else b'MI') + b''.join(
        elements)


def test_the_other_byte_order_and_letters(tmp_path):
    """As old workstations wrote, and texts of 16 bits as MATLAB has them."""
    numbers = matrix(6, (1, 2), element(9, struct.pack('>2d', 1.5, -2), '>'), order='>')
    text = matrix(4, (1, 3), element(4, 'aé漢'.encode('utf-16-be'), '>'), order='>')
    found = read(tmp_path, file_of(matrix(1, (2, 1), numbers, text, name=b'a', order='>'), order='>'))['a']
    assert found[0].tolist() == [[1.5, -2]] and found[1] == 'aé漢'
    tiny = struct.pack('<HHBBxx', 2, 2, 7, 9)      # two bytes of type 2, beside their length
    assert read(tmp_path, file_of(matrix(9, (2, 1), tiny, name=b'a')))['a'].ravel().tolist() == [7, 9]


ONE = element(9, struct.pack('<d', 1))


def nested(depth):
    content = matrix(6, (1, 1), ONE)
    for _ in range(depth):
        content = matrix(1, (1, 1), content)
    return matrix(1, (1, 1), content, name=b'a')


def bomb():
    packer = zlib.compressobj(9)
    zeros = bytes(1 << 20)
    return b''.join(packer.compress(zeros) for _ in range((MOST_BYTES >> 20) + 1)) + packer.flush()


BAD = {
    'empty': (b'', 'it is empty'),
    'another file': (b'no MATLAB file ' * 20, 'it is none of level 5'),
    'level 4': (struct.pack('<5i', 0, 1, 1, 0, 2) + b'a\0' + struct.pack('<d', 1) + bytes(200), 'none of level 5'),
    '7.3': (b'MATLAB 7.3 MAT-file'.ljust(124) + b'\x00\x02IM' + bytes(384) + b'\x89HDF\r\n\x1a\n', "'-v7'"),
    'pointer': (b'version https://git-lfs.github.com/spec/v1\n', 'git lfs pull'),
    'cut': (saved({'a': np.ones((3, 3))})[:-20], 'cut short'),
    'cut in a tag': (file_of(ONE[:4]), 'cut short'),
    'no variable': (file_of(ONE), 'something other than a variable'),
    'packed nonsense': (file_of(element(15, b'nonsense')), 'packed data are damaged'),
    'bomb': (file_of(element(15, bomb())), 'unpacked it has more than 64 MB'),
    'huge': (file_of(matrix(6, (1 << 30, 1 << 30), ONE, name=b'a')), 'numbers holds 1'),
    'huge cells': (file_of(matrix(1, (1 << 30, 1 << 30), name=b'a')), 'cells holds 0'),
    'negative': (file_of(matrix(6, (-1, -1), ONE, name=b'a')), 'negative size'),
    'deep': (file_of(nested(20000)), 'deep in cells'),
    'struct': (saved({'a': {'b': 1}}), 'other than cells, numbers and texts'),
    'sparse': (file_of(matrix(5, (1, 1), ONE, name=b'a')), 'other than cells, numbers and texts'),
    'odd size': (file_of(matrix(6, (1, 2), element(9, bytes(15)), name=b'a')), 'an array of 2 numbers holds 1'),
    'text': (file_of(matrix(4, (1, 1), element(16, b'\xff'), name=b'a')), 'a text is not utf-8'),
    'lines': (saved({'a': np.array(['ab', 'cd'])}), 'several lines'),
    'head': (file_of(element(14, b'')), 'the head of a variable is damaged'),
    'cell of no variable': (file_of(matrix(1, (1, 1), ONE, name=b'a')), 'a cell holds no variable'),
}


@pytest.mark.parametrize('name', BAD)
def test_other_files(tmp_path, name):
    content, said = BAD[name]
    with pytest.raises(SniperError, match=said) as error:
        read(tmp_path, content)
    assert 'x.mat' in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SniperError, match='nowhere.mat cannot be read: No such file'):
        read_mat(str(tmp_path / 'nowhere.mat'), ['a'])
