"""Front ends of the library's operators on `mx.nd` and `mx.sym`.

MXNet calls an operator from a library by place only and names its outputs `<node>_output0`, `<node>_output1`, ...;
the original's graphs pass inputs by name and know outputs by names of their own. The wrappers here sort inputs into
place, and `Symbol.list_outputs` is taught the names, also for symbols read from JSON.
"""
import functools
import json
import re

from sniper_mxnet.operators import OPERATORS

_OUTPUT_NAMES = {op.name: op.outputs for op in OPERATORS if len(op.outputs) > 1}
_NUMBERED_OUTPUT = re.compile(r'_output\d+$')


def install(mx):
    """Puts the front ends into the modules of `mx`; doing it twice is harmless."""
    for op in OPERATORS:
        for module, wrap in ((mx.nd, _array_function), (mx.sym, _symbol_function)):
            raw = getattr(module.op, op.name)
            if hasattr(raw, 'sniper_operator'):
                continue
            function = wrap(mx, op, raw)
            function.sniper_operator = op
            function.__wrapped__ = raw      # inputs by place alone, variables unguarded
            function.__name__ = function.__qualname__ = op.name
            function.__doc__ = _documentation(op)
            setattr(module, op.name, function)
            setattr(module.op, op.name, function)
    _name_outputs(mx.sym.Symbol)


def _documentation(op):
    optional = ', '.join(f'[{name}]' for name in op.optional)
    return (('{}({}, **attributes) -> {}.\n\nInputs by place or name, float32; attributes by name, as in the original. '
             'A mistaken attribute or shape raises MXNetError.').format(
                op.name, ', '.join(op.inputs) + (', ' + optional if optional else ''), ', '.join(op.outputs)))


def _array_function(mx, op, raw):
    def call(*args, **kwargs):
        inputs, attributes = _sort_arguments(op, args, kwargs, mx.nd.NDArray)
        missing = [name for name in _needed(op, attributes) if name not in inputs]
        if missing:
            raise TypeError(f'{op.name} needs the input {", ".join(missing)}')
        if mx.autograd.is_recording():
            for name in op.gradients:
                if name in inputs and inputs[name].grad is not None:
                    inputs[name] = getattr(mx.nd, op.guard)(inputs[name])
        return raw(*_in_order(op, inputs), **attributes)
    return call


def _symbol_function(mx, op, raw):
    def call(*args, **kwargs):
        inputs, attributes = _sort_arguments(op, args, kwargs, mx.sym.Symbol)
        node = _name_manager(mx).get(attributes.pop('name', None), op.name.lower())
        with mx.name.NameManager():  # names are final from here: an outer prefix must not come twice
            for name in _needed(op, attributes):
                if name not in inputs:  # as with every operator of MXNet, a new variable named after the node
                    inputs[name] = mx.sym.Variable(f'{node}_{name}')
            for name in op.gradients:
                if name in inputs and _is_variable(inputs[name]):
                    inputs[name] = getattr(mx.sym, op.guard)(inputs[name], name=f'{node}_{name}_guard')
            return raw(*_in_order(op, inputs), name=node, **attributes)
    return call


def _needed(op, attributes):
    """Names of the inputs that a call with these attributes must have."""
    return op.inputs + tuple(
        [name for name, switch in zip(op.optional, op.switches) if not _is_true(attributes, switch)]
        + [name for name, switch in op.announced.items() if _is_true(attributes, switch)])


def _is_true(attributes, name):
    return attributes.get(name, 'False').lower() in ('true', '1')


def _in_order(op, inputs):
    return [inputs[name] for name in op.inputs + op.optional if name in inputs]


def _is_variable(symbol):
    return len(symbol.list_outputs()) == 1 and symbol.list_arguments() == [symbol.name] == symbol.list_outputs()


def _name_manager(mx):
    # MXNet keeps one a thread and makes it at the first use.
    current = mx.name.NameManager._current
    if not hasattr(current, 'value'):
        current.value = mx.name.NameManager()
    return current.value


def _sort_arguments(op, args, kwargs, kind):
    """({input name: array or symbol}, {attribute: value}) from a call's arguments."""
    names = op.inputs + op.optional
    if len(args) > len(names):
        raise TypeError(f'{op.name} takes at most {len(names)} inputs ({", ".join(names)}), got {len(args)}')
    inputs = {name: value for name, value in zip(names, args) if value is not None}
    attributes = {}
    for key, value in kwargs.items():
        if key not in names:
            attributes[key] = value if key in ('name', 'attr', 'out') else _attribute_text(value)
        elif key in inputs:
            raise TypeError(f'{op.name}: the input {key} is given twice')
        elif value is not None:
            inputs[key] = value
    for key, value in inputs.items():
        if not isinstance(value, kind):
            raise TypeError(f'{op.name}: the input {key} must be of type {kind.__name__}, got {type(value).__name__}')
        if key in op.announced:
            attributes.setdefault(op.announced[key], 'True')
    return inputs, attributes


def _attribute_text(value):
    """Lists and arrays as '(1,2.5)', everything else as Python writes it."""
    if hasattr(value, 'tolist'):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return f'({",".join(repr(item.item() if hasattr(item, "item") else item) for item in value)})'
    return str(value)


def _name_outputs(symbol_class):
    original = symbol_class.list_outputs
    if hasattr(original, 'sniper_original'):
        return

    @functools.wraps(original)
    def list_outputs(self):
        names = original(self)
        if not any(_NUMBERED_OUTPUT.search(name) for name in names):
            return names
        graph = json.loads(self.tojson())
        for place, head in enumerate(graph['heads']):
            node = graph['nodes'][head[0]]
            if node['op'] in _OUTPUT_NAMES:
                names[place] = f'{node["name"]}_{_OUTPUT_NAMES[node["op"]][head[1]]}'
        return names

    list_outputs.sniper_original = original
    symbol_class.list_outputs = list_outputs
