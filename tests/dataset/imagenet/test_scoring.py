"""The rule of ILSVRC DET: a slow reference, cases by hand."""
import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.dataset import imagenet_det_ap
from lib.dataset.imagenet.scoring import NO_TRUTH, least_overlap
from lib.dataset.truth import Truth


def slow_average_precisions(truth, detections, blacklist=()):
    """{label: AP}: the rules one by one, as reference/more_rfcn3k.md has them."""
    right, found = {}, range(len(detections))
    for image in sorted(set(truth.image.tolist()) | set(detections.image.tolist())):
        truths = [row for row in range(len(truth.image)) if truth.image[row] == image]
        taken = set()
        for row in sorted((row for row in found if detections.image[row] == image),
                          key=lambda row: -float(detections.score[row])):
            best, most = None, -1.0
            for candidate in truths:
                if truth.label[candidate] != detections.label[row] or candidate in taken:
                    continue
                overlap, least = slow_overlap(truth.box[candidate], detections.box[row].astype(float))
                if overlap >= least and overlap > most:
                    best, most = candidate, overlap
            right[row] = best is not None
            taken.add(best)
    aps = {}
    for label in sorted(set(truth.label.tolist())):
        rows = sorted((row for row in found if detections.label[row] == label
                       and (int(detections.image[row]), label) not in set(blacklist)),
                      key=lambda row: -float(detections.score[row]))
        hits, recalls, precisions = 0, [0.0], [0.0]
        for count, row in enumerate(rows, 1):
            hits += right[row]
            recalls.append(hits / int((truth.label == label).sum()))
            precisions.append(hits / count)
        aps[label] = sum((recalls[place] - recalls[place - 1]) * max(precisions[place:])
                         for place in range(1, len(recalls)))
    return aps


def slow_overlap(truth, box):
    wide = min(truth[2], box[2]) - max(truth[0], box[0]) + 1
    high = min(truth[3], box[3]) - max(truth[1], box[1]) + 1
    common = wide * high if wide > 0 and high > 0 else 0.0
    w, h = truth[2] - truth[0] + 1, truth[3] - truth[1] + 1
    union = w * h + (box[2] - box[0] + 1) * (box[3] - box[1] + 1) - common
    return common / union, min(0.5, w * h / ((w + 10) * (h + 10)))


def random_case(seed):
    """Several truths of a class in an image, equal scores, classes that only one side has."""
    rng = np.random.default_rng(seed)
    boxes = rng.integers(0, 30, (60, 2)).repeat(2, axis=0).reshape(-1, 4)[:, [0, 2, 1, 3]].astype(float)
    boxes[:, 2:] = boxes[:, :2] + rng.integers(1, 40, (60, 2))
    truth = Truth.of(rng.integers(0, 6, 60), rng.integers(1, 5, 60), boxes)
    rows = rng.integers(0, 60, 200)
    moved = truth.box[rows] + rng.integers(-6, 7, (200, 4))
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2])
    return truth, Detections(truth.image[rows], np.where(rng.random(200) < 0.1, 6, truth.label[rows]), moved,
                             rng.integers(1, 30, 200) / 30)


@pytest.mark.parametrize('seed', range(6))
def test_equals_the_slow_reference(seed):
    truth, detections = random_case(seed)
    scores = imagenet_det_ap(truth, detections)
    slow = slow_average_precisions(truth, detections)
    assert scores.label.tolist() == list(slow)
    np.testing.assert_allclose(scores.ap, list(slow.values()), atol=1e-12)
    assert scores.mean == pytest.approx(np.mean(list(slow.values())))
    assert 0 < scores.mean < 1


def test_truth_as_detections_is_one():
    truth, _ = random_case(9)
    apart = np.unique(np.column_stack([truth.image, truth.label]), axis=0, return_index=True)[1]
    truth = truth.take(np.sort(apart))
    found = Detections(truth.image, truth.label, truth.box, np.linspace(0.1, 1, len(truth.label)))
    assert imagenet_det_ap(truth, found).mean == 1.0


def test_worse_scores_for_wrong_ones_never_lower_it():
    truth, detections = random_case(3)
    added = Detections(detections.image, detections.label, detections.box + 500, np.full(len(detections), 1e-3))
    assert imagenet_det_ap(truth, Detections.concatenate([detections, added])).mean == pytest.approx(
        imagenet_det_ap(truth, detections).mean)


def case(truths, found, **how):
    """truths: (image, label, box); found: (image, label, box, score)."""
    truth = Truth.of(*zip(*truths)) if truths else Truth.of([], [], [])
    return imagenet_det_ap(truth, Detections(*zip(*found)) if found else Detections.empty(), **how)


def test_threshold_of_small_truths():
    np.testing.assert_allclose(least_overlap(np.array([[0, 0, 9, 9], [0, 0, 4, 19], [0, 0, 99, 99]])),
                               [100 / 400, 100 / (15 * 30), 0.5])
    # 10 x 10, of which a strip of 4 columns is found: IoU 0.4, enough for so small a truth and not for a large one
    assert case([(0, 1, (0, 0, 9, 9))], [(0, 1, (0, 0, 3, 9), 0.9)]).mean == 1.0
    assert case([(0, 1, (0, 0, 99, 99))], [(0, 1, (0, 0, 39, 99), 0.9)]).mean == 0.0
    assert case([(0, 1, (0, 0, 99, 99))], [(0, 1, (0, 0, 49, 99), 0.9)]).mean == 1.0     # 0.5 itself is a hit


def test_a_truth_is_taken_once_and_the_next_takes_the_second_best():
    truths = [(0, 1, (0, 0, 19, 19)), (0, 1, (4, 0, 23, 19))]
    both = [(0, 1, (0, 0, 19, 19), 0.9), (0, 1, (1, 0, 20, 19), 0.8)]
    assert case(truths, both).right.tolist() == [2]
    assert case(truths[:1], both).right.tolist() == [1]


def test_the_order_is_that_of_scores():
    truths = [(0, 1, (0, 0, 19, 19)), (1, 1, (0, 0, 19, 19))]
    found = [(0, 1, (0, 0, 19, 19), 0.5), (1, 1, (50, 50, 60, 60), 0.9)]
    assert case(truths, found).mean == pytest.approx(0.25)     # recall 0.5 at precision 0.5
    found[1] = found[1][:3] + (0.1,)
    assert case(truths, found).mean == pytest.approx(0.5)


def test_classes_without_truths_and_unknown_classes_have_no_part():
    box = (0, 0, 19, 19)
    scores = case([(0, 1, box), (0, 3, box)], [(0, 1, box, 0.9), (0, 2, box, 0.9)])
    assert scores.label.tolist() == [1, 3] and scores.ap.tolist() == [1.0, 0.0]
    assert case([(0, 1, box), (0, 3, box)], [(0, 1, box, 0.9)], classes=[1, 2]).mean == 1.0
    assert case([], [(0, 1, box, 0.9)]).mean == NO_TRUTH


def test_blacklisted_detections_do_not_count():
    box, other = (0, 0, 19, 19), (50, 50, 60, 60)
    truths, found = [(0, 1, box)], [(0, 1, box, 0.5), (1, 1, other, 0.9), (2, 2, other, 0.9)]
    assert case(truths, found).mean == pytest.approx(0.5)
    assert case(truths, found, blacklist=[(1, 1)]).mean == 1.0
    assert case(truths, found, blacklist=[(1, 2), (70, 1)]).mean == pytest.approx(0.5)
