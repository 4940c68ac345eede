"""A network's graph as nodes that can be changed: MXNet symbol -> nodes -> MXNet symbol.

MXNet has no public way to rewrite a symbol other than its JSON, which this module reads and writes. Nodes refer to each
other, so that a rewrite is an assignment; what nobody refers to any more is gone when the symbol is made again.
"""
import json
from typing import NamedTuple

VARIABLE = 'null'  # the operator of inputs and parameters in MXNet's JSON


class Value(NamedTuple):
    """Output number `output` of a node."""
    node: 'Node'
    output: int = 0


class Node:
    """An operator (`op`, texts in `attrs`) with its `inputs`, a list of Values; variables have none."""

    def __init__(self, op, name, attrs=None, inputs=()):
        self.op, self.name = op, name
        self.attrs, self.inputs = dict(attrs or {}), list(inputs)

    def flag(self, name, default):
        """A truth value among the attributes, which MXNet leaves out or writes as 'True', 'true' or '1'."""
        return self.attrs.get(name, str(default)).lower() in ('true', '1')

    @property
    def is_variable(self):
        return self.op == VARIABLE


class Graph:
    """Nodes of a symbol; `heads` are its outputs, Values."""

    def __init__(self, symbol):
        content = json.loads(symbol.tojson(remove_amp_cast=False))
        nodes = []
        for entry in content['nodes']:
            node = Node(entry['op'], entry['name'], entry.get('attrs'))
            node.inputs = [Value(nodes[index], output) for index, output, *_ in entry['inputs']]
            nodes.append(node)
        self.heads = [Value(nodes[index], output) for index, output, *_ in content['heads']]
        self._attrs = content.get('attrs', {})

    def nodes(self):
        """All nodes that the outputs need, inputs before their users, in a stable order."""
        order, state = [], {}
        todo = [head.node for head in reversed(self.heads)]
        while todo:
            node = todo[-1]
            if id(node) not in state:
                state[id(node)] = False
                todo.extend(value.node for value in reversed(node.inputs) if id(value.node) not in state)
            else:
                todo.pop()
                if not state[id(node)]:
                    state[id(node)] = True
                    order.append(node)
        return order

    def uses(self):
        """{id(node): number of inputs and graph outputs that read it}."""
        counts = {}
        for value in [value for node in self.nodes() for value in node.inputs] + self.heads:
            counts[id(value.node)] = counts.get(id(value.node), 0) + 1
        return counts

    def relus_behind(self, op):
        """[(ReLU, node of operator `op` that nothing but it reads)], inputs before their users."""
        uses = self.uses()
        relus = [node for node in self.nodes() if node.op == 'Activation' and node.attrs.get('act_type') == 'relu']
        pairs = [(relu, relu.inputs[0].node) for relu in relus]
        return [(relu, node) for relu, node in pairs if node.op == op and uses[id(node)] == 1]

    def replace(self, old, new):
        """Let everything that reads output 0 of node `old` read the Value `new` instead."""
        def swap(value):
            return new if value.node is old and value.output == 0 else value
        for node in self.nodes():
            if node is not new.node:
                node.inputs = [swap(value) for value in node.inputs]
        self.heads = [swap(value) for value in self.heads]

    def symbol(self):
        """-> mx.sym.Symbol."""
        from sniper_mxnet import mx
        nodes = self.nodes()
        index = {id(node): number for number, node in enumerate(nodes)}
        entries = []
        for node in nodes:
            entry = {'op': node.op, 'name': node.name,
                     'inputs': [[index[id(value.node)], value.output, 0] for value in node.inputs]}
            if node.attrs:
                entry['attrs'] = node.attrs
            entries.append(entry)
        content = {'nodes': entries, 'arg_nodes': [number for number, node in enumerate(nodes) if node.is_variable],
                   'heads': [[index[id(value.node)], value.output, 0] for value in self.heads], 'attrs': self._attrs}
        return mx.sym.load_json(json.dumps(content))


def variable(name, attrs=None):
    """Node of a new input or parameter."""
    return Node(VARIABLE, name, attrs)
