"""A file of weights in any of the known formats, told apart by content, not by name."""
import struct

from lib.weights.conversion.onnx_file import read_onnx
from lib.weights.conversion.safetensors_file import is_safetensors, read_safetensors
from lib.weights.conversion.torch_file import is_torch_file, read_torch
from lib.utils.errors import SniperError
from lib.weights.params_file import LIST_MAGIC, read_arrays


def read_weights(path):
    """-> (format, {name: NumPy array}). Format: 'MXNet', 'PyTorch', 'safetensors' or 'ONNX'. SniperError, one line, if
    the file is broken or of no known format."""
    try:
        with open(path, 'rb') as stream:
            start = stream.read(8)
        if len(start) < 8:
            raise SniperError(f'{path} has {len(start)} bytes: no file of weights')
        if struct.unpack('<Q', start)[0] == LIST_MAGIC:
            return 'MXNet', read_arrays(path)
        if is_torch_file(path):
            return 'PyTorch', read_torch(path)
        if is_safetensors(path):
            return 'safetensors', read_safetensors(path)
    except OSError as error:
        raise SniperError(f'{path} cannot be read: {error.strerror or error}') from None
    return 'ONNX', read_onnx(path)
