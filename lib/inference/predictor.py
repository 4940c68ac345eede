"""Batches -> network outputs. Anything with `predict(batch)`, `devices` and `close()` can stand in for MXNet."""
import logging
import time

import numpy as np

from lib.errors import SniperError
from lib.train.devices import host_group

logger = logging.getLogger(__name__)

NAMED_IN_ERROR = 3  # how many parameters an error names
_MISSING = '%s have no %s, which the network wants: they are of another network (key `symbol`)'


class ModulePredictor:
    """An MXNet test graph with its weights, one copy a device; a batch is split evenly over the devices.

    symbol: mx.sym.Symbol; its arguments that are not parameters are inputs, found by name in the batch.
    arg_params, aux_params: name -> NDArray. contexts: list of mx.Context. source: the weights' name in errors.

    An executor is bound for the shape of the first batch and re-shaped for others: weights and memory pool are
    shared with the former executor, so any number of shapes costs the memory of the largest ones. `rebinds` and
    `rebind_seconds` count it. Raises SniperError if the weights do not fit the graph.
    """

    def __init__(self, symbol, arg_params, aux_params, contexts, source='the weights'):
        self._symbol = symbol
        self._args, self._auxs = arg_params, aux_params
        self._contexts = list(contexts)
        self._source = source
        self._inputs = [name for name in symbol.list_arguments() if name not in arg_params]
        self._outputs = symbol.list_outputs()  # once: MXNet loses 0.1 MB at every call
        self._executors = None
        self._shapes = None
        self.rebinds, self.rebind_seconds = 0, 0.0

    @property
    def devices(self):
        """Number of devices; batches must hold a multiple of it."""
        return len(self._contexts)

    def predict(self, batch):
        """batch.data: name -> float32 array (B, ...) -> {output name: NumPy array (B * n, ...)}, devices in order."""
        inputs = self._select(batch.data)
        parts = {name: np.split(array, self.devices) for name, array in inputs.items()}
        self._reshape({name: part[0].shape for name, part in parts.items()})
        for device, executor in enumerate(self._executors):
            for name, part in parts.items():
                executor.arg_dict[name][:] = part[device]
            executor.forward(is_train=False)  # returns at once: the devices run side by side
        outputs = zip(*(executor.outputs for executor in self._executors))
        return {name: np.concatenate([array.asnumpy() for array in arrays]) if self.devices > 1 else arrays[0].asnumpy()
                for name, arrays in zip(self._outputs, outputs)}

    def close(self):
        """Free the executors and weights."""
        self._executors = None
        self._args = self._auxs = {}

    def _select(self, data):
        missing = [name for name in self._inputs if name not in data]
        if missing == ['rois']:
            raise SniperError('the network wants proposals (rois) as an input, which nothing provides here: use a '
                              'network with its own proposals (key `symbol`)')
        if missing:
            raise SniperError(_MISSING % (self._source, _shortened(missing)))
        return {name: data[name] for name in self._inputs}

    def _reshape(self, shapes):
        if shapes == self._shapes:
            return
        start = time.perf_counter()
        if self._executors is None:
            check_shapes(self._symbol, self._args, self._auxs, shapes, self._source)
            self._executors = [self._bind(context, shapes) for context in self._contexts]
        else:
            self._executors = [executor.reshape(allow_up_sizing=True, **shapes) for executor in self._executors]
            self.rebinds += 1
            self.rebind_seconds += time.perf_counter() - start
        self._shapes = shapes

    def _bind(self, context, shapes):
        types = {name: np.float32 for name in shapes}
        executor = self._symbol.simple_bind(context, grad_req='null', type_dict=types,
                                            group2ctx=host_group([context]), **shapes)
        executor.copy_params_from(self._args, self._auxs, allow_extra_params=True)
        return executor


def check_shapes(symbol, arg_params, aux_params, input_shapes, source='the weights'):
    """Raise SniperError naming the parameters that the graph wants otherwise, with both shapes, or wants and has not.

    input_shapes: name -> shape of every input.
    """
    try:
        arg_shapes, _, aux_shapes = symbol.infer_shape(**input_shapes)
    except Exception as error:  # MXNet reports shape errors by several types; the text is what counts
        raise SniperError('the network does not accept inputs of %s: %s' % (
            ', '.join('%s %s' % item for item in input_shapes.items()), str(error).strip().splitlines()[-1])) from error
    wanted = dict(zip(symbol.list_arguments(), arg_shapes))
    wanted.update(zip(symbol.list_auxiliary_states(), aux_shapes))
    held = dict(arg_params, **aux_params)
    missing = [name for name in wanted if name not in held and name not in input_shapes]
    if missing:
        raise SniperError(_MISSING % (source, _shortened(missing)))
    wrong = ['%s is %s, the network wants %s' % (name, _text(held[name].shape), _text(shape))
             for name, shape in wanted.items() if name in held and tuple(held[name].shape) != tuple(shape)]
    if wrong:
        raise SniperError('%s are of another network or number of classes: %s' % (source, _shortened(wrong, '; ')))


def _text(shape):
    return 'x'.join(map(str, shape))


def _shortened(names, joint=', '):
    more = len(names) - NAMED_IN_ERROR
    return joint.join(names[:NAMED_IN_ERROR]) + (' and %d more' % more if more > 0 else '')
