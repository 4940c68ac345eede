"""CONCURRENT_JOBS: parallel inference processes, each with its own predictor and a part of the images.

A job runs all scales of its part (see deal.py) one after another and sends the parent, through a pipe:
('start', index, crops), ('done', index, crops), ('scale', index, result) and at the end ('clock', seconds),
('error', text) or ('crash', traceback).

`windows(roidb, index, previous)` gives the crops[image] of scale `index`; previous is the ScaleResult of the scale
before, None if that is not run. focus.py has two of them.
MXNet is imported in the job, never before: the start method is spawn, and the predictor comes from a picklable factory.
"""
import logging
import multiprocessing
import os
import signal
import traceback
from multiprocessing.connection import wait

from lib.dataset.compact import take
from lib.utils.errors import SniperError
from lib.inference.partition import deal_images
from lib.inference.progress import Progress, StageClock
from lib.inference.scale import ScaleResult, joined, run_scale, scale_name
from lib.utils.processes import environment, how_it_ended, num_cores, resolve_workers

logger = logging.getLogger(__name__)

SECONDS_TO_END = 5.0  # a job that was asked to end gets this long


def run_here(roidb, windows, predictor_factory, config, indices, clock, decoder=None, known=None):
    """Scales `indices`, ascending, in this process; yields (scale index, ScaleResult).

    decoder: see scale.run_scale. known: scale index -> ScaleResult of scales that need not be run.
    """
    if not indices or not roidb:
        yield from ((index, ScaleResult([], [], [])) for index in indices)
        return
    with clock.stage('set-up'):
        predictor = predictor_factory()
    try:
        results = dict(known or {})
        for index in indices:
            with clock.stage('chips'):
                crops = windows(roidb, index, results.get(index - 1))
            progress = Progress(f'scale {scale_name(config, index)}')
            progress.expect(sum(map(len, crops)))
            results[index] = run_scale(roidb, crops, predictor, config, index, clock, progress.add, decoder=decoder)
            progress.finish()
            yield index, results[index]
    finally:
        predictor.close()


def run_in_jobs(roidb, windows, predictor_factory, config, indices, clock, jobs, decoder=None, known=None):
    """The same with `jobs` processes, `windows` and `decoder` picklable. Images of a result are in the roidb's order.

    Raises SniperError with a job's own message if it failed, or naming the job if it died; the others are ended.
    """
    parts = [numbers for numbers in deal_images(roidb, config, jobs) if len(numbers)]
    running = _start(roidb, windows, predictor_factory, config, indices, parts, decoder, known or {})
    progress = {index: Progress(f'scale {scale_name(config, index)}') for index in indices}
    try:
        for index in indices:
            while not all(index in job.results for job in running):
                _receive(running, progress, clock)
            progress[index].finish()
            yield index, joined([job.results.pop(index) for job in running], parts)
        while any(job.open for job in running):
            _receive(running, progress, clock)
    finally:
        _end(running)


class _Job:
    """A process and what it has sent."""

    def __init__(self, number, process, connection):
        self.number, self.process, self.connection = number, process, connection
        self.results = {}  # scale index -> ScaleResult
        self.open = True   # more can come


def _start(roidb, windows, predictor_factory, config, indices, parts, decoder, known):
    context = multiprocessing.get_context('spawn')
    threads = max(1, int(os.environ.get('OMP_NUM_THREADS') or num_cores()) // len(parts))
    running = []
    with environment(OMP_NUM_THREADS=str(threads)):  # read once, when the process loads MXNet
        for number, images in enumerate(parts):
            ours, theirs = context.Pipe(duplex=False)
            readers = resolve_workers(config.TEST.NUM_PROCESS, len(images)) // len(parts)  # cores are shared
            arguments = (theirs, take(roidb, images), windows, predictor_factory, config, indices, readers, decoder,
                         {index: result.of_images(images) for index, result in known.items()})
            process = context.Process(target=_job, args=arguments, name=f'inference job {number + 1}')
            process.start()
            theirs.close()
            running.append(_Job(number + 1, process, ours))
    logger.info('%d inference jobs, %d threads each', len(parts), threads)
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
            raise SniperError(f'inference job {job.number} of {len(running)} {how_it_ended(job.process.exitcode)}; if '
                               'memory ran out, lower TEST.CONCURRENT_JOBS or '
                              'TEST.BATCH_IMAGES') from None
        if kind == 'start':
            progress[content[0]].expect(content[1])
        elif kind == 'done':
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
            raise SniperError(f'inference job {job.number} of {len(running)} failed: '
                              f'{content[0].strip().splitlines()[-1]}')


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


def _job(connection, roidb, windows, predictor_factory, config, indices, num_workers, decoder, known):
    """Main function of a job process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends its jobs
    try:
        clock = StageClock()
        with clock.stage('set-up'):
            predictor = predictor_factory()
        previous = known
        for index in indices:
            with clock.stage('chips'):
                crops = windows(roidb, index, previous.get(index - 1))
            connection.send(('start', index, sum(map(len, crops))))
            result = run_scale(roidb, crops, predictor, config, index, clock,
                               lambda count, index=index: connection.send(('done', index, count)), num_workers, decoder)
            connection.send(('scale', index, result))
            previous = {**known, index: result}
        connection.send(('clock', clock.seconds))
    except SniperError as error:
        connection.send(('error', str(error)))
    except Exception:  # reported whole by the parent, which ends the run
        connection.send(('crash', traceback.format_exc()))
    finally:
        connection.close()
