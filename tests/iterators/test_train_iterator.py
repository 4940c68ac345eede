"""TrainIterator: the same batches whatever the workers, each chip once, broken images, dying workers."""
import collections
import logging
import os
import signal
import time

import numpy as np
import pytest

from lib.chips import RandomCrops
from lib.iterators import TrainIterator
from lib.tasks import Input, TargetReport, Task
from lib.tasks.registry import TASKS
from lib.utils.errors import SniperError
from symbols.registry import DETECTORS, Entry
from tests.iterators.scenes import (
    assert_same_batches,
    epoch_batches,
    make_entry,
    make_roidb,
    small_config,
    snapshot,
    write_image,
)
from tests.iterators.test_pool import gone_within


@pytest.fixture(scope='module')
def roidb(tmp_path_factory):
    return make_roidb(tmp_path_factory.mktemp('images'), 8)


def serial_epoch(roidb, config, epoch=0, batch=4, **kwargs):
    with TrainIterator(roidb, config, batch, num_workers=0, **kwargs) as iterator:
        return epoch_batches(iterator, epoch)


def truncate(path):
    with open(path, 'rb') as file:
        content = file.read()
    with open(path, 'wb') as file:
        file.write(content[:len(content) // 2])


def test_names_shapes_and_types(roidb):
    config = small_config()
    with TrainIterator(roidb, config, 4, num_workers=0) as iterator:
        assert iterator.provide_data == [('data', (4, 3, 64, 64)), ('valid_ranges', (4, 2)), ('im_info', (4, 3))]
        assert iterator.provide_label == [('label', (4, 96)), ('bbox_target', (4, 24, 4, 4)),
                                          ('bbox_weight', (4, 24, 4, 4)), ('gt_boxes', (4, 20, 5))]
        batches = iterator.start_epoch(0)
        count = 0
        for batch in iterator:
            assert [(name, array.shape) for name, array in batch.data.items()] == iterator.provide_data
            assert [(name, array.shape) for name, array in batch.label.items()] == iterator.provide_label
            assert all(array.dtype == np.float32 for array in list(batch.data.values()) + list(batch.label.values()))
            assert len(batch.images) == 4 and batch.index == count
            assert set(np.unique(batch.label['label'])) <= {-1, 0, 1}
            assert (batch.label['gt_boxes'][:, 0, 4] > 0).all()  # every chip shows an object
            count += 1
        assert count == batches > 1
        assert next(iterator, None) is None


def test_proposal_only_layout(roidb):
    config = small_config(ONLY_PROPOSAL=True)
    full = serial_epoch(roidb, small_config())
    alone = serial_epoch(roidb, config)
    for (arrays, images), (expected, expected_images) in zip(alone, full):
        assert list(arrays) == ['data', 'label', 'bbox_target', 'bbox_weight'] and images == expected_images
        for name in arrays:
            np.testing.assert_array_equal(arrays[name], expected[name])


FOCUS = dict(AUTO_FOCUS=True, AUTO_FOCUS_DC_LOW=2, AUTO_FOCUS_SMALL_THRESH=30, AUTO_FOCUS_DC_HIGH=50)


def test_focus_labels_come_last_and_change_nothing_else(roidb):
    plain, focus = serial_epoch(roidb, small_config()), serial_epoch(roidb, small_config(**FOCUS))
    seen = set()
    for (arrays, images), (expected, expected_images) in zip(focus, plain):
        assert list(arrays) == list(expected) + ['scale_label'] and images == expected_images
        assert arrays['scale_label'].shape == (4, 16)
        seen |= set(np.unique(arrays['scale_label']))
        for name in expected:
            np.testing.assert_array_equal(arrays[name], expected[name])
    assert seen == {-1, 0, 1}


def test_proposal_only_leaves_focus_labels_out(roidb):
    (arrays, _), *_ = serial_epoch(roidb, small_config(ONLY_PROPOSAL=True, **FOCUS))
    assert list(arrays) == ['data', 'label', 'bbox_target', 'bbox_weight']


def test_serial_one_and_two_workers_agree_bit_for_bit(roidb):
    config = small_config(COLOR_JITTER=0.2, **FOCUS)
    expected = [serial_epoch(roidb, config, epoch) for epoch in (0, 1)]
    for workers in (1, 2):
        with TrainIterator(roidb, config, 4, num_workers=workers) as iterator:
            for epoch in (0, 1):
                assert_same_batches(epoch_batches(iterator, epoch), expected[epoch])


def test_epochs_and_seeds_differ(roidb):
    config = small_config()
    first = serial_epoch(roidb, config)[0]
    for other in (serial_epoch(roidb, config, epoch=1)[0], serial_epoch(roidb, config, seed=1)[0]):
        assert first[1] != other[1] or (first[0]['data'] != other[0]['data']).any()


def test_start_in_the_middle_gives_the_same_rest(roidb):
    config = small_config()
    expected = serial_epoch(roidb, config, 2)
    with TrainIterator(roidb, config, 4, num_workers=2) as iterator:
        iterator.start_epoch(0)
        next(iterator)  # given up with batches in the making
        assert_same_batches(epoch_batches(iterator, 2, 2), expected[2:])
        assert iterator.start_epoch(2, len(expected)) == len(expected)
        assert list(iterator) == []


def test_each_chip_once_and_the_first_batch_is_not_lost(roidb):
    with TrainIterator(roidb, small_config(), 4, num_workers=0) as iterator:
        batches = epoch_batches(iterator, 0)
        chips = iterator.epoch_stats['chips']
        assert len(batches) == -(-chips // 4) == iterator.epoch_stats['batches']
        samples = collections.Counter()
        for arrays, images in batches:
            for row, path in enumerate(images):
                samples[path, arrays['data'][row].tobytes()] += 1
        assert sum(samples.values()) == 4 * len(batches)
        # Two chips of an image may show the same pixels; otherwise each sample is a chip of its own.
        assert len(samples) >= 0.8 * chips
        assert max(samples.values()) <= 3


def test_epoch_stats(roidb):
    with TrainIterator(roidb, small_config(), 4, num_workers=0) as iterator:
        iterator.start_epoch(3)
        stats = iterator.epoch_stats
        assert stats['epoch'] == 3 and stats['stride'] in (12, 13) and stats['seconds'] > 0
        assert sum(stats['chips_per_scale']) == stats['chips'] and len(stats['chips_per_scale']) == 2
        assert stats['chips_per_image'] == stats['chips'] / len(roidb)
        assert stats['objects'] == sum(len(entry['boxes']) for entry in roidb)
        assert 0 <= stats['uncovered_boxes'] < stats['objects']
        assert iterator.wait_seconds == 0
        next(iterator)
        assert iterator.wait_seconds > 0


def test_set_smaller_than_a_batch(roidb):
    batches = serial_epoch(roidb[:1], small_config(), batch=16)
    assert len(batches) == 1 and batches[0][1] == [roidb[0]['image']] * 16


def test_max_batches(roidb):
    config = small_config(MAX_BATCHES=2)
    assert_same_batches(serial_epoch(roidb, config), serial_epoch(roidb, small_config())[:2])


def test_mirrored_entry_shows_mirrored_pixels(tmp_path):
    write_image(tmp_path / 'a.png', 60, 50, np.random.default_rng(0))
    config = small_config(SCALES=[64.0], VALID_RANGES=[(-1, -1)])
    samples = []
    for flipped in (False, True):
        entry = make_entry(tmp_path / 'a.png', 60, 50, [[0, 0, 59, 49]], flipped=flipped)
        samples.append(serial_epoch([entry], config, batch=1)[0][0])
    width = int((samples[0]['data'][0, 0, 0] != 0).sum())
    assert (samples[0]['data'] != samples[1]['data']).any()
    # The window may lack the last column, which is another one when mirrored: compare away from it.
    left, right = samples[0]['data'][0, :, :40, 5:width - 5], samples[1]['data'][0, :, :40, 5:width - 5][..., ::-1]
    assert min(abs(left[..., shift:] - right[..., :right.shape[2] - shift]).mean() for shift in (0, 1, 2)) < 6


def test_objects_in_no_chip_are_said_once(roidb, caplog):
    config = small_config(VALID_RANGES=[(-1, 1), (40, -1)])
    with TrainIterator(roidb, config, 4, num_workers=0) as iterator:
        for epoch in range(2):
            iterator.start_epoch(epoch)
        stats = iterator.epoch_stats
    lines = [record.getMessage() for record in caplog.records if 'in no chip' in record.getMessage()]
    assert stats['uncovered_boxes'] > 0.03 * stats['objects'] and len(lines) == 1
    assert f'{stats["uncovered_boxes"]} of {stats["objects"]} objects' in lines[0] and 'lib.chips.stats' in lines[0]


def test_too_many_objects_are_counted_once_an_epoch(roidb, caplog):
    config = small_config(MAX_GT=1)
    with TrainIterator(roidb, config, 4, num_workers=0) as iterator:
        iterator.start_epoch(0)
        dropped = sum(batch.stats['dropped_boxes'] for batch in iterator)
        assert dropped == iterator.epoch_stats['dropped_boxes'] > 0
        most = max(len(entry['boxes']) for entry in roidb)
    lines = [record.getMessage() for record in caplog.records if 'TRAIN.MAX_GT' in record.getMessage()]
    start = f'Epoch 1: {dropped} objects did not fit into the 1 rows of gt_boxes; raise TRAIN.MAX_GT to '
    assert len(lines) == 1 and lines[0].startswith(start) and 1 < int(lines[0][len(start):]) <= most


def test_broken_images_are_replaced_and_named(tmp_path, caplog):
    roidb = make_roidb(tmp_path, 6)
    whole = serial_epoch(roidb, small_config())
    truncate(roidb[0]['image'])
    os.remove(roidb[1]['image'])  # and of its mirrored twin
    with open(roidb[4]['image'], 'w') as file:
        file.write('not a picture')
    broken = {roidb[number]['image'] for number in (0, 1, 4)}
    expected = serial_epoch(roidb, small_config())
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    for path in broken:
        assert sum(path in line for line in lines) == 1
    replaced = 0
    for (arrays, images), (whole_arrays, whole_images) in zip(expected, whole):
        assert not broken & set(images)
        for row, path in enumerate(whole_images):
            if path in broken:
                replaced += 1
            else:
                np.testing.assert_array_equal(arrays['data'][row], whole_arrays['data'][row])
    assert any(f'{replaced} samples were replaced because of 3 broken images' in line for line in lines)
    with TrainIterator(roidb, small_config(), 4, num_workers=2) as iterator:
        assert_same_batches(epoch_batches(iterator, 0), expected)
        assert iterator.epoch_stats['replaced_samples'] == replaced
        assert_same_batches(epoch_batches(iterator, 0, 1), expected[1:])  # now that the broken ones are known


@pytest.mark.parametrize('workers', [0, 2])
def test_all_images_broken_is_an_error(tmp_path, workers):
    roidb = make_roidb(tmp_path, 3)
    for entry in roidb:
        with open(entry['image'], 'w') as file:
            file.write('not a picture')
    with TrainIterator(roidb, small_config(), 4, num_workers=workers) as iterator:
        iterator.start_epoch(0)
        with pytest.raises(SniperError, match=r'no image .* can be read \(3 tried\).*image000.jpg'):
            next(iterator)


def test_smaller_image_than_annotated_warns_and_goes_on(tmp_path, caplog):
    roidb = make_roidb(tmp_path, 4)
    write_image(roidb[0]['image'], 40, 30, np.random.default_rng(0))
    expected = serial_epoch(roidb, small_config())
    lines = [record.getMessage() for record in caplog.records if 'annotation says' in record.getMessage()]
    assert len(lines) == 1 and roidb[0]['image'] in lines[0]
    with TrainIterator(roidb, small_config(), 4, num_workers=2) as iterator:
        assert_same_batches(epoch_batches(iterator, 0), expected)


@pytest.mark.parametrize('moment', ['before the epoch', 'within the epoch'])
def test_killed_worker_is_an_error_not_a_hang(roidb, moment):
    with TrainIterator(roidb, small_config(), 2, num_workers=2) as iterator:
        pids = iterator.worker_pids
        assert len(pids) == 2
        with pytest.raises(SniperError, match='data worker .* was killed by signal 9'):
            if moment == 'within the epoch':
                iterator.start_epoch(0)
                next(iterator)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            for epoch in range(3):
                epoch_batches(iterator, epoch)
        with pytest.raises(SniperError, match='killed by signal 9'):
            iterator.start_epoch(0)
    assert gone_within(pids, 5)


def test_bug_in_a_worker_names_the_image(roidb):
    bad = [dict(entry, gt_classes=entry['gt_classes']) for entry in roidb]
    config = small_config(VALID_RANGES=[(-1, 40), ('x', -1)])
    with TrainIterator(bad, config, 2, num_workers=0) as iterator:
        with pytest.raises(SniperError, match=r'data worker failed on .*image000.jpg: TypeError'):
            iterator.start_epoch(0)


def test_close_twice_and_asking_too_early(roidb):
    iterator = TrainIterator(roidb, small_config(), 2, num_workers=1)
    with pytest.raises(SniperError, match='start_epoch'):
        next(iterator)
    iterator.start_epoch(0)
    iterator.close()
    iterator.close()
    with pytest.raises(SniperError, match='closed'):
        iterator.start_epoch(1)


def test_no_image_and_no_chip_are_errors(tmp_path):
    with pytest.raises(SniperError, match='no image'):
        TrainIterator([], small_config(), 2, num_workers=0)
    write_image(tmp_path / 'a.png', 50, 40, np.random.default_rng(0))
    with TrainIterator([make_entry(tmp_path / 'a.png', 50, 40, [])], small_config(), 2, num_workers=0) as iterator:
        with pytest.raises(SniperError, match='no training chip'):
            iterator.start_epoch(0)


def test_batches_ahead_do_not_touch_the_one_in_use(roidb):
    with TrainIterator(roidb, small_config(PREFETCH=1), 2, num_workers=2) as iterator:
        iterator.start_epoch(0)
        for batch in iterator:
            before = snapshot(batch)
            time.sleep(0.02)  # the workers fill the slots that are free
            assert_same_batches([before], [snapshot(batch)])


@pytest.mark.parametrize('kind', ['images', 'crops'])
def test_other_samplers(roidb, kind):
    """Every image gives one window; the same batches whatever the workers."""
    config = small_config(SAMPLER=kind)
    if kind == 'crops':
        config.symbol = 'two_scales'
    batches = serial_epoch(roidb, config)
    assert sum(len(images) for _, images in batches) == -(-len(roidb) // 4) * 4
    with TrainIterator(roidb, config, 4, num_workers=2) as iterator:
        assert_same_batches(batches, epoch_batches(iterator, 0))


@pytest.mark.parametrize('kind', ['images', 'crops'])
def test_other_samplers_of_a_detector(roidb, kind):
    """Also windows with two scales, and objects of every size: valid ranges are those of chips."""
    config = small_config(SAMPLER=kind)
    batches = serial_epoch(roidb, config)
    for arrays, _ in batches:
        np.testing.assert_array_equal(arrays['valid_ranges'], [[0, config.TRAIN.CHIP_SIZE]] * 4)
        assert (arrays['gt_boxes'][:, 0, 4] > 0).all()


class TwoScales(Task):
    """Inputs that are not square, and boxes of windows with two scales."""

    name = 'two_scales'

    def sampler(self):
        return RandomCrops(32, 96)

    def inputs(self):
        return [Input('data', (3, 32, 96)), Input('boxes', (4,), 'label')]

    def targets(self, record, window, rng, out):
        corner, scales = np.array(window.box[:2] * 2), np.array((window.scale_x, window.scale_y) * 2)
        out['boxes'][:] = (record['boxes'][window.rows[0]] - corner) * scales
        return TargetReport()


@pytest.fixture(autouse=True)
def two_scales(monkeypatch):
    monkeypatch.setitem(DETECTORS, 'two_scales', Entry('nowhere:build', 'two_scales'))
    monkeypatch.setitem(TASKS, 'two_scales', TwoScales)
