"""Average precision of Open Images: a case by hand for each rule, and a slow reference."""
import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.dataset import openimages_ap
from lib.dataset.openimages import scoring
from lib.dataset.truth import Truth

FIVE = [10, 10, 109, 109]       # 100 x 100 pixels
HALF = [10, 10, 109, 59]        # its upper half: IoU 0.5
LESS = [10, 10, 109, 58]
INSIDE = [30, 30, 49, 49]


def boxes(*rows):
    """Truth of (image, label, box[, group])."""
    return Truth.of([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows],
                    crowd=[len(row) > 3 for row in rows])


def found(*rows):
    """Detections of (image, label, box, score)."""
    return Detections(*(np.array([row[place] for row in rows]).reshape((-1, 4) if place == 2 else (-1,))
                        for place in range(4)))


def ap_of(truth, detections, **options):
    scores = openimages_ap(truth, detections, **options)
    return dict(zip(scores.label.tolist(), scores.ap.tolist()))


def test_truth_as_detections():
    truth = boxes((0, 1, FIVE), (0, 2, HALF), (3, 1, INSIDE))
    scores = openimages_ap(truth, found((0, 1, FIVE, 0.3), (0, 2, HALF, 0.9), (3, 1, INSIDE, 0.2)))
    assert scores.mean == 1 and scores.label.tolist() == [1, 2] and scores.truths.tolist() == [2, 1]


def test_half_of_the_union_is_enough():
    assert ap_of(boxes((0, 1, FIVE)), found((0, 1, HALF, 1))) == {1: 1.0}
    assert ap_of(boxes((0, 1, FIVE)), found((0, 1, LESS, 1))) == {1: 0.0}


def test_a_second_detection_of_an_object_is_wrong():
    truth, rows = boxes((0, 1, FIVE), (1, 1, FIVE)), found((0, 1, FIVE, 0.9), (0, 1, HALF, 0.8), (1, 1, FIVE, 0.7))
    assert ap_of(truth, rows) == {1: pytest.approx((1 + 2 / 3) / 2)}


def test_a_detection_is_of_the_object_that_it_overlaps_most_taken_or_not():
    other = [10, 10, 109, 119]      # 100 x 110: IoU with FIVE 0.909
    truth = boxes((0, 1, FIVE), (0, 1, other))
    rows = found((0, 1, FIVE, 0.9), (0, 1, FIVE, 0.8))      # the second would fit the other one too
    assert ap_of(truth, rows) == {1: 0.5}


def test_detections_of_classes_that_nobody_looked_for_do_not_count():
    truth, rows = boxes((0, 1, FIVE)), found((0, 1, FIVE, 0.5), (1, 1, FIVE, 0.9), (2, 1, FIVE, 0.8))
    assert ap_of(truth, rows) == {1: pytest.approx(1 / 3)}
    assert ap_of(truth, rows, verified=np.zeros((0, 2))) == {1: 1.0}         # a box says that somebody looked
    assert ap_of(truth, rows, verified=[[2, 1], [1, 2]]) == {1: 0.5}


def test_groups_absorb_what_lies_half_inside():
    truth = boxes((0, 1, FIVE, 'group'), (1, 1, FIVE))
    inside, half_out = found((0, 1, INSIDE, 0.9), (1, 1, FIVE, 0.1)), found((0, 1, [0, 30, 19, 49], 0.9),
                                                                           (1, 1, FIVE, 0.1))
    assert ap_of(truth, inside) == {1: 1.0} == ap_of(truth, half_out)       # 200 of 400 pixels lie inside
    outside = found((0, 1, [0, 30, 18, 49], 0.9), (1, 1, FIVE, 0.1))        # 180 of 380
    assert ap_of(truth, outside) == {1: 0.5}


def test_the_best_detection_in_a_group_counts_for_it_in_the_challenges():
    truth = boxes((0, 1, FIVE, 'group'), (1, 1, FIVE))
    rows = found((0, 1, INSIDE, 0.9), (0, 1, [40, 40, 59, 59], 0.8), (1, 1, FIVE, 0.1))
    scores = openimages_ap(truth, rows, group_weight=1)
    assert scores.ap.tolist() == [1.0] and scores.right.tolist() == [2.0] and scores.found.tolist() == [2]
    nothing = openimages_ap(truth, found((1, 1, FIVE, 0.1)), group_weight=1)
    assert nothing.ap.tolist() == [0.5]         # the group was missed


def test_objects_come_before_groups():
    truth = boxes((0, 1, FIVE, 'group'), (0, 1, INSIDE))
    scores = openimages_ap(truth, found((0, 1, INSIDE, 0.9), (0, 1, INSIDE, 0.8)))
    assert scores.ap.tolist() == [1.0] and scores.found.tolist() == [1]     # the second hit lies in the group


def test_groups_as_detections_are_no_false_positives():
    truth = boxes((0, 1, FIVE, 'group'), (0, 1, INSIDE), (1, 2, HALF, 'group'), (1, 2, INSIDE))
    groups = found((0, 1, FIVE, 0.9), (1, 2, HALF, 0.9))
    scores = openimages_ap(truth, groups)
    assert scores.found.sum() == 0


def test_a_class_of_groups_alone_has_an_ap_in_the_challenges_only():
    truth = boxes((0, 1, FIVE, 'group'))
    assert openimages_ap(truth, found((0, 1, FIVE, 0.9))).mean == scoring.NO_TRUTH
    assert openimages_ap(truth, found((0, 1, FIVE, 0.9)), group_weight=1).mean == 1


def test_nothing_at_all():
    assert openimages_ap(boxes(), Detections.empty()).mean == scoring.NO_TRUTH
    assert openimages_ap(boxes((0, 1, FIVE)), Detections.empty()).ap.tolist() == [0.0]
    assert openimages_ap(boxes(), found((0, 1, FIVE, 1))).mean == scoring.NO_TRUTH


def share(box, other, of_box):
    width, height = (min(box[axis + 2], other[axis + 2]) - max(box[axis], other[axis]) + 1 for axis in (0, 1))
    common = max(width, 0) * max(height, 0)
    areas = [(each[2] - each[0] + 1) * (each[3] - each[1] + 1) for each in (box, other)]
    return common / (areas[0] if of_box else sum(areas) - common)


def slow(truth, detections, verified, group_weight, overlap=0.5):
    """{label: AP} by loops."""
    result = {}
    for label in sorted(set(truth.label.tolist())):
        kept, wanted = [], 0.0
        for image in sorted(set(truth.image.tolist()) | set(detections.image.tolist())):
            of_image = (truth.image == image) & (truth.label == label)
            objects, groups = truth.box[of_image & ~truth.crowd], truth.box[of_image & truth.crowd]
            wanted += len(objects) + group_weight * len(groups)
            if verified is not None and not of_image.any() and (image, label) not in verified:
                continue
            rows = np.flatnonzero((detections.image == image) & (detections.label == label))
            taken, best = set(), {}
            for row in sorted(rows, key=lambda row: -detections.score[row]):
                box, score = detections.box[row], float(detections.score[row])
                ious = [share(box, other, False) for other in objects]
                if ious and max(ious) >= overlap and int(np.argmax(ious)) not in taken:
                    taken.add(int(np.argmax(ious)))
                    kept.append((score, 1.0))
                    continue
                shares = [share(box, other, True) for other in groups]
                if shares and max(shares) >= overlap:
                    group = int(np.argmax(shares))
                    best[group] = max(best.get(group, 0.0), score)
                else:
                    kept.append((score, 0.0))
            kept += [(score, group_weight) for score in best.values()] if group_weight else []
        if not wanted:
            continue
        kept.sort(key=lambda pair: -pair[0])
        hits = np.cumsum([weight for _, weight in kept])
        wrong = np.cumsum([weight == 0 for _, weight in kept])
        precision, recall, area, before = hits / np.maximum(hits + wrong, 1e-12), hits / wanted, 0.0, 0.0
        for place in range(len(kept)):
            area += (recall[place] - before) * precision[place:].max()
            before = recall[place]
        result[label] = area
    return result


def drawn(rng, count, score):
    corners = rng.integers(0, 60, (count, 2))
    rows = np.concatenate([corners, corners + rng.integers(4, 50, (count, 2))], 1).astype(float)
    return rng.integers(0, 6, count), rng.integers(1, 4, count), rows, rng.permutation(count) / count if score else None


@pytest.mark.parametrize('weight', [0.0, 1.0])
@pytest.mark.parametrize('seed', range(12))
def test_against_the_slow_reference(seed, weight, monkeypatch):
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(scoring, 'PAIRS', int(rng.choice([1, 7, 1 << 21])))
    image, label, rows, _ = drawn(rng, 25, False)
    truth = Truth.of(image, label, rows, crowd=rng.random(25) < 0.25)
    image, label, rows, score = drawn(rng, 120, True)
    near = rng.random(120) < 0.5        # half of them are near a box
    chosen = rng.integers(0, 25, 120)
    image, label = np.where(near, truth.image[chosen], image), np.where(near, truth.label[chosen], label)
    rows = np.where(near[:, None], truth.box[chosen] + rng.integers(-4, 5, (120, 4)), rows)
    rows[:, 2:] = np.maximum(rows[:, 2:], rows[:, :2])
    detections = Detections(image, label, rows, score)
    verified = None if seed % 3 == 0 else rng.integers(0, 6, (5, 2)) % [6, 4]
    pairs = None if verified is None else set(map(tuple, verified.tolist()))
    assert ap_of(truth, detections, verified=verified, group_weight=weight) == pytest.approx(
        slow(truth, detections, pairs, weight), abs=1e-9)
