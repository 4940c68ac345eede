"""A file of weights in any of the known formats, told apart by content, not by name.

safetensors and ONNX files are read by the packages of those names (requirements-optional.txt), which need not be
installed for anything else. What those packages do not promise is checked here before they see a file: that a small
file cannot make them take much memory. PyTorch's and Caffe's files have readers of our own (torch_file.py,
caffe_file.py), as MXNet's have (lib.weights.params_file).
"""
import importlib
import math
import os
import struct
from typing import Dict, Tuple

import numpy as np

from lib.utils.errors import SniperError, printable
from lib.weights.conversion.caffe_file import is_caffe_file, read_caffe
from lib.weights.conversion.protobuf import BYTES, Broken, fields
from lib.weights.conversion.torch_file import is_torch_file, read_torch
from lib.weights.params_file import LIST_MAGIC, read_arrays

MAX_SAFETENSORS = 4 << 30   # bytes of a file
MAX_HEADER = 4 << 20        # of a safetensors file: forty thousand arrays; JSON takes up to twenty times as much memory
MAX_ONNX = 2 << 30          # bytes of a file: protocol buffers' own limit
# Of an ONNX file, all that is not numbers of arrays: 0.1 MB in a ResNet-101, 1 MB with the exporter's remarks. The
# parser takes up to 90 bytes of memory for each of these.
MAX_STRUCTURE = 2 << 20
MAX_RANK = 8
SAFETENSORS_TYPES = {'F64': 'f8', 'F32': 'f4', 'F16': 'f2', 'BF16': 'u2', 'I64': 'i8', 'I32': 'i4', 'I16': 'i2',
                     'I8': 'i1', 'U8': 'u1', 'BOOL': 'b1'}
ONNX_TYPES = {'FLOAT', 'UINT8', 'INT8', 'INT16', 'INT32', 'INT64', 'BOOL', 'FLOAT16', 'DOUBLE'}
# Numbers of fields in onnx.proto
DOWN = (7, 5)           # of a model: graph; of a graph: initializer
NUMBERS = (4, 9, 10)    # of a tensor: float_data, raw_data, double_data
INSTALL = '.venv/bin/python -m pip install -r requirements-optional.txt'


def read_weights(path: str) -> Tuple[str, Dict[str, np.ndarray]]:
    """-> (format, {name: NumPy array}). Format: 'MXNet', 'PyTorch', 'safetensors', 'Caffe' or 'ONNX'. SniperError, one
    line, if the file is broken or of no known format, or the package that reads it is not installed."""
    try:
        with open(path, 'rb') as stream:
            start = stream.read(9)
        if len(start) < 8:
            raise SniperError(f'{path} has {len(start)} bytes: no file of weights')
        length, = struct.unpack('<Q', start[:8])
        if length == LIST_MAGIC:
            return 'MXNet', read_arrays(path)
        if is_torch_file(path):
            return 'PyTorch', read_torch(path)
        if length <= MAX_HEADER and start[8:] == b'{':
            return 'safetensors', read_safetensors(path)
        if is_caffe_file(path):
            return 'Caffe', read_caffe(path)
    except OSError as error:
        raise SniperError(f'{path} cannot be read: {error.strerror or error}') from None
    return 'ONNX', read_onnx(path)


def read_safetensors(path: str) -> Dict[str, np.ndarray]:
    """-> {name: NumPy array}; bfloat16 becomes float32. SniperError, one line, if the file is broken."""
    package = _package('safetensors', path)
    try:
        content = _content(path, MAX_SAFETENSORS)
        length = struct.unpack('<Q', content[:8])[0] if len(content) >= 8 else len(content)
        if length > min(len(content) - 8, MAX_HEADER):
            raise Broken(f'its header announces {length} bytes')
        return {name: _safetensor(name, entry) for name, entry in package.deserialize(content)}
    except (Broken, ValueError, package.SafetensorError) as error:
        raise SniperError(f'{path} is damaged or no safetensors file ({_one_line(error)})') from None


def _safetensor(name, entry):
    kind = SAFETENSORS_TYPES.get(entry['dtype'])
    if kind is None or len(entry['shape']) > MAX_RANK:
        raise Broken(f'array {name[:80]} has the type {entry["dtype"]!r} and shape {str(entry["shape"])[:80]}')
    flat = np.frombuffer(entry['data'], np.dtype(kind).newbyteorder('<'))
    if entry['dtype'] == 'BF16':    # the upper half of a float32
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    return flat.reshape(entry['shape'])


def read_onnx(path: str) -> Dict[str, np.ndarray]:
    """-> {name: NumPy array} of all initialisers of a model, whose graph does not matter.

    SniperError, one line: broken, no ONNX model, or without weights. Numbers in another file are not fetched.
    """
    onnx = _package('onnx', path)
    from google.protobuf.message import DecodeError
    try:
        content = _content(path, MAX_ONNX)
        _check_structure(memoryview(content))
        initializers = onnx.load_model_from_string(content).graph.initializer
        arrays = {tensor.name: _onnx_array(onnx, tensor) for tensor in initializers}
    except (Broken, DecodeError, ValueError, TypeError, OverflowError) as error:
        raise SniperError(f'{path} is damaged or no ONNX model ({_one_line(error)})') from None
    if not arrays:
        raise SniperError(f'{path} is damaged or no ONNX model (it holds no initialisers)')
    return arrays


def _onnx_array(onnx, tensor):
    name, dims = tensor.name[:80], list(tensor.dims)
    kinds = onnx.TensorProto.DataType
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise Broken('its weights lie in another file: save it as one file')
    if tensor.data_type not in kinds.values() or kinds.Name(tensor.data_type) not in ONNX_TYPES:
        raise Broken(f'array {name} has the type {tensor.data_type}')
    if len(dims) > MAX_RANK or any(side < 0 for side in dims):
        raise Broken(f'array {name} has the shape {str(tuple(dims[:MAX_RANK + 1]))[:80]}')
    array = onnx.numpy_helper.to_array(tensor)
    if array.size != math.prod(dims):
        raise Broken(f'array {name} of shape {tuple(dims)} has {array.size} numbers')
    return array


def _check_structure(content, level=0, left=MAX_STRUCTURE):
    """-> what is left of `left` bytes that may be no numbers of arrays; Broken where there are more.

    Messages lie in one another as (field number, wire type), value. Only the lengths are looked at, from the model
    (level 0) by its graph to the arrays; what else is wrong is left to the parser.
    """
    for field in fields(content, 0, len(content)):
        left -= field.end - field.begin
        if field.wire == BYTES and level < len(DOWN) and field.number == DOWN[level]:
            left = _check_structure(content[field.start:field.end], level + 1, left + field.end - field.start)
        elif field.wire == BYTES and level == len(DOWN) and field.number in NUMBERS:
            left += field.end - field.start
        if left < 0:
            raise Broken(f'more than {MAX_STRUCTURE} of its bytes are no numbers of arrays')
    return left


def _package(name, path):
    """The optional package that reads such files; SniperError says how to have it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SniperError(f'{path} needs the package {name}, which cannot be loaded ({error}); install it with: '
                          f'{INSTALL}') from None


def _content(path, most):
    try:
        with open(path, 'rb') as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > most:
                raise Broken(f'it has {size} bytes, at most {most} are read')
            return stream.read()
    except OSError as error:
        raise SniperError(f'{path} cannot be read: {error.strerror or error}') from None


def _one_line(error):
    return printable(' '.join(str(error).split())[:200])
