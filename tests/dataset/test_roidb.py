"""The roidb's columns and their checks, mirrored copies, filtering."""
import copy
import pickle

import numpy as np
import pytest

from lib.dataset.compact import CompactRoidb
from lib.dataset.loading import usable_for_training, with_mirrored_copies
from lib.dataset.proposals import with_proposals
from lib.dataset.roidb import INSIDE, OCCLUDED, ROW_COLUMNS, make_record, mirrored, validate, with_regions


def record(boxes=((1, 2, 30, 40),), width=100, height=80, masks=True):
    polygons = [[np.array([b[0], b[1], b[2], b[1], b[2], b[3]], np.float64)] for b in boxes] if masks else None
    return make_record('a.jpg', 1, width, height, boxes, [1] * len(boxes), polygons)


def assert_equal(first, second):
    assert set(first) == set(second)
    for key in first:
        if key == 'gt_masks':
            assert [[p.tolist() for p in parts] for parts in first[key]] \
                == [[p.tolist() for p in parts] for parts in second[key]]
        else:
            assert np.array_equal(first[key], second[key]), key


@pytest.mark.parametrize('directions, boxes, polygon', [
    ((True, False), [69, 2, 98, 40], [98, 2, 69, 2, 69, 40]),
    ((False, True), [1, 39, 30, 77], [1, 77, 30, 77, 30, 39]),
    ((True, True), [69, 39, 98, 77], [98, 77, 69, 77, 69, 39]),
])
def test_mirrored(directions, boxes, polygon):
    copied = mirrored(record(), *directions)
    assert copied['boxes'].tolist() == [boxes]
    assert copied['gt_masks'][0][0].tolist() == polygon
    assert (copied['flipped'], copied['flipped_vertical']) == directions


@pytest.mark.parametrize('directions', [(True, False), (False, True), (True, True)])
def test_twice_is_identity_and_nothing_changes_in_place(directions):
    seed = 5
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.integers(0, 80, (20, 2, 2)), axis=1).reshape(20, 4)
    original = record(corners)
    untouched = copy.deepcopy(original)
    copied = mirrored(original, *directions)
    validate([copied], 2)
    assert_equal(mirrored(copied, *directions), original)
    assert_equal(original, untouched)


def test_copies_share_labels():
    original = record()
    for key in ('gt_classes', 'max_classes', 'max_overlaps'):
        assert mirrored(original)[key] is original[key]


@pytest.mark.parametrize('horizontal, vertical, expected', [
    (False, False, [(False, False)]),
    (True, False, [(False, False), (True, False)]),
    (False, True, [(False, False), (False, True)]),
    (True, True, [(False, False), (True, False), (False, True), (True, True)]),
])
def test_copies_follow_all_originals(horizontal, vertical, expected):
    roidb = [record(), record(width=200)]
    result = with_mirrored_copies(roidb, horizontal, vertical)
    assert [(r['flipped'], r['flipped_vertical']) for r in result] == [pair for pair in expected for _ in roidb]
    assert [r['width'] for r in result] == [100, 200] * len(expected)
    assert len(roidb) == 2


def test_filter_keeps_foreground_or_background():
    def with_overlaps(*overlaps):
        return dict(record([(0, 0, 9, 9)] * len(overlaps)), max_overlaps=np.array(overlaps, np.float32))

    roidb = [with_overlaps(), with_overlaps(0.0), with_overlaps(0.00005), with_overlaps(0.2), with_overlaps(0.55),
             with_overlaps(1.0, 0.0)]
    kept = usable_for_training(roidb, 0.6, 0.5, 0.0)
    assert [r['max_overlaps'].tolist() for r in kept] == [r['max_overlaps'].tolist() for r in (roidb[3], roidb[5])]


def test_filter_reports_counts(caplog):
    with caplog.at_level('INFO'):
        usable_for_training([record(), record(())], 0.5, 0.5, 0.0)
    assert 'training images: 1 of 2 ' in caplog.text


@pytest.mark.parametrize('change, message', [
    ({'boxes': np.zeros((1, 4))}, 'boxes must be float32'),
    ({'boxes': np.array([[0, 0, 100, 9]], np.float32)}, 'not inside'),
    ({'boxes': np.array([[5, 0, 4, 9]], np.float32)}, 'not inside'),
    ({'gt_classes': np.zeros(2, np.int32)}, 'gt_classes must be int32 of shape'),
    ({'max_classes': np.array([2], np.int64)}, 'labels must be 1 to 1'),
    ({'gt_masks': []}, 'one list of polygons per object'),
    ({'width': 0}, 'size 0 x 80'),
])
def test_validate(change, message):
    validate([record()], 2)
    with pytest.raises(ValueError, match='a.jpg: .*' + message):
        validate([dict(record(), **change)], 2)


def test_validate_names_missing_fields():
    broken = record()
    del broken['boxes'], broken['flipped']
    with pytest.raises(ValueError, match='lacks boxes, flipped'):
        validate([broken], 2)


def flagged():
    """A record whose columns all differ from their defaults."""
    changed = {'max_classes': [1, 1], 'max_overlaps': [1, 0.5], 'crowd': [True, False], 'difficult': [False, True],
               'group_of': [True, True], 'weight': [0.5, 1], 'source': [300, 1],
               'attributes': [OCCLUDED, INSIDE]}
    return make_record('b.jpg', 'b', 100, 80, [[1, 2, 30, 40], [0, 0, 5, 5]], [1, 0], **changed)


def test_every_column_is_stored_joined_and_mirrored():
    assert set(ROW_COLUMNS) - {'boxes', 'gt_classes'} < set(flagged())
    records = [record(masks=False), flagged(), record((), masks=False)]
    compact = CompactRoidb.from_records(records)
    joined = CompactRoidb.concatenate([CompactRoidb.from_records([entry]) for entry in records])
    for found in (compact, joined, pickle.loads(pickle.dumps(compact))):
        for ours, theirs in zip(found, records):
            for name in ROW_COLUMNS:
                assert ours[name].dtype == theirs[name].dtype == ROW_COLUMNS[name].dtype
                np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    validate(compact, 2)
    assert compact.columns['source'].dtype == np.int16
    plain = CompactRoidb.from_records([record()])
    assert not set(ROW_COLUMNS) & set(plain.columns) - {'boxes', 'gt_classes'}
    assert mirrored(flagged())['weight'].tolist() == [0.5, 1] == compact.mirrored(True, False)[1]['weight'].tolist()


def test_proposals_get_the_defaults():
    merged = with_proposals(dict(flagged(), proposals=np.array([[1, 2, 30, 40]], np.float32)))
    assert {name: merged[name][2].tolist() for name in ROW_COLUMNS} == {
        'boxes': [1, 2, 30, 40], 'gt_classes': 0, 'max_classes': 1, 'max_overlaps': 1, 'crowd': False,
        'difficult': False, 'ignored': False, 'group_of': False, 'weight': 1, 'source': 0,
        'attributes': 0}


def test_proposals_in_regions_are_left_out():
    """And a region is no object that a proposal could coincide with."""
    regions = with_regions(flagged(), [[50, 40, 79, 69]])
    validate([regions], 3)
    proposals = np.array([[50, 40, 79, 69], [50, 40, 109, 69], [50, 40, 110, 69], [1, 2, 30, 40]], np.float32)
    merged = with_proposals(dict(regions, proposals=proposals))
    np.testing.assert_array_equal(merged['boxes'][len(regions['boxes']):], proposals[2:])   # shares 1, 0.5, 0.49, 0
    assert merged['max_overlaps'][len(regions['boxes']):].tolist() == [0, 1]


def test_columns_that_nobody_declared_are_named():
    with pytest.raises(ValueError, match='a.jpg: has is_crowd, which lib.dataset.roidb does not declare'):
        validate([dict(record(), is_crowd=np.zeros(1))], 2)
    with pytest.raises(ValueError, match='a.jpg: crowd must be bool of shape'):
        validate([dict(record(), crowd=np.zeros(1, np.int32))], 2)
    with pytest.raises(KeyError, match='is_crowd'):
        make_record('a.jpg', 1, 100, 80, [[1, 2, 30, 40]], [1], is_crowd=[True])


def test_shared_defaults_cannot_be_written_to():
    with pytest.raises(ValueError, match='read-only'):
        record()['crowd'][0] = True
