"""Inference processes: who gets which images, what one process gives, and how a failure ends all."""
import os

import numpy as np
import pytest

from configs import load_config
from lib.dataset.roidb import make_record
from lib.inference.detect import detect
from lib.inference.workers import num_devices, partition, partition_images, readers_of_worker, unit_length
from lib.iterators.batching import order_crops
from lib.utils.clock import StageClock
from lib.utils.errors import SniperError
from tests.detections import assert_same
from tests.inference import fakes


def crops_of(count, seed=0):
    sides = np.random.default_rng(seed).integers(5, 60, (count, 2))
    return np.hstack([np.zeros((count, 2), int), sides])


@pytest.mark.parametrize('count', [0, 1, 3, 17, 40])
@pytest.mark.parametrize('parts', [1, 2, 3, 7])
def test_every_batch_stays_whole(count, parts):
    """Disjoint and complete; and the batches of all parts together are those of all crops, whatever fills them up."""
    crops = crops_of(count)
    numbers_of_parts = partition(crops, 4, parts)
    assert sorted(np.concatenate(numbers_of_parts).tolist()) == list(range(count))
    for size in (1, 2, 4):
        whole = order_crops(crops, size).reshape(-1, size).tolist()
        batches = [numbers[batch].tolist() for numbers in numbers_of_parts if len(numbers)
                   for batch in order_crops(crops[numbers], size).reshape(-1, size)]
        assert sorted(batches) == sorted(whole)


def test_parts_differ_by_two_units_at_most():
    """One whose turn it was, and one that the ends of the wide and the tall ones have more."""
    for parts in (2, 3, 5):
        lengths = [len(numbers) for numbers in partition(crops_of(200, 1), 4, parts)]
        assert max(lengths) - min(lengths) <= 3 * 4


def test_unit_holds_whole_batches_of_all_scales():
    settings = ['TEST.SCALES', '[(60, 80), (30, 40), (20, 20)]', 'TEST.BATCH_IMAGES', '[4, 6, 7]']
    config = load_config(None, settings + ['TEST.DO_PRUNING', '[False, False, True]', 'gpus', 'cpu,cpu'])
    assert num_devices(config) == 2 and unit_length(config) == 24
    roidb = [make_record('x', number, 9, 9, [], []) for number in range(50)]
    assert [len(numbers) for numbers in partition_images(roidb, config, 3)] == [24, 26, 0]


def test_jobs_give_what_one_process_gives(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    clock = StageClock()
    one = detect(roidb, fakes.FakePredictor, fakes.make_config(FLIP=True))
    two = detect(roidb, fakes.FakePredictor, fakes.make_config(FLIP=True, CONCURRENT_JOBS=2), clock=clock)
    assert_same(one, two)
    assert clock.seconds['network'] > 0 and clock.seconds['read'] > 0


def test_more_jobs_than_images(tmp_path):
    roidb = fakes.make_roidb(tmp_path)[:2]
    one = detect(roidb, fakes.FakePredictor, fakes.make_config())
    assert_same(one, detect(roidb, fakes.FakePredictor, fakes.make_config(CONCURRENT_JOBS=7)))


@pytest.mark.parametrize('predictor, message', [
    (fakes.KilledPredictor, r'inference job \d of 2 was killed by signal 9 \(often: out of memory\); if memory '
                            r'ran out, lower TEST.CONCURRENT_JOBS'),
    (fakes.BuggyPredictor, r'inference job \d of 2 failed: ZeroDivisionError: a bug'),
    (fakes.ComplainingPredictor, '^the weights are of another network$')])
def test_failing_job_ends_the_run(tmp_path, predictor, message):
    with pytest.raises(SniperError, match=message):
        detect(fakes.make_roidb(tmp_path), predictor, fakes.make_config(CONCURRENT_JOBS=2))


def test_jobs_share_the_cores(tmp_path, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '6')
    with pytest.raises(SniperError, match='threads: 3'):
        detect(fakes.make_roidb(tmp_path)[:2], fakes.ThreadsPredictor, fakes.make_config(CONCURRENT_JOBS=2))
    assert os.environ['OMP_NUM_THREADS'] == '6'


@pytest.mark.parametrize('setting, workers, readers', [(0, 2, 0), (1, 2, 1), (1, 4, 1)])
def test_every_worker_has_a_reader(setting, workers, readers):
    """NUM_PROCESS 1 was 0 readers each for two workers."""
    assert readers_of_worker(fakes.make_config(NUM_PROCESS=setting), 50, workers) == readers
