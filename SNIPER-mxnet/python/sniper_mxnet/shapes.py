"""Keeps MXNet from running operators of a library with shapes that are not known yet.

MXNet 1.9.1 copies the input shapes of such an operator into a buffer that it makes too small when one is unknown: the
heap is damaged, and the process may die later. Shape inference therefore goes through a check first, which infers the
inputs of every such node by stock operators alone, adds the shapes of its parameters (weights follow from the data, as
with stock operators), and names what is missing.
"""
import functools
import json

from sniper_mxnet.operators import OPERATORS

_BY_NAME = {op.name: op for op in OPERATORS}


def install(mx):
    """Wraps `Symbol.infer_shape`, `infer_shape_partial`, `simple_bind` and `Executor.reshape`; twice is harmless."""
    symbol_class = mx.sym.Symbol
    infer = symbol_class._infer_shape_impl
    bind = symbol_class.simple_bind
    reshape = mx.executor.Executor.reshape
    if hasattr(infer, 'sniper_original'):
        return

    @functools.wraps(infer)
    def checked_infer(self, partial, *args, **kwargs):
        known = dict(kwargs, **{name: shape for name, shape in zip(self.list_arguments(), args) if shape is not None})
        learnt = _parameter_shapes(mx, infer, self, known)
        return infer(self, partial, **dict(known, **learnt)) if learnt else infer(self, partial, *args, **kwargs)

    @functools.wraps(bind)
    def checked_bind(self, *args, **kwargs):
        names = set(self.list_inputs())
        known = {name: tuple(shape) for name, shape in kwargs.items() if name in names}
        return bind(self, *args, **dict(kwargs, **_parameter_shapes(mx, infer, self, known)))

    @functools.wraps(reshape)
    def checked_reshape(self, *args, **kwargs):
        arrays = self.arg_dict
        kept = {name: arrays[name].shape for name in _parameter_variables(self._symbol)}
        return reshape(self, *args, **dict(kept, **kwargs))

    checked_infer.sniper_original = infer
    symbol_class._infer_shape_impl = checked_infer
    symbol_class.simple_bind = checked_bind
    mx.executor.Executor.reshape = checked_reshape


def _library_nodes(symbol):
    """(graph from the symbol's JSON, [(node, its Operator)] in order: inputs stand before their users)."""
    text = symbol.tojson()
    if not any(f'"{name}"' in text for name in _BY_NAME):
        return {}, []
    graph = json.loads(text)
    return graph, [(node, _BY_NAME[node['op']]) for node in graph['nodes'] if node['op'] in _BY_NAME]


def _parameter_shapes(mx, infer, symbol, known):
    """{variable: shape} of parameters that no stock operator could infer from the `known` shapes.

    Raises MXNetError if the inputs of a library operator do not follow from the known shapes.
    """
    graph, nodes = _library_nodes(symbol)
    learnt = {}
    for node, op in nodes:
        inputs = mx.sym.load_json(json.dumps(dict(graph, heads=node['inputs'])))
        names = op.inputs + op.optional
        arguments, outputs = _infer_known(infer, inputs, dict(known, **learnt))
        for place, name in enumerate(names[:len(outputs)]):
            if name not in op.parameters or _is_known(outputs[place]):
                continue
            expected = op.parameters[name](node.get('attrs', {}), dict(zip(names, outputs)))
            if expected is not None:
                learnt.update(_tie(mx, infer, inputs[place], expected, dict(known, **learnt)))
                arguments, outputs = _infer_known(infer, inputs, dict(known, **learnt))
        unknown = [name for name, shape in zip(names, outputs) if not _is_known(shape)]
        if unknown:
            missing = [name for name, shape in zip(inputs.list_arguments(), arguments)
                       if name not in known and not _is_known(shape)]
            raise mx.MXNetError('{} {}: the shape of {} is not known; give the shape of {}'.format(
                op.name, node['name'], ', '.join(unknown), ', '.join(missing) or ', '.join(unknown)))
    return learnt

def _parameter_variables(symbol):
    """Names of the variables that parameters of library operators are made of."""
    graph, nodes = _library_nodes(symbol)
    found, todo = set(), []
    for node, op in nodes:
        names = op.inputs + op.optional
        todo += [entry[0] for name, entry in zip(names, node['inputs']) if name in op.parameters]
    while todo:
        node = graph['nodes'][todo.pop()]
        todo += [entry[0] for entry in node['inputs']]
        if node['op'] == 'null':
            found.add(node['name'])
    return found


def _infer_known(infer, symbol, known):
    """(shapes of the symbol's arguments, of its outputs) as far as they follow from the `known` ones."""
    names = set(symbol.list_inputs())
    return infer(symbol, True, **{name: shape for name, shape in known.items() if name in names})[:2]


def _tie(mx, infer, entry, shape, known):
    """{variable: shape} of the variables that become known when the symbol `entry` has this shape."""
    # Both inputs of an addition have the same shape: MXNet infers backwards from the one that is given.
    tied = mx.sym.elemwise_add(entry, mx.sym.var('sniper_shape', shape=shape))
    arguments, _ = _infer_known(infer, tied, known)
    return {name: found for name, found in zip(tied.list_arguments(), arguments)
            if name not in known and name != 'sniper_shape' and _is_known(found)}


def _is_known(shape):
    return bool(shape) and all(size > 0 for size in shape)
