"""Average recall against pycocotools, and by hand."""
import contextlib
import io
import math

import numpy as np
import pytest

from lib.inference.recall import BANDS, LIMITS, SIZES, THRESHOLDS, Recall


def test_by_hand():
    objects = [[0, 0, 9, 9], [100, 100, 199, 199]]
    proposals = [[0, 0, 9, 9, 0.9], [100, 100, 199, 183, 0.8], [0, 0, 9, 9, 0.7]]  # IoU 1, 0.84, and 1 once more
    recall = Recall()
    recall.add(proposals, objects)
    results = recall.average()
    assert results['all']['100'] == pytest.approx((1 + 0.7) / 2)  # the second is found at 0.5, 0.55, ... 0.8
    assert results['small']['100'] == 1 and results['large']['100'] == pytest.approx(0.7)
    assert results['medium'] == {str(limit): -1 for limit in LIMITS}
    half = recall.at(0.5)
    assert half['all'] == {'10': 1, '100': 1, '300': 1} and half['side_8_16']['10'] == half['side_64_128']['10'] == 1
    assert results['side_64_128']['10'] == pytest.approx(0.7) and half['side_256_up']['10'] == -1
    assert recall.objects['all'] == 2 and [recall.objects[name] for name, _, _ in BANDS] == [0, 1, 0, 0, 1, 0, 0]
    table = [line.split() for line in recall.table()]
    assert table[1] == ['objects'] + ['@10', '@100', '@300'] * 2
    assert table[4] == ['medium', '0'] + ['-'] * 6 and table[5] == ['large', '1'] + ['1.000'] * 3 + ['0.700'] * 3
    assert [row[1] for row in table[6:]] == ['8-16', '64-128']


def test_only_the_best_count():
    recall = Recall(limits=(1, 2))
    recall.add([[50, 50, 60, 60, 0.1], [0, 0, 9, 9, 0.2], [20, 20, 29, 29, 0.3]], [[0, 0, 9, 9]])
    assert recall.average()['all'] == {'1': 0, '2': 1}


def test_images_without_objects_or_proposals():
    recall = Recall()
    recall.add(np.zeros((0, 5)), np.zeros((0, 4)))
    assert recall.average()['all']['100'] == -1
    recall.add(np.zeros((0, 5)), [[0, 0, 9, 9]])
    recall.add([[0, 0, 9, 9, 1]], np.zeros((0, 4)))
    assert recall.average()['all']['100'] == 0


def random_images(rng, count=12):
    """Objects of all sizes, many near one another, and proposals around them, with ties in score."""
    for _ in range(count):
        sides = np.exp(rng.uniform(np.log(8), np.log(200), (rng.integers(0, 9), 2)))
        corners = rng.uniform(0, 300, sides.shape)
        objects = np.round(np.hstack([corners, corners + sides]))
        around = objects[rng.integers(0, len(objects), 400)] if len(objects) else np.zeros((0, 4))
        noise = rng.normal(0, 0.12, around.shape) * np.tile(around[:, 2:] - around[:, :2], 2)
        proposals = np.hstack([around + noise, np.round(rng.uniform(0, 1, (len(around), 1)), 2)])
        yield proposals[(proposals[:, 2] > proposals[:, 0]) & (proposals[:, 3] > proposals[:, 1])], objects


def coco_recall(images, limits):
    """The same by pycocotools with useCats = 0: {size: {limit: AR}}."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def index(rows_of_images, scored):
        coco, annotations = COCO(), []
        for number, rows in enumerate(rows_of_images, 1):
            for row in rows:
                width, height = row[2] - row[0] + 1, row[3] - row[1] + 1
                annotations.append({'id': len(annotations) + 1, 'image_id': number, 'category_id': 1, 'iscrowd': 0,
                                    'bbox': [row[0], row[1], width, height], 'area': width * height})
                if scored:
                    annotations[-1]['score'] = row[4]
        coco.dataset = {'images': [{'id': number} for number in range(1, len(rows_of_images) + 1)],
                        'categories': [{'id': 1}], 'annotations': annotations}
        coco.createIndex()
        return coco

    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(index([objects for _, objects in images], False),
                             index([proposals for proposals, _ in images], True), 'bbox')
        evaluator.params.useCats = 0
        evaluator.params.maxDets = list(limits)
        evaluator.evaluate()
        evaluator.accumulate()
    recall = evaluator.eval['recall'][:, 0]  # (IoU thresholds, sizes, limits)
    return {name: {limit: recall[:, size, column].mean() for column, limit in enumerate(limits)}
            for size, (name, _, _) in enumerate(SIZES)}


@pytest.mark.parametrize('seed', range(4))
def test_equals_pycocotools(seed):
    limits = (3, 20, 100, 300)
    images = list(random_images(np.random.default_rng(seed)))
    recall = Recall(limits)
    for proposals, objects in images:
        recall.add(proposals, objects)
    expected = coco_recall(images, limits)
    for name, _, _ in SIZES:
        for limit, value in recall.average()[name].items():
            assert value == pytest.approx(expected[name][int(limit)], abs=1e-9), (name, limit)
    assert 0.1 < recall.average()['all']['300'] < recall.at(0.5)['all']['300'] <= 1


def slow_recall(images, limit, threshold, low, high):
    """Recall at one IoU of objects whose side is from low to below high: objects wait for the best proposal that is
    free, one after another; None without objects. The rule of COCO, written anew."""
    found = total = 0
    for proposals, objects in images:
        sides = [math.sqrt((x2 - x1 + 1) * (y2 - y1 + 1)) for x1, y1, x2, y2 in objects.tolist()]
        counts = [low <= side < high for side in sides]
        total += sum(counts)
        free = set(range(len(objects)))
        for *box, _ in sorted(proposals.tolist(), key=lambda row: -row[4])[:limit]:
            fitting = [(counts[number], slow_iou(box, objects[number]), number) for number in free]
            fitting = [entry for entry in fitting if entry[1] >= threshold]
            if fitting:
                counted, _, number = max(fitting)
                free.remove(number)
                found += counted
    return found / total if total else None


def slow_iou(box, other):
    width = min(box[2], other[2]) - max(box[0], other[0]) + 1
    height = min(box[3], other[3]) - max(box[1], other[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(x2 - x1 + 1) * (y2 - y1 + 1) for x1, y1, x2, y2 in (box, other)]
    return width * height / (sum(areas) - width * height)


def test_equals_a_slow_reference():
    images = [(proposals[:60], objects) for proposals, objects in random_images(np.random.default_rng(11), 5)]
    recall = Recall((4, 40))
    for proposals, objects in images:
        recall.add(proposals, objects)
    assert sum(count > 0 for count in recall.objects.values()) > 5
    for name, low, high in BANDS:
        for limit in recall.limits:
            for threshold in (0.5, 0.7):
                expected = slow_recall(images, limit, threshold, low, high)
                got = recall.at(THRESHOLDS[np.argmin(abs(THRESHOLDS - threshold))])[name][str(limit)]
                assert got == (-1 if expected is None else pytest.approx(expected)), (name, limit, threshold)


def test_what_must_hold_of_any_proposals():
    """More proposals, lower IoU and other orders of images."""
    images = list(random_images(np.random.default_rng(3)))
    recall, other = Recall((1, 5, 50)), Recall((1, 5, 50))
    for proposals, objects in images:
        recall.add(proposals, objects)
    for proposals, objects in images[::-1]:
        rows = np.random.default_rng(1).permutation(len(proposals))
        order = rows[np.argsort(-proposals[rows, 4], kind='stable')]
        other.add(proposals[np.sort(order)], objects[::-1])
    assert recall.at(0.5) == other.at(0.5)
    for threshold in THRESHOLDS:
        for values in recall.at(threshold).values():
            assert list(values.values()) == sorted(values.values())
    for lower, higher in zip(THRESHOLDS, THRESHOLDS[1:]):
        assert recall.at(lower)['all']['50'] >= recall.at(higher)['all']['50']
    assert np.mean([recall.at(threshold)['all']['5'] for threshold in THRESHOLDS]) == pytest.approx(
        recall.average()['all']['5'])
