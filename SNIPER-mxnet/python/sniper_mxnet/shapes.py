"""Keeps MXNet from running operators of a library with shapes that are not known yet.

MXNet 1.9.1 copies the input shapes of such an operator into a buffer that it makes too small when one is unknown: the
heap is damaged, and the process may die later. Shape inference therefore goes through a check first, which infers the
inputs of every such node by stock operators alone and names what is missing.
"""
import functools
import json

from sniper_mxnet.operators import OPERATORS

_BY_NAME = {op.name: op for op in OPERATORS}


def install(mx):
    """Wraps `Symbol.infer_shape`, `infer_shape_partial` and `simple_bind`; doing it twice is harmless."""
    symbol_class = mx.sym.Symbol
    infer = symbol_class._infer_shape_impl
    bind = symbol_class.simple_bind
    if hasattr(infer, 'sniper_original'):
        return

    @functools.wraps(infer)
    def checked_infer(self, partial, *args, **kwargs):
        known = dict(kwargs, **{name: shape for name, shape in zip(self.list_arguments(), args) if shape is not None})
        _check(mx, infer, self, known)
        return infer(self, partial, *args, **kwargs)

    @functools.wraps(bind)
    def checked_bind(self, *args, **kwargs):
        names = set(self.list_inputs())
        _check(mx, infer, self, {name: tuple(shape) for name, shape in kwargs.items() if name in names})
        return bind(self, *args, **kwargs)

    checked_infer.sniper_original = infer
    symbol_class._infer_shape_impl = checked_infer
    symbol_class.simple_bind = checked_bind


def _check(mx, infer, symbol, known):
    """Raises MXNetError if the inputs of a library operator do not follow from the `known` shapes."""
    text = symbol.tojson()
    if not any('"%s"' % name in text for name in _BY_NAME):
        return
    graph = json.loads(text)
    for node in graph['nodes']:  # inputs stand before their users: earlier library nodes are known to be complete
        op = _BY_NAME.get(node['op'])
        if op is None:
            continue
        inputs = mx.sym.load_json(json.dumps(dict(graph, heads=node['inputs'])))
        names = set(inputs.list_inputs())
        arguments, outputs, _ = infer(inputs, True, **{key: value for key, value in known.items() if key in names})
        unknown = [name for name, shape in zip(op.inputs + op.optional, outputs) if not _is_known(shape)]
        if unknown:
            missing = [name for name, shape in zip(inputs.list_arguments(), arguments)
                       if name not in known and not _is_known(shape)]
            raise mx.MXNetError('%s %s: the shape of %s is not known; give the shape of %s' % (
                op.name, node['name'], ', '.join(unknown), ', '.join(missing) or ', '.join(unknown)))


def _is_known(shape):
    return bool(shape) and all(size > 0 for size in shape)
