"""What a file of scripts/export_onnx.py says about itself: one property in JSON, read without MXNet and without the
package onnx, as nothing else of the file is needed. The file may be anything: what is wrong with it is one line.
"""
import json
import os
from typing import Any, BinaryIO, Dict, Iterator, List, Tuple

from configs import keys_affecting, load_config
from lib.engine.exported_model import other_settings
from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable

KEY = 'sniper'          # of the property
FORMAT = 1              # raise it when the meaning of inputs, outputs or facts changes
NETWORK, MASKS, PICTURES = 'network', 'masks', 'pictures'   # kinds: a test's network, that of masks, one for pictures
PRECISIONS = ('fp32', 'fp16', 'int8')
ENDING = '.onnx'
LARGEST = 1 << 31       # bytes of a file, which protobuf bounds
_LARGEST_PROPERTY = 8 << 20
_LARGEST_NUMBER = 1e300   # of a proof; JSON's integers have no end, and become no float then
_MOST_FIELDS = 10000    # of the file, not counting those of the graph
_GRAPH, _PROPERTIES = 7, 14     # fields of onnx.proto's ModelProto
_MEND = 'export the network again with scripts/export_onnx.py'
_KINDS = {'symbol': str, 'variant': str, 'precision': str, 'classes': list, 'settings': dict, 'configuration': dict,
          'inputs': list, 'outputs': list, 'passed_through': list, 'masks': str, 'pair': str, 'pixels': dict}
# Keys that the file need not have as the test does: it takes any number of images, and gives more than is asked for.
_FREE = ('TEST.BATCH_IMAGES',)
_EXTRA = ('TEST.WITH_MASK', 'TEST.AUTO_FOCUS')


def read_facts(path: str, kind: str = NETWORK) -> Dict[str, Any]:
    """The facts of a file, which is of the `kind`. SniperError: no file, no ONNX file, cut, too large, of another
    program, version or kind."""
    why = why_unreadable(path)  # asked first: to open a pipe waits for who writes to it
    if why:
        raise SniperError(f'{path} {why}: name a file that scripts/export_onnx.py has written')
    try:
        with open(path, 'rb') as stream:
            text, graph = _property(path, stream, os.fstat(stream.fileno()).st_size)
    except OSError as error:
        raise SniperError(f'cannot read {path}: {error.strerror or error}') from None
    if not graph:
        raise SniperError(f'{path} is no ONNX file: {_MEND}')
    if text is None:
        raise SniperError(f'{path} is an ONNX file of another program: {_MEND}, and name that file')
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        raise SniperError(f'{path} is damaged (its property {KEY!r} is no JSON object): {_MEND}')
    if facts.get('format') != FORMAT:
        raise SniperError(f'{path} is of format {facts.get("format")!r}, and this version reads {FORMAT}: {_MEND}')
    _check_kind(path, facts, kind)
    _check_types(path, facts)
    return facts


def read_configuration(path: str) -> List[Any]:
    """The configuration that a network was exported with: flat list of keys and values, as after --set. Keys that do
    not change what is found, such as those of folders, are none of a file's business."""
    values, known = read_facts(path)['configuration'], keys_affecting('detections')
    words = [word for key, value in values.items() if key in known for word in (key, value)]
    try:
        load_config(None, words)
    except SniperError as error:    # would speak of --set, which the user has not given
        raise SniperError(f'{path} is damaged (in its configuration, {error}): {_MEND}') from None
    return words


def check_network(path: str, facts: Dict[str, Any], config, variant: str) -> None:
    """SniperError if the file is of another network, graph or setting of it than the configuration's test."""
    if facts['symbol'] != config.symbol:
        raise SniperError(f'{path} is the network {facts["symbol"]}, but the configuration is of {config.symbol} (key '
                          '`symbol`): take the configuration that it was exported with, or another file')
    if facts['variant'] != variant:
        raise SniperError(f'{path} has the graph {facts["variant"]!r}, and {variant!r} is wanted: {_MEND} and the same '
                          'keys')
    extra = [key for key in _EXTRA if facts['settings'].get(key) is True]
    other = [text for key, text in other_settings(facts['settings'], config).items() if key not in (*_FREE, *extra)]
    if other:
        raise SniperError(f'{path} was exported with other settings ({"; ".join(other)}): {_MEND} and these, or go '
                          'back to those')


def masks_path(path: str, facts: Dict[str, Any]) -> str:
    """The file of the mask network beside a network's. SniperError if there is none, or not the one of the pair."""
    name = facts['masks']
    if not name or os.path.basename(name) != name:
        raise SniperError(f'TEST.WITH_MASK is True, but {path} was exported without masks: set it to False, or {_MEND} '
                          'and --set TEST.WITH_MASK True')
    beside = os.path.join(os.path.dirname(path), name)
    if read_facts(beside, MASKS)['pair'] != facts['pair']:
        raise SniperError(f'{beside} is not the mask network that belongs to {path}: {_MEND}, which writes both')
    return beside


def _check_kind(path, facts, kind):
    found = facts.get('kind')
    if found == kind:
        return
    if found == PICTURES:
        raise SniperError(f'{path} decodes and suppresses by itself, for other programs: {_MEND}, without '
                          '--with-postprocessing')
    if kind == NETWORK and found == MASKS:
        raise SniperError(f'{path} makes masks alone: name the file of the network beside it')
    raise SniperError(f'{path} is of the kind {found!r}, and {kind!r} is wanted: {_MEND}')


def _check_types(path, facts):
    bad = [name for name, kind in _KINDS.items() if not isinstance(facts.get(name), kind)]
    bad += [name for name in ('classes', 'inputs', 'outputs', 'passed_through')
            if name not in bad and not all(isinstance(item, str) for item in facts[name])]
    bad += [] if facts.get('inputs') or 'inputs' in bad else ['inputs']
    bad += [] if _is_proof(facts.get('proof', {})) else ['proof']
    bad += [] if facts.get('precision') in PRECISIONS or 'precision' in bad else ['precision']
    if bad:
        raise SniperError(f'{path} is damaged ({", ".join(bad)} of its property {KEY!r} is not what it should be): '
                          f'{_MEND}')


def _is_proof(proof):
    """Whether it is what lib.engine.onnx_proof.summary gives."""
    return isinstance(proof, dict) and all(
        isinstance(numbers, list) and len(numbers) == 2 and all(
            isinstance(value, (int, float)) and abs(value) < _LARGEST_NUMBER for value in numbers)
        for numbers in proof.values())


def _property(path, stream, size) -> Tuple[Any, bool]:
    """(text of the property KEY, None if there is none; whether there is a graph)."""
    if size > LARGEST:
        raise SniperError(f'{path} has {size / 2 ** 30:.1f} GiB, and an ONNX file has 2 at most: {_MEND}')
    text, graph = None, False
    try:
        for number, start, length in _fields(stream, size):
            graph = graph or number == _GRAPH
            if number == _PROPERTIES:
                key, value = _pair(stream, start, min(length, _LARGEST_PROPERTY))
                text = value if key == KEY else text
    except EOFError:
        raise SniperError(f'{path} is cut short: copy it anew, or {_MEND}' if graph else
                          f'{path} is no ONNX file: {_MEND}') from None
    except ValueError:
        raise SniperError(f'{path} is {"damaged" if graph else "no ONNX file"}: {_MEND}') from None
    return text, graph


def _pair(stream, start, length):
    """(key, value) of a StringStringEntryProto; ValueError if they are no texts."""
    texts = {}
    for number, at, size in list(_fields(stream, start + length, start)):
        stream.seek(at)
        texts[number] = stream.read(size).decode('utf-8')
    stream.seek(start + length)
    return texts.get(1), texts.get(2)


def _fields(stream: BinaryIO, end: int, start: int = 0) -> Iterator[Tuple[int, int, int]]:
    """(number, place, bytes) of the fields of a protobuf message that have a length; the others are passed over.

    EOFError where the file ends before a field does, ValueError for what is no message.
    """
    stream.seek(start)
    for _ in range(_MOST_FIELDS):
        if stream.tell() == end:
            return
        tag = _number(stream, end)
        kind, at = tag & 7, 0
        if kind == 0:
            _number(stream, end)
            continue
        if kind not in (1, 2, 5) or not tag >> 3:
            raise ValueError(tag)
        length = {1: 8, 5: 4}.get(kind) or _number(stream, end)
        at = stream.tell()
        if kind == 2:
            yield tag >> 3, at, length      # even if it goes on behind the end: of what there is a beginning
        if at + length > end:
            raise EOFError
        stream.seek(at + length)
    raise ValueError('too many fields')


def _number(stream, end):
    """A varint."""
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte or stream.tell() > end:
            raise EOFError
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise ValueError(value)
