"""lib.utils.npz: what is written is read; damage, staleness and harm are noticed in one line."""
import io
import json
import os
import zipfile

import numpy as np
import pytest

from lib.utils.errors import SniperError
from lib.utils.npz import DamagedFile, StaleFile, digest, file_digest, read_npz, read_origin, write_npz

ARRAYS = {'boxes': np.random.default_rng(0).random((50, 4)).astype(np.float32), 'none': np.zeros((0, 4), np.int64),
          'labels': np.arange(50, dtype=np.int16), 'flags': np.array([True, False]), 'names': np.array(['ä', 'long']),
          'number': np.array(3), 'turned': np.asfortranarray(np.arange(12.0).reshape(3, 4))}
ORIGIN = {'format': 1, 'key': ['ä', 1], 'more': None}


@pytest.fixture
def path(tmp_path):
    path = str(tmp_path / 'sub' / 'a.npz')
    write_npz(path, ARRAYS, ORIGIN)
    return path


def assert_read(arrays):
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype and type(arrays[name]) is np.ndarray
        np.testing.assert_array_equal(arrays[name], array)


def test_round_trip(path):
    arrays, origin = read_npz(path)
    assert origin == ORIGIN == read_origin(path)
    assert_read(arrays)
    assert_read(read_npz(path, dict(ORIGIN, key=('ä', 1)))[0])
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == {'origin', *ARRAYS} and json.loads(str(file['origin'])) == ORIGIN
    assert os.listdir(os.path.dirname(path)) == ['a.npz']


def test_made_from_something_else(path):
    with pytest.raises(StaleFile) as caught:
        read_npz(path, {'format': 2, 'key': ['ä', 1], 'weights': 'a' * 64}, 'the scale is run again')
    assert str(caught.value) == f'{path} was made from other format (1, here 2) and more and weights: ' \
                                'the scale is run again'
    assert caught.value.names == ['format', 'more', 'weights']
    with pytest.raises(StaleFile, match=r'other format and key and more and n0 and n1 and 8 more: make it anew'):
        read_npz(path, {f'n{number}': 0 for number in range(10)})


def test_every_kind_of_damage_is_noticed(path):
    with open(path, 'rb') as stream:
        whole = stream.read()
    rng, noticed = np.random.default_rng(1), 0
    for place in rng.integers(0, len(whole), 400):
        with open(path, 'wb') as stream:
            stream.write(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1:])
        try:
            arrays, origin = read_npz(path)
        except DamagedFile as error:
            assert str(error).startswith(f'{path} is damaged (') and '\n' not in str(error)
            noticed += 1
            continue
        assert origin == ORIGIN         # a date or a right of the archive
        assert_read(arrays)
    assert noticed > 300
    for length in (0, 5, 40, 200, len(whole) - 3):
        with open(path, 'wb') as stream:
            stream.write(whole[:length])
        with pytest.raises(DamagedFile):
            read_npz(path)
        assert read_origin(path) is None


def test_objects_are_refused(tmp_path):
    with pytest.raises(ValueError, match='cannot be stored'):
        write_npz(str(tmp_path / 'x'), {'a': np.array([object()])}, {})


def test_refused_by_the_disk(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(SniperError, match='cannot write'):
        write_npz(str(tmp_path / 'file' / 'x.npz'), ARRAYS, {})
    with pytest.raises(FileNotFoundError):
        read_npz(str(tmp_path / 'nothing'))
    assert read_origin(str(tmp_path / 'nothing')) is None


def npy(array, **header):
    """Bytes of an .npy file; header: what it says instead of the truth."""
    stream = io.BytesIO()
    np.save(stream, array)
    content = stream.getvalue()
    if not header:
        return content
    described = dict(np.lib.format.header_data_from_array_1_0(array), **header)
    text = repr(described).encode() + b'\n'
    return content[:8] + len(text).to_bytes(2, 'little') + text + array.tobytes()


def archive(members, compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', compression) as file:
        for name, content in members:
            info = zipfile.ZipInfo(name)    # of 1980: the same bytes every time
            info.compress_type = compression
            file.writestr(info, content)
    return stream.getvalue()


GOOD = ('origin.npy', npy(np.array('{}')))
THREE = np.arange(3.0)
BAD = {
    'no origin': archive([('a.npy', npy(THREE))]),
    'origin no dict': archive([('origin.npy', npy(np.array('[]')))]),
    'origin deep': archive([('origin.npy', npy(np.array('[' * 100000)))]),
    'twice': archive([GOOD, ('a.npy', npy(THREE)), ('a', npy(THREE))]),
    'huge shape': archive([GOOD, ('a.npy', npy(THREE, shape=(1 << 40,)))]),
    'many sides': archive([GOOD, ('a.npy', npy(THREE, shape=(1 << 20,) * 30))]),
    'negative': archive([GOOD, ('a.npy', npy(THREE, shape=(-1, -3)))]),
    'objects': archive([GOOD, ('a.npy', npy(THREE, descr='|O'))]),
    'no type': archive([GOOD, ('a.npy', npy(THREE, descr='import os'))]),
    'code': archive([GOOD, ('a.npy', b'\x93NUMPY\x01\x00\x10\x00' + b'__import__("os")')]),
    'no array': archive([GOOD, ('a.npy', b'text')]),
    'longer': archive([GOOD, ('a.npy', npy(THREE) + b'more')]),
    'lzma': archive([GOOD, ('a.npy', npy(THREE))], zipfile.ZIP_LZMA),
    'bomb': archive([GOOD, ('a.npy', npy(np.zeros(8 << 20)))], zipfile.ZIP_DEFLATED),
    'unknown packing': archive([GOOD, ('a.npy', npy(THREE))]).replace(b'\0\0\0\0!\0', b'\x63\0\0\0!\0'),
}


@pytest.mark.parametrize('name', sorted(BAD))
def test_hostile_files(name, tmp_path):
    path = tmp_path / 'a.npz'
    path.write_bytes(BAD[name])
    with pytest.raises(DamagedFile) as caught:
        read_npz(str(path))
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


def test_packed_by_somebody(tmp_path):
    np.savez_compressed(str(tmp_path / 'a.npz'), origin=np.array('{}'), **ARRAYS)
    assert_read(read_npz(str(tmp_path / 'a.npz'))[0])


def test_digests(tmp_path):
    assert digest({'a': (1, 2), 'b': np.arange(2)}) == digest({'b': [0, 1], 'a': [1, 2]}) != digest({})
    (tmp_path / 'a').write_bytes(b'abc')
    assert file_digest(str(tmp_path / 'a')).startswith('ba7816bf')
