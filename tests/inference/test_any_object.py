"""Proposals scored as one class 'object': by hand, against slow references, and what data sets have of their own."""
import json
import os

import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.dataset.base import Dataset
from lib.dataset.truth import Truth
from lib.inference.any_object import MOST, AnyObject
from tests.inference.test_recall import slow_iou


class Marked(Dataset):
    """A data set of a Truth alone."""

    name = 'SET_val'
    classes = ('__background__', 'cat', 'dog')

    def __init__(self, truth, images):
        self._truth, self.image_ids = truth, [f'picture {number}' for number in range(images)]

    def roidb(self, ignored=''):
        return [{'gt_classes': np.array([1, 2, 0]), 'max_classes': np.array([1, 2, 2])} for _ in self.image_ids]

    def truth(self):
        return self._truth

    def part(self, numbers):
        kept = np.isin(self._truth.image, numbers)
        place = np.searchsorted(numbers, self._truth.image)
        part = Marked(self._truth._replace(image=place).take(kept), 0)
        part.image_ids = [self.image_ids[number] for number in numbers]
        return part

    def evaluate(self, detections, results_dir):
        raise AssertionError('its own classes are not asked for')


def found_of(rows):
    """[(image, x1, y1, x2, y2, score)] -> Detections."""
    rows = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(rows[:, 0].astype(int), np.ones(len(rows)), rows[:, 1:5], rows[:, 5])


def evaluated(folder, truth, rows, images=2):
    return AnyObject(Marked(truth, images)).evaluate(found_of(rows), str(folder))


TRUTH = Truth.of([0, 0, 1], [1, 2, 2], [[0, 0, 19, 19], [40, 40, 139, 139], [10, 10, 49, 49]])
ROWS = [(0, 0, 0, 19, 19, 0.9), (1, 100, 100, 120, 120, 0.8), (0, 40, 40, 139, 139, 0.7), (0, 0, 0, 19, 19, 0.6)]


def test_by_hand(tmp_path):
    """Right, wrong, right, a second of the first object: precision 1, 1/2, 2/3, 1/2 at recalls 1/3, 1/3, 2/3, 2/3."""
    objects = AnyObject(Marked(TRUTH, 2))
    metrics = objects.evaluate(found_of(ROWS), str(tmp_path))
    assert metrics['AP50_11point'] == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)
    assert metrics['AP50_area'] == pytest.approx(1 / 3 + 2 / 3 / 3)
    assert [metrics['AP50'], metrics['AP']] == pytest.approx([(34 * 1 + 33 * 2 / 3) / 101] * 2)
    assert metrics['APs'] == 1 and metrics['APm'] == 0 and metrics['APl'] == 1
    assert metrics['recall50']['all'] == {limit: pytest.approx(2 / 3) for limit in ('10', '100', '300')}
    assert metrics['objects']['all'] == 3 and metrics['objects']['side_16_32'] == 1 and metrics['not_counted'] == 0
    curve, = objects.curves
    assert curve.name == 'object' and curve.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])
    lines = (tmp_path / 'comp4_det_SET_val_object.txt').read_text().splitlines()
    assert len(lines) == 4 and lines[0] == 'picture 0 0.900 1.0 1.0 20.0 20.0'
    with open(str(tmp_path / 'metrics_SET_val_object.json')) as stream:
        assert json.load(stream) == metrics


def test_what_does_not_count(tmp_path):
    """Difficult objects and crowd regions are neither right nor wrong; boxes without extent are no objects at all. A
    region of no class, which a data set gives for each class, is one."""
    truth = Truth.of([0, 0, 0, 0, 1, 1], [1, 1, 1, 2, 1, 2],
                     [[0, 0, 19, 19], [40, 40, 59, 59], [100, 100, 299, 299], [100, 100, 299, 299], [0, 0, 0, 0],
                      [30, 30, 20, 20]],
                     ignored=[False, True, False, False, False, False], crowd=[False, False, True, True, False, False])
    rows = [(0, 110, 110, 130, 130, 0.9), (0, 40, 40, 59, 59, 0.8), (0, 0, 0, 19, 19, 0.7), (1, 0, 0, 9, 9, 0.6)]
    metrics = evaluated(tmp_path, truth, rows)
    assert metrics['AP50_area'] == metrics['AP50'] == 1
    assert metrics['objects']['all'] == 1 and metrics['not_counted'] == 2
    assert evaluated(tmp_path, truth, rows + [(1, 0, 0, 9, 9, 0.99)])['AP50_area'] == pytest.approx(1 / 2)


def test_an_object_of_several_classes_is_one(tmp_path):
    box = [10, 10, 49, 49]
    truth = Truth.of([0, 0, 0, 1], [1, 2, 2, 1], [box, box, [60, 60, 99, 99], box], ignored=[True, False, False, True])
    metrics = evaluated(tmp_path, truth, [(0, *box, 0.9), (1, *box, 0.8), (0, 60, 60, 99, 99, 0.7)])
    assert metrics['objects']['all'] == 2 and metrics['not_counted'] == 1
    assert metrics['AP50'] == metrics['AP50_area'] == 1 and metrics['recall50']['all']['10'] == 1


def test_nothing_there(tmp_path):
    none = Truth.of([], [], np.zeros((0, 4)))
    assert evaluated(tmp_path, none, ROWS) is None
    assert evaluated(tmp_path, TRUTH._replace(ignored=np.ones(3, bool)), ROWS) is None
    assert len((tmp_path / 'comp4_det_SET_val_object.txt').read_text().splitlines()) == 4
    metrics = evaluated(tmp_path, TRUTH, [])
    assert metrics['AP'] == metrics['AP50_11point'] == 0 == metrics['recall50']['all']['300']
    assert metrics['recall50']['side_0_8']['300'] == metrics['objects']['side_0_8'] - 1 == -1
    with pytest.raises(ValueError):
        evaluated(tmp_path, TRUTH, [(2, 0, 0, 9, 9, 0.5)])


def test_the_best_of_an_image_count(tmp_path):
    """PASCAL VOC's AP is of the best MOST of an image, recall at 300 of more."""
    rows = [(0, 200, 200, 220, 220, 0.9)] * MOST + [(0, 0, 0, 19, 19, 0.5)]
    metrics = evaluated(tmp_path, TRUTH.take(np.array([0])), rows)
    assert metrics['AP50_area'] == 0 and metrics['recall50']['all'] == {'10': 0, '100': 0, '300': 1}
    assert evaluated(tmp_path, TRUTH.take(np.array([0])), rows[1:])['AP50_area'] == pytest.approx(1 / MOST)


def test_ties_and_parts(tmp_path):
    """Of equal scores the first one counts first, in a whole and in a part."""
    rows = [(1, 0, 0, 9, 9, 0.5), (1, 10, 10, 49, 49, 0.5), (0, 0, 0, 19, 19, 0.5)]
    assert evaluated(tmp_path, TRUTH, rows)['AP50_area'] == pytest.approx(1 / 3 + 2 / 3 / 3)    # image by image
    part = AnyObject(Marked(TRUTH, 2)).part([1])
    metrics = part.evaluate(found_of([(0, *row[1:]) for row in rows[:2]]), str(tmp_path))
    assert metrics['AP50_area'] == pytest.approx(1 / 2) and metrics['objects']['all'] == 1
    labels = part.roidb()[0]
    assert labels['gt_classes'].tolist() == [1, 1, 0] and labels['max_classes'].tolist() == [1, 1, 1]


def slow_ap(found, objects):
    """Area under the curve at IoU above 0.5 by PASCAL VOC's rule, one detection at a time."""
    taken, hits = set(), []
    for image, *box, _ in sorted(found, key=lambda row: -row[5]):
        overlaps = [(slow_iou(box, other), -number) for number, (of_image, *other) in enumerate(objects)
                    if of_image == image]
        best, number = max(overlaps, default=(0, 0))
        hits.append(best > 0.5 and number not in taken)
        taken |= {number} if best > 0.5 else set()
    precision = [sum(hits[:count]) / count for count in range(1, len(hits) + 1)]
    return sum(max(precision[place:]) for place, hit in enumerate(hits) if hit) / len(objects)


@pytest.mark.parametrize('seed', range(3))
def test_equals_a_slow_reference(tmp_path, seed):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 60, (24, 2))
    objects = np.column_stack([np.arange(24) // 6, corners, corners + rng.integers(8, 60, (24, 2))])
    around = objects[rng.integers(0, 24, 150)]
    noise = np.round(rng.normal(0, 5, (150, 4)))
    rows = np.column_stack([around[:, 0], around[:, 1:] + noise, rng.permutation(150) / 1000 + 0.1])
    rows = rows[(rows[:, 3] > rows[:, 1]) & (rows[:, 4] > rows[:, 2])]
    metrics = evaluated(tmp_path, Truth.of(objects[:, 0], rng.integers(1, 3, 24), objects[:, 1:]), rows, 4)
    assert metrics['AP50_area'] == pytest.approx(slow_ap(rows.tolist(), objects.tolist()))
    assert 0.05 < metrics['AP50_area'] < 1


def test_files_lie_where_results_do(tmp_path):
    folder = tmp_path / 'new' / 'folder'
    evaluated(folder, TRUTH, ROWS)
    assert sorted(os.listdir(str(folder))) == ['comp4_det_SET_val_object.txt', 'metrics_SET_val_object.json']
