"""Caffe's files in all their forms, and what is refused."""
import numpy as np
import pytest

from lib.utils.errors import SniperError
from lib.weights.conversion import caffe_file
from lib.weights.conversion.caffe_file import is_caffe_file, read_caffe
from lib.weights.conversion.formats import read_weights
from tests.memory import at_most
from tests.weights.conversion.caffe_sources import blob, fixed, layer, network
from tests.weights.conversion.test_formats import BAD_ONNX, field, refused, varint

RANDOM = np.random.RandomState(4)
ARRAYS = {'conv1_1.weight': RANDOM.normal(size=(4, 3, 3, 3)).astype('f4'),
          'conv1_1.bias': RANDOM.normal(size=4).astype('f4'),
          'm1@ssh_7x7-1.weight': RANDOM.normal(size=(1, 4, 2, 1)).astype('f4'),
          'fc.weight': RANDOM.normal(size=(1, 700)), 'fc.bias': RANDOM.normal(size=(1,))}


def saved(tmp_path, content, name='x'):
    (tmp_path / name).write_bytes(content)
    return str(tmp_path / name)


@pytest.mark.parametrize('packed', [True, False])
@pytest.mark.parametrize('old', [True, False])
@pytest.mark.parametrize('old_sides', [True, False])
def test_every_form(tmp_path, packed, old, old_sides):
    """float32 and, in the layer fc, float64; told by content, whatever the file is called."""
    kind, found = read_weights(saved(tmp_path, network(ARRAYS, packed, old, old_sides)))
    assert kind == 'Caffe' and list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        expected = array.reshape(700) if old_sides and name == 'fc.weight' else array     # no other one is that flat
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], expected)


def test_a_blob_in_pieces(tmp_path):
    """Fields of one number may come as several, in both forms at once, with others in between."""
    values = np.arange(200, dtype='<f4')
    shape = field(7, field(1, 10)) + field(7, field(1, varint(5) + varint(4)))
    pieces = [field(5, values[:3].tobytes()), fixed(5, values[3:150]), field(9, b'diff'), field(5, b''),
              fixed(5, values[150:151]), fixed(6, values[:9]), fixed(5, values[151:160]),
              field(5, values[160:].tobytes())]
    bias = b''.join([field(4, 2), field(3, 1), field(2, 1), field(1, 1), fixed(5, values[:7]),
                     field(8, np.array([1, 2], '<f8').tobytes())])
    content = layer('a', [shape + b''.join(pieces), bias])
    found = read_caffe(saved(tmp_path, content))
    np.testing.assert_array_equal(found['a.weight'], values.reshape(10, 5, 4))
    np.testing.assert_array_equal(found['a.bias'], [1, 2])      # float64 where there is any, as Caffe has it


def test_layers_of_more_than_two_blobs(tmp_path):
    content = layer('bn', [blob(np.full(2, number, 'f4')) for number in range(4)], 'BatchNorm')
    assert list(read_caffe(saved(tmp_path, content))) == ['bn.weight', 'bn.bias', 'bn.2', 'bn.3']


def test_what_nobody_asks_for_stays_on_the_disk(tmp_path):
    arrays = {'a.weight': np.ones((2, 2), 'f4'), 'fc6.weight': np.zeros((4096, 1000), 'f4')}
    for packed in (True, False):
        path = saved(tmp_path, network(arrays, packed))
        with at_most(megabytes=3):      # of 16; the keys of unpacked numbers are looked at a part at a time
            assert read_caffe(path)['a.weight'].sum() == 4


def wrong(shape, count, old=False):
    """A layer whose blob says `shape` and has `count` numbers."""
    sides = [side & (1 << 64) - 1 for side in shape]
    said = (b''.join(field(number, side) for number, side in enumerate(sides, start=1)) if old
            else field(7, field(1, b''.join(map(varint, sides)))))
    return layer('conv', [said + field(5, bytes(4 * count))], old=old)


WHOLE = network(ARRAYS)
BAD = {
    'cut': WHOLE[:-30], 'cut in a number': WHOLE[:60], 'length': b'\xa2\x06' + varint(3 << 30),
    'a blob longer than its layer': field(100, field(1, b'a') + b'\x3a' + varint(3 << 30)),
    'numbers longer than their blob': layer('a', [field(7, field(1, 4)) + b'\x2a' + varint(16)]),
    'length 2^64': b'\xa2\x06' + varint((1 << 64) - 1), 'endless number': field(100, b'\x08' + b'\xff' * 40),
    'endless side': layer('a', [field(7, field(1, b'\xff' * 11))]),
    '3 GB': wrong((768, 1 << 20), 4), '2^40': wrong((1 << 40,), 4), 'overflow': wrong((1 << 62, 4), 0),
    'overflow to 4': wrong((1 << 32, 1 << 32, 4), 4), 'negative': wrong((-2, -2), 4),
    'old negative': wrong((-2, -2, 1, 1), 4, True),
    'too few': wrong((2, 3), 5), 'too many': wrong((2, 3), 7), 'old too few': wrong((1, 1, 2, 3), 5, True),
    'three old sides': wrong((1, 2, 3), 6, True), 'no shape': layer('a', [field(5, bytes(8))]),
    'no numbers': layer('a', [field(7, field(1, b'\x02'))]), 'rank': wrong((1,) * 9, 1),
    'sides without end': wrong((1,) * 100000, 1),
    'odd bytes': layer('a', [field(7, field(1, b'\x02')) + field(5, bytes(7))]),
    'wire type': layer('a', [b'\x3b']), 'field 0': field(100, b'\x00\x00'),
    'no name': layer('', [blob(np.ones(2, 'f4'))]), 'name': layer('a' * 2000, [blob(np.ones(2, 'f4'))]),
    'twice': layer('a', [blob(np.ones(2, 'f4'))]) * 2,
    'name is no text': field(100, field(1, b'\xff\xfe') + field(7, blob(np.ones(2, 'f4')))),
    'line break in a name': layer('a\n\x1b[2J', [field(5, bytes(8))]), 'nothing': network({}),
    'the first form': field(2, field(1, field(1, b'conv'))), 'HDF5': b'\x89HDF\r\n\x1a\n' + bytes(99),
    'nested': field(100, field(7, field(7, field(7, field(7, b'')))) * 3), 'deep': field(100, b'\x3b' * 100000),
}


def crumbs(count):
    """Numbers one by one, each followed by something else."""
    return (fixed(5, np.ones(1, 'f4')) + field(9, 1)) * count


@pytest.mark.parametrize('content', [layer('a', [field(5, b'') * 501]), layer('a', [crumbs(251)]),
                                     layer('a', []) * 150])
def test_fields_without_end(tmp_path, monkeypatch, content):
    monkeypatch.setattr(caffe_file, 'MAX_FIELDS', 500)
    with pytest.raises(SniperError, match='it has more than 500 fields'):
        read_caffe(saved(tmp_path, content))


@pytest.mark.parametrize('name', sorted(BAD))
def test_bad_files(tmp_path, name):
    refused(tmp_path, read_weights, BAD[name])


def test_messages(tmp_path):
    for name, complaint in (('cut', 'bytes are missing'),
                            ('3 GB', r'conv.weight of shape \(768, 1048576\) has 4 numbers'),
                            ('the first form', 'upgrade_net_proto_binary'), ('HDF5', 'BINARYPROTO'),
                            ('twice', 'it holds a.weight twice'), ('nothing', 'no layers with weights')):
        with pytest.raises(SniperError, match=complaint):
            read_caffe(saved(tmp_path, BAD[name]))


def test_a_file_is_told_by_its_fields_or_else_by_its_name(tmp_path, monkeypatch):
    for name, content in BAD_ONNX.items():
        assert not is_caffe_file(saved(tmp_path, content)), name
    assert is_caffe_file(saved(tmp_path, b'<html>404</html>', 'a.caffemodel'))
    with pytest.raises(SniperError, match='no file of a Caffe network'):
        read_weights(str(tmp_path / 'a.caffemodel'))
    monkeypatch.setattr(caffe_file, 'MAX_BYTES', 100)
    with pytest.raises(SniperError, match='at most 100 are read'):
        read_caffe(saved(tmp_path, WHOLE))
