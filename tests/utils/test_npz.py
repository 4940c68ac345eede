"""lib.utils.npz: what is written is read; damage is noticed."""
import numpy as np
import pytest

from lib.utils.npz import DamagedFile, read_arrays, write_arrays
from lib.utils.errors import SniperError

ARRAYS = {'boxes': np.random.default_rng(0).random((50, 4)).astype(np.float32), 'none': np.zeros((0, 4), np.int64),
          'labels': np.arange(50, dtype=np.int16), 'flags': np.array([True, False])}
FACTS = {'key': ['ä', 1], 'more': None}


@pytest.fixture
def path(tmp_path):
    path = str(tmp_path / 'sub' / 'a.bin')
    write_arrays(path, FACTS, ARRAYS)
    return path


def test_round_trip(path):
    facts, arrays = read_arrays(path)
    assert facts == FACTS and list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype and type(arrays[name]) is np.ndarray
        np.testing.assert_array_equal(arrays[name], array)


def test_every_kind_of_damage_is_noticed(path):
    with open(path, 'rb') as stream:
        whole = stream.read()
    rng = np.random.default_rng(1)
    used = [place for place in rng.integers(0, len(whole), 400) if whole[place] != 0]
    assert len(used) > 100
    for place in used:
        with open(path, 'wb') as stream:
            stream.write(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1:])
        with pytest.raises(DamagedFile):
            read_arrays(path)
    for length in (0, 5, 40, 200, len(whole) - 3):
        with open(path, 'wb') as stream:
            stream.write(whole[:length])
        with pytest.raises(DamagedFile):
            read_arrays(path)


def test_objects_are_refused(tmp_path):
    with pytest.raises(ValueError, match='cannot be stored'):
        write_arrays(str(tmp_path / 'x'), {}, {'a': np.array([object()])})


def test_refused_by_the_disk(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(SniperError, match='cannot write'):
        write_arrays(str(tmp_path / 'file' / 'x.bin'), {}, ARRAYS)
