"""CONCURRENT_JOBS: parallel inference processes, each with its own predictor and a block of the images.

A job runs all scales of its block one after another and sends the parent, through a pipe:
('done', index, crops), ('scale', index, rows) and at the end ('clock', seconds), ('error', text) or ('crash', traceback).
MXNet is imported in the job, never before: the start method is spawn, and the predictor comes from a picklable factory.
"""
import logging
import multiprocessing
import os
import signal
import traceback
from multiprocessing.connection import wait

from lib.errors import SniperError
from lib.inference.progress import Progress, StageClock
from lib.inference.scale import run_scale, scale_name
from lib.processes import environment, how_it_ended, num_cores, resolve_workers

logger = logging.getLogger(__name__)

SECONDS_TO_END = 5.0  # a job that was asked to end gets this long


def run_here(roidb, crops, predictor_factory, config, indices, clock, decoder=None):
    """Scales `indices` in this process; yields (scale index, rows[image][crop]). decoder: see scale.run_scale."""
    if not indices or not roidb:
        yield from ((index, [[] for _ in crops]) for index in indices)
        return
    with clock.stage('set-up'):
        predictor = predictor_factory()
    try:
        for index in indices:
            progress = Progress('scale %s' % scale_name(config, index), sum(map(len, crops)))
            rows = run_scale(roidb, crops, predictor, config, index, clock, progress.add, decoder=decoder)
            progress.finish()
            yield index, rows
    finally:
        predictor.close()


def run_in_jobs(roidb, crops, predictor_factory, config, indices, clock, jobs, decoder=None):
    """The same with `jobs` processes, `decoder` picklable: yields (scale index, rows[image][crop]), images in order.

    Raises SniperError with a job's own message if it failed, or naming the job if it died; the others are ended.
    """
    blocks = split_blocks(len(roidb), jobs)
    running = _start(roidb, crops, predictor_factory, config, indices, blocks, decoder)
    progress = {index: Progress('scale %s' % scale_name(config, index), sum(map(len, crops))) for index in indices}
    try:
        for index in indices:
            while not all(index in job.results for job in running):
                _receive(running, progress, clock)
            progress[index].finish()
            yield index, [rows for job in running for rows in job.results.pop(index)]
        while any(job.open for job in running):
            _receive(running, progress, clock)
    finally:
        _end(running)


def split_blocks(count, jobs):
    """`count` images in at most `jobs` consecutive blocks of ceil(count / jobs), none empty: list of (first, end)."""
    size = -(-count // max(jobs, 1))
    return [(first, min(first + size, count)) for first in range(0, count, size)] if count else []


class _Job:
    """A process and what it has sent."""

    def __init__(self, number, process, connection):
        self.number, self.process, self.connection = number, process, connection
        self.results = {}  # scale index -> rows
        self.open = True   # more can come


def _start(roidb, crops, predictor_factory, config, indices, blocks, decoder):
    context = multiprocessing.get_context('spawn')
    threads = max(1, int(os.environ.get('OMP_NUM_THREADS') or num_cores()) // len(blocks))
    running = []
    with environment(OMP_NUM_THREADS=str(threads)):  # read once, when the process loads MXNet
        for number, (first, end) in enumerate(blocks):
            ours, theirs = context.Pipe(duplex=False)
            readers = resolve_workers(config.TEST.NUM_PROCESS, end - first) // len(blocks)  # cores are shared
            arguments = (theirs, roidb[first:end], crops[first:end], predictor_factory, config, indices, readers,
                         decoder)
            process = context.Process(target=_job, args=arguments, name='inference job %d' % (number + 1))
            process.start()
            theirs.close()
            running.append(_Job(number + 1, process, ours))
    logger.info('%d inference jobs, %d threads each', len(blocks), threads)
    return running


def _receive(running, progress, clock):
    """Take in the next messages of the jobs; raises SniperError if one failed or died."""
    by_connection = {job.connection: job for job in running if job.open}
    for connection in wait(list(by_connection)):
        job = by_connection[connection]
        try:
            kind, *content = connection.recv()
        except (EOFError, OSError):  # the pipe closed: a finished job has said 'clock' before
            job.process.join()
            raise SniperError('inference job %d of %d %s; if memory ran out, lower TEST.CONCURRENT_JOBS or '
                              'TEST.BATCH_IMAGES' % (job.number, len(running), how_it_ended(job.process.exitcode))) from None
        if kind == 'done':
            progress[content[0]].add(content[1])
        elif kind == 'scale':
            job.results[content[0]] = content[1]
        elif kind == 'clock':
            clock.add(content[0])
            job.open = False
        elif kind == 'error':
            raise SniperError(content[0])
        elif kind == 'crash':
            logger.error('inference job %d of %d:\n%s', job.number, len(running), content[0])
            raise SniperError('inference job %d of %d failed: %s'
                              % (job.number, len(running), content[0].strip().splitlines()[-1]))


def _end(running):
    for job in running:
        if job.open and job.process.is_alive():
            job.process.terminate()
    for job in running:
        job.process.join(SECONDS_TO_END)
        if job.process.is_alive():
            job.process.kill()
            job.process.join()
        job.connection.close()


def _job(connection, roidb, crops, predictor_factory, config, indices, num_workers, decoder):
    """Main function of a job process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends its jobs
    try:
        clock = StageClock()
        with clock.stage('set-up'):
            predictor = predictor_factory()
        for index in indices:
            rows = run_scale(roidb, crops, predictor, config, index, clock,
                             lambda count, index=index: connection.send(('done', index, count)), num_workers, decoder)
            connection.send(('scale', index, rows))
        connection.send(('clock', clock.seconds))
    except SniperError as error:
        connection.send(('error', str(error)))
    except Exception:  # reported whole by the parent, which ends the run
        connection.send(('crash', traceback.format_exc()))
    finally:
        connection.close()
