"""How an update of a Module takes in what the other workers found, and what that costs.

    Alone             one worker: the Module's own update, with its kvstore over the devices of this process
    SumOfGradients    dist_sync, dist_device_sync: gradients are summed over devices and workers, then every worker
                      makes the same update; so optimiser states are the same everywhere, and a checkpoint has one's
    SumOfChanges      dist_async: every worker makes its own update, sends the change of the weights and gets the
                      weights with all changes so far; nobody waits, and each worker has a momentum of its own
"""
import time

from sniper_mxnet import mx

SAMPLED = 10  # one step in so many is timed: it waits for the gradients first, so nothing of it overlaps
BITS_2BIT = 2  # a gradient of '2bit' compression


class Alone:
    """The update of a Module without other workers."""

    bytes_sent = bytes_received = 0

    def __init__(self, module):
        self._module = module
        self.update = module.update

    def start(self):
        """Nothing to agree on."""

    def take_seconds(self):
        """No time is spent on others."""
        return None


class _Exchange:
    """What the two have in common: `_before` an exchange, `_exchange`, which reads and writes the arrays `_exchanged`,
    and `_after` it. workers: Workers with a store. compression: settings of MXNet's, or None.
    """

    def __init__(self, workers, module, compression=None):
        self._workers, self._store, self._module = workers, workers.store, module
        self._compression = compression
        group = module._exec_group
        # (key, gradients, weights), an array a device each, of the parameters that are trained
        self._trained = [(name, grads, weights) for name, grads, weights in
                         zip(group.param_names, group.grad_arrays, group.param_arrays) if grads[0] is not None]
        numbers = [(weights[0].size, weights[0].dtype().itemsize) for _, _, weights in self._trained]
        self.bytes_received = sum(size * width for size, width in numbers)
        self.bytes_sent = sum(-(-size // (32 // BITS_2BIT)) * 4 for size, _ in numbers) if compression \
            else self.bytes_received
        self._steps = 0
        self._timed = []

    def start(self):
        """Give all workers the parameters of worker 0, and the servers room for what will be exchanged."""
        workers, module = self._workers, self._module
        with workers.waiting('the parameters of worker 0'):
            arguments, statistics = module.get_params()
            for name, value in arguments.items():
                self._store.init(name, value)
                self._store.pull(name, out=value)
            statistics = {name: workers.from_first(value) for name, value in statistics.items()}
            mx.nd.waitall()
            module.set_params(arguments, statistics)
            if self._compression:
                self._store.set_gradient_compression(self._compression)
                workers.lossy = True
            workers.barrier()

    def update(self):
        """One update of the parameters, queued in MXNet's engine. Some steps are timed, and waited for."""
        self._steps += 1
        self._before()
        if self._steps % SAMPLED:
            self._exchange()
        else:
            with self._workers.waiting():
                _wait(self._exchanged)
                started = time.perf_counter()
                self._exchange()
                _wait(self._exchanged)
                self._timed.append(time.perf_counter() - started)
        self._after()

    def take_seconds(self):
        """Mean seconds that an exchange took since the last call, None if none was timed."""
        timed, self._timed = self._timed, []
        return sum(timed) / len(timed) if timed else None

    def _push_and_pull(self, index, key, values, out):
        """Early layers are wanted first by the next batch, so they go first."""
        if self._compression:  # which MXNet does not do in one
            self._store.push(key, values, priority=-index)
            self._store.pull(key, out=out, priority=-index)
        else:
            self._store.pushpull(key, values, out=out, priority=-index)


class SumOfGradients(_Exchange):
    """Synchronous: all gradients of a step are summed, and every device of every worker updates by the sum."""

    def __init__(self, workers, module, compression=None):
        super().__init__(workers, module, compression)
        self._exchanged = [grad for _, grads, _ in self._trained for grad in grads]

    def _before(self):
        pass

    def _exchange(self):
        for index, (name, grads, _) in enumerate(self._trained):
            self._push_and_pull(index, name, grads, grads)

    def _after(self):
        self._module.update()


class SumOfChanges(_Exchange):
    """Asynchronous: weights change by what the own gradients say and by what other workers have sent meanwhile."""

    def __init__(self, workers, module, compression=None):
        super().__init__(workers, module, compression)
        self._changes = [weights[0].copy() for _, _, weights in self._trained]
        self._exchanged = self._changes + [weight for _, _, weights in self._trained for weight in weights]

    def _before(self):
        for change, (_, grads, weights) in zip(self._changes, self._trained):
            weights[0].copyto(change)
            _sum_over_devices(grads)
        self._module.update()
        for change, (_, _, weights) in zip(self._changes, self._trained):
            change[:] = weights[0] - change

    def _exchange(self):
        for index, (change, (name, _, weights)) in enumerate(zip(self._changes, self._trained)):
            self._push_and_pull(index, name, change, weights)

    def _after(self):
        pass


def make_exchange(workers, module, config):
    """The exchange of `default.kvstore`."""
    if workers.alone:
        return Alone(module)
    return (SumOfChanges if workers.adds else SumOfGradients)(workers, module, compression_settings(config))


def compression_settings(config):
    """`default.gradient_compression` as MXNet wants it, None if there is none."""
    kind = config.default.gradient_compression
    return None if kind == 'none' else {'type': kind, 'threshold': config.default.compression_threshold}


def _sum_over_devices(grads):
    """Give each of the arrays, one a device, the sum of all."""
    for grad in grads[1:]:
        grads[0] += grad.as_in_context(grads[0].context)
    for grad in grads[1:]:
        grads[0].copyto(grad)


def _wait(arrays):
    for array in arrays:
        array.wait_to_read()
