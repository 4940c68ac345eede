"""A training step: a graph with its parameters and optimiser on some devices. MXNet's Module stays behind it.

    with TrainingStep(symbol, data, labels, devices) as step:
        step.initialise(initializer)
        step.init_optimiser('sgd', settings)
        for batch in batches:
            step.forward_backward(batch)
            step.update()

MXNet's engine runs behind Python's back: these calls return at once, and whatever reads a result waits for it.
"""
import contextlib

import numpy as np

from lib.engine import optimiser_state
from lib.engine.devices import host_group, wait_at_exit, wait_for_engine
from lib.engine.gradient_norm import clip_to_norm
from lib.engine.loss_scale import NAME as LOSS_SCALE, with_loss_scale
from sniper_mxnet import mx


class LocalUpdate:
    """How an update takes in what other workers found: there are none. (lib.distributed.gradient_sync has others.)"""

    bytes_sent = bytes_received = 0  # of an update
    patience: float = None             # seconds to wait for pending operations when training ends; None: no limit

    def __init__(self, compression=None):
        self.compression = compression  # of what devices send each other, as MXNet's KVStore takes it, or None

    def start(self):
        """Give all workers the same parameters, before the first update."""

    def update(self, apply):
        """Make one update. apply(): update the parameters by the gradients as they stand in the step's arrays."""
        apply()

    def take_seconds(self):
        """Mean seconds that the exchange with the others took since the last call; None if none was timed."""
        return None

    def waiting(self):
        """Context manager around a wait for results."""
        return contextlib.nullcontext()


class Outputs:
    """Outputs of a batch, copied aside while the engine goes on: name -> a copy a device, parts of the batch."""

    def __init__(self, copies, waiting):
        self._copies, self._waiting = copies, waiting

    def read(self):
        """Wait for them -> {name: NumPy array of the whole batch}."""
        with self._waiting():  # the batch began with weights that took in what all workers found
            return {name: np.concatenate([array.asnumpy() for array in arrays]) if len(arrays) > 1
                    else arrays[0].asnumpy() for name, arrays in self._copies.items()}


class TrainingStep:
    """Forward, backward and update of a training graph; a context manager that waits for the engine when it ends.

    symbol: training graph. data, labels: its inputs, lists of (name, shape of a batch over all devices); everything
    else that it reads is a parameter. devices: MXNet contexts, over which batches are split evenly. frozen: names of
    parameters that stay as they are. loss_scale: LossScale, whose factor the losses then carry, or None. accumulate:
    parts of a batch that are computed one after the other and their gradients summed, as if they were on so many
    devices each; the graph, statistics of BatchNorms too, sees one part at a time.
    """

    def __init__(self, symbol, data, labels, devices, frozen=(), loss_scale=None, accumulate=1):
        wait_at_exit()
        self.loss_scale = loss_scale
        self._devices = list(devices)
        self._accumulate, self._sums, self._kept = accumulate, None, []
        data, labels = (_of_part(inputs, accumulate) for inputs in (data, labels))
        self._feeder = _BatchFeeder(data, labels)
        self._sync = LocalUpdate()
        self._rescale, self._clip_norm = None, 0
        self._module = mx.mod.Module(
            with_loss_scale(symbol) if loss_scale else symbol, data_names=[name for name, _ in data],
            label_names=[name for name, _ in labels], state_names=[LOSS_SCALE] if loss_scale else [],
            context=self._devices, group2ctxs=host_group(self._devices), fixed_param_names=list(frozen))
        self._module.bind(data, labels, for_training=True)

    @property
    def symbol(self):
        """The graph that runs; with a loss scale it has that input too."""
        return self._module.symbol

    @property
    def output_names(self):
        """Names of the graph's outputs, in its order."""
        return self._module.output_names

    @property
    def num_devices(self):
        """Number of devices that share a batch."""
        return len(self._devices)

    @property
    def frozen(self):
        """Names of the parameters that no update changes."""
        return list(self._module._fixed_param_names)

    # Parameters

    def shapes(self):
        """-> ({name: shape} of the parameters, the same of the statistics, MXNet's auxiliary states)."""
        return tuple({name: array.shape for name, array in arrays.items()}
                     for arrays in (self._module._arg_params, self._module._aux_params))

    def initialise(self, initializer, arg_params=None, aux_params=None):
        """Give all parameters their first values: those of the dicts of NDArray, the rest by the initialiser."""
        self._module.init_params(initializer, arg_params=arg_params or {}, aux_params=aux_params or {},
                                 allow_missing=True)

    def load(self, arg_params, aux_params):
        """Give all parameters the values of the dicts of NDArray, which have them all; others in them are left."""
        parameters, statistics = self.shapes()
        self._module.init_params(None, arg_params={name: arg_params[name] for name in parameters},
                                 aux_params={name: aux_params[name] for name in statistics})

    def parameters(self):
        """Wait, and -> (parameters, statistics), dicts of NDArray on the CPU; statistics are the devices' mean."""
        self.wait()
        with self._sync.waiting():
            found = self._module.get_params()
            mx.nd.waitall()
        return found

    def set_parameters(self, arg_params, aux_params):
        """Replace what `parameters` gives, after initialisation."""
        self._module.set_params(arg_params, aux_params)

    def trained_arrays(self):
        """[(name, gradients, weights)], an NDArray a device each, of the parameters that are trained."""
        group = self._module._exec_group
        return [(name, grads, weights) for name, grads, weights in
                zip(group.param_names, group.grad_arrays, group.param_arrays) if grads[0] is not None]

    def present_arrays(self):
        """Wait, and -> ({name: arrays} of the parameters that are trained, the same of the statistics), an NDArray a
        device each, which are those that the next batch changes."""
        self.wait()
        group = self._module._exec_group
        return ({name: weights for name, _, weights in self.trained_arrays()},
                dict(zip(group.aux_names, group.aux_arrays)))

    # Optimiser

    def init_optimiser(self, kind, settings, kvstore=None, sync=None, decayed=None, clip_norm=0):
        """Give the step its optimiser. kind: 'sgd' or 'adam'; settings: keyword arguments of mx.optimizer's class of
        that name; kvstore: kind that sums over the devices of this process, None for plain updates; sync: LocalUpdate
        or alike, which takes in other workers; decayed: names of the parameters that weight decay holds for, None for
        MXNet's rule (*_weight and *_gamma); clip_norm: largest joint norm of a device's gradients, 0 for no limit,
        without the factor of `loss_scale`."""
        self._sync, self._clip_norm = sync or self._sync, clip_norm
        self._module._compression_params = self._sync.compression
        self._module.init_optimizer(kvstore=kvstore, optimizer=kind, optimizer_params=settings)
        if decayed is not None:
            self._optimizer.set_wd_mult({name: float(name in decayed) for name in self._module._param_names})
        if self.loss_scale:
            self._rescale = self._optimizer.rescale_grad
            self._apply_loss_scale()

    @property
    def num_update(self):
        """Updates made, as the schedule counts them."""
        return self._optimizer.num_update

    @property
    def learning_rate(self):
        """Rate of the last update."""
        return self._optimizer.learning_rate

    def state(self):
        """State of the optimiser, see optimiser_state.get_state; waits."""
        self.wait()
        return optimiser_state.get_state(self._module)

    def set_state(self, entries, source):
        """Put back what `state` gave; `source` names it in SniperErrors."""
        optimiser_state.set_state(self._module, entries, source)

    # A batch

    def forward_backward(self, batch, keep=None):
        """Compute outputs and gradients of a batch of lib.iterators: `data` and `label` map names to arrays.

        keep: names of the outputs that `outputs` will be asked for; None: any.
        """
        self._kept = []
        for part in range(self._accumulate):
            self._module.forward_backward(self._feeder(batch, part))
            self._clip_gradients()
            if self._accumulate > 1:
                self._accumulate_gradients(part)
                self._kept.append(self._output_copies(self.output_names if keep is None else keep))

    def _accumulate_gradients(self, part):
        """Add the gradients of a part to those before; after the last part the sums stand in the gradients' place."""
        trained = self.trained_arrays()
        if self._sums is None:
            self._sums = [[grad.copy() for grad in grads] for _, grads, _ in trained]
            return
        last = part == self._accumulate - 1
        for sums, (_, grads, _) in zip(self._sums, trained):
            for total, grad in zip(sums, grads):
                if not part:
                    grad.copyto(total)
                elif last:
                    grad += total
                else:
                    total += grad

    def _clip_gradients(self):
        if self._clip_norm <= 0:
            return
        bound = self._clip_norm * (self._rescale / self._optimizer.rescale_grad if self.loss_scale else 1)
        for of_device in zip(*[grads for _, grads, _ in self.trained_arrays()]):
            clip_to_norm(of_device, bound)

    def update(self):
        """Update the parameters by the gradients; with a loss scale, unless one of them is not finite."""
        if self.loss_scale is None:
            self._sync.update(self._module.update)
            return
        if self.loss_scale.update(self._gradients_finite()):
            self._sync.update(self._module.update)
        self._apply_loss_scale()

    def outputs(self, names):
        """Outputs of the last batch by name -> Outputs; the copies are made when the engine gets there."""
        parts = self._kept or [self._output_copies(names)]
        return Outputs({name: [array for part in parts for array in part[name]] for name in names}, self._sync.waiting)

    def _output_copies(self, names):
        arrays = self._module.get_outputs(merge_multi_context=False)
        index = {name: place for place, name in enumerate(self.output_names)}
        return {name: [array.copyto(mx.cpu()) for array in arrays[index[name]]] for name in names}

    def wait(self):
        """Wait for all that is under way. On CPUs, statistics of BatchNorms are written without the engine knowing."""
        with self._sync.waiting():
            mx.nd.waitall()

    def close(self):
        """Wait for the engine and let the parameters go. May be called more than once."""
        wait_for_engine(self._module, seconds=self._sync.patience)
        self._module = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def _optimizer(self):
        return self._module._optimizer

    def _apply_loss_scale(self):
        """Give the factor to the graph's next batch, and its inverse to the optimiser's next update."""
        self._module.set_states(value=self.loss_scale.scale)
        self._optimizer.rescale_grad = self._rescale / self.loss_scale.scale

    def _gradients_finite(self):
        """Whether no gradient, nor the sum over devices, is infinite or not a number; waits for them."""
        devices = len(self._devices)
        for device in range(devices):
            by_type = {}
            for _, grads, _ in self.trained_arrays():
                array = grads[device]
                half = array.dtype == np.float16
                by_type.setdefault(half, []).append(array * devices if half and devices > 1 else array)
            for arrays in by_type.values():
                if not mx.nd.multi_all_finite(*arrays, num_arrays=len(arrays)).asscalar():
                    return False
        return True


class _BatchFeeder:
    """Copies batches into two sets of preallocated arrays in turn.

    A Module's input arrays are in use until the backward pass of the batch has ended; writing to them would stop this
    thread. Two sets between let batch k+1 be copied in while batch k is being computed.
    """

    def __init__(self, data, labels):
        self._names = [name for name, _ in data], [name for name, _ in labels]
        self._sets = [mx.io.DataBatch(data=[mx.nd.empty(shape) for _, shape in data],
                                      label=[mx.nd.empty(shape) for _, shape in labels]) for _ in range(2)]

    def __call__(self, batch, part=0):
        """Part number `part` of a batch of the iterator -> mx.io.DataBatch that stays valid until the call after the
        next one."""
        self._sets.reverse()
        target = self._sets[0]
        for names, arrays, values in zip(self._names, (target.data, target.label), (batch.data, batch.label)):
            for name, array in zip(names, arrays):
                array[:] = values[name][part * len(array):(part + 1) * len(array)]
        return target


def _of_part(inputs, parts):
    """[(name, shape of a batch)] -> the same of one of its parts."""
    return [(name, (shape[0] // parts, *shape[1:])) for name, shape in inputs]
