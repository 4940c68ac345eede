"""Batches -> network outputs. Anything with `predict(batch)`, `devices` and `close()` can stand in for MXNet."""
import collections
import logging
import time

import numpy as np

from lib.engine.devices import host_group, wait_at_exit, wait_for_engine
from lib.engine.memory_need import check_memory, least_need
from lib.utils.errors import SniperError
from lib.utils.processes import available_memory
from lib.weights.parameter_matching import FEW, LISTED, match_parameters

logger = logging.getLogger(__name__)

_EXECUTOR_BYTES = 3 << 20   # of an executor beside pool and weights, measured; on a CPU each has its own weights,
_MEMORY_SHARE = 8           # in oneDNN's order. All may take one part in this many of the memory free at the start
_MOST_SHAPES = 32
_MISFIT = '%s do not fit the network: %s; %s%s'
_OTHER = 'they are of another network (key `symbol`) or number of classes'


class Predictor:
    """An MXNet test graph with its weights, one copy a device; a batch is split evenly over the devices.

    symbol: mx.sym.Symbol; its arguments that are not parameters are inputs, found by name in the batch.
    arg_params, aux_params: name -> NDArray; the graph takes the arguments' types from them. contexts: list of
    mx.Context. source: the weights' name in errors. made_together: the parameters are known to fit the graph, and say
    their shapes, which those of quantised layers do not follow from. monitor: callback(name, array handle) that sees
    every layer's output, for calibration. advice: Task.advice, for errors. whose: see check_shapes.

    An executor is bound for the shape of the first batch and re-shaped for others, `max_shapes` of which are kept, as
    memory allows; the pool for layers' outputs is that of the largest input. `rebinds` and `rebind_seconds` count it.
    Raises SniperError if the weights do not fit the graph.
    """

    def __init__(self, symbol, arg_params, aux_params, contexts, source='the weights', made_together=False,
                 monitor=None, advice=None, whose=None):
        wait_at_exit()
        self._symbol = symbol
        self._args, self._auxs = arg_params, aux_params
        self._contexts = list(contexts)
        self._source, self._monitor, self._advice, self._whose = source, monitor, advice, whose
        arguments = symbol.list_arguments()
        self._inputs = [name for name in arguments if name not in arg_params]
        self._types = {name: arg_params[name].dtype for name in arguments if name in arg_params}
        self._known_shapes = {name: arg_params[name].shape for name in self._types} if made_together else {}
        self._outputs = symbol.list_outputs()  # once: MXNet loses 0.1 MB at every call
        self._bound = collections.OrderedDict()  # input shapes -> executors, a device each; used last comes last
        self._largest = None                     # the key whose executors own the memory pool
        self.max_shapes = _affordable_shapes(arg_params)
        self.rebinds, self.rebind_seconds = 0, 0.0

    @property
    def devices(self):
        """Number of devices; batches must hold a multiple of it."""
        return len(self._contexts)

    def predict(self, batch):
        """batch.data: name -> float32 array (B, ...) -> {output name: NumPy array (B * n, ...)}, devices in order."""
        inputs = self._select(batch.data)
        parts = {name: np.split(array, self.devices) for name, array in inputs.items()}
        executors = self._executors({name: part[0].shape for name, part in parts.items()})
        for device, executor in enumerate(executors):
            for name, part in parts.items():
                executor.arg_dict[name][:] = part[device]
            executor.forward(is_train=False)  # returns at once: the devices run side by side
        outputs = zip(*(executor.outputs for executor in executors))
        return {name: np.concatenate([array.asnumpy() for array in arrays]) if self.devices > 1 else arrays[0].asnumpy()
                for name, arrays in zip(self._outputs, outputs)}

    def close(self):
        """Free the executors and weights, when MXNet has done with them."""
        wait_for_engine()
        self._bound.clear()
        self._args = self._auxs = {}

    def _select(self, data):
        missing = [name for name in self._inputs if name not in data]
        if missing:
            advice = self._advice(missing) if self._advice else ''
            if not advice:  # otherwise they are inputs, not parameters that the weights lack
                check_shapes(self._symbol, self._args, self._auxs,
                             {name: data[name].shape for name in self._inputs if name in data}, self._source,
                             whose=self._whose)
            raise SniperError(f'the network wants the inputs {", ".join(missing)}, which nothing provides{advice}')
        return {name: data[name] for name in self._inputs}

    def _executors(self, shapes):
        """Executors, one a device, for inputs of `shapes` (name -> shape); bound if there are none yet."""
        key = tuple(sorted(shapes.items()))
        if key not in self._bound:
            self._make_room()
            if self._largest is None:
                if not self._known_shapes:
                    check_shapes(self._symbol, self._args, self._auxs, shapes, self._source, self._advice,
                                 self._whose)
                    self._check_memory(shapes)
                made = [self._bind(context, shapes) for context in self._contexts]
            else:
                start = time.perf_counter()
                made = [executor.reshape(allow_up_sizing=True, **dict(self._known_shapes, **shapes))
                        for executor in self._bound[self._largest]]
                self.rebinds += 1
                self.rebind_seconds += time.perf_counter() - start
            if self._monitor:
                for executor in made:  # each keeps the callback alive, which MXNet calls by its address
                    executor.set_monitor_callback(self._monitor, monitor_all=True)
            if self._largest is None or _size(key) > _size(self._largest):
                self._bound.clear()  # they hold on to the smaller pool
                self._largest = key
            self._bound[key] = made
        self._bound.move_to_end(key)
        return self._bound[key]

    def _check_memory(self, shapes):
        text = ', '.join('x'.join(map(str, shape)) for shape in shapes.values())
        check_memory(least_need(self._symbol, shapes, False), self._contexts, f'for inputs of {text}',
                     'lower TEST.BATCH_IMAGES, or show images smaller')

    def _make_room(self):
        """Drop the executors not used for longest, if there are too many; never those that own the pool."""
        if len(self._bound) >= max(2, self.max_shapes):
            del self._bound[next(old for old in self._bound if old != self._largest)]

    def _bind(self, context, shapes):
        types = dict(self._types, **{name: np.float32 for name in shapes})
        executor = self._symbol.simple_bind(context, grad_req='null', type_dict=types, group2ctx=host_group([context]),
                                            **dict(self._known_shapes, **shapes))
        executor.copy_params_from(self._args, self._auxs, allow_extra_params=True)
        return executor


def check_shapes(symbol, arg_params, aux_params, input_shapes, source='the weights', advice=None, whose=None):
    """Raise SniperError naming the parameters that the graph wants otherwise, with both shapes, or wants and has not.

    input_shapes: name -> shape of every input. advice: Task.advice, for the error. whose: {name: shape} of the weights
    -> what network they are of, in words, '' if that is not known (lib.weights.misfit).
    """
    try:
        arg_shapes, _, aux_shapes = symbol.infer_shape(**input_shapes)
    except Exception as error:  # MXNet reports shape errors by several types; the text is what counts
        raise SniperError('the network does not accept inputs of {}: {}'.format(
            ', '.join('{} {}'.format(
            *item) for item in input_shapes.items()), str(error).strip().splitlines()[-1])) from error
    wanted = {name: shape for name, shape in zip(symbol.list_arguments(), arg_shapes) if name not in input_shapes}
    wanted.update(zip(symbol.list_auxiliary_states(), aux_shapes))
    held = dict(arg_params, **aux_params)
    given = {name: array.shape for name, array in held.items()}
    match = match_parameters(wanted, given)
    if not match.complete:
        known = whose(given) if whose else ''
        raise SniperError(_MISFIT % (source, match.differences(FEW if known else LISTED), known or _OTHER,
                                     advice(match.missing) if advice else ''))


def _affordable_shapes(arg_params):
    """How many executors to keep: 1 to _MOST_SHAPES."""
    free = available_memory()
    if free is None:
        return _MOST_SHAPES
    weights = sum(4 * int(np.prod(array.shape)) for array in arg_params.values())
    return int(min(max(1, free // _MEMORY_SHARE // (weights + _EXECUTOR_BYTES)), _MOST_SHAPES))


def _size(key):
    """Numbers in all inputs together."""
    return sum(int(np.prod(shape)) for _, shape in key)
