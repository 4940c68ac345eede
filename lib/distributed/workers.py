"""The workers of a run: which of them this process is, and how they talk.

With `default.kvstore` 'dist_*' a run has several workers, started by scripts/launch.py with the environment of ps-lite
(DMLC_*), and servers that sum what the workers push. All talk is made of such sums: to gather something, every worker
adds its row to a table of zeros. A run without 'dist_*' is the same with one worker and no server.

MXNet calls here wait for other processes, in C, where Python can do nothing: a Watch ends a process that waits in vain.
"""
import contextlib
import itertools
import json
import logging
import os
import signal
import threading
import time

import numpy as np

from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

ENVIRONMENT = ('DMLC_ROLE', 'DMLC_PS_ROOT_URI', 'DMLC_PS_ROOT_PORT', 'DMLC_NUM_WORKER', 'DMLC_NUM_SERVER')
LEAVING_SECONDS = 30  # a worker that failed is given to end by itself


class Watch:
    """Ends the process with a line in the log if a wait lasts longer than `seconds`."""

    def __init__(self, seconds):
        self._seconds = seconds
        self._what, self._until = '', None
        self._depth = 0
        threading.Thread(target=self._run, daemon=True).start()

    def over(self, what, seconds=None):
        """Context manager around a wait for `what`, at most `seconds` instead of the usual. An inner wait counts as the
        outer one."""
        return _Wait(self, what, self._seconds if seconds is None else seconds)

    def _run(self):
        while True:
            time.sleep(min(1.0, self._seconds / 10))
            until = self._until
            if until is not None and time.monotonic() > until:
                logger.error('error: waited %g seconds for %s: a worker, a server or the scheduler has died or is '
                             'stuck, its own log says more. Go on from the last checkpoint with --resume; '
                             'default.worker_timeout is the time to wait', self._seconds, self._what)
                logging.shutdown()
                os._exit(1)


class _Wait:
    def __init__(self, watch, what, seconds):
        self._watch, self._what, self._seconds = watch, what, seconds

    def __enter__(self):
        watch = self._watch
        watch._depth += 1
        if watch._depth == 1:
            watch._what, watch._until = self._what, time.monotonic() + self._seconds

    def __exit__(self, *_):
        self._watch._depth -= 1
        if self._watch._depth == 0:
            self._watch._until = None


class Workers:
    """All workers of a run, seen from one of them; a context manager that ends the talk.

    rank: number of this worker, 0 to count - 1, in the order in which they reached the scheduler and not that of the
    launcher; rank 0, worker 0 in what follows, writes the checkpoints. store: MXNet's KVStore, None if this is the only
    worker. adds: whether servers add what is pushed to what they have (dist_async) instead of replacing it by the sum
    over all workers. lossy: whether what is pushed is compressed.
    """

    def __init__(self, store=None, watch=None):
        self.store, self._watch = store, watch
        self.rank, self.count = (store.rank, store.num_workers) if store else (0, 1)
        self.alone = store is None  # no other process to talk to, not even servers
        self.adds = bool(store) and 'async' in store.type
        self.lossy = False
        self._means = {}
        self._keys = map('talk%d'.__mod__, itertools.count())

    def waiting(self, what='the other workers', seconds=None):
        """Context manager around anything that waits for other processes; seconds: see Watch.over."""
        return contextlib.nullcontext() if self.alone else self._watch.over(what, seconds)

    def gather(self, values):
        """Rows of all workers: (n,) numbers of this one -> (count, n) float32. All call it with the same n."""
        from sniper_mxnet import mx
        table = np.zeros((self.count, len(values)), np.float32)
        table[self.rank] = values
        if self.alone:
            return table
        with self.waiting():
            key, array = next(self._keys), mx.nd.array(table)
            self.store.init(key, mx.nd.zeros(table.shape))
            self.store.push(key, array)
            self.barrier()
            self.store.pull(key, out=array)
            return array.asnumpy()

    def from_first(self, array):
        """What worker 0 has, an NDArray on the CPU; the others give one of its shape and type."""
        if self.alone:
            return array
        from sniper_mxnet import mx
        kind = np.dtype(array.dtype)
        # Servers know no whole numbers, and next to compressed gradients float32 alone: others go as their bytes.
        sent = array if kind == np.float32 else mx.nd.array(
            np.frombuffer(array.asnumpy().tobytes(), np.uint8), dtype='float32')
        with self.waiting():
            key, result = next(self._keys), sent.copy()
            self.store.init(key, sent)  # what the others give is not looked at
            self.store.pull(key, out=result)
            result.wait_to_read()
        if kind == np.float32:
            return result
        content = result.asnumpy().astype(np.uint8).tobytes()
        return mx.nd.array(np.frombuffer(content, kind).reshape(array.shape), dtype=kind)

    def json_from_first(self, value):
        """What worker 0 has: anything that JSON can say."""
        from sniper_mxnet import mx
        if self.alone:
            return value
        text = np.frombuffer(json.dumps(value).encode('utf-8'), np.uint8)
        length = int(self.from_first(mx.nd.array([len(text)], dtype='int32')).asscalar())
        content = text if self.rank == 0 else np.zeros(length, np.uint8)
        return json.loads(self.from_first(mx.nd.array(content, dtype='uint8')).asnumpy().tobytes().decode('utf-8'))

    def arrays_from_first(self, arrays):
        """What worker 0 has: a dict of NDArray on the CPU. What the others give is not looked at."""
        from sniper_mxnet import mx
        kinds = self.json_from_first({name: (list(array.shape), np.dtype(array.dtype).name)
                                      for name, array in arrays.items()})
        return {name: self.from_first(arrays[name] if self.rank == 0 else mx.nd.zeros(shape, dtype=dtype))
                for name, (shape, dtype) in kinds.items()}

    def mean(self, arrays):
        """Mean over the workers of each NDArray of a dict, on the CPU.

        Where servers add, or what is pushed is compressed, there is none: each worker then gets its own arrays.
        """
        from sniper_mxnet import mx
        if self.count == 1 or self.adds or self.lossy:
            return arrays
        with self.waiting():
            means = {}
            for name, array in arrays.items():
                if name not in self._means:
                    self._means[name] = next(self._keys)
                    self.store.init(self._means[name], mx.nd.zeros(array.shape))
                means[name] = array / self.count
                self.store.push(self._means[name], means[name])
                self.store.pull(self._means[name], out=means[name])
            mx.nd.waitall()
            return means

    def barrier(self):
        """Wait until all workers are here and what they have pushed has arrived."""
        from sniper_mxnet import mx
        if not self.alone:
            with self.waiting():
                mx.nd.waitall()
                self.store._barrier()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.alone:
            return
        if kind is not None:
            # The others may be waiting for this worker, so it must not wait for them.
            _leave_without_the_others(self.store)
            return
        self.barrier()
        with self.waiting():
            self.store = None  # its destructor ends the servers and waits for all


ALONE = Workers()


def connect(config):
    """-> Workers of this run: joins the others if `default.kvstore` is one of 'dist_*', else only this one.

    Raises SniperError if the environment of a distributed run is missing, or there without 'dist_*'.
    """
    kind = config.default.kvstore
    if not kind.startswith('dist'):
        _check_no_launcher(kind)
        return Workers()
    missing = [name for name in ENVIRONMENT if not os.environ.get(name)]
    if missing:
        raise SniperError(f'default.kvstore is {kind!r}, but {missing[0]} is not set: start the run with `python '
                          'scripts/launch.py -n WORKERS -s SERVERS python main_train.py ...`, or set default.kvstore '
                          'to device')
    from sniper_mxnet import mx
    watch = Watch(config.default.worker_timeout)
    address = f'{os.environ["DMLC_PS_ROOT_URI"]}:{os.environ["DMLC_PS_ROOT_PORT"]}'
    with watch.over('all {} workers and {} servers to reach the scheduler at {}'.format(
        os.environ['DMLC_NUM_WORKER'], os.environ['DMLC_NUM_SERVER'], address)):
        workers = Workers(mx.kv.create(kind), watch)
        if workers.adds and workers.rank == 0:
            # Minus minus: the servers add. Workers compute the changes themselves.
            workers.store.set_optimizer(mx.optimizer.SGD(learning_rate=-1.0, wd=0.0))
        # With any kind: workers of different kinds must still be able to tell each other (lib.distributed.consistency).
        workers.store._barrier()
    return workers


def _check_no_launcher(kind):
    """Each of several workers that do not know of each other would write over the files of the others."""
    if os.environ.get('DMLC_ROLE') == 'worker':
        raise SniperError(f'default.kvstore is {kind!r}, but this is a worker of scripts/launch.py (DMLC_ROLE is set), '
                          'which would train by itself: add `--set default.kvstore dist_sync`, or start the run '
                          'without the launcher')


def _leave_without_the_others(store):
    """The process is about to end after a failure: no word to the others, and not for long."""
    from mxnet.base import _LIB, check_call
    check_call(_LIB.MXKVStoreSetBarrierBeforeExit(store.handle, 0))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LEAVING_SECONDS)
