"""What a network costs, from its graph and the shapes of its inputs: parameters, multiply-adds, memory of activations.

No weights are needed and nothing is computed. Every number is of float32, four bytes.
"""
import math
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from lib.engine.graph import Graph, Node
from lib.engine.multiply_adds import multiply_adds

BYTES = 4
# What these give lies where their first input does ...
_VIEWS = {'Reshape', 'Flatten', 'expand_dims', 'reshape_like', '_copy', 'BlockGrad', 'squeeze'}
# ... and these write there if nobody else reads it.
_IN_PLACE = {'Activation', 'LeakyReLU', 'BatchNorm', 'clip', 'Dropout', 'elemwise_add', 'broadcast_add',
             'broadcast_mul', '_plus_scalar', '_mul_scalar'}


class LayerCost(NamedTuple):
    """One node of the graph. output: shape of its first output; parameters: numbers that are learnt, in the first layer
    that reads them; statistics: of BatchNorms; outputs: numbers in all outputs, 0 where they lie in an input's memory
    whatever happens."""
    name: str
    operator: str
    output: Tuple[int, ...]
    parameters: int
    statistics: int
    multiply_adds: int
    outputs: int


class Cost(NamedTuple):
    """Of a graph. peak: numbers that must live at once in a forward pass that keeps nothing: each layer's inputs and
    outputs, and what later ones still read, with layers in the graph's order and results written over inputs where the
    operator can. Parameters and what operators need on the side are not in it."""
    layers: List[LayerCost]
    peak: int

    def total(self, figure: str) -> int:
        """Sum of a field of LayerCost."""
        return sum(getattr(layer, figure) for layer in self.layers)


def cost_of(symbol: Any, shapes: Dict[str, Sequence[int]]) -> Cost:
    """symbol: mx.sym.Symbol; shapes: {name: shape} of its inputs, all that is not learnt.

    mx.MXNetError if the shapes do not go with the graph, ValueError if they do not say all others.
    """
    from sniper_mxnet import mx
    internals = symbol.get_internals()
    graph = Graph(mx.sym.Group([internals, symbol]))
    # infer_shape prints its errors
    inferred = internals.infer_shape_partial(**{name: tuple(shape) for name, shape in shapes.items()})[1]
    if not all(shape and 0 not in shape for shape in inferred):
        raise ValueError(f'shapes do not follow from those of {", ".join(shapes)}')
    values = graph.heads[:len(inferred)]
    sizes = {(id(value.node), value.output): tuple(shape) for value, shape in zip(values, inferred)}
    statistics = set(symbol.list_auxiliary_states())
    nodes = graph.nodes()
    learnt = _learnt(nodes, set(shapes), statistics)
    layers = []
    for node in nodes:
        if not node.is_variable:
            outputs = [sizes[key] for key in _outputs_of(node, sizes)]
            inputs = [sizes[id(value.node), value.output] for value in node.inputs]
            parameters, moving = ([math.prod(sizes[id(variable), 0]) for variable in variables]
                                  for variables in learnt.get(id(node), ([], [])))
            layers.append(LayerCost(
                node.name, node.op, outputs[0], sum(parameters), sum(moving), multiply_adds(node, inputs, outputs),
                0 if node.op in _VIEWS else sum(map(math.prod, outputs))))
    return Cost(layers, _peak(nodes, graph.heads[len(inferred):], sizes, set(shapes)))


def _outputs_of(node, sizes):
    """Keys in `sizes` of the outputs of a node that others can read."""
    found = []
    while (id(node), len(found)) in sizes:
        found.append((id(node), len(found)))
    return found


def _learnt(nodes, given, statistics):
    """{id(node): ([variables of parameters], [of statistics])} of the first node that reads them beside data; those
    that are cast or copied first belong to whoever reads the result."""
    carried: Dict[int, List[Node]] = {}     # id(node) -> variables that it is made of, and of nothing else
    found: Dict[int, Tuple[List[Node], List[Node]]] = {}
    seen = set()
    for node in nodes:
        if node.is_variable:
            if node.name not in given:
                carried[id(node)] = [node]
            continue
        sources = [value.node for value in node.inputs]
        if all(id(source) in carried for source in sources):
            carried[id(node)] = [variable for source in sources for variable in carried[id(source)]]
            continue
        for variable in (variable for source in sources for variable in carried.get(id(source), ())):
            if id(variable) not in seen:
                seen.add(id(variable))
                found.setdefault(id(node), ([], []))[variable.name in statistics].append(variable)
    return found


def _peak(nodes, heads, sizes, given):
    """Cost.peak. An array is freed after the last node that reads it or a view of it; outputs of the graph stay."""
    readers = {}
    for value in [value for node in nodes for value in node.inputs] + heads:
        key = (id(value.node), value.output)
        readers[key] = readers.get(key, 0) + 1
    place, uses, length = {}, {}, {}    # value -> its array; array -> reads to come, numbers in it
    alive = peak = 0

    def allocate(key):
        place[key], uses[key], length[key] = key, readers.get(key, 0), math.prod(sizes[key])
        return length[key]

    for node in nodes:
        if node.is_variable:
            alive += allocate((id(node), 0)) if node.name in given else 0
            continue
        read = [place[key] for key in ((id(value.node), value.output) for value in node.inputs) if key in place]
        for number, key in enumerate(_outputs_of(node, sizes)):
            over = number == 0 and read and _lies_in(node, read, uses, length, math.prod(sizes[key]))
            if over:
                place[key] = over
                uses[over] += readers.get(key, 0)
            else:
                alive += allocate(key)
        peak = max(peak, alive)
        for array in read:
            uses[array] -= 1
        for array in set(read) | {place[key] for key in _outputs_of(node, sizes)}:
            if uses[array] == 0:
                alive -= length.pop(array, 0)
    return peak


def _lies_in(node, read, uses, length, numbers):
    """The array of an input that a node's first output lies in; None if it needs one of its own."""
    if node.op in _VIEWS:
        return read[0]
    if node.op in _IN_PLACE:
        return next((array for array in read if uses[array] == read.count(array) and length[array] == numbers), None)
    return None
