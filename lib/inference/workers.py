"""Who tests which images, and TEST.CONCURRENT_JOBS inference processes, each with its own predictor.

What the network makes of an image depends on the images beside it in the batch: they decide how far it is padded. So
the images are partitioned in units, consecutive in the order of test batches (lib.iterators.batching) and so long
that the batches of every scale end where a unit ends. Any number of shards and workers then has the batches, and the
detections, of one process. Units of small and large images go to everyone in turn. Chips are grouped into batches by
what there is (lib.iterators.batching): there, batches differ with the parts.

A worker runs all scales of its part one after another and sends the parent, through a pipe:
('start', index, crops), ('done', index, crops), ('notice', notice), ('scale', index, result) and at the end
('clock', seconds), ('error', text) or ('crash', traceback).

`windows(roidb, index, previous)` gives the crops[image] of scale `index`; previous is the ScaleResult of the scale
before, None if that is not run: scale.whole_images or windows.ScaleWindows.
MXNet is imported in the worker, never before: the start method is spawn, and the predictor comes from a picklable
factory.
"""
import logging
import math
import multiprocessing
import os
import signal
import traceback
from multiprocessing.connection import wait
from typing import Iterator, List, Optional, Tuple

import numpy as np

from lib.bbox.detections import Detections
from lib.dataset.compact import take
from lib.engine.engines import num_devices
from lib.image import ImageNotices, Notice
from lib.image.notices import UNREADABLE
from lib.inference.mirror import num_passes, run_passes
from lib.inference.scale import Progress, ScaleResult, joined, runs_on_parts, scale_name
from lib.iterators.batching import size_groups
from lib.utils.clock import StageClock
from lib.utils.errors import SniperError
from lib.utils.processes import (
    environment,
    how_it_ended,
    leave_signals,
    num_cores,
    resolve_workers,
    signals_held_back,
)

logger = logging.getLogger(__name__)

Results = Iterator[Tuple[int, ScaleResult]]  # (scale index, result)
SECONDS_TO_END = 5.0  # a worker that was asked to end gets this long


def partition_images(roidb, config, parts: int) -> List[np.ndarray]:
    """-> for each of `parts`, ascending numbers of its images, an int64 array; some may be empty."""
    crops = [(0, 0, entry['width'], entry['height']) for entry in roidb]
    return partition(crops, unit_length(config), parts)


def partition(crops, unit: int, parts: int) -> List[np.ndarray]:
    """Crops (n, 4), in units of `unit` to `parts` in turn -> `parts` ascending arrays of crop numbers.

    The last unit of the wide and of the tall ones is longer by what is left over: what fills up the last batch are the
    crops before its own, which have to be in the same hands.
    """
    numbers = [[np.zeros(0, np.int64)] for _ in range(parts)]
    turn = 0
    for group in size_groups(crops):
        units = max(1, len(group) // unit)
        for number in range(units if len(group) else 0):
            end = (number + 1) * unit if number + 1 < units else len(group)
            numbers[turn % parts].append(group[number * unit:end])
            turn += 1
    return [np.sort(np.concatenate(of_part)) for of_part in numbers]


def unit_length(config) -> int:
    """Least number of images that fill whole batches at every scale that runs on whole images."""
    test = config.TEST
    lengths = [count for index, count in enumerate(test.BATCH_IMAGES) if not runs_on_parts(config, index)]
    unit = 1
    for length in lengths:
        unit = unit * length // math.gcd(unit, length)
    return unit * num_devices(config)


def readers_of_worker(config, images: int, workers: int) -> int:
    """Image readers of one of `workers` processes with `images` images: they share the cores, each has at least one
    unless TEST.NUM_PROCESS is 0, which reads in the worker itself."""
    readers = resolve_workers(config.TEST.NUM_PROCESS, images)
    return max(1, readers // workers) if readers else 0


def run_here(roidb, windows, predictor_factory, config, indices, clock, known=None,
             notices: Optional[ImageNotices] = None) -> Results:
    """Scales `indices`, ascending, in this process; yields (scale index, ScaleResult).

    known: scale index -> ScaleResult of scales that need not be run. notices: what is to be said of images goes there.
    """
    if not indices or not roidb:
        yield from ((index, ScaleResult([], Detections.empty(), [])) for index in indices)
        return
    with clock.stage('set-up'):
        predictor = predictor_factory()
    try:
        results = dict(known or {})
        for index in indices:
            with clock.stage('chips'):
                crops = windows(roidb, index, results.get(index - 1))
            progress = Progress(f'scale {scale_name(config, index)}')
            progress.expect(num_passes(config) * sum(map(len, crops)))
            results[index] = run_passes(roidb, crops, predictor, config, index, clock, progress.add,
                                       notices=notices)
            progress.finish()
            yield index, results[index]
    finally:
        predictor.close()


def run_in_workers(roidb, windows, predictor_factory, config, indices, clock, workers: int, known=None,
                   notices: Optional[ImageNotices] = None) -> Results:
    """What run_here does, in `workers` processes; `windows` is picklable. Images of a result are in the
    roidb's order.

    Raises SniperError with a worker's own message if it failed, or naming the worker if it died; the others are ended.
    """
    parts = [numbers for numbers in partition_images(roidb, config, workers) if len(numbers)]
    running = _start(roidb, windows, predictor_factory, config, indices, parts, known or {})
    progress = {index: Progress(f'scale {scale_name(config, index)}') for index in indices}
    notices = ImageNotices() if notices is None else notices
    try:
        for index in indices:
            while not all(index in worker.results for worker in running):
                _receive(running, progress, clock, notices)
            progress[index].finish()
            yield index, joined([worker.results.pop(index) for worker in running], parts)
        while any(worker.open for worker in running):
            _receive(running, progress, clock, notices)
    finally:
        _end(running)


class _Worker:
    """A process and what it has sent."""

    def __init__(self, number, process, connection):
        self.number, self.process, self.connection = number, process, connection
        self.results = {}  # scale index -> ScaleResult
        self.open = True   # more can come


def _start(roidb, windows, predictor_factory, config, indices, parts, known):
    context = multiprocessing.get_context('spawn')
    threads = max(1, int(os.environ.get('OMP_NUM_THREADS') or num_cores()) // len(parts))
    running = []
    with signals_held_back(), environment(OMP_NUM_THREADS=str(threads)):  # read once, when the process loads MXNet
        for number, images in enumerate(parts):
            ours, theirs = context.Pipe(duplex=False)
            arguments = (theirs, take(roidb, images), windows, predictor_factory, config, indices,
                         readers_of_worker(config, len(images), len(parts)),
                         {index: result.of_images(images) for index, result in known.items()})
            process = context.Process(target=_work, args=arguments, name=f'inference job {number + 1}')
            process.start()
            theirs.close()
            running.append(_Worker(number + 1, process, ours))
    logger.info('%d inference jobs, %d threads each', len(parts), threads)
    return running


def _receive(running, progress, clock, notices):
    """Take in the next messages of the workers; raises SniperError if one failed or died."""
    by_connection = {worker.connection: worker for worker in running if worker.open}
    for connection in wait(list(by_connection)):
        worker = by_connection[connection]
        try:
            kind, *content = connection.recv()
        except (EOFError, OSError):  # the pipe closed: a finished worker has said 'clock' before
            worker.process.join()
            raise SniperError(f'inference job {worker.number} of {len(running)} '
                              f'{how_it_ended(worker.process.exitcode)}; if memory ran out, lower TEST.CONCURRENT_JOBS '
                              'or TEST.BATCH_IMAGES') from None
        if kind == 'start':
            progress[content[0]].expect(content[1])
        elif kind == 'done':
            progress[content[0]].add(content[1])
        elif kind == 'notice':
            notices.add(content[0])
        elif kind == 'scale':
            worker.results[content[0]] = content[1]
        elif kind == 'clock':
            clock.add(content[0])
            worker.open = False
        elif kind == 'error':
            raise SniperError(content[0])
        elif kind == 'crash':
            logger.error('inference job %d of %d:\n%s', worker.number, len(running), content[0])
            raise SniperError(f'inference job {worker.number} of {len(running)} failed: '
                              f'{content[0].strip().splitlines()[-1]}')


def _end(running):
    for worker in running:
        if worker.open and worker.process.is_alive():
            worker.process.terminate()
    for worker in running:
        worker.process.join(SECONDS_TO_END)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.connection.close()


class _SentNotices:
    """ImageNotices of the parent, told through a worker's pipe."""

    def __init__(self, connection):
        self._connection = connection

    def add(self, notice):
        """A Notice."""
        self._connection.send(('notice', notice))

    def add_unreadable(self, path, reason):
        """An image that cannot be read."""
        self.add(Notice(UNREADABLE, path, reason))


def _work(connection, roidb, windows, predictor_factory, config, indices, num_readers, known):
    """Main function of a worker process."""
    leave_signals(signal.SIGINT)  # Ctrl-C reaches the parent, which ends its workers
    try:
        clock = StageClock()
        with clock.stage('set-up'):
            predictor = predictor_factory()
        previous = known
        for index in indices:
            with clock.stage('chips'):
                crops = windows(roidb, index, previous.get(index - 1))
            connection.send(('start', index, num_passes(config) * sum(map(len, crops))))
            result = run_passes(roidb, crops, predictor, config, index, clock,
                               lambda count, index=index: connection.send(('done', index, count)), num_readers,
                               _SentNotices(connection))
            connection.send(('scale', index, result))
            previous = {**known, index: result}
        connection.send(('clock', clock.seconds))
    except SniperError as error:
        connection.send(('error', str(error)))
    except Exception:  # reported whole by the parent, which ends the run
        connection.send(('crash', traceback.format_exc()))
    finally:
        connection.close()
