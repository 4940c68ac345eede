"""A test graph of MXNet and its parameters -> the same function in ONNX.

Each operator has a function in one of the modules of `CONVERTERS`: called with a Conversion and a node, it adds nodes
and returns the names of the node's outputs. What it may ask for is in Conversion.
"""
import ast
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from lib.engine.fold import drop_copies
from lib.engine.graph import Graph, Node, Value
from lib.export.writer import Writer
from lib.utils.errors import SniperError

Converter = Callable[['Conversion', Node], List[str]]


class Converted(NamedTuple):
    """inputs, outputs: of the ONNX graph, by MXNet's names and in its order; all_outputs: those of MXNet's graph;
    passed_through: outputs of MXNet's graph that are inputs, and so are in no file."""
    writer: Writer
    inputs: List[str]
    outputs: List[str]
    all_outputs: List[str]
    passed_through: List[str]


class Conversion:
    """What converters see: `writer`, the names of converted tensors, attributes and sizes of the graph.

    shapes: {tensor of MXNet's internals: shape} for one size of the inputs; sides that depend on it must not be read.
    """

    def __init__(self, writer: Writer, arrays: Dict[str, np.ndarray], shapes: Dict[str, Tuple[int, ...]]):
        self.writer = writer
        self.arrays = arrays
        self._shapes = shapes
        self._names: Dict[Tuple[int, int], str] = {}

    def inputs(self, node: Node) -> List[str]:
        """Names of the tensors that a node reads."""
        return [self.name(value) for value in node.inputs]

    def name(self, value: Value) -> str:
        """Name of a tensor; a parameter's array becomes a constant when it is first read."""
        key = (id(value.node), value.output)
        if key not in self._names:
            self._names[key] = self.writer.parameter(value.node.name, self.array(value))
        return self._names[key]

    def array(self, value: Value) -> np.ndarray:
        """A parameter's array, float32."""
        return self.arrays[value.node.name]

    def shape(self, value: Value) -> Tuple[int, ...]:
        """Shape of a tensor for one size of the inputs."""
        return self._shapes[f'{value.node.name}:{value.output}']

    def keep(self, node: Node, names: Sequence[str]) -> None:
        """names: of the node's outputs."""
        for output, name in enumerate(names):
            self._names[id(node), output] = name


def attribute(node: Node, name: str, default: Any = None) -> Any:
    """A node's attribute as a number, tuple, truth value or text."""
    text = node.attrs.get(name)
    if text is None:
        return default
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def convert(symbol, arg_params, aux_params, input_shapes: Sequence[Dict[str, Tuple[int, ...]]],
            converters: Dict[str, Converter]) -> Converted:
    """Graph and parameters (NDArrays by name) -> Converted.

    input_shapes: two sizes of the inputs, {name: shape}; sides that differ between them are of any length in the file.
    SniperError for an operator without a converter.
    """
    graph = Graph(symbol)
    drop_copies(graph)
    arrays = {name: array.asnumpy() for name, array in {**arg_params, **aux_params}.items()}
    writer = Writer()
    conversion = Conversion(writer, arrays, _internal_shapes(symbol, input_shapes[0]))
    names = symbol.list_outputs()
    passed = [name for name, head in zip(names, graph.heads) if head.node.is_variable]
    inputs = _add_inputs(conversion, graph, input_shapes)
    for node in graph.nodes():
        if node.is_variable:
            continue
        if node.op not in converters:
            raise SniperError(f'the layer {node.name} is of the operator {node.op}, which the ONNX exporter does not '
                              'know')
        writer.enter(node.name)
        conversion.keep(node, converters[node.op](conversion, node))
    sizes = [symbol.infer_shape(**_only(shapes, symbol.list_arguments()))[1] for shapes in input_shapes]
    for name, head, *shapes in zip(names, graph.heads, *sizes):
        if not head.node.is_variable:
            writer.output(name, conversion.name(head), _any_length(name, *shapes))
    return Converted(writer, inputs, [name for name in names if name not in passed], names, passed)


def _add_inputs(conversion, graph, input_shapes):
    """Names of the inputs that operators read, in the order in which MXNet lists them."""
    read = {id(value.node) for node in graph.nodes() for value in node.inputs}
    found = []
    for node in graph.nodes():
        if node.is_variable and node.name not in conversion.arrays and id(node) in read:
            shapes = [shapes[node.name] for shapes in input_shapes]
            conversion.keep(node, [conversion.writer.input(node.name, _any_length(node.name, *shapes))])
            found.append(node.name)
    return found


def _any_length(name, first, second):
    """A shape whose sides that differ are texts: those of images are the same for all tensors that begin so."""
    words = ('N', 'C', 'H', 'W') if name == 'data' else ('N',) + tuple(f'{name}_{place}' for place in range(1, 9))
    rows = ('N',) if name in ('data', 'im_info', 'rois') else (f'{name}_0',)
    return [length if length == other else (rows + words[1:])[place]
            for place, (length, other) in enumerate(zip(first, second))]


def _internal_shapes(symbol, input_shapes):
    """{node:output number: shape} of all tensors."""
    internals = symbol.get_internals()
    shapes = internals.infer_shape(**_only(input_shapes, internals.list_arguments()))[1]
    graph, found = Graph(internals), {}
    for head, shape in zip(graph.heads, shapes):
        found[f'{head.node.name}:{head.output}'] = shape
    return found


def _only(shapes, names):
    return {name: shape for name, shape in shapes.items() if name in names}
