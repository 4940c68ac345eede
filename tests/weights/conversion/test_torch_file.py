"""PyTorch's files: real ones, and ones that want to run code, or to fill memory."""
import io
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from lib.utils.errors import SniperError
from lib.weights.conversion.torch_file import read_torch
from tests.memory import at_most
from tests.weights.conversion import torch_pickle as made

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data')


@pytest.mark.parametrize('layout', ['zip', 'legacy'])
def test_files_of_pytorch(layout):
    arrays = read_torch(os.path.join(DATA, f'tensors_{layout}.pth'))
    w = np.arange(12, dtype=np.float32).reshape(3, 4)
    expected = dict(w=w, transposed=w.T, part=w[1:, 1:3], half=np.array([1.5, -2], np.float16),
                    brain=np.array([1.5, -2], np.float32), count=np.array(7), double=np.array([[1e300]]),
                    parameter=np.array([3, 4], np.float32), empty=np.zeros((0, 3), np.float32))
    assert list(arrays) == list(expected)
    for name, array in expected.items():
        assert arrays[name].dtype == array.dtype and arrays[name].shape == array.shape, name
        np.testing.assert_array_equal(arrays[name], array)


ARRAYS = {'a': np.arange(6, dtype=np.float32).reshape(2, 3), 'b': np.array([5], np.int64)}


def test_made_files(tmp_path):
    pickled, storages = made.state_dict(ARRAYS)
    for content in (made.zip_file(pickled, storages), made.legacy_file(pickled, storages, [6, 1])):
        (tmp_path / 'x.pth').write_bytes(content)
        arrays = read_torch(str(tmp_path / 'x.pth'))
        for name in ARRAYS:
            np.testing.assert_array_equal(arrays[name], ARRAYS[name])


def test_weights_within_a_checkpoint(tmp_path):
    inner = made.structure({'module.a': made.tensor('0', 'FloatStorage', 1, [1], [1])})[2:-1]
    pickled = made.structure({'epoch': made.number(3), 'state_dict': inner})
    (tmp_path / 'x.pth').write_bytes(made.zip_file(pickled, [np.float32(2).tobytes()]))
    assert read_torch(str(tmp_path / 'x.pth')) == {'a': np.array([2])}


def one(shape, strides, count=6, offset=0, kind='FloatStorage', storage=bytes(24)):
    return made.zip_file(made.structure({'a': made.tensor('0', kind, count, shape, strides, offset)}), [storage])


class Evil:
    def __reduce__(self):
        return os.system, (f'touch {Evil.mark}',)


Evil.mark = f'/tmp/this-must-not-appear-{os.getpid()}'


def bomb():
    """Lists of lists: a thousand million million entries in a hundred bytes."""
    return b'\x80\x02' + b']q\x00' + b''.join(b'](' + (b'h' + bytes([k])) * 10 + b'eq' + bytes([k + 1])
                                               for k in range(15)) + b'.'


def polyglot():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode='w'):
        pass
    return stream.getvalue()


def shared_pairs():
    """OrderedDict(list of 1000 times the same list of 1000 numbers)."""
    inner = b']q\x00(' + b'K\x01' * 1000 + b'e'
    return b'\x80\x02ccollections\nOrderedDict\n(](' + inner + b'h\x00' * 999 + b'etR.'


def keys_that_are_bombs():
    """Two lists of lists that take for ever to compare, where the names of storages should be."""
    one = b']' + b''.join(b'q' + bytes([k]) + b'](' + (b'h' + bytes([k])) * 2 + b'e' for k in range(60))
    return made.LEGACY_HEAD + PICKLED + b'\x80\x02](' + one + one + b'e.' + bytes(16)


PICKLED, STORAGES = made.state_dict(ARRAYS)
BAD = {
    'code': (pickle.dumps(Evil(), 2), 'posix.system'),
    'code in a zip': (made.zip_file(pickle.dumps(Evil(), 2), []), 'posix'),
    'code in protocol 4': (made.zip_file(pickle.dumps(Evil(), 4), []), 'posix'),
    'builtin': (made.zip_file(b'\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.', []), 'builtins.eval'),
    'whole module': (made.zip_file(b'\x80\x02ctorch.nn.modules.linear\nLinear\n)R.', []), 'state_dict'),
    'numpy': (made.zip_file(b'\x80\x02cnumpy\nload\n)R.', []), 'numpy.load'),
    'bomb': (made.zip_file(bomb(), []), 'no tensors'),
    'shape 2^40': (one([1 << 40], [1]), 'storage of 6'), 'stride 0': (one([1 << 40], [0]), 'storage of 6'),
    'shape times stride': (one([2, 3], [1 << 62, 1 << 62]), 'storage of 6'), 'negative': (one([-2], [1]), 'impossible'),
    'negative stride': (one([2], [-1], offset=5), 'impossible'), 'offset': (one([3], [1], offset=4), 'storage of 6'),
    'rank 60': (one([1] * 60, [1] * 60), 'impossible'), 'storage 2^60': (one([1], [1], 1 << 60), 'impossible size'),
    'storage 2^32': (one([1], [1], 1 << 32), 'missing or of another size'),
    'negative storage': (one([1], [1], -6), 'impossible size'),
    'another kind': (one([1], [1], kind='Storage'), 'torch.Storage'),
    'short storage': (one([1], [1], storage=bytes(20)), 'another size'),
    'no storage': (made.zip_file(PICKLED, []), 'missing'),
    'packed': (made.zip_file(PICKLED, STORAGES, zipfile.ZIP_DEFLATED), 'packed'),
    'another zip': (made.zip_file(PICKLED, STORAGES).replace(b'archive/data.pkl', b'archive/date.pkl'),
                    'not one of PyTorch'),
    'cut zip': (made.zip_file(PICKLED, STORAGES)[:-50], 'damaged|not read'),
    'cut legacy': (made.legacy_file(PICKLED, STORAGES, [6, 1])[:-3], 'cut short|damaged'),
    'legacy length': (made.legacy_file(PICKLED, STORAGES, [1 << 60, 1]), 'cut short or of another size'),
    'legacy without storages': (made.legacy_file(PICKLED, [], []), 'storages'),
    'no tensors': (made.zip_file(made.structure({'a': made.number(3)}), []), 'no tensors'),
    'shared pairs': (made.zip_file(shared_pairs(), []), 'damaged'),
    'keys that are bombs': (keys_that_are_bombs(), 'no text'),
    'tuple in a tuple as a key': (made.zip_file(b'\x80\x02}((K\x01tK\x02\x86K\x03s.', []), 'no names or numbers'),
    'endless name': (made.zip_file(b'\x80\x02c' + b'x' * 100000, []), 'cut short'),
    'name with line breaks': (made.zip_file(b'\x80\x02\x8c\x03a\n\x1b\x8c\x01b\x93.', []), 'asks for a .\\.b'),
    'oldest layout': (polyglot(), 'not|damaged'), 'empty': (b'', 'damaged|cut short'),
}


@pytest.mark.parametrize('name', sorted(BAD))
def test_bad_files(tmp_path, name):
    content, complaint = BAD[name]
    (tmp_path / 'x.pth').write_bytes(content)
    with at_most(megabytes=2), pytest.raises(SniperError, match=complaint) as error:
        read_torch(str(tmp_path / 'x.pth'))
    assert '\n' not in str(error.value) and 'x.pth' in str(error.value)
    assert not os.path.exists(Evil.mark)


@pytest.mark.parametrize('seed', range(3))
def test_random_damage(tmp_path, seed):
    random = np.random.RandomState(seed)
    for content in (made.zip_file(PICKLED, STORAGES), made.legacy_file(PICKLED, STORAGES, [6, 1])):
        refused = 0
        for _ in range(150):
            damaged = bytearray(content)
            for place in random.randint(0, len(damaged), 3):
                damaged[place] = random.randint(256)
            (tmp_path / 'x.pth').write_bytes(bytes(damaged))
            try:
                read_torch(str(tmp_path / 'x.pth'))
            except SniperError:
                refused += 1
        assert refused > 30, f'seed {seed}'
