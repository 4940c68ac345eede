"""A float32 test graph -> one whose convolutions and dense layers compute in fewer bits: bfloat16 or int8.

bfloat16 is float32 cut to 8 bits of mantissa: the range is the same, so nothing is calibrated or scaled. Layers whose
numbers are the answer (scores, box deltas, offsets of deformable layers) keep float32, which costs next to nothing:
they are narrow; the task says which they are. Operators without a bfloat16 kernel, ours among them, read and write
float32, by casts around them.

int8 is MXNet's quantisation for oneDNN. Weights are quantised by themselves. What a layer reads and writes needs a
range, which comes from running the float32 graph on images of the kind that it will see (`RangeCollector`,
lib.engine.calibrate). Only the products are in bytes: sums, BatchNorms and pooling stay in float32, because the 33 sums
of a pre-activation ResNet-101 would be rounded one after another. Layers that read the image keep float32 too
(docs/precision.md has the figures).
"""
import ctypes
import json

import numpy as np

from lib.engine.graph import Graph, Node, Value

COMPUTE = {'Convolution': 1, 'FullyConnected': 1}  # operator -> number of its inputs before the parameters
# Whatever comes in goes out; BatchNorm with float32 parameters.
NEUTRAL = {'Activation', 'BatchNorm', '_contrib_BatchNormWithReLU', 'Concat', 'Pooling', 'elemwise_add', '_Plus',
           '_plus', '_add'}
DTYPE_ATTRIBUTE, BFLOAT16 = '__dtype__', '12'  # of variables; MXNet's number of the type
ELEMENT = np.dtype([('bfloat16', np.uint16)])  # as MXNet's arrays name it: NumPy has none

BACKEND = 'MKLDNN_QUANTIZE'   # oneDNN's fusion of layers, as its quantised operators want it
FLOAT_OPERATORS = ['BatchNorm', 'Activation', 'Pooling', 'Concat', 'elemwise_add', 'Flatten']


def to_bfloat16(symbol, arg_params, float32_layers):
    """-> (symbol, arg_params); the parameters of layers that compute in bfloat16 are of that type too.

    float32_layers: names of layers -> set of those that stay as they are (Task.float32_layers).
    """
    graph, arrays = Graph(symbol), dict(arg_params)
    nodes = graph.nodes()
    exact = float32_layers([node.name for node in nodes if node.op in COMPUTE])
    low, casts = set(), {}  # ids of nodes whose output 0 is bfloat16; (id of node, output, type) -> Node

    def cast(value, dtype):
        key = (id(value.node), value.output, dtype)
        if key not in casts:
            casts[key] = Node('amp_cast', f'{value.node.name}_{value.output}_to_{dtype}', {'dtype': dtype},
                              [value])
        return Value(casts[key])

    def is_low(value):
        return id(value.node) in low and value.output == 0

    for node in nodes:
        if node.op in COMPUTE and node.name not in exact:
            data = node.inputs[0] if is_low(node.inputs[0]) else cast(node.inputs[0], 'bfloat16')
            for value in node.inputs[1:]:
                value.node.attrs[DTYPE_ATTRIBUTE] = BFLOAT16
                if value.node.name in arrays:
                    arrays[value.node.name] = arrays[value.node.name].astype(ELEMENT)
            node.inputs = [data] + node.inputs[1:]
            low.add(id(node))
        elif node.op in NEUTRAL and is_low(node.inputs[0]):
            count = 1 if 'BatchNorm' in node.op else len(node.inputs)
            node.inputs = [value if is_low(value) or place >= count else cast(value, 'bfloat16')
                           for place, value in enumerate(node.inputs)]
            low.add(id(node))
        else:
            node.inputs = [cast(value, 'float32') if is_low(value) else value for value in node.inputs]
    graph.heads = [cast(value, 'float32') if is_low(value) else value for value in graph.heads]
    return graph.symbol(), arrays


def fused_graph(symbol):
    """The float32 graph with layers fused as they will be quantised; ranges are collected on it."""
    return symbol.get_backend_symbol(BACKEND)


def to_int8(symbol, arg_params, ranges, float32_layers):
    """(symbol, arg_params) of a folded float32 graph, {output name of `fused_graph`: (low, high)} -> the same in int8.

    The parameters of quantised dense layers are stored as int8 with their ranges; oneDNN quantises those of
    convolutions, a channel each, when it lays them out. float32_layers: names of layers -> set of those that are not
    quantised (Task.float32_layers).
    """
    from mxnet.contrib import quantization

    from sniper_mxnet import mx
    quantised, _ = _quantised(symbol, arg_params, float32_layers)
    ready = _with_outputs(fused_graph(quantization._calibrate_quantized_sym(quantised, ranges)), symbol.list_outputs())
    given = dict(arg_params)
    given.update(quantization._quantize_params(ready, arg_params, ranges))
    wanted = set(ready.list_arguments())
    taken = set(symbol.list_arguments()) - wanted  # replaced by their quantised forms
    mx.nd.waitall()
    return ready, {name: array for name, array in given.items() if name not in taken}


def _with_outputs(symbol, names):
    """The symbol with its outputs named `names`: MXNet takes out copies, an output's too, which loses its name."""
    from sniper_mxnet import mx
    outputs = [output if output.list_outputs() == [name] else mx.sym.identity(output, name=name[:-len('_output')])
               for output, name in zip(symbol, names)]
    return mx.sym.Group(outputs)


def wanted_ranges(symbol, arg_params, float32_layers):
    """Names of the outputs of `fused_graph(symbol)` whose ranges `to_int8` needs."""
    return set(_quantised(symbol, arg_params, float32_layers)[1])


class RangeCollector:
    """Smallest and largest value of named layer outputs over batches; a callback for Executor.set_monitor_callback.

    names: of outputs. `ranges`: {name: (low, high)}, the mean over the batches seen of each batch's extremes: a single
    odd image does not widen the steps of all.
    """

    def __init__(self, names):
        self._names, self._seen = set(names), {}

    def __call__(self, name, array):
        from sniper_mxnet import mx
        name = name.decode('utf-8') if isinstance(name, bytes) else name
        output = mx.nd.NDArray(ctypes.cast(array, mx.base.NDArrayHandle), writable=False)  # ours: it frees the handle
        if name in self._names:
            values = output.asnumpy()
            self._seen.setdefault(name, []).append((float(values.min()), float(values.max())))

    @property
    def ranges(self):
        return {name: tuple(np.mean(pairs, axis=0).tolist()) for name, pairs in self._seen.items()}


def _quantised(symbol, arg_params, float32_layers):
    """(quantised graph without ranges, names of the outputs that want one)."""
    from mxnet.contrib import quantization

    from sniper_mxnet import mx
    fused = fused_graph(symbol)
    return quantization._quantize_symbol(fused, mx.cpu(), excluded_symbols=float_nodes(fused, float32_layers),
                                         excluded_operators=FLOAT_OPERATORS, offline_params=list(arg_params),
                                         quantized_dtype='auto', quantize_mode='full')


def float_nodes(fused, float32_layers):
    """Names of the fused nodes that are not quantised: those that read the image, and those that
    `float32_layers` names.

    Outputs of the network that others read as well too: MXNet would turn them back into float32 twice.
    """
    graph = json.loads(fused.tojson(remove_amp_cast=False))
    nodes, heads = graph['nodes'], {entry[0] for entry in graph['heads']}
    layers = {number: _layer_name(nodes, node) for number, node in enumerate(nodes) if node.get('subgraphs')}
    exact = float32_layers(list(layers.values()))
    return [nodes[number]['name'] for number, layer in layers.items()
            if layer in exact or number in heads or _reads_image(nodes, number, layers)]


def _layer_name(nodes, node):
    """Name of the layer in a fused node: that of its weight without the ending."""
    names = [nodes[entry[0]]['name'] for entry in node['inputs']]
    return next(name[:-len('_weight')] for name in names if name.endswith(('_weight', '.weight')))


def _reads_image(nodes, number, layers):
    """Whether only the input BatchNorm, if any, lies between the network's input `data` and node `number`."""
    before = nodes[number]['inputs'][0][0]
    while before not in layers and nodes[before]['op'] in ('BatchNorm', 'amp_cast'):
        before = nodes[before]['inputs'][0][0]
    return nodes[before]['name'] == 'data'
