"""Batches in order, a bounded number of them in the making."""
import time
from typing import Dict, List, Optional

from lib.utils.errors import SniperError
from lib.utils.processes import available_memory

_AUTO_BATCHES = 2      # made ahead at least, if memory allows ...
_AUTO_SAMPLES = 4      # ... and so many samples a worker, so that none is idle while a batch waits for its last sample
_AUTO_MEMORY = 4       # batches made ahead take at most one part in this many of the free memory
_ROWS_A_TASK = 8  # reading a file costs about two rows' work: beyond this, sharing it saves little


class Prefetcher:
    """Turns numbered batches into pool tasks, at most `num_slots` batches at a time.

    The slot of the batch delivered last is free again when the next one is asked for, so that at most
    num_slots - 1 batches are made ahead.
    `wait_seconds`: time the caller spent waiting in `next_batch` since `start`.
    """

    def __init__(self, pool, num_slots):
        self.wait_seconds = 0.0
        self._pool = pool
        self._num_slots = num_slots
        self._failure = None
        self._reset(0, 0, None, None)

    def start(self, first: int, stop: int, make_tasks, review) -> None:
        """Begin with batch `first`, end before `stop`; what was in the making before is dropped.

        make_tasks(index, slot) -> list of (rows, method, arguments); the call answers with a list of reports, one a
        row, and every row of the batch belongs to one task.
        review(index, row, slot, report) -> None to accept a row's report, or (method, arguments) in its place.
        """
        self._pool.drain()
        self._reset(first, stop, make_tasks, review)
        self._submit()

    def _reset(self, first, stop, make_tasks, review):
        self.wait_seconds = 0.0
        self._failure = None
        self._make_tasks, self._review = make_tasks, review
        self._deliver, self._submitted, self._stop = first, first, stop
        self._free = list(range(self._num_slots))
        self._held = None
        self._slots, self._reports, self._missing = {}, {}, {}

    def next_batch(self) -> Optional[tuple]:
        """-> (index, slot, list of reports by row), or None after the last batch. Raises SniperError."""
        if self._failure is not None:
            raise SniperError(self._failure)
        if self._held is not None:
            self._free.append(self._held)
            self._held = None
        if self._deliver >= self._stop:
            return None
        self._submit()
        index = self._deliver
        started = time.perf_counter()
        try:
            while self._missing[index]:
                self._receive()
        except SniperError as error:
            self._failure = str(error)
            raise
        finally:
            self.wait_seconds += time.perf_counter() - started
        self._deliver += 1
        self._held = self._slots.pop(index)
        del self._missing[index]
        return index, self._held, self._reports.pop(index)

    def _submit(self):
        """Start batches while there are free slots."""
        while self._free and self._submitted < self._stop:
            index, slot = self._submitted, self._free.pop()
            tasks = self._make_tasks(index, slot)
            count = sum(len(rows) for rows, _, _ in tasks)
            self._slots[index], self._missing[index] = slot, count
            self._reports[index] = [None] * count
            self._submitted += 1
            for rows, method, arguments in tasks:
                self._pool.submit((index, rows), method, arguments)

    def _receive(self):
        """Take one answer; a row that review() rejects is submitted again."""
        (index, rows), reports = self._pool.get()
        for row, report in zip(rows, reports):
            task = self._review(index, row, self._slots[index], report)
            if task is not None:
                self._pool.submit((index, [row]), *task)
            else:
                self._reports[index][row] = report
                self._missing[index] -= 1


def resolve_prefetch(setting, num_workers: int, batch_size: int, batch_bytes: int) -> int:
    """PREFETCH setting ('auto' or a number) -> batches made ahead, 1 or more; without workers none is.

    'auto': enough to keep the workers busy, as long as it fits into a quarter of the free memory.
    """
    if num_workers == 0:
        return 0
    if setting != 'auto':
        return max(1, setting)
    wanted = max(_AUTO_BATCHES, -(-_AUTO_SAMPLES * num_workers // batch_size))
    free = available_memory()
    fitting = wanted if free is None else free // (_AUTO_MEMORY * max(1, batch_bytes))
    return int(max(1, min(wanted, fitting)))


def group_rows(paths) -> List[List[int]]:
    """Image file of each row of a batch -> lists of rows of one file, in order of first appearance.

    A file with many rows gives several lists, so that other workers get a share of the work.
    """
    groups: List[List[int]] = []
    open_group: Dict[str, List[int]] = {}
    for row, path in enumerate(paths):
        if path not in open_group or len(open_group[path]) == _ROWS_A_TASK:
            open_group[path] = []
            groups.append(open_group[path])
        open_group[path].append(row)
    return groups
