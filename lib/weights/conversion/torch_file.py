"""PyTorch's files of tensors (`torch.save` of a state dictionary), read without PyTorch and without running anything.

Two layouts. Zip (since 1.6): `<name>/data.pkl` with the structure and `<name>/data/<key>` with the numbers of each
storage, not compressed. Before that: pickles in a row - magic number, version, facts on the system, the structure, the
storages' keys - then each storage as its int64 length and its numbers. A tensor in the structure is a call of
`torch._utils._rebuild_tensor_v2` with a storage, an offset, sizes and strides; here it becomes a view of the storage,
after checking that it lies within.

This reader is ours because PyTorch is 200 MB of dependency for one function, and because its own reader is an
unpickler, safe only as far as its list of allowed names is; this one has no way to call anything.
"""
import os
import struct
import zipfile
from typing import Dict

import numpy as np

from lib.utils.archive import open_zip
from lib.utils.errors import SniperError
from lib.utils.restricted_pickle import DAMAGES, PickleMachine, Refused

MAX_BYTES = 4 << 30             # eight times VGG-16, the largest network that is converted
MAX_STRUCTURE = 2 << 20         # bytes of data.pkl: names and shapes, 0.1 MB in a ResNet-101; a byte can make 64
MAX_RANK = 8
MAX_TENSORS = 100000
LEGACY_MAGIC = 0x1950a86a20f9469cfc6c
PICKLE_START = b'\x80\x02'
STORAGES = {'FloatStorage': 'f4', 'DoubleStorage': 'f8', 'HalfStorage': 'f2', 'BFloat16Storage': 'bf16',
            'LongStorage': 'i8', 'IntStorage': 'i4', 'ShortStorage': 'i2', 'CharStorage': 'i1', 'ByteStorage': 'u1',
            'BoolStorage': 'b1'}
CALLS = {('torch._utils', '_rebuild_tensor_v2'), ('torch._utils', '_rebuild_tensor'),
         ('torch._utils', '_rebuild_parameter'), ('collections', 'OrderedDict')}
STATE_NAMES = ('state_dict', 'model', 'net')    # under which checkpoints keep the weights


class _AllowedCall:
    """One of CALLS, by its last part."""

    def __init__(self, name):
        self.name = name


class _StorageType:
    """A class of storages; element type as in STORAGES."""

    def __init__(self, element):
        self.element = element


class _Storage:
    """Numbers to be: `values` is there when all is read."""

    def __init__(self, element, key, count):
        if not isinstance(count, int) or not 0 <= count <= MAX_BYTES or not isinstance(key, (str, bytes)):
            raise Refused('it has a storage of an impossible size')
        self.element, self.count, self.values, self.key = element, count, None, _text(key)

    @property
    def size(self):
        """Bytes in the file."""
        return self.count * (2 if self.element == 'bf16' else np.dtype(self.element).itemsize)

    def fill(self, content):
        """Take over the numbers, `size` bytes, little endian."""
        if self.element == 'bf16':     # the upper half of a float32
            halves = np.frombuffer(content, '<u2').astype(np.uint32) << 16
            self.values = halves.view(np.float32)
        else:
            self.values = np.frombuffer(content, np.dtype(self.element).newbyteorder('<'))


class _Tensor:
    """A view of a storage."""

    def __init__(self, storage, offset, shape, strides):
        if (not isinstance(storage, _Storage) or len(shape) != len(strides) or len(shape) > MAX_RANK
                or not all(type(number) is int and number >= 0 for number in (offset, *shape, *strides))):
            raise Refused('it has a tensor of impossible sizes')
        self.storage, self.offset, self.shape, self.strides = storage, offset, tuple(shape), tuple(strides)

    def array(self):
        """The numbers; no copy."""
        count = 1
        for side in self.shape:
            count *= side
        last = self.offset + sum((side - 1) * stride for side, stride in zip(self.shape, self.strides))
        values = self.storage.values
        if count and (last >= values.size or count > values.size):
            raise Refused(f'it has a tensor of shape {self.shape} in a storage of {values.size} numbers')
        if not count:
            return np.zeros(self.shape, values.dtype)
        return np.lib.stride_tricks.as_strided(values[self.offset:], self.shape, writeable=False,
                                               strides=[stride * values.itemsize for stride in self.strides])


class _TorchMachine(PickleMachine):
    """Knows the names and calls of a state dictionary."""

    def __init__(self, stream, size):
        super().__init__(stream, size)
        self.storages, self.tensors = {}, 0

    def named(self, module, name):
        if (module, name) in CALLS:
            self.push(_AllowedCall(name))
        elif module == 'torch' and name in STORAGES:
            self.push(_StorageType(STORAGES[name]))
        else:
            raise Refused(f'it asks for {module[:80]}.{name[:80]}; only tensors and plain containers are let in: save '
                          'the model\'s state_dict()')

    def persistent(self):
        word, storage_type, key, _, count = self.stack.pop()[:5]
        if word not in ('storage', b'storage') or not isinstance(storage_type, _StorageType):
            raise Refused('it refers to something other than a storage')
        storage = _Storage(storage_type.element, key, count)
        kept = self.storages.setdefault(storage.key, storage)
        if (kept.element, kept.count) != (storage.element, storage.count):
            raise Refused('it describes a storage in two ways')
        self.push(kept)

    def reduce(self):
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, _AllowedCall) or not isinstance(arguments, tuple):
            raise Refused('it calls something other than the makers of tensors')
        if function.name == 'OrderedDict':
            self.push({})
            for key, item in arguments[0] if arguments else ():
                self.set_items((key, item))
        elif function.name == '_rebuild_parameter':
            if not isinstance(arguments[0], _Tensor):
                raise Refused('it has a parameter that is no tensor')
            self.push(arguments[0])
        else:
            self.tensors += 1
            if self.tensors > MAX_TENSORS:
                raise Refused(f'it has more than {MAX_TENSORS} tensors')
            self.push(_Tensor(*arguments[:4]))

    def build(self):
        state = self.stack.pop()
        if not isinstance(self.stack[-1], dict) or not isinstance(state, dict):
            raise Refused('it fills something other than a dictionary')     # state: `_metadata`, versions of modules


def _text(name):
    """Text, which Python 2 wrote as bytes. Anything else is refused before it is compared or used as a key."""
    if not isinstance(name, (str, bytes)):
        raise Refused('it has a name that is no text')
    return name.decode('utf-8') if isinstance(name, bytes) else name


def is_torch_file(path: str) -> bool:
    """Whether a file begins as one of the two layouts."""
    with open(path, 'rb') as stream:
        start = stream.read(4)
    return start.startswith(b'PK') or start[:2] == PICKLE_START


def read_torch(path: str) -> Dict[str, np.ndarray]:
    """State dictionary of a .pth file -> {name: NumPy array, read-only}. SniperError, one line, if it is broken, holds
    anything but tensors and plain containers, or no tensors."""
    try:
        size = os.path.getsize(path)
        if size > MAX_BYTES:
            raise Refused(f'it has {size} bytes; at most {MAX_BYTES} are read')
        content = _read_zip(path, size) if zipfile.is_zipfile(path) else _read_legacy(path, size)
        return {name: tensor.array() for name, tensor in _tensors(content).items()}
    except OSError as error:
        raise SniperError(f'{path} cannot be read: {error.strerror or error}') from None
    except Refused as refused:
        raise SniperError(f'{path} is not read: {refused}') from None
    except DAMAGES + (zipfile.BadZipFile, EOFError, RuntimeError) as error:  # RuntimeError: encrypted, unknown method
        raise SniperError(f'{path} is damaged or no PyTorch file ({type(error).__name__})') from None


def _read_zip(path, size):
    with open_zip(path) as archive:
        members = {entry.filename: entry for entry in archive.infolist()}
        structure = [name for name in members if name.count('/') == 1 and name.endswith('/data.pkl')]
        if len(structure) != 1:
            raise Refused('it is a zip file, but not one of PyTorch')
        folder = structure[0][:-len('data.pkl')]
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in members.values()):
            raise Refused('it is packed, which PyTorch does not do')
        if sum(entry.file_size for entry in members.values()) > size:
            raise Refused('it announces more than it holds')
        if members[structure[0]].file_size > MAX_STRUCTURE:
            raise Refused(f'its structure takes {members[structure[0]].file_size} bytes')
        order = members.get(folder + 'byteorder')
        if order is not None and order.file_size < 16 and archive.read(order) != b'little':
            raise Refused('its numbers are big endian')
        with archive.open(structure[0]) as stream:
            machine = _TorchMachine(stream, members[structure[0]].file_size)
            content = machine.run()
        for storage in machine.storages.values():
            entry = members.get(f'{folder}data/{storage.key}')
            if entry is None or entry.file_size != storage.size:
                raise Refused(f'storage {storage.key[:40]} is missing or of another size')
            storage.fill(archive.read(entry))
    return content


def _read_legacy(path, size):
    with open(path, 'rb') as stream:
        def pickled():
            machine = _TorchMachine(stream, min(size - stream.tell(), MAX_STRUCTURE))
            return machine, machine.run()
        if pickled()[1] != LEGACY_MAGIC:
            raise Refused('it is a pickle, but not a file of PyTorch')
        pickled(), pickled()                # version of the format; facts on the system
        machine, content = pickled()
        _, keys = pickled()
        keys = list(map(_text, keys)) if type(keys) is list else []
        if len(keys) != len(machine.storages) or set(keys) != set(machine.storages):
            raise Refused('its storages are not those that its tensors want')
        for key in keys:
            storage = machine.storages[key]
            count, = struct.unpack('<q', stream.read(8))
            if count != storage.count or storage.size > size - stream.tell():
                raise Refused(f'storage {key[:40]} is cut short or of another size')
            storage.fill(stream.read(storage.size))
    return content


def _tensors(content):
    """{name: _Tensor} of a state dictionary, or of the one in a checkpoint."""
    content = _by_name(content)
    for name in STATE_NAMES:
        if isinstance(content.get(name), dict):
            content = _by_name(content[name])
    found = {name[len('module.'):] if name.startswith('module.') else name: value
             for name, value in content.items() if isinstance(value, _Tensor)}
    if not found:
        raise Refused('it holds no tensors by name: save the model\'s state_dict()')
    return found


def _by_name(content):
    """What a dictionary holds under text; {} of anything else."""
    if not isinstance(content, dict):
        return {}
    return {_text(key): value for key, value in content.items() if isinstance(key, (str, bytes))}
