"""Outlines in gt_masks: by hand, against the original's, and outlines that do not fit or make no sense."""
import math

import cv2
import numpy as np
import pytest

from lib.chips import Window
from lib.targets import ChipTargets, TargetSettings
from lib.targets.polygons import MOST_POINTS, area, simplified, to_window, write_outline, write_polygons
from tests.bbox.golden_cases import cases
from tests.targets.test_golden import entry_and_chip, iterator_chip, iterator_entry

SQUARE = np.array([0., 0, 10, 0, 10, 10, 0, 10])
TRIANGLE = np.array([1., 2, 3, 4, 5, 2])


def outline(rings, label=1, length=40):
    row = np.full(length, -1, np.float32)
    return write_outline(rings, label, row), row


def read(row):
    """(label - 1, rings) of a row, by reference/operators.md 8.1."""
    count = int(row[1])
    lengths, at, rings = row[2:2 + count].astype(int), 2 + count, []
    for length in lengths:
        rings.append(row[at:at + length])
        at += length
    assert at <= len(row) and (row[at:] == -1).all()
    return row[0], rings


def mask_of(rings, size=512, fine=4):
    """Pixels of the union of rings, on a grid `fine` times as fine."""
    mask = np.zeros((size * fine, size * fine), np.uint8)
    for ring in rings:
        cv2.fillPoly(mask, [np.round(np.asarray(ring).reshape(-1, 1, 2) * fine).astype(np.int32)], 1)
    return mask


def iou(first, second):
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 1.0


def star(points, radius, centre=(256, 256), waist=0.5):
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    reach = np.where(np.arange(points) % 2, waist, 1.0) * radius
    return (np.stack([np.cos(angle), np.sin(angle)], axis=1) * reach[:, None] + centre).ravel()


def unpacked(case, prefix=''):
    """Polygons of a golden case: a list of rings an object."""
    starts = np.cumsum(np.concatenate([[0], case[prefix + 'seglen']]))
    rings = [case[prefix + 'flat'][a:b] for a, b in zip(starts, starts[1:])]
    first = np.cumsum(np.concatenate([[0], case[prefix + 'nseg']]))
    return [rings[a:b] for a, b in zip(first, first[1:])]


def test_by_hand():
    cut, row = outline([SQUARE, TRIANGLE], label=7)
    assert not cut
    assert row[:18].tolist() == [6, 2, 8, 6] + SQUARE.tolist() + TRIANGLE.tolist() and (row[18:] == -1).all()


def test_chip_coordinates_are_neither_rounded_nor_clipped():
    ring = np.array([10.25, 20.5, -3, 7, 1000, 2000])
    assert to_window(ring, Window((10, 20, 50, 60), 2.0, 2.0, 80, 80)).tolist() == [0.5, 1, -26, -26, 1980, 3960]
    assert to_window(ring, Window((10, 20, 50, 60), 2.0, 2.0, 80, 80)).dtype == np.float32


@pytest.mark.parametrize('length, cut', [(2 + 1 + 8, False), (2 + 1 + 7, True)])
def test_the_last_number_that_fits(length, cut):
    simplified_, row = outline([SQUARE], length=length)
    assert simplified_ == cut
    assert len(read(row)[1][0]) == (6 if cut else 8)


def test_object_without_outline_is_marked_and_keeps_its_row():
    out = np.full((4, 30), 7, np.float32)
    assert write_polygons([[], [TRIANGLE]], [3, 5], out) == 0
    assert np.isnan(out[0, 0]) and out[0, 1] == 0
    assert read(out[1])[0] == 4 and (out[2:] == -1).all()


def test_more_objects_than_rows():
    out = np.zeros((2, 30), np.float32)
    write_polygons([[TRIANGLE]] * 5, [1, 2, 3, 4, 5], out)
    assert out[:, 0].tolist() == [0, 1]


def test_thousands_of_vertices_keep_their_shape():
    ring = star(6000, 200, waist=0.98)
    cut, row = outline([ring], length=200)
    assert cut
    _, rings = read(row)
    assert len(rings) == 1 and 6 <= len(rings[0]) <= 197
    assert iou(mask_of(rings), mask_of([ring])) > 0.95


def test_simplification_is_no_coarser_than_needed():
    """A circle of 1000 points in room for 60: the best 60 points leave 0.2 % of the area out."""
    angle = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    circle = (np.stack([np.cos(angle), np.sin(angle)], axis=1) * 100 + 200).ravel()
    ring, = simplified([circle], 121)
    assert len(ring) > 60
    assert 0.98 < area(ring) / area(circle) <= 1


def test_too_many_rings_keep_the_largest():
    rings = [np.array([x, 0, x + size, 0, x, size], np.float64)
             for x, size in zip(range(0, 400, 4), list(range(1, 51)) + list(range(50, 0, -1)))]
    cut, row = outline(rings, length=2 + 7 * 20)
    _, kept = read(row)
    assert cut and len(kept) == 20
    assert [ring[0] for ring in kept] == [4 * place for place in range(40, 60)]


def test_small_ring_gives_way_but_never_all():
    cut, row = outline([star(400, 100), star(300, 1, (20, 20))], length=60)
    _, rings = read(row)
    assert cut and max(area(ring) for ring in rings) > 10000
    cut, row = outline([star(500, 0.01)] * 3, length=9)
    _, rings = read(row)
    assert cut and len(rings) == 1 and len(rings[0]) == 6


HOSTILE = {
    'two points': [np.array([1., 1, 5, 5])],
    'no point': [np.zeros(0)],
    'one place': [np.full(600, 7.)],
    'a line': [np.linspace(0, 100, 600)],
    'there and back': [np.concatenate([np.linspace(0, 100, 600), np.linspace(100, 0, 600)])],
    'crosses itself': [np.random.default_rng(0).uniform(0, 512, 900)],
    'far away': [np.random.default_rng(1).uniform(-1e9, 1e9, 900)],
    'a hundred thousand': [star(100000, 200, waist=0.3)],
    'thousands of rings': [np.array([k % 90, k // 90, k % 90 + 1, k // 90, k % 90, k // 90 + 1.]) for k in range(5000)],
}


@pytest.mark.parametrize('kind', sorted(HOSTILE))
@pytest.mark.parametrize('length', [9, 40, 500])
def test_hostile_outlines_fit(kind, length):
    _, row = outline(HOSTILE[kind], length=length)
    _, rings = read(row)
    assert len(row) == length
    for ring in rings:
        assert np.isfinite(ring).all() and len(ring) % 2 == 0


def test_long_rings_are_thinned_evenly_before():
    """A noisy corner of 100,000 points and three far ones: the far ones stay."""
    noise = np.random.default_rng(2).uniform(0, 1, (100000, 2))
    ring = np.concatenate([noise, [[400, 0], [400, 400], [0, 400]]]).ravel()
    assert len(ring) > 20 * MOST_POINTS
    kept, = simplified([ring], 60)
    assert iou(mask_of([kept], fine=1), mask_of([[0, 0, 400, 0, 400, 400, 0, 400]], fine=1)) > 0.98


def test_random_outlines_stay_near():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rings = [star(int(rng.integers(100, 400)), rng.uniform(30, 90), rng.uniform(100, 400, 2), rng.uniform(0.9, 1))
                 for _ in range(3)]
        cut, row = outline(rings, length=300)
        assert cut, seed
        assert iou(mask_of(read(row)[1]), mask_of(rings)) > 0.93, seed


def compare_with_golden(got, expected, objects, number):
    """Rows in which all rings fit are equal; in the others the original left rings out, and we simplify."""
    simplified_rows = 0
    for row, (ours, theirs) in enumerate(zip(got, expected)):
        label, rings = read(ours) if row < len(objects) else (-1, [])
        needed = 2 + sum(len(ring) + 1 for ring in objects[row]) if row < len(objects) else 0
        if row < len(objects) and (needed > len(ours) or not objects[row]):
            simplified_rows += needed > len(ours)
            assert theirs[0] == label or not objects[row], (number, row)
            if objects[row]:
                assert iou(mask_of(rings, 2048, 1), mask_of(objects[row], 2048, 1)) > 0.8, (number, row)
        else:
            np.testing.assert_allclose(ours, theirs, atol=1e-3, err_msg=f'case {number} row {row}')
    return simplified_rows


def test_golden_rows():
    for case in cases('pipeline/polygons.npz'):
        scale = float(case['im_scale'])
        window = Window(tuple(case['crop'].tolist()), scale, scale, 512, 512)
        objects = [[to_window(ring, window) for ring in rings] for rings in unpacked(case)]
        flat = np.concatenate([ring for rings in objects for ring in rings] or [np.zeros(0)])
        np.testing.assert_allclose(flat, case['cropped'], atol=1e-3)
        got = np.zeros((100, 500), np.float32)
        write_polygons(objects, (case['cats'] + 1).tolist(), got)
        compare_with_golden(got, case['encoded'], objects[:100], case['number'])


def gt_masks(targets, entry, chip):
    out = np.full((100, 500), 7, np.float32)
    boxes = targets.boxes(entry, chip)
    targets.polygons(entry, chip, boxes, out)
    objects = [[to_window(ring, chip) for ring in entry['gt_masks'][row]] for row in boxes.rows]
    return out, objects, boxes


def test_golden_chips():
    compared = 0
    for case in cases('pipeline/anchor_targets.npz'):
        if 'encoded' not in case:
            continue
        entry, chip = entry_and_chip(case)
        entry['gt_masks'] = unpacked(case, 'poly_')
        size = int(case['chip_size'])
        got, objects, boxes = gt_masks(ChipTargets(TargetSettings(((-1, -1),), chip_size=size)), entry, chip)
        compare_with_golden(got, case['encoded'], objects, case['number'])
        table = np.zeros((100, 5), np.float32)
        ChipTargets(TargetSettings(((-1, -1),), chip_size=size)).gt_array(boxes, table)
        np.testing.assert_array_equal(table, case['gt_boxes'])
        compared += 1
    assert compared > 5


def test_golden_training_iterator():
    compared = 0
    for case in cases('pipeline/train_iterator.npz'):
        if not case['with_mask']:
            continue
        targets = ChipTargets(TargetSettings(tuple(map(tuple, case['valid_ranges'].tolist()))))
        for batch in ('b0', 'b1'):
            for slot, (image, number) in enumerate(case[batch + '_pick'].tolist()):
                entry = dict(iterator_entry(case, image), gt_masks=unpacked(case, f'in{image}_poly_'))
                got, objects, _ = gt_masks(targets, entry, iterator_chip(case, image, number))
                compare_with_golden(got, case[batch + '_gt_masks'][slot], objects, (case['number'], batch, slot))
                compared += 1
    assert compared > 5


def entry_of(count, extra=0):
    """An entry with `count` objects in a row, their upper left triangles as outlines, and `extra` equal proposals."""
    boxes = np.array([[20 * k, 10, 20 * k + 15, 30] for k in list(range(count)) + list(range(extra))], np.float32)
    outlines = [[np.array([x1, y1, x2, y1, x1, y2], np.float64)] for x1, y1, x2, y2 in boxes[:count].tolist()]
    rows = len(boxes)
    return dict(boxes=boxes, max_overlaps=np.ones(rows, np.float32), max_classes=np.arange(rows) % 5 + 1,
                gt_masks=outlines)


def test_proposals_that_coincide_with_an_object_have_no_row():
    targets = ChipTargets(TargetSettings(((-1, -1),), chip_size=256))
    chip = Window((0., 0., 255., 255.), 1.0, 1.0, 256, 256, rows=np.arange(6))
    assert len(targets.boxes(entry_of(4, 2), chip).boxes) == 4
    plain = {key: value for key, value in entry_of(4, 2).items() if key != 'gt_masks'}
    assert len(targets.boxes(plain, chip).boxes) == 6


def test_rows_are_those_of_gt_boxes_when_not_all_fit():
    """Objects 2, 5 and 7 are valid, there are rows for four: the first invalid one is the fourth."""
    targets = ChipTargets(TargetSettings(((-1, -1),), chip_size=256))
    entry = entry_of(9)
    chip = Window((0., 0., 255., 255.), 1.0, 1.0, 256, 256, rows=np.array([2, 5, 7]))
    boxes = targets.boxes(entry, chip)
    table, masks = np.zeros((4, 5), np.float32), np.zeros((4, 20), np.float32)
    assert targets.gt_array(boxes, table) == 5
    assert targets.polygons(entry, chip, boxes, masks) == 0
    assert table[:, 0].tolist() == [0, 40, 100, 140]
    assert masks[:, 3].tolist() == table[:, 0].tolist() and masks[:, 0].tolist() == (table[:, 4] - 1).tolist()


def test_area():
    assert area(SQUARE) == 100 and area(TRIANGLE) == 4 and area([1, 1, 5, 5]) == 0
    assert math.isclose(area(star(8, 10, waist=1.0)), 8 * 0.5 * 100 * math.sin(math.pi / 4))
