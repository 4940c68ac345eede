"""Files that look like those of scripts/export_onnx.py, byte by byte: protobuf messages, facts in a property."""
import json

from lib.engine.exported_model import graph_settings
from lib.engine.onnx_facts import FORMAT, KEY, NETWORK


def number(value):
    """A varint."""
    found = b''
    while value > 127:
        found, value = found + bytes([value & 127 | 128]), value >> 7
    return found + bytes([value])


def field(place, content):
    """A field with a length."""
    return number(place << 3 | 2) + number(len(content)) + content


def facts(config=None, **more):
    """Facts of a network."""
    found = {'format': FORMAT, 'kind': NETWORK, 'symbol': config.symbol if config else 'sniper_tiny', 'variant': 'test',
             'precision': 'fp32', 'classes': ['__background__', 'cat', 'dog'], 'configuration': {}, 'masks': '',
             'settings': graph_settings(config) if config else {}, 'pair': 'a', 'pixels': {}, 'inputs': ['data'],
             'outputs': ['sum_output'], 'passed_through': ['im_ids']}
    return dict(found, **more)


def content(of_file, key=KEY, graph=b'graph' * 50):
    """Bytes of a file; of_file: facts, or text."""
    text = of_file if isinstance(of_file, str) else json.dumps(of_file)
    pair = field(1, key.encode()) + field(2, text.encode())
    version = number(1 << 3) + number(8)
    return version + field(2, b'a program') + field(7, graph) + field(14, field(1, b'other') + field(2, b'x')) + field(
        14, pair)


def write(path, of_file, **more):
    """Write a file -> its path as text."""
    with open(str(path), 'wb') as stream:
        stream.write(content(of_file, **more))
    return str(path)
