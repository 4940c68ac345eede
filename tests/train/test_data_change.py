"""A run that goes on with other data: the length of an epoch, and where the schedule stands."""
import json
import os
import signal

import numpy as np
import pytest

from configs import flat_config
from lib.dataset.compact import CompactRoidb, relabelled
from lib.dataset.roidb import make_record
from lib.train.data_change import Length, settle_length, training_set_facts
from lib.train.resume import Position
from tests.train.test_run import at, run
from tests.train.tiny import FakeIterator, make_config

ONE, OTHER = {'records': 8, 'number': [1, 2]}, {'records': 48, 'number': [3, 4]}


def records(**change):
    record = dict({'name': 'x/a.jpg', 'boxes': [[1, 2, 30, 40]], 'labels': [1]}, **change)
    return [make_record(record['name'], 1, 90, 80, record['boxes'], record['labels'])]


def test_facts_follow_names_boxes_and_classes():
    facts = training_set_facts(records())
    assert facts == training_set_facts(records(name='elsewhere/a.jpg')) and facts['records'] == 1
    for change in ({'name': 'x/b.jpg'}, {'boxes': [[1, 2, 30, 41]]}, {'labels': [2]}):
        assert training_set_facts(records(**change)) != facts
    assert training_set_facts(records() * 2) != facts
    json.dumps(facts)
    compact = CompactRoidb.from_records(records())
    again = relabelled(relabelled(compact, np.array([0, 2, 1])), np.array([0, 2, 1]))
    assert training_set_facts(compact) == training_set_facts(again) == facts


def settle(batches, now, config=None, position=Position(1, 0, 0, 2), before=ONE):
    sidecar = {'samples': 20, 'batch_size': 2, 'config': flat_config(make_config()), 'data': before}
    return settle_length(sidecar, config or make_config(), FakeIterator(2, batches), now, 2, position)


def test_unchanged_data_is_not_counted(caplog):
    """Whatever the iterator would say."""
    assert settle(99, ONE) == Length(20, Position(1, 0, 0, 2), (2, 2)) and not caplog.text
    assert settle_length({}, make_config(), FakeIterator(2, 99), ONE, 2, Position(0, 0, 0, 2)).samples is None


@pytest.mark.parametrize('batches, samples', [(70, 140), (3, 6)])
def test_more_and_fewer_images(caplog, batches, samples):
    """The finished share of the training stays: updates count as many as they would have been."""
    found = settle(batches, OTHER)
    assert found == Length(samples, Position(1, 0, 0, 2), (2 * samples, 2 * 20))
    assert (f'An epoch had 20 chips of 8 images with mirrored copies, now it has {samples} of 48 images with mirrored '
            'copies: the schedule is made for these' in caplog.text)


def test_more_images_within_an_epoch(caplog):
    assert settle(70, OTHER, position=Position(1, 5, 0, 2)).position == Position(1, 35, 0, 2)
    assert settle(70, OTHER, position=Position(1, 0, 10, 4)).position == Position(1, 35, 0, 2)
    assert settle(3, OTHER, position=Position(1, 9, 0, 2)).position == Position(1, 2, 0, 2)  # one batch at least
    assert 'Epoch 2 was begun: it goes on with batch 36' in caplog.text


def test_as_many_chips_of_other_images(caplog):
    assert settle(10, OTHER, position=Position(1, 5, 0, 2)) == Length(20, Position(1, 5, 0, 2), (40, 40))
    assert 'is another than that of the checkpoint of 8 images' in caplog.text


def test_other_chips_of_the_same_images(caplog):
    """MAX_BATCHES of a trial, other scales: the configuration tells."""
    assert settle(70, ONE, make_config(MAX_BATCHES=70)).samples == 140
    assert 'now it has 140' in caplog.text
    assert settle(10, ONE, make_config(end_epoch=9, LR_POLICY='cosine')).samples == 20


@pytest.mark.parametrize('samples, expected', [(20, 20), (140, 140)])
def test_side_files_of_before(caplog, samples, expected):
    assert settle(samples // 2, OTHER, before=None).samples == expected
    assert ('An epoch had 20 chips, now it has 140 of 48 images' in caplog.text) == (expected != 20)


def test_the_cosine_ends_with_the_training(tmp_path):
    """3 batches an epoch, then 12: the last update has the last rate, also if an epoch was begun."""
    for stop, first in ((None, (1, 0)), (at(0, 1, lambda: os.kill(os.getpid(), signal.SIGTERM)), (0, 8))):
        prefix = str(tmp_path / f'S{first[0]}')
        settings = {'LR_POLICY': 'cosine', 'warmup': False}
        run(prefix, config=make_config(end_epoch=1, **settings), on_batch=stop)
        status, iterator = run(prefix, resume=True, config=make_config(end_epoch=2, **settings), batches=12)
        assert status == 0 and iterator.started[0] == first
        sidecar = json.load(open(prefix + '-0002.json'))
        assert sidecar['samples'] == 24
        np.testing.assert_allclose(sidecar['num_update'], 24, atol=1)
