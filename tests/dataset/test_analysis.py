"""Detections against objects: AP as pycocotools has it, kinds of errors, thresholds and confusion by hand."""
import contextlib
import io

import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.dataset import get_dataset
from lib.dataset.analysis.confusion import confusion
from lib.dataset.analysis.errors import BOTH, CLASS, DOUBLE, KINDS, MISSED, NOTHING, PLACE, UNFOUND, WRONG
from lib.dataset.analysis.matching import NONE, Found, find_pairs
from lib.dataset.analysis.run import analyse
from lib.dataset.analysis.scores import NOT_THERE, SIZES, score
from lib.dataset.truth import Truth, truth_of_records
from tests.dataset.coco_folder import content, make_folder
from tests.dataset.voc_folder import make_part, xml

OBJECT = (10, 10, 59, 59)       # 50 x 50 pixels
AWAY = (200, 200, 249, 249)


def analysed(objects, found, classes=3, images=1):
    """objects: (label, box[, ignored]); found: (label, box, score), all of picture 0."""
    truth = Truth.of([0] * len(objects), [row[0] for row in objects], [row[1] for row in objects],
                     ignored=[bool(row[2:] and row[2]) for row in objects])
    detections = Detections([0] * len(found), [row[0] for row in found], [row[1] for row in found],
                            [row[2] for row in found])
    return analyse(detections, truth, classes, images)


def made_up(seed, images=30, classes=3):
    """Random objects, crowd regions among them, and detections near them and elsewhere; scores of one decimal, so that
    many are equal."""
    rng = np.random.default_rng(seed)
    image = np.repeat(np.arange(images), rng.poisson(5, images))
    side = np.exp(rng.uniform(np.log(10), np.log(150), (len(image), 2)))
    corner = rng.uniform(0, 300, (len(image), 2))
    label = rng.integers(1, classes + 1, len(image))
    truth = Truth.of(image, label, np.hstack([corner, corner + side - 1]), side.prod(axis=1) * 0.8,
                     crowd=rng.random(len(image)) < 0.1)
    parts = []
    for share, noise in ((0.9, 0.05), (0.6, 0.2), (0.5, 0.5)):
        some = rng.random(len(image)) < share
        box = truth.box[some] + rng.normal(0, noise, (some.sum(), 4)) * 20
        box = np.hstack([np.minimum(box[:, :2], box[:, 2:]), np.maximum(box[:, :2], box[:, 2:]) + 1])
        other = np.where(rng.random(some.sum()) < 0.2, rng.integers(1, classes + 1, some.sum()), truth.label[some])
        parts.append((truth.image[some], other, box, rng.random(some.sum()).round(1)))
    return truth, Detections(*(np.concatenate([part[place] for part in parts]) for place in range(4)))


def coco_precision(truth, detections, classes, images):
    """pycocotools' array: (IoU thresholds, recalls, classes, areas)."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def index(records):
        coco = COCO()
        coco.dataset = {'images': [{'id': number} for number in range(images)],
                        'categories': [{'id': label} for label in range(1, classes + 1)],
                        'annotations': [dict(record, id=number) for number, record in enumerate(records, 1)]}
        coco.createIndex()
        return coco
    objects = [{'image_id': image, 'category_id': label, 'bbox': [x1, y1, x2 - x1 + 1, y2 - y1 + 1], 'area': area,
                'iscrowd': int(crowd)} for image, label, (x1, y1, x2, y2), area, crowd in zip(
                    *(array.tolist() for array in (truth.image, truth.label, truth.box, truth.area, truth.crowd)))]
    found = []
    for image, label, (x1, y1, x2, y2), value in zip(*(array.tolist() for array in (
            detections.image, detections.label, detections.box, detections.score))):
        box = [round(number, 1) for number in (x1, y1, x2 - x1 + 1, y2 - y1 + 1)]
        found.append({'image_id': image, 'category_id': label, 'bbox': box, 'area': box[2] * box[3], 'iscrowd': 0,
                      'score': round(value, 8)})
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(index(objects), index(found), 'bbox')
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator.eval['precision'][..., -1]


@pytest.mark.parametrize('seed', [0, 1])
def test_agrees_with_pycocotools(seed):
    truth, detections = made_up(seed)
    expected = coco_precision(truth, detections, 3, 30)
    scores = analyse(detections, truth, 4, 30).scores
    np.testing.assert_allclose(scores.precision, expected[..., 0], atol=1e-12)
    for number, size in enumerate(SIZES):
        of_size = expected[..., number]
        assert scores.mean(size) == pytest.approx(of_size[of_size > -1].mean())


def test_one_of_each_kind_of_error():
    """Class 1 is found, and everything that can go wrong does."""
    objects = [(1, OBJECT), (2, AWAY), (1, (100, 10, 149, 59)), (2, (300, 300, 309, 309))]
    found = [(1, OBJECT, 0.9),                      # right
             (1, (12, 10, 61, 59), 0.8),            # again
             (1, (120, 10, 169, 59), 0.7),          # IoU 30 / 70 with the third
             (1, AWAY, 0.6),                        # of class 2
             (1, (225, 200, 274, 249), 0.5),        # IoU 1/3 with what is of class 2
             (2, (400, 400, 449, 449), 0.4)]        # nothing there
    errors = analysed(objects, found).errors
    kinds = [None if kind == NONE else KINDS[kind] for kind in errors.kind]
    assert kinds == [None, DOUBLE, PLACE, CLASS, BOTH, NOTHING]
    assert errors.missed.tolist() == [False, False, False, True]
    assert errors.number == {DOUBLE: 1, PLACE: 1, CLASS: 1, BOTH: 1, NOTHING: 1, MISSED: 1, WRONG: 5, UNFOUND: 3}


def test_what_mending_gains():
    """A class of two objects, of which one is found, and one in a wrong place with a lower score."""
    errors = analysed([(1, OBJECT), (1, (100, 10, 149, 59))], [(1, OBJECT, 0.9), (1, (120, 10, 169, 59), 0.7)],
                      classes=2).errors
    assert errors.ap == pytest.approx(51 / 101)     # recalls 0 to 0.5
    assert errors.gain[PLACE] == pytest.approx(1 - errors.ap)
    assert errors.gain[UNFOUND] == pytest.approx(1 - errors.ap)
    assert errors.gain[WRONG] == errors.gain[MISSED] == 0   # nothing better comes after the wrong one


def test_a_mended_class_counts_for_the_right_one():
    errors = analysed([(1, OBJECT), (2, AWAY)], [(1, OBJECT, 0.8), (1, AWAY, 0.9)]).errors
    assert errors.ap == pytest.approx(0.25)          # of class 1 half, of class 2 nothing
    assert errors.gain[CLASS] == pytest.approx(0.75)


def test_threshold_of_the_best_f1():
    """Two right ones above a wrong one, and a right one below three more: 0.7 is best, F1 of 2 / 2 and 2 / 3."""
    boxes = [(100 * place, 0, 100 * place + 49, 49) for place in range(3)]
    nowhere = [(100 * place, 300, 100 * place + 49, 349) for place in range(4)]
    found = [(1, boxes[0], 0.9), (1, boxes[1], 0.7), (1, boxes[2], 0.1)] + [(1, box, 0.5) for box in nowhere]
    best = analysed([(1, box) for box in boxes], found, classes=2).scores.best[0]
    assert best.threshold == pytest.approx(0.7) and best.f1 == pytest.approx(0.8)
    assert (best.precision, best.recall) == (1, pytest.approx(2 / 3))


def test_equal_scores_are_taken_together():
    """A threshold cannot tell the right one from the three wrong ones of its score."""
    nowhere = [(100 * place, 300, 100 * place + 49, 349) for place in range(3)]
    best = analysed([(1, OBJECT)], [(1, OBJECT, 0.5)] + [(1, box, 0.5) for box in nowhere], classes=2).scores.best[0]
    assert best.precision == 0.25


def test_confusion_with_background():
    objects = [(1, OBJECT), (2, AWAY), (2, (300, 300, 309, 309)), (1, (100, 10, 149, 59))]
    boxes = [OBJECT, AWAY, (400, 400, 449, 449), (100, 10, 149, 59), (300, 300, 309, 309)]
    truth = Truth.of([0] * 4, [row[0] for row in objects], [row[1] for row in objects])
    detected = Found.of(Detections([0] * 5, [1, 1, 1, 1, 2], boxes, [0.9, 0.8, 0.7, 0.6, 0.4]))
    pairs, _, _ = find_pairs(detected, truth)
    of_class = pairs.take(detected.label[pairs.detection] == truth.label[pairs.truth])
    found = confusion(detected, truth, score(detected, truth, of_class, 3), pairs, np.array([0.5, 0.5]))
    assert found.table.tolist() == [[0, 1, 0], [0, 2, 0], [1, 1, 0]]
    assert found.pairs(5) == [(2, 1, 1)]
    assert found.missed.tolist() == [False, False, True, False]


def test_difficult_objects_count_neither_way():
    """Found twice, and no error; another class is not judged by it."""
    result = analysed([(1, OBJECT, True), (1, AWAY)], [(1, OBJECT, 0.9), (1, OBJECT, 0.8), (1, AWAY, 0.7)], classes=2)
    assert result.scores.mean() == 1 and result.scores.objects[0].tolist() == [1]
    assert result.errors.number[WRONG] == 0


def test_nothing_found_and_nothing_there():
    nothing = analysed([(1, OBJECT)], [], classes=2)
    assert nothing.scores.mean() == 0 and nothing.errors.number[MISSED] == 1 and nothing.scores.best == [None]
    assert analysed([], [(1, OBJECT, 0.5)]).scores is None
    assert analysed([(1, OBJECT)], []).scores.of_class(1) == NOT_THERE


def test_truth_of_a_coco_file(tmp_path):
    """As the file has it, crowd regions too."""
    file = content({4: [(1, 10.5, 10, 20, 20), (7, -5, 40, 30, 30)]})
    file['annotations'][1]['iscrowd'] = 1
    file['annotations'][0]['area'] = 300
    folder = make_folder(tmp_path, {'val2017': file})
    truth = get_dataset('coco', 'val2017', folder, folder).truth()
    assert truth.box.tolist() == [[10.5, 10, 29.5, 29], [-5, 40, 24, 69]]
    assert truth.label.tolist() == [1, 2] and truth.crowd.tolist() == [False, True] == truth.ignored.tolist()
    assert truth.area.tolist() == [300, 900]


def test_truth_of_a_voc_folder(tmp_path):
    """Pixels from 0; difficult objects do not count, and are no regions."""
    folder = make_part(tmp_path, {'a': xml(('cow', 1, 1, 20, 30)), 'b': xml(('pig', 11, 11, 20, 20, 1),
                                                                            ('cow', 5, 5, 9, 9))})
    dataset = get_dataset('PascalVOC', 'all', folder, folder)
    truth = dataset.truth()
    assert truth.image.tolist() == [0, 1, 1] and not truth.crowd.any()
    by_label = {(dataset.classes[label], ignored): box for label, ignored, box in zip(
        truth.label.tolist(), truth.ignored.tolist(), truth.box.tolist())}
    assert by_label == {('cow', False): [4, 4, 8, 8], ('pig', True): [10, 10, 19, 19]} and \
        truth.box[0].tolist() == [0, 0, 19, 29]
    of_records = truth_of_records(dataset.roidb('objects'))
    assert sorted(of_records.box.tolist()) == sorted(truth.box.tolist())
    assert of_records.ignored.sum() == truth.ignored.sum() == 1
