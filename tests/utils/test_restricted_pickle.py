"""The pickle reader: what the original wrote is read, what could run or exhaust the machine is not."""
import os
import pickle
import struct

import numpy as np
import pytest

from lib.utils import restricted_pickle
from lib.utils.errors import SniperError
from lib.utils.restricted_pickle import read_plain_pickle
from tests.dataset.proposal_data import python2_pickle, random_rows
from tests.golden import golden_file


def write(path, content):
    with open(str(path), 'wb') as stream:
        stream.write(content)
    return str(path)


def refused(path, *parts):
    with pytest.raises(SniperError) as caught:
        read_plain_pickle(path)
    message = str(caught.value)
    assert '\n' not in message and path in message and all(part in message for part in parts), message


def test_files_of_the_original():
    raw = read_plain_pickle(golden_file('pipeline/COCO_train2014_rpn.pkl'))        # protocol 0
    kept = read_plain_pickle(golden_file('pipeline/COCO_train2014_rpn_after_nms.pkl'))  # protocol 2
    with np.load(golden_file('pipeline/roidb_coco.npz')) as golden:
        np.testing.assert_array_equal(np.concatenate(raw), golden['proposals'])
        np.testing.assert_array_equal(np.concatenate(kept[0]), golden['after_nms'])
    assert kept[1] == [] and all(rows.dtype == np.float32 and rows.flags.writeable for rows in raw)


@pytest.mark.parametrize('protocol', range(5))
def test_what_python_3_writes(tmp_path, protocol):
    shared = np.arange(6, dtype=np.float32).reshape(2, 3)
    data = {'rows': [shared, shared, np.zeros((0, 5), '>f8'), np.asfortranarray(shared)],
            'n': (1, -2, 3.5, None, True), 'big': 2 ** 70, 'text': 'x\u00e9', 3: [[], {}, ()]}
    with open(str(tmp_path / 'x.pkl'), 'wb') as stream:
        pickle.dump(data, stream, protocol)
    read = read_plain_pickle(str(tmp_path / 'x.pkl'))
    assert read['n'] == data['n'] and read['big'] == data['big']
    assert read[3] == [[], {}, ()] and read['text'] == 'x\u00e9'
    for mine, theirs in zip(read['rows'], data['rows']):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype.isnative


def test_python2_text_with_all_bytes(tmp_path):
    rows = [np.frombuffer(bytes(range(256)) * 5, np.float32).reshape(-1, 5)]
    read = read_plain_pickle(write(tmp_path / 'x.pkl', python2_pickle(rows)))
    assert read[0].tobytes() == rows[0].tobytes()


class Hostile:
    def __init__(self, flag):
        self.flag = flag

    def __reduce__(self):
        return os.mkdir, (self.flag,)


@pytest.mark.parametrize('protocol', range(5))
def test_a_hostile_pickle_does_not_run(tmp_path, protocol):
    flag = str(tmp_path / 'it ran')
    path = write(tmp_path / 'x.pkl', pickle.dumps([Hostile(flag)], protocol))
    refused(path, 'only arrays and builtin containers')
    assert not os.path.exists(flag)
    pickle.loads(pickle.dumps(Hostile(flag)))  # the test would notice
    assert os.path.exists(flag)


@pytest.mark.parametrize('text', [
    b"c__builtin__\neval\n(S'1'\ntR.", b"cos\nsystem\n(S'true'\ntR.", b"(S'1'\ni__builtin__\neval\n.",
    b"cnumpy\nload\n(S'x'\ntR.", b"cnumpy\nndarray\n(I1\ntR.", b"cnumpy\ndtype\n(S'O'\ntR.",
    b"cnumpy\ndtype\n(S'f4'\ntR(I3\nS'<'\n(S'a'\ntNNI-1\nI-1\nI0\ntb.", b"(dI1\nb.",
    b"cnumpy.core.multiarray\n_reconstruct\n.", b"]p0\n(I1\nb.", b"P1\n.", b"\x82\x01."])
def test_other_constructions_are_refused(tmp_path, text):
    refused(write(tmp_path / 'x.pkl', text))


def array_pickle(shape, content, kind=b"'f4'"):
    return (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n" + shape +
            b"cnumpy\ndtype\n(S" + kind + b"\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n" + content + b"tb.")


def test_arrays_must_be_what_they_say(tmp_path):
    assert read_plain_pickle(write(tmp_path / 'x', array_pickle(b'(I1\nt', b"S'abcd'\n"))).shape == (1,)
    refused(write(tmp_path / 'x', array_pickle(b'(I9999999999\nI9999999999\nt', b"S'abcd'\n")), 'with 4 bytes')
    refused(write(tmp_path / 'x', array_pickle(b'(I-1\nt', b"S'abcd'\n")), 'shape')
    refused(write(tmp_path / 'x', array_pickle(b'(I1\nt', b"]")), 'plain numbers')
    refused(write(tmp_path / 'x', array_pickle(b'(I1\nt', b"S'abcd'\n", b"'O8'")), 'only numbers')


def test_exhausting_pickles_end_at_once(tmp_path):
    refused(write(tmp_path / 'x', b'N' + b'r' + struct.pack('<I', 2 ** 32 - 1) + b'T' + struct.pack('<i', 2 ** 31 - 1)),
            'cut short')
    refused(write(tmp_path / 'x', b'I' + b'9' * 10 ** 6 + b'\n.'), 'digits')
    shared = b']' + b''.join(b'(' + b'h\x00' * 1000 + b'lq\x00' for _ in range(7))  # 1000 ** 7 if copied
    refused(write(tmp_path / 'x', b']q\x00' + shared + b'0' * 2))
    nested = b'(' * 5000 + b'l' * 5000 + b'.'
    refused(write(tmp_path / 'x', nested), 'deep')
    read = read_plain_pickle(write(tmp_path / 'x', b']q\x00' + b''.join(
        b'(' + b'h\x00' * 1000 + b'lq\x00' for _ in range(7)) + b'.'))
    assert len(read) == 1000 and read[0] is read[999]


def test_cut_short_at_every_place(tmp_path):
    content = python2_pickle([random_rows(np.random.default_rng(0), 3)])
    binary = pickle.dumps([random_rows(np.random.default_rng(0), 3)], 2)
    for whole in (content, binary):
        for length in range(0, len(whole), 7):
            refused(write(tmp_path / 'x', whole[:length]))


def test_too_large_absent_and_no_pickle(tmp_path, monkeypatch):
    path = write(tmp_path / 'x', python2_pickle([random_rows(np.random.default_rng(0), 3)]))
    monkeypatch.setattr(restricted_pickle, 'MAX_BYTES', 100)
    refused(path, 'too large')
    refused(str(tmp_path / 'nothing'), 'cannot be read')
    monkeypatch.undo()
    refused(write(tmp_path / 'x', b'PK\x03\x04 something else'))
