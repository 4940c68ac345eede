"""A float32 test graph -> one whose convolutions and dense layers compute in bfloat16.

bfloat16 is float32 cut to 8 bits of mantissa: the range is the same, so nothing is calibrated or scaled. Layers whose
numbers are the answer (scores, box deltas, offsets of deformable layers) keep float32, which costs next to nothing:
they are narrow. Operators without a bfloat16 kernel, ours among them, read and write float32, by casts around them.
"""
import numpy as np

from lib.engine.graph import Graph, Node, Value

COMPUTE = {'Convolution': 1, 'FullyConnected': 1}  # operator -> number of its inputs before the parameters
# Whatever comes in goes out; BatchNorm with float32 parameters.
NEUTRAL = {'Activation', 'BatchNorm', '_contrib_BatchNormWithReLU', 'Concat', 'Pooling', 'elemwise_add', '_Plus',
           '_plus', '_add'}
DTYPE_ATTRIBUTE, BFLOAT16 = '__dtype__', '12'  # of variables; MXNet's number of the type
ELEMENT = np.dtype([('bfloat16', np.uint16)])  # as MXNet's arrays name it: NumPy has none


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
