"""Writes what `torch.save` of a state dictionary writes, without PyTorch, and lets tests change any of it."""
import io
import struct
import zipfile

import numpy as np

KINDS = {'f4': 'FloatStorage', 'f8': 'DoubleStorage', 'f2': 'HalfStorage', 'i8': 'LongStorage'}
LEGACY_HEAD = b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.' + b'\x80\x02M\xe9\x03.' + b'\x80\x02}.'


def text(value):
    data = value.encode()
    return b'X' + struct.pack('<I', len(data)) + data


def number(value):
    data = value.to_bytes((value.bit_length() + 8) // 8, 'little', signed=True)
    return b'\x8a' + struct.pack('<B', len(data)) + data


def numbers(values):
    return b'(' + b''.join(map(number, values)) + b't'


def tensor(key, kind, count, shape, strides, offset=0):
    """A call of _rebuild_tensor_v2."""
    storage = (b'(' + text('storage') + b'ctorch\n' + kind.encode() + b'\n' + text(key) + text('cpu') + number(count)
               + b'tQ')
    return (b'ctorch._utils\n_rebuild_tensor_v2\n(' + storage + number(offset) + numbers(shape) + numbers(strides)
            + b'\x89ccollections\nOrderedDict\n)R' + b'tR')


def structure(entries):
    """entries: {name: pickled value}."""
    body = b''.join(text(name) + value for name, value in entries.items())
    return b'\x80\x02ccollections\nOrderedDict\n)R(' + body + b'u.'


def state_dict(arrays):
    """(structure, [bytes of each storage])."""
    entries, storages = {}, []
    for name, array in arrays.items():
        kind = KINDS[array.dtype.str[1:]]
        strides = [int(np.prod(array.shape[axis + 1:], dtype=np.int64)) for axis in range(array.ndim)]
        entries[name] = tensor(str(len(storages)), kind, array.size, array.shape, strides)
        storages.append(np.ascontiguousarray(array).tobytes())
    return structure(entries), storages


def zip_file(pickled, storages, method=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w', method) as archive:
        archive.writestr('archive/data.pkl', pickled)
        for index, storage in enumerate(storages):
            archive.writestr(f'archive/data/{index}', storage)
    return stream.getvalue()


def legacy_file(pickled, storages, counts):
    keys = b'\x80\x02](' + b''.join(text(str(index)) for index in range(len(storages))) + b'e.'
    return LEGACY_HEAD + pickled + keys + b''.join(struct.pack('<q', count) + storage
                                                   for count, storage in zip(counts, storages))
