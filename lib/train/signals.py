"""SIGINT, SIGTERM and SIGHUP ask the training loop to save and leave; several workers do so together."""
import logging
import signal
from collections import deque

from lib.train.loop import Hook

logger = logging.getLogger(__name__)

STOP_VOTE = 1e6  # of a worker that was asked to stop: above any threshold of gradient compression


class StopRequest(Hook):
    """Context manager: `requested` becomes the signal number once one of SIGNALS has come, else 0.

    A second SIGINT or SIGTERM ends the process at once, without saving and without Python, which may be waiting for a
    long batch; files are whole all the same, and workers end with their parent. A second SIGHUP does not: a terminal
    that closes sends it from shell and kernel, and service managers right after SIGTERM.

    A signal that is ignored stays so: nohup and shells that start background jobs have said that it shall not matter.
    Works in the main thread only; elsewhere it never asks.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self):
        self.requested = 0
        self._previous = {}

    @property
    def exit_status(self):
        """What a shell expects of a program that a signal ended: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + self.requested if self.requested else 0

    def __enter__(self):
        for number in self.SIGNALS:
            if signal.getsignal(number) == signal.SIG_IGN:
                continue
            try:
                self._previous[number] = signal.signal(number, self._handle)
            except ValueError:  # not the main thread
                break
        return self

    def __exit__(self, *_):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number, _frame):
        for again in self._previous:
            signal.signal(again, signal.SIG_IGN if again == signal.SIGHUP else signal.SIG_DFL)
        self.requested = int(number)
        logger.info('%s: saving after the batches under way; Ctrl-C or SIGTERM now ends at once',
                    signal.Signals(number).name)


class SharedStop(Hook):
    """A StopRequest that all workers make their own at the same step.

    What a worker wants is summed over all of them beside the gradients of a batch (`after_launch`), and looked at when
    that batch is (`after_batch`): so all decide by the same sums, and none leaves while others wait for its gradients.
    """

    KEY = 'stop'

    def __init__(self, own, workers):
        from sniper_mxnet import mx
        self.requested = 0
        self._own, self._workers = own, workers
        self._answers = deque()  # of batches that are launched and not looked at
        self._sum = mx.nd.zeros((1,))  # the same for all steps: what MXNet orders is what is done to one array
        workers.store.init(self.KEY, mx.nd.zeros((1,)))

    @property
    def exit_status(self):
        """As that of StopRequest; what another worker was told counts as SIGTERM."""
        return 128 + self.requested if self.requested else 0

    def after_launch(self, batch):
        """Say whether this worker was asked to stop.

        With an array of its own for every batch, the push of one could reach the server before all workers have pushed
        in the batch before, and be taken for one of those.
        """
        self._sum[:] = STOP_VOTE if self._own.requested else 0.0
        self._workers.store.push(self.KEY, self._sum)
        self._workers.store.pull(self.KEY, out=self._sum)
        self._answers.append(self._sum.copy())

    def after_batch(self, batch):
        """Take in what all workers said beside a batch that is over."""
        self._take(self._answers.popleft())

    def after_epoch(self, epoch):
        """Whether training shall stop: one answer for all workers, even if they are not in step."""
        if self._workers.adds:
            self._workers.barrier()
            self._workers.store.pull(self.KEY, out=self._sum)
            self._take(self._sum)
            self._workers.barrier()

    def _take(self, answer):
        with self._workers.waiting():
            if answer.asscalar() > 0 and not self.requested:
                self.requested = self._own.requested or int(signal.SIGTERM)
