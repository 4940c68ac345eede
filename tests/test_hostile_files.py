"""Files made to do harm, read by a process that may take little memory and time: each is refused in one line.

The files of the single readers' tests, and some that would end a process: run apart, so that they end only that one.
"""
import json
import os
import subprocess
import sys

from tests.conftest import ROOT
from tests.utils.test_archive import BAD as BAD_ARCHIVES
from tests.utils.test_npz import BAD as BAD_NPZ
from tests.weights.conversion import torch_pickle
from tests.weights.conversion.caffe_sources import layer
from tests.weights.conversion.test_caffe_file import BAD as BAD_CAFFE, crumbs
from tests.weights.conversion.test_formats import BAD_ONNX, BAD_SAFETENSORS, varint
from tests.weights.conversion.test_torch_file import BAD as BAD_TORCH, Evil
from tests.weights.test_params_file import one_array

MEGABYTES, SECONDS = 200, 60
READER = f'''
import contextlib, json, os, resource, sys
from lib.weights.conversion.formats import read_weights
from lib.utils.archive import unpack
from lib.utils.errors import SniperError
from lib.utils.npz import read_npz
from lib.weights.inspect import inspect
with contextlib.suppress(ImportError):
    import onnx, safetensors    # their code is no memory that a file takes
folder = sys.argv[1]
reads = {{'weights': read_weights, 'npz': read_npz, 'params': lambda path: list(inspect(path)),
         'archive': lambda path: unpack(path, os.path.join(folder, 'to'))}}
taken = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + {MEGABYTES} * 2 ** 20,) * 2)
resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS}, {SECONDS + 5}))
for name in sorted(os.listdir(folder)):
    if name == 'to':
        continue
    print(json.dumps([name, 'begun']), flush=True)
    try:
        reads[name.split('-')[0]](os.path.join(folder, name))
        print(json.dumps([name, 'read']))
    except SniperError as error:
        print(json.dumps([name, 'refused', str(error)]))
'''


def deep_key():
    """A tuple in a tuple in a tuple ..., half a million times, as a key: hashing it overflows the stack."""
    return b'\x80\x02})' + b'\x85' * 500000 + b'K\x01s.'


def wide_key():
    """A tuple of a tuple three times, of a tuple three times ...: hashing it takes 3^40 steps."""
    levels = b''.join(b'q' + bytes([level]) + b'0' + (b'h' + bytes([level])) * 3 + b'\x87' for level in range(40))
    return b'\x80\x02})' + levels + b'K\x01s.'


def flood():
    """OrderedDict of ten thousand times the same list of a hundred thousand numbers: 8 GB of pairs."""
    inner = b']q\x00(' + b'K\x01' * 100000 + b'e'
    return b'\x80\x02ccollections\nOrderedDict\n(](' + inner + b'h\x00' * 10000 + b'etR.'


def hostile_files():
    """{name: content}; the first word of a name says what reads it."""
    pickles = {'deep key': deep_key(), 'wide key': wide_key(), 'flood': flood(),
               'lists': b'\x80\x02' + b']' * (1 << 20) + b'.', 'too many lists': b'\x80\x02' + b']' * (8 << 20) + b'.',
               'deep lists': b'\x80\x02' + b'](' * 300000 + b'e' * 300000 + b'.'}
    files = {'weights-pickle ' + name: content for name, content in pickles.items()}
    files.update({'weights-zip ' + name: torch_pickle.zip_file(content, []) for name, content in pickles.items()})
    files.update({'weights-torch ' + name: content for name, (content, _) in BAD_TORCH.items()})
    files.update({'weights-safetensors ' + name: content for name, content in BAD_SAFETENSORS.items()})
    files.update({'weights-onnx ' + name: content for name, content in BAD_ONNX.items()})
    files.update({f'weights-caffe {name}.caffemodel': content for name, content in BAD_CAFFE.items()})
    files['weights-caffe crumbs.caffemodel'] = layer('a', [crumbs(100000)])
    files['weights-onnx a million tensors'] = b'\x3a' + varint(4 << 20) + b'\x2a\x02\x10\x01' * (1 << 20)
    files.update({'archive-' + name: content for name, (content, _) in BAD_ARCHIVES.items()})
    files.update({'npz-' + name: content for name, content in BAD_NPZ.items()})
    files.update({f'params-{name}': one_array(shape) for name, shape in (
        ('2^40', (1 << 40,)), ('product', (1 << 20, 1 << 20)), ('overflow', (1 << 62,) * 32), ('negative', (-1, -4)))})
    return files


def test_each_is_refused_in_little_memory_and_time(tmp_path):
    files = hostile_files()
    folder = tmp_path / 'files'
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    result = subprocess.run([sys.executable, '-c', READER, str(folder)], capture_output=True, cwd=ROOT, text=True)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.returncode == 0, (lines[-1:], result.stderr[-500:])
    refused = {line[0]: line[2] for line in lines if line[1] == 'refused'}
    assert sorted(refused) == sorted(files)
    for name, message in refused.items():
        assert message.isprintable() and len(message) < 600 and 'MemoryError' not in message, (name, message)
    assert not (folder / 'to' / 'out').exists() and list((folder / 'to').iterdir()) == []
    assert not os.path.exists(Evil.mark)
