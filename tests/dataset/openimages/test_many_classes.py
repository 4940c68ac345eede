"""Open Images' scores where there are many classes and detections: expansion by the block, curves, what validations
compare weights by."""
import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.dataset.openimages import evaluation
from lib.dataset.openimages.dataset import OpenImagesDataset
from lib.dataset.openimages.hierarchy import Hierarchy
from lib.dataset.openimages.labels import VerifiedLabels
from lib.dataset.openimages.predictions import Pictures, read_predictions, write_predictions
from lib.dataset.truth import Truth
from lib.inference.validate import Validator, flat_metrics
from lib.utils.errors import SniperError
from tests.dataset.openimages.made_up import make

TREE = Hierarchy({1: (3, 4), 2: (3, 4), 3: (4,), 4: (), 5: ()}, {4: (1, 2, 3), 3: (1, 2), 1: (), 2: (), 5: ()})
BOX = [10, 10, 29, 29]


def random_set(seed, pictures=6, boxes=30, found=200):
    """Corners on a coarse grid, so that boxes are often the same."""
    rng = np.random.RandomState(seed)

    def corners(count):
        low = rng.randint(0, 4, (count, 2)) * 10
        return np.concatenate([low, low + rng.randint(1, 4, (count, 2)) * 10], axis=1)
    truth = Truth.of(rng.randint(0, pictures, boxes), rng.randint(1, 6, boxes), corners(boxes),
                     crowd=rng.rand(boxes) < 0.3)
    image, label = (places.ravel() for places in np.mgrid[0:pictures, 1:6])
    chosen = rng.rand(len(image)) < 0.4
    labels = VerifiedLabels(image[chosen], label[chosen], rng.rand(chosen.sum()) < 0.5)
    return truth, labels, Detections(
        rng.randint(0, pictures, found), rng.randint(1, 6, found), corners(found), rng.permutation(found) / found)


@pytest.mark.parametrize('seed', range(5))
def test_only_what_is_asked_for_is_expanded_and_by_the_block(seed, monkeypatch):
    truth, labels, detections = random_set(seed)
    wanted = evaluation.score(truth, evaluation.with_ancestors(detections, TREE), labels, TREE, False).challenge
    monkeypatch.setattr(evaluation, 'ROWS', 17)
    scores = evaluation.score(truth, detections, labels, TREE).challenge
    assert scores.label.tolist() == wanted.label.tolist() and np.array_equal(scores.ap, wanted.ap)
    assert np.array_equal(scores.found, wanted.found)
    pairs = np.array([[0, 4], [1, 3]])
    some = evaluation.with_ancestors(detections, TREE, pairs)
    assert len(some) and set(map(tuple, np.stack([some.image, some.label], 1).tolist())) == {(0, 4), (1, 3)}


def test_of_boxes_that_are_overlapped_as_much_the_first_of_the_file_counts_in_the_challenges():
    """A box of class 3, then one of class 1, both 3 in the end: a detection between them is of the first."""
    left, right, between = [0, 0, 99, 99], [40, 0, 139, 99], [20, 0, 119, 99]
    for first, second, ap in ((left, right, 1), (right, left, 0.5)):
        truth = Truth.of([0, 0], [1, 3], [first, second])
        detections = Detections([0, 0], [3, 3], [between, right], [0.9, 0.8])
        scores = evaluation.score(truth, detections, None, TREE).challenge
        assert scores.ap[scores.label == 3].tolist() == [ap]


def test_curves_are_means_over_classes():
    truth = Truth.of([0, 1, 1], [1, 1, 2], [BOX] * 3)
    detections = Detections([0, 0], [1, 2], [BOX] * 2, [0.9, 0.8])     # half of class 1, nothing of class 2
    scores = evaluation.score(truth, detections, None, None)
    curve, = evaluation.curves_of(scores)
    assert curve.ap == scores.plain.mean == 0.25 and 'mean of 2 classes' in curve.name
    assert curve.precision[curve.recall <= 0.5].tolist() == [0.5] * 51 and not curve.precision[51:].any()
    assert len(evaluation.curves_of(evaluation.score(truth, detections, None, TREE))) == 2
    assert evaluation.curves_of(evaluation.score(Truth.of([], [], []), detections, None, TREE)) == []


def test_validations_compare_by_the_mean(tmp_path):
    dataset = OpenImagesDataset('train', str(tmp_path), make(tmp_path / 'data'))
    validator = Validator.__new__(Validator)
    validator._dataset, validator._roidb = dataset, dataset.roidb()
    validator._config = type('Config', (), {'TEST': type('Test', (), {'WITH_MASK': False})})
    assert validator._find_metric('') == 'mAP'
    assert len(dataset.curves) == 1


def test_classes_are_no_metrics_of_their_own():
    truth = Truth.of([0], [1], [BOX])
    metrics = evaluation.metrics_of(evaluation.score(truth, Detections([0], [1], [BOX], [1]), None, TREE),
                                    ['__background__', 'a', 'b', 'c', 'd', 'e'])
    assert set(metrics['challenge_per_class']) == {'a', 'c', 'd'}
    assert not [name for name in flat_metrics(metrics) if 'per_class' in name]


def test_the_score_is_that_of_the_file(tmp_path):
    """Boxes and scores of many digits, some beyond the border, some equal once they are written."""
    rng = np.random.RandomState(0)
    count, sizes = 3000, np.array([[641, 479], [333, 1000], [1024, 683]])
    low = rng.uniform(-5, 300, (count, 2))
    detections = Detections(rng.randint(0, 3, count), rng.randint(0, 4, count), np.concatenate(
        [low, low + rng.uniform(0, 60, (count, 2)) * rng.randint(0, 2, (count, 1))], axis=1), rng.rand(count) * 1e-3)
    pictures, codes = Pictures(np.array([b'a', b'b', b'c']), sizes), ['', '/m/1', '/m/2', '/m/,"3']
    path = str(tmp_path / 'p.csv')
    written = write_predictions(path, detections, pictures, codes)
    found = read_predictions(path, pictures, codes)
    assert len(found) == np.count_nonzero(detections.label) and len(np.unique(found.score)) < len(found)
    for name in ('image', 'label', 'box', 'score'):
        assert np.array_equal(getattr(found, name), getattr(written, name))


def test_files_that_score_are_read_before_anything_is_detected(tmp_path):
    folder = make(tmp_path / 'data', labels=['a,machine,/m/0cat,1'])
    annotations = tmp_path / 'data' / 'annotations'
    (annotations / 'bbox_labels_600_hierarchy.json').write_text('{"Subcategory": [{"LabelName": "/m/zebra"}]}')
    dataset = OpenImagesDataset('train', str(tmp_path), folder)
    dataset.roidb()
    with pytest.raises(SniperError, match='1 class that the list of classes lacks: /m/zebra'):
        dataset.score_by('')
    (annotations / 'train-annotations-human-imagelabels-boxable.csv').write_text('ImageID,LabelName\na,/m/0cat\n')
    with pytest.raises(SniperError, match='lacks the column Confidence'):
        OpenImagesDataset('train', str(tmp_path), folder).score_by('')
