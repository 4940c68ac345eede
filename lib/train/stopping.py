"""SIGINT and SIGTERM ask the training loop to save and leave."""
import logging
import signal

logger = logging.getLogger(__name__)


class StopRequest:
    """Context manager: `requested` becomes the signal number once SIGINT or SIGTERM has come, else 0.

    A second signal ends the process at once, without saving and without Python, which may be waiting for a long batch;
    files are whole all the same, and workers end with their parent. Works in the main thread only; elsewhere it never
    asks.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self):
        self.requested = 0
        self._previous = {}

    @property
    def exit_status(self):
        """What a shell expects of a program that a signal ended: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + self.requested if self.requested else 0

    def __enter__(self):
        for number in self.SIGNALS:
            try:
                self._previous[number] = signal.signal(number, self._handle)
            except ValueError:  # not the main thread
                break
        return self

    def __exit__(self, *_):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number, _frame):
        for again in self.SIGNALS:
            signal.signal(again, signal.SIG_DFL)
        self.requested = int(number)
        logger.info('%s: saving after the batches under way; once more stops at once', signal.Signals(number).name)
