"""A graph of ONNX nodes, written one operator after another.

Needs the package `onnx`. Everything is of the domain ai.onnx, in the versions of OPSET.
"""
from typing import Any, Dict, List, Sequence, Tuple, Union

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lib.utils.errors import SniperError

OPSET = 17          # has GridSample and RoiAlign with half pixels; later ones are in fewer runtimes
IR_VERSION = 8      # of that opset's time
PRODUCER = 'sniper'
LARGEST = (1 << 31) - (1 << 20)     # bytes of a file, which protobuf bounds

Tensor = Union[str, np.ndarray, None]


class Writer:
    """Nodes, constants, inputs and outputs of a graph. Tensors are named by texts."""

    def __init__(self):
        self._nodes: List[Any] = []
        self._constants: Dict[str, np.ndarray] = {}
        self._shared: Dict[Tuple, str] = {}
        self._inputs: List[Any] = []
        self._outputs: List[Any] = []
        self._used: Dict[str, int] = {}
        self._scope = ''

    def enter(self, scope: str) -> None:
        """Nodes and tensors that are added from now on are called after `scope`."""
        self._scope = scope

    def input(self, name: str, shape: Sequence[Union[int, str]], kind: int = TensorProto.FLOAT) -> str:
        """An input; of `shape`, texts name sides of any length."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def parameter(self, name: str, array: np.ndarray) -> str:
        """A constant under a name of its own; the same array may come again."""
        if name not in self._constants:
            self._constants[name] = np.asarray(array, order='C')     # keeps scalars scalars
        return name

    def add(self, op: str, *inputs: Tensor, outputs: int = 1, **attributes) -> Any:
        """A node -> the name of its output, or a tuple of names where there are several.

        inputs: names; arrays become constants; None is an input left out.
        """
        names = ['' if value is None else value if isinstance(value, str) else self._constant(value)
                 for value in inputs]
        name = self._named(op)
        results = [name if outputs == 1 else f'{name}:{number}' for number in range(outputs)]
        attributes = {key: value for key, value in attributes.items() if value is not None}
        self._nodes.append(helper.make_node(op, names, results, name=name, **attributes))
        return results[0] if outputs == 1 else tuple(results)

    def output(self, name: str, tensor: str, shape: Sequence[Union[int, str]], kind: int = TensorProto.FLOAT) -> None:
        """Let the graph give `tensor` under `name`, an output of `shape` as of `input`."""
        self._nodes.append(helper.make_node('Identity', [tensor], [name], name=f'{name}/Identity'))
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def model(self, name: str, facts: Dict[str, str], description: str) -> Any:
        """The graph as an onnx.ModelProto, checked. facts: the file's properties. SniperError if it is too large."""
        size = sum(array.nbytes for array in self._constants.values())
        if size > LARGEST:
            raise SniperError(f'the network has {size >> 20} MB of weights, and an ONNX file holds 2047 MB at most: '
                              'take --precision fp16, or a smaller network')
        _merge_identities(self._nodes, {value.name for value in self._inputs} | set(self._constants))
        read = {name for node in self._nodes for name in node.input}
        tensors = [numpy_helper.from_array(array, key) for key, array in self._constants.items() if key in read]
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', OPSET)], producer_name=PRODUCER,
                                  ir_version=IR_VERSION, doc_string=description)
        helper.set_model_props(model, facts)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _constant(self, value):
        array = np.asarray(value)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._shared:
            self._shared[key] = self.parameter(self._named('constant'), array)
        return self._shared[key]

    def _named(self, name):
        """After the scope, and unlike all others."""
        name = f'{self._scope}/{name}' if self._scope else name
        count = self._used[name] = self._used.get(name, 0) + 1
        return name if count == 1 else f'{name}.{count}'


def _merge_identities(nodes, fixed):
    """Let nodes give an output's name at once, where an Identity alone would; not tensors of `fixed`."""
    for position in range(len(nodes) - 1, -1, -1):
        last = nodes[position]
        if last.op_type != 'Identity' or last.input[0] in fixed:
            continue
        old, new = last.input[0], last.output[0]
        fixed.add(new)
        del nodes[position]
        for node in nodes:
            for names in (node.input, node.output):
                for place, name in enumerate(names):
                    if name == old:
                        names[place] = new
