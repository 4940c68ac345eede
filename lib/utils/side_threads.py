"""Work of one thread ahead of another or behind it: what comes in while a network computes, and what goes out.

Items have a weight, and wait in line as long as all of them together weigh less than a limit; one always may.
"""
import collections
import threading
from typing import Any, Callable, Deque, Iterable, Iterator, Optional, Tuple

SECONDS_TO_END = 5.0    # patience with a thread that waits for a camera


class _Line:
    """Items that one thread puts in and another takes out, in order."""

    def __init__(self, limit, weigh, newest=False):
        self._limit, self._weigh, self._newest = limit, weigh, newest
        self._items: Deque[Tuple[Any, float]] = collections.deque()
        self._weight = 0.0
        self._change = threading.Condition()
        self.ended = self.dropped = False   # nothing comes any more; nobody takes any more

    def put(self, item) -> bool:
        """Wait for room -> whether somebody will take it."""
        weight = self._weigh(item)
        with self._change:
            while self._newest and self._items:
                self._weight -= self._items.popleft()[1]
            while self._items and self._weight + weight > self._limit and not self.dropped:
                self._change.wait()
            if self.dropped:
                return False
            self._items.append((item, weight))
            self._weight += weight
            self._change.notify_all()
            return True

    def take(self) -> Tuple[bool, Any]:
        """(True, the next item), or (False, None) at the end."""
        with self._change:
            while not self._items and not self.ended:
                self._change.wait()
            if not self._items:
                return False, None
            item, weight = self._items.popleft()
            self._weight -= weight
            self._change.notify_all()
            return True, item

    def end(self) -> None:
        """Nothing comes any more."""
        with self._change:
            self.ended = True
            self._change.notify_all()

    def drop(self) -> None:
        """Nobody takes any more."""
        with self._change:
            self.dropped = self.ended = True
            self._items.clear()
            self._change.notify_all()


class Ahead:
    """Iterates over `source` in a thread of its own. Exceptions of the source come out where its items would.

    limit, weigh: see above. newest: an item that nobody has taken gives way to the next one, as from a camera.
    """

    def __init__(self, source: Iterable, limit: float, weigh: Callable[[Any], float] = lambda item: 1,
                 newest: bool = False):
        self._line = _Line(limit, weigh, newest)
        self._failure: Optional[BaseException] = None
        self._thread = threading.Thread(target=self._run, args=(source,), name='sniper-ahead', daemon=True)
        self._thread.start()

    def _run(self, source):
        try:
            for item in source:
                if not self._line.put(item):
                    return
        except BaseException as error:  # raised in the thread that takes the items
            self._failure = error
        finally:
            self._line.end()

    def __iter__(self) -> Iterator:
        return self

    def __next__(self):
        there, item = self._line.take()
        if there:
            return item
        failure, self._failure = self._failure, None
        raise failure or StopIteration

    def close(self) -> None:
        """End the thread, whatever is left."""
        self._line.drop()
        self._thread.join(SECONDS_TO_END)


class Behind:
    """Calls `work(item)` in a thread of its own, item after item. Its exception is raised by the next `put` or `close`.

    After one, nothing more is worked on.
    """

    def __init__(self, work: Callable[[Any], Any], limit: float, weigh: Callable[[Any], float] = lambda item: 1):
        self._line = _Line(limit, weigh)
        self._failure: Optional[BaseException] = None
        self._thread = threading.Thread(target=self._run, args=(work,), name='sniper-behind', daemon=True)
        self._thread.start()

    def _run(self, work):
        there, item = self._line.take()
        while there:
            try:
                work(item)
            except BaseException as error:  # raised in the thread that puts items in
                self._failure = error
                self._line.drop()
            there, item = self._line.take()

    def put(self, item) -> None:
        """Queue an item; waits while those before it are too many."""
        self._line.put(item)
        self._raise()

    def close(self) -> None:
        """Wait until all is done."""
        self._line.end()
        self._thread.join()
        self._raise()

    def _raise(self):
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
