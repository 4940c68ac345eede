"""CompactRoidb: the records that went in come out, mirrored, joined, selected and pickled."""
import pickle

import numpy as np
import pytest

from lib.dataset.compact import CompactRoidb, image_paths, select
from lib.dataset.loading import usable_for_training, with_mirrored_copies
from lib.dataset.roidb import make_record, mirrored


def make_records(count=9, seed=0, whole=True, ids=None):
    rng = np.random.default_rng(seed)
    records = []
    for number in range(count):
        width, height = rng.integers(20, 300, 2).tolist()
        rows = int(rng.integers(0, 5))
        low = rng.uniform(0, 0.5, (rows, 2)) * (width, height)
        boxes = np.concatenate([low, low + rng.uniform(1, 5, (rows, 2))], axis=1)
        records.append(make_record(f'data/ä{seed}/{number}.jpg', ids[number] if ids else number * 7,
                                   width, height, np.trunc(boxes) if whole else boxes, rng.integers(1, 80, rows)))
    return records


def assert_same(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        assert set(ours) == set(theirs)
        for key, value in theirs.items():
            if key == 'gt_masks':
                assert as_lists(ours[key]) == as_lists(value)
            elif isinstance(value, np.ndarray):
                assert ours[key].dtype == value.dtype, key
                np.testing.assert_array_equal(ours[key], value, err_msg=key)
            else:
                assert ours[key] == value and type(ours[key]) is type(value), key


def as_lists(outlines):
    return [[ring.tolist() for ring in rings] for rings in outlines]


def with_outlines(records, seed=2):
    """Objects with no, one or several rings; coordinates that float32 holds, mirrored or not."""
    rng = np.random.default_rng(seed)
    return [dict(record, gt_masks=[[(rng.integers(-40, 400, 2 * int(rng.integers(3, 9))) / 4).astype(np.float32)
                                    for _ in range(rng.integers(0, 4))] for _ in record['boxes']])
            for record in records]


def with_proposals(records, seed=1):
    rng = np.random.default_rng(seed)
    return [dict(record, proposals=rng.uniform(0, 20, (number % 3 + 1, 4)).astype(np.float32))
            for number, record in enumerate(records)]


@pytest.mark.parametrize('records', [
    [], make_records(), make_records(whole=False), make_records(ids=['a', 5, 'ö', 2 ** 70, 'x', 1, 2, 3, 4]),
    make_records(5000), with_proposals(make_records()), with_outlines(make_records()),
    with_outlines(make_records(5000)),
    with_outlines(with_proposals(make_records())),
    [dict(record, max_overlaps=record['max_overlaps'] * 0.5) for record in make_records()],
    [dict(record, max_classes=record['max_classes'] + 70000) for record in make_records()],
    [dict(record, width=record['width'] + 0.5) for record in make_records()],
    [mirrored(record) for record in make_records(whole=False)]])
def test_records_come_back_as_they_were(records):
    compact = CompactRoidb.from_records(iter(records))
    assert_same(compact, records)
    assert_same(compact[2:5], records[2:5])
    assert_same(pickle.loads(pickle.dumps(compact[1:4])), records[1:4])
    assert list(image_paths(compact)) == [record['image'] for record in records]
    assert compact.image_ids() == [record['image_id'] for record in records]


@pytest.mark.parametrize('directions', [(True, False), (False, True), (True, True)])
def test_mirrored_copies_share_the_arrays(directions):
    records = with_outlines(with_proposals(make_records(whole=False)))
    compact = CompactRoidb.from_records(records)
    copies = with_mirrored_copies(compact, *directions)
    assert_same(copies, with_mirrored_copies(records, *directions))
    assert_same(copies.mirrored(*directions)[:9],
                with_mirrored_copies(records, *directions)[-9:] if sum(directions) == 1 else
                [mirrored(record, *directions) for record in records])
    assert copies.columns is compact.columns
    assert pickle.loads(pickle.dumps(copies))[-1]['image'] == records[-1]['image']


def test_parts_of_different_sets_are_joined():
    first, second, third = make_records(), with_proposals(make_records(7, 1)), make_records(5, 2, ids=list('abcde'))
    parts = [with_mirrored_copies(CompactRoidb.from_records(records)) for records in (first, second, third)]
    expected = sum((with_mirrored_copies(records) for records in (first, second, third)), [])
    assert_same(CompactRoidb.concatenate(parts), expected)
    assert_same(CompactRoidb.concatenate(parts[:1]), expected[:18])
    outlined = [with_outlines(records) for records in (first, second)]
    joined = CompactRoidb.concatenate([CompactRoidb.from_records(records) for records in outlined])
    assert_same(joined, sum(outlined, []))
    odd = [dict(record, max_overlaps=record['max_overlaps'] * 0.5) for record in first]
    joined = CompactRoidb.concatenate([CompactRoidb.from_records(records) for records in (second, odd)])
    assert_same(joined, second + odd)


def test_selection_and_filter():
    records = make_records(40)
    compact = CompactRoidb.from_records(records)
    wanted = [number % 3 == 0 for number in range(40)]
    assert_same(select(compact, wanted), select(records, wanted))
    for thresholds in ((0.5, 0.5, 0.0), (1.5, 0.5, 0.0), (1.5, 2.0, 0.0)):
        assert_same(usable_for_training(compact, *thresholds), usable_for_training(records, *thresholds))
    halves = [dict(record, max_overlaps=record['max_overlaps'] * 0.5) for record in records]
    assert_same(usable_for_training(CompactRoidb.from_records(halves), 0.6, 0.55, 0.0),
                usable_for_training(halves, 0.6, 0.55, 0.0))


def test_it_is_compact():
    records = make_records(2000)
    compact = with_mirrored_copies(CompactRoidb.from_records(records))
    boxes = sum(len(record['boxes']) for record in records)
    assert compact.nbytes < 17 * boxes + 2000 * (8 + 8 + 8 + 8 + 14 + 2 * 5 + 1) + 100


def test_polygons_are_compact_too():
    records = with_outlines(make_records(2000))
    plain = CompactRoidb.from_records(make_records(2000)).nbytes
    numbers = sum(len(ring) for record in records for rings in record['gt_masks'] for ring in rings)
    rings = sum(len(rings) for record in records for rings in record['gt_masks'])
    objects = sum(len(record['boxes']) for record in records)
    compact = with_mirrored_copies(CompactRoidb.from_records(records))
    assert compact.nbytes - plain < 4 * numbers + 8 * (rings + objects + 2000) + 2000 * 5 + 100


def test_no_such_record():
    compact = CompactRoidb.from_records(make_records(3))
    with pytest.raises(IndexError):
        compact[3]
    assert compact[-1]['image_id'] == compact[2]['image_id']
