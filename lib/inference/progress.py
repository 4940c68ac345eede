"""Where the time of a test run goes, and a line about it now and then."""
import contextlib
import logging
import time

from lib.train.progress import duration

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0


class StageClock:
    """Adds up wall seconds by stage name; those of several processes are summed by `add`."""

    def __init__(self):
        self.seconds = {}

    @contextlib.contextmanager
    def stage(self, name):
        """Time the block under `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add({name: time.perf_counter() - start})

    def add(self, seconds):
        """Add a mapping stage -> seconds."""
        for name, value in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + value

    def text(self):
        """'network 12.3 s, decode 0.4 s', in the order in which stages came."""
        return ', '.join('{} {:.1f} s'.format(*item) for item in self.seconds.items())


class Progress:
    """Logs how many crops of a scale are done, at most every SECONDS_BETWEEN_LINES."""

    def __init__(self, name):
        self._name, self._total, self._done = name, 0, 0
        self._start = self._last = None

    def expect(self, count):
        """`count` crops more are to be done."""
        self._total += count

    def add(self, count):
        """`count` more are done. The clock starts with the first call, which has count 0."""
        now = time.perf_counter()
        if self._start is None:
            self._start = self._last = now
        self._done += count
        if now - self._last >= SECONDS_BETWEEN_LINES and self._done < self._total:
            self._last = now
            rate = self._done / (now - self._start)
            logger.info('%s: %d of %d, %.1f windows/s, %s left', self._name, self._done, self._total, rate,
                        duration((self._total - self._done) / rate))

    def finish(self):
        """The last line; a window is a whole image, or a chip."""
        seconds = time.perf_counter() - (self._start or time.perf_counter())
        logger.info('%s: %d in %.1f s, %.1f windows/s', self._name, self._done, seconds,
                    self._done / max(seconds, 1e-9))
