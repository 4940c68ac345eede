"""How an update of a training step takes in what the other workers found, and what that costs.

    LocalUpdate       one worker: the step's own update, with MXNet's KVStore over the devices of this process
    SumOfGradients    dist_sync, dist_device_sync: gradients are summed over devices and workers, then every worker
                      makes the same update; so optimiser states are the same everywhere, and a checkpoint has one's
    SumOfChanges      dist_async: every worker makes its own update, sends the change of the weights and gets the
                      weights with all changes so far; nobody waits, and each worker has a momentum of its own
"""
import time

from lib.distributed.workers import LEAVING_SECONDS
from lib.engine.training import LocalUpdate
from sniper_mxnet import mx

SAMPLED = 10  # one step in so many is timed: it waits for the gradients first, so nothing of it overlaps
BITS_2BIT = 2  # a gradient of '2bit' compression


class _GradientSync(LocalUpdate):
    """What SumOfGradients and SumOfChanges have in common: the arrays, their places on the servers, and the timing.

    workers: Workers with a store. step: initialised TrainingStep. compression: settings of MXNet's KVStore, or None.
    """

    patience = LEAVING_SECONDS  # what others never send must not keep this process

    def __init__(self, workers, step, compression=None):
        self._workers, self._store, self._step = workers, workers.store, step
        super().__init__(compression)
        self._trained = step.trained_arrays()
        numbers = [(weights[0].size, weights[0].dtype().itemsize) for _, _, weights in self._trained]
        self.bytes_received = sum(size * width for size, width in numbers)
        self.bytes_sent = sum(-(-size // (32 // BITS_2BIT)) * 4 for size, _ in numbers) if compression \
            else self.bytes_received
        self._steps = 0
        self._timed = []

    def start(self):
        """Give all workers the parameters of worker 0, and the servers room for what will be exchanged."""
        workers, step = self._workers, self._step
        with workers.waiting('the parameters of worker 0'):
            arguments, statistics = step.parameters()
            for name, value in arguments.items():
                self._store.init(name, value)
                self._store.pull(name, out=value)
            statistics = {name: workers.from_first(value) for name, value in statistics.items()}
            mx.nd.waitall()
            step.set_parameters(arguments, statistics)
            if self.compression:
                self._store.set_gradient_compression(self.compression)
                workers.lossy = True
            workers.barrier()

    def update(self, apply):
        """One update of the parameters, queued in MXNet's engine. Some are timed, and waited for."""
        self._steps += 1
        self._before(apply)
        if self._steps % SAMPLED:
            self._exchange()
        else:
            with self._workers.waiting():
                _wait(self._exchanged)
                started = time.perf_counter()
                self._exchange()
                _wait(self._exchanged)
                self._timed.append(time.perf_counter() - started)
        self._after(apply)

    def take_seconds(self):
        """Mean seconds that the exchange with the others took since the last call; None if none was timed."""
        timed, self._timed = self._timed, []
        return sum(timed) / len(timed) if timed else None

    def waiting(self):
        """Context manager around a wait for results, which may wait for other workers."""
        return self._workers.waiting()

    def _push_and_pull(self, index, key, values, out):
        """Early layers are wanted first by the next batch, so they go first."""
        if self.compression:  # which MXNet does not do in one
            self._store.push(key, values, priority=-index)
            self._store.pull(key, out=out, priority=-index)
        else:
            self._store.pushpull(key, values, out=out, priority=-index)

    # For those that are made of this class: what to do before the exchange, the exchange, which reads and writes the
    # arrays `_exchanged`, and what to do after it.

    def _before(self, apply):
        pass

    def _exchange(self):
        raise NotImplementedError

    def _after(self, apply):
        pass


class SumOfGradients(_GradientSync):
    """Synchronous: all gradients of a step are summed, and every device of every worker updates by the sum."""

    def __init__(self, workers, step, compression=None):
        super().__init__(workers, step, compression)
        self._exchanged = [grad for _, grads, _ in self._trained for grad in grads]

    def _exchange(self):
        for index, (name, grads, _) in enumerate(self._trained):
            self._push_and_pull(index, name, grads, grads)

    def _after(self, apply):
        apply()


class SumOfChanges(_GradientSync):
    """Asynchronous: weights change by what the own gradients say and by what other workers have sent meanwhile."""

    def __init__(self, workers, step, compression=None):
        super().__init__(workers, step, compression)
        self._changes = [weights[0].copy() for _, _, weights in self._trained]
        self._exchanged = self._changes + [weight for _, _, weights in self._trained for weight in weights]

    def _before(self, apply):
        for change, (_, grads, weights) in zip(self._changes, self._trained):
            weights[0].copyto(change)
            _sum_over_devices(grads)
        apply()
        for change, (_, _, weights) in zip(self._changes, self._trained):
            change[:] = weights[0] - change

    def _exchange(self):
        for index, (change, (name, _, weights)) in enumerate(zip(self._changes, self._trained)):
            self._push_and_pull(index, name, change, weights)


def make_gradient_sync(workers, step, config):
    """LocalUpdate or alike for an initialised TrainingStep, of the kind that `default.kvstore` names."""
    if workers.alone:
        return LocalUpdate(compression_settings(config))
    return (SumOfChanges if workers.adds else SumOfGradients)(workers, step, compression_settings(config))


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
