"""A network with everything around it in one model: a picture of any size in, final boxes out.

Before the network: the picture is resized as a test does at its one scale, and means are subtracted. Behind it: the
boxes of the task (decoders.py), suppression a class, the best of all classes.
"""
from typing import Any, Dict

import numpy as np
import onnx
from onnx import TensorProto

from configs.scales import FACTOR, is_number, read_scale
from lib.chips.scales import LARGEST_INPUT
from lib.engine.onnx_facts import PICTURES
from lib.export.decoders import DECODERS, Frame
from lib.export.network import Exported, export_model_of
from lib.export.shaping import cut
from lib.export.writer import Writer
from lib.utils.errors import SniperError

IMAGE = 'image'
OUTPUTS = ('boxes', 'classes', 'scores')
DEFAULT_OVERLAP = 0.45      # of suppression, where the test has none but the soft one
_SLACK = 1e-4               # of a pixel, so that a runtime without double does not round up a whole number


def overlap_of(config) -> float:
    """IoU above which a box of the same class is suppressed; ONNX has no soft suppression."""
    return float(config.TEST.NMS) if config.TEST.NMS > 0 else DEFAULT_OVERLAP


def with_pictures(task, network: Exported) -> Exported:
    """The network of `task`, whose test has one scale, with what is before and behind it.

    Input `image` (H, W, 3) uint8 red, green, blue. Outputs `boxes` (n, 4) float32 x1, y1, x2, y2 in its pixels,
    `classes` (n,) int64, places among facts['classes'], `scores` (n,) float32, best first.
    """
    if task.name not in DECODERS:
        raise SniperError(f'--with-postprocessing does not know what {task.config.symbol} gives; leave it out')
    before = before_network(task, network)
    behind = _behind(task, network)
    merged = onnx.compose.merge_models(before, onnx.compose.add_prefix(network.model, 'network/'), io_map=[
        (name, f'network/{name}') for name in network.facts['inputs']])
    links = [(f'network/{name}', name) for name in network.facts['outputs']]
    links += [(f'before_{name}', name) for name in ('scale', 'limits', 'sides')]
    merged = onnx.compose.merge_models(merged, behind, io_map=links)
    facts = dict(network.facts, kind=PICTURES, inputs=[IMAGE], outputs=list(OUTPUTS), passed_through=[], masks='',
                 overlap=overlap_of(task.config))
    del merged.metadata_props[:]
    return export_model_of(network._replace(facts=facts), merged)


def before_network(task, network: Exported) -> Any:
    """Model: the picture -> the network's inputs, and `before_...` for what is behind it."""
    writer, pixels = Writer(), network.facts['pixels']
    writer.enter('before')
    image = writer.input(IMAGE, ['H', 'W', 3], TensorProto.UINT8)
    sides = writer.add('Cast', cut(writer, writer.add('Shape', image), 0, 0, 2), to=TensorProto.DOUBLE)
    shape = {node.name: node.type.tensor_type.shape.dim for node in network.model.graph.input}[pixels['name']]
    fixed = [side.dim_value for side in shape[2:]]
    scale = (writer.add('Div', np.array(fixed, np.float64), sides) if all(fixed) else
             _scale(writer, sides, task.config.TEST.SCALES[0]))
    shown = writer.add('Max', writer.add('Round', writer.add('Mul', sides, scale)), np.float64(1))
    planes = _planes(writer, image, pixels, scale, shown)
    if task.rounds_up:
        whole = writer.add('Ceil', writer.add('Sub', writer.add('Mul', sides, scale), np.float64(_SLACK)))
        planes = _padded(writer, planes, writer.add('Sub', writer.add('Max', whole, shown), shown), 'constant')
    writer.output(pixels['name'], planes, [1, 3, 'h', 'w'] if not all(fixed) else [1, 3, *fixed])
    single = {name: writer.add('Cast', value, to=TensorProto.FLOAT) for name, value in (
        ('sides', sides), ('scale', scale), ('shown', shown))}
    if 'im_info' in network.facts['inputs']:
        info = writer.add('Concat', single['shown'], cut(writer, single['scale'], 0, 1, 2), axis=0)
        writer.output('im_info', writer.add('Unsqueeze', info, np.array([0])), [1, 3])
    limits = writer.add('Sub', single['shown'], np.float32(1))
    for name, tensor in (('scale', single['scale']), ('limits', limits), ('sides', single['sides'])):
        writer.output(f'before_{name}', writer.add('Gather', tensor, np.array([1, 0, 1, 0]), axis=0), [4])
    return writer.model('before', {}, '')


def _scale(writer, sides, definition):
    """(2,) double: the factor of a scale of TEST.SCALES, twice (lib.chips.scales.test_scale); sides (2,) double."""
    pair = definition
    if isinstance(definition, str):
        unit, value = read_scale(definition)
        pair = value if unit == FACTOR else (-1, value)
    if is_number(pair):
        factor = np.array([pair], np.float64)
    else:
        short, long = (writer.add(op, sides, axes=[0], keepdims=1) for op in ('ReduceMin', 'ReduceMax'))
        by_long = writer.add('Div', np.array([pair[1]], np.float64), long) if pair[1] > 0 else None
        factor = writer.add('Div', np.array([pair[0]], np.float64), short) if pair[0] > 0 else by_long
        if by_long and factor != by_long:
            over = writer.add('Greater', writer.add('Round', writer.add('Mul', factor, long)), np.float64(pair[1]))
            factor = writer.add('Where', over, by_long, factor)
    area = writer.add('Mul', cut(writer, sides, 0, 0, 1), cut(writer, sides, 0, 1, 2))
    most = writer.add('Sqrt', writer.add('Div', np.float64(LARGEST_INPUT), area))
    return writer.add('Expand', writer.add('Min', factor, most), np.array([2]))


def _planes(writer, image, pixels, scale, shown):
    """(1, 3, h, w) of the resized picture minus means; OpenCV resizes by the scale itself and rounds what is shown."""
    planes = writer.add('Cast', writer.add('Transpose', image, perm=[2, 0, 1]), to=TensorProto.FLOAT)
    if pixels['order'] == 'BGR':
        planes = writer.add('Gather', planes, np.array([2, 1, 0]), axis=0)
    planes = writer.add('Unsqueeze', planes, np.array([0]))
    # ONNX cuts off where OpenCV rounds, so there are a few rows and columns more first, as copies of the last.
    more = writer.add('Ceil', writer.add('Div', np.float64(0.5), scale))
    planes = _padded(writer, planes, more, 'edge')
    factors = writer.add('Cast', writer.add('Mul', scale, np.float64(1 + 1e-6)), to=TensorProto.FLOAT)
    resized = writer.add('Resize', planes, None, writer.add('Concat', np.ones(2, np.float32), factors, axis=0),
                         mode='linear', coordinate_transformation_mode='half_pixel')
    means = np.array(pixels['means'], np.float32)      # blue, green, red
    means = means if pixels['order'] == 'BGR' else means[::-1]
    whole = writer.add('Cast', shown, to=TensorProto.INT64)
    resized = writer.add('Slice', resized, np.array([0, 0]), whole, np.array([2, 3]))
    return writer.add('Sub', writer.add('Round', resized), means.reshape(1, 3, 1, 1))


def _padded(writer, planes, more, mode):
    """Rows and columns (2,) double more at the ends."""
    more = writer.add('Cast', more, to=TensorProto.INT64)
    return writer.add('Pad', planes, writer.add('Concat', np.zeros(6, np.int64), more, axis=0), mode=mode)


def _behind(task, network):
    """Model: outputs of the network, `scale`, `limits` and `sides` (4,) -> OUTPUTS."""
    writer, test = Writer(), task.config.TEST
    writer.enter('behind')
    shapes = _output_shapes(network)
    outputs = {name: writer.input(name, shapes[name]) for name in network.facts['outputs']}
    frame = Frame(writer, outputs, task, *(writer.input(name, [4]) for name in ('scale', 'limits', 'sides')))
    boxes, scores = DECODERS[task.name](frame)
    wide = writer.add('Add', boxes, np.array([0, 0, 1, 1], np.float32))     # sides of suppression are inclusive
    kept = writer.add('NonMaxSuppression', writer.add('Unsqueeze', wide, np.array([0])),
                      writer.add('Unsqueeze', writer.add('Transpose', scores, perm=[1, 0]), np.array([0])),
                      np.array([test.MAX_PER_CLASS if test.MAX_PER_CLASS > 0 else 1 << 20]),
                      np.array([overlap_of(task.config)], np.float32), np.array([test.SCORE_THRESH], np.float32))
    found = writer.add('GatherND', scores, writer.add('Gather', kept, np.array([2, 1]), axis=1))
    count = cut(writer, writer.add('Shape', found), 0, 0, 1)
    if test.MAX_PER_IMAGE > 0:
        count = writer.add('Min', count, np.array([int(test.MAX_PER_IMAGE)]))
    found, order = writer.add('TopK', found, count, outputs=2, axis=0)
    kept = writer.add('Gather', kept, order, axis=0)
    columns = [writer.add('Squeeze', cut(writer, kept, 1, place, place + 1), np.array([1])) for place in (1, 2)]
    writer.output('boxes', writer.add('Gather', boxes, columns[1], axis=0), ['n', 4])
    writer.output('classes', writer.add('Add', columns[0], np.array(1)), ['n'], TensorProto.INT64)
    writer.output('scores', found, ['n'])
    return writer.model('behind', {}, '')


def _output_shapes(network) -> Dict[str, Any]:
    return {node.name: [side.dim_value or side.dim_param for side in node.type.tensor_type.shape.dim]
            for node in network.model.graph.output}

