"""Average recall against pycocotools, and by hand."""
import contextlib
import io

import numpy as np
import pytest

from lib.inference.proposals import LIMITS, SIZES, AverageRecall


def test_by_hand():
    objects = [[0, 0, 9, 9], [100, 100, 199, 199]]
    proposals = [[0, 0, 9, 9, 0.9], [100, 100, 199, 183, 0.8], [0, 0, 9, 9, 0.7]]  # IoU 1, 0.84, and 1 once more
    recall = AverageRecall()
    recall.add(proposals, objects)
    results = recall.results()
    assert results['all'][100] == pytest.approx((1 + 0.7) / 2)  # the second is found at 0.5, 0.55, ... 0.8
    assert results['small'][100] == 1 and results['large'][100] == pytest.approx(0.7)
    assert results['medium'] == {limit: -1 for limit in LIMITS}
    assert recall.table()[0].split() == ['AR', '@100', '@300', '@1000', 'objects']
    assert recall.table()[3].split() == ['medium', '-', '-', '-', '0']


def test_only_the_best_count():
    recall = AverageRecall(limits=(1, 2))
    recall.add([[50, 50, 60, 60, 0.1], [0, 0, 9, 9, 0.2], [20, 20, 29, 29, 0.3]], [[0, 0, 9, 9]])
    assert recall.results()['all'] == {1: 0, 2: 1}


def test_images_without_objects_or_proposals():
    recall = AverageRecall()
    recall.add(np.zeros((0, 5)), np.zeros((0, 4)))
    assert recall.results()['all'][100] == -1
    recall.add(np.zeros((0, 5)), [[0, 0, 9, 9]])
    recall.add([[0, 0, 9, 9, 1]], np.zeros((0, 4)))
    assert recall.results()['all'][100] == 0


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
    recall = AverageRecall(limits)
    for proposals, objects in images:
        recall.add(proposals, objects)
    expected = coco_recall(images, limits)
    for name, values in recall.results().items():
        for limit, value in values.items():
            assert value == pytest.approx(expected[name][limit], abs=1e-9), (name, limit)
    assert 0.1 < recall.results()['all'][300] < 1
