"""AP of PASCAL VOC: golden data, hand-made curves, and a slow reference written from the rules."""
import json
import math
import os

import numpy as np
import pytest

from lib.dataset import get_dataset
from lib.dataset.voc_eval import area_ap, eleven_point_ap, rounded_rows
from tests.dataset.voc_folder import make_part, write, xml
from tests.detections import flat
from tests.golden import golden_file


def no_detections(dataset):
    return [[[] for _ in dataset.image_ids] for _ in dataset.classes]


def open_plain(tmp_path, annotations, **sets):
    root = make_part(tmp_path / 'data', annotations, sets)
    return get_dataset('PascalVOC', next(iter(sets), 'all'), root, root)


# ---- golden data


@pytest.fixture(params=['2007', '2012'])
def golden(request, tmp_path):
    """(year, facts, data set) of the golden development kit."""
    with open(golden_file('pipeline/voc.json')) as stream:
        facts = json.load(stream)
    for year, annotations in facts['xml'].items():
        make_part(tmp_path / ('VOC' + year), annotations, {'test': facts['sets'][year]})
    return request.param, facts, get_dataset('PascalVOC', request.param + '_test', str(tmp_path), str(tmp_path))


def test_golden_records(golden):
    year, facts, dataset = golden
    data = np.load(golden_file('pipeline/roidb_voc.npz'))
    roidb = dataset.roidb()
    assert list(dataset.classes) == facts['classes'] and [r['image_id'] for r in roidb] == facts['sets'][year]
    assert dataset.name == facts['eval'][year]['imdb_name']
    assert [len(record['boxes']) for record in roidb] == data[f'y{year}_n'].tolist()
    for field in ('boxes', 'gt_classes', 'max_classes', 'max_overlaps'):
        np.testing.assert_array_equal(np.concatenate([record[field] for record in roidb]),
                                      data[f'y{year}_{field}'])
    assert [[r['width'], r['height']] for r in roidb] == data[f'y{year}_size'].tolist()


def test_golden_evaluation(golden, tmp_path):
    year, facts, dataset = golden
    expected = facts['eval'][year]
    detections = no_detections(dataset)
    for label, image, *row in expected['detections']:
        detections[label][image].append(row)
    metrics = dataset.evaluate(flat(detections), str(tmp_path / 'results'))
    folder = tmp_path / 'results' / ('VOC' + year) / 'Main'
    assert {path.name for path in folder.glob('comp4*')} == set(expected['result_files'])
    for name, text in expected['result_files'].items():
        assert (folder / name).read_text() == text
    assert json.loads((folder / 'metrics_test.json').read_text()) == metrics
    lines = expected['info'].splitlines()
    assert lines[0] == f'VOC07 metric? {"Y" if metrics["rule"] == "11point" else "No"}'
    ours = ['AP for {} = {:.4f}'.format(*item) for item in metrics['per_class'].items()]
    ours += [f'Mean AP@0.5 = {metrics["AP50"]:.4f}', '']
    ours += ['AP for {} = {:.4f}'.format(*item) for item in metrics['per_class_AP70'].items()]
    assert lines[1:] == ours + [f'Mean AP@0.7 = {metrics["AP70"]:.4f}']


# ---- the two rules on curves with known areas


def test_rules_by_hand():
    # three right ones of four objects, with a wrong one in second place
    recall, precision = np.array([0.25, 0.25, 0.5, 0.75]), np.array([1, 0.5, 2 / 3, 0.75])
    assert area_ap(recall, precision) == pytest.approx(0.25 * 1 + 0.5 * 0.75)
    assert eleven_point_ap(recall, precision) == pytest.approx((3 * 1 + 5 * 0.75) / 11)
    assert eleven_point_ap(np.zeros(0), np.zeros(0)) == area_ap(np.zeros(0), np.zeros(0)) == 0
    assert eleven_point_ap(np.ones(1), np.ones(1)) == area_ap(np.ones(1), np.ones(1)) == 1


def test_a_recall_of_three_tenths_does_not_reach_the_fourth_point():
    """0.3 < 3 x 0.1 in doubles; published numbers come from this comparison."""
    assert eleven_point_ap(np.array([0.3]), np.array([1.0])) == pytest.approx(3 / 11)


# ---- matching


def test_matching(tmp_path, caplog):
    caplog.set_level('INFO')
    dataset = open_plain(tmp_path, {'a': xml(('cell', 11, 11, 20, 20), ('cell', 51, 51, 60, 60, 1)), 'b': xml()})
    detections = no_detections(dataset)
    detections[1][0] = [[10, 10, 19, 19, 0.5], [10, 10, 19, 19, 0.9],   # found, and found again
                        [50, 50, 59, 59, 0.8], [50, 50, 59, 59, 0.7]]   # difficult: neither right nor wrong
    metrics = dataset.evaluate(flat(detections), str(tmp_path))
    assert metrics['AP50'] == metrics['AP70'] == metrics['AP50_11point'] == 1 and metrics['difficult_objects'] == 1
    assert '1 objects are marked as difficult: they do not count' in caplog.text
    detections[1][1] = [[0, 0, 9, 9, 0.95]]  # no object there
    assert dataset.evaluate(flat(detections), str(tmp_path))['AP50'] == 0.5


def test_an_overlap_must_be_greater_than_the_threshold(tmp_path):
    dataset = open_plain(tmp_path, {'a': xml(('cell', 1, 1, 10, 10))})
    detections = no_detections(dataset)
    detections[1][0] = [[0, 0, 9, 4, 1.0]]  # exactly half
    assert dataset.evaluate(flat(detections), str(tmp_path))['AP50'] == 0
    detections[1][0] = [[0, 0, 9, 5, 1.0]]
    metrics = dataset.evaluate(flat(detections), str(tmp_path))
    assert (metrics['AP50'], metrics['AP70']) == (1, 0)


def test_no_detection_and_classes_without_objects(tmp_path, caplog):
    caplog.set_level('INFO')
    write(tmp_path / 'data' / 'classes.txt', 'cell\nghost')
    dataset = open_plain(tmp_path, {'a': xml(('cell', 1, 1, 10, 10))})
    assert dataset.evaluate(flat(no_detections(dataset)), str(tmp_path))['AP50'] == 0
    detections = no_detections(dataset)
    detections[1][0], detections[2][0] = [[0, 0, 9, 9, 1]], [[0, 0, 9, 9, 1]]
    metrics = dataset.evaluate(flat(detections), str(tmp_path))
    assert metrics['per_class'] == {'cell': 1, 'ghost': 0} and metrics['AP50'] == 0.5
    assert metrics['AP50_present'] == 1 and 'Over the others: mean AP at IoU 0.5 = 1.0000' in caplog.text
    assert metrics['classes_without_objects'] == ['ghost']
    assert '1 classes have no object in this set' in caplog.text


def test_a_set_without_annotations_is_written_but_not_scored(tmp_path):
    dataset = open_plain(tmp_path, {'a': xml(('cell', 1, 1, 10, 10)), 'b': None}, test=['b'])
    detections = no_detections(dataset)
    detections[1][0] = [[0, 0.04, 9, 9.96, 0.12345]]
    assert dataset.evaluate(flat(detections), str(tmp_path)) is None
    path = tmp_path / 'VOC' / 'Main' / 'comp4_det_test_cell.txt'
    assert path.read_text() == 'b 0.123 1.0 1.0 10.0 11.0\n'


def test_masks_are_not_scored(tmp_path, caplog):
    dataset = open_plain(tmp_path, {'a': xml(('cat', 10, 10, 50, 50))})
    with caplog.at_level('INFO'):
        metrics = dataset.evaluate(flat(no_detections(dataset), no_detections(dataset)), str(tmp_path))
    assert 'masks are not scored' in caplog.text and metrics['AP50'] == 0


def test_class_names_are_no_paths(tmp_path):
    dataset = open_plain(tmp_path, {'a': xml(('../x', 1, 1, 10, 10))})
    dataset.evaluate(flat(no_detections(dataset)), str(tmp_path / 'results'))
    assert os.listdir(str(tmp_path / 'results' / 'VOC' / 'Main')) and not (tmp_path / 'results' / 'VOC' / 'x').exists()
    assert (tmp_path / 'results' / 'VOC' / 'Main' / 'comp4_det_all_.._x.txt').exists()


def test_classes_that_there_are_not(tmp_path):
    dataset = open_plain(tmp_path, {'a': xml(('cell', 1, 1, 10, 10))})
    with pytest.raises(ValueError, match='label numbers from 2 to 2, but there are only 0 to 1'):
        dataset.evaluate(flat([[], [], [[[0, 0, 9, 9, 0.5]]]]), str(tmp_path))


# ---- random data against the rules, word for word


def slow_ap(truth, rows, thresh, eleven):
    """truth: {image: [(box, difficult)]}; rows: [(image, box, score)] in file order, coordinates from 1."""
    def iou(a, b):
        wide = min(a[2], b[2]) - max(a[0], b[0]) + 1
        high = min(a[3], b[3]) - max(a[1], b[1]) + 1
        if wide <= 0 or high <= 0:
            return 0.0
        area_a, area_b = ((c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b))
        return wide * high / (area_a + area_b - wide * high)

    positives = sum(not hard for objects in truth.values() for _, hard in objects)
    taken, points, right, wrong = set(), [], 0, 0
    for image, box, _ in sorted(rows, key=lambda row: -row[2]):
        overlaps = [iou(box, other) for other, _ in truth[image]]
        best = max(range(len(overlaps)), key=overlaps.__getitem__, default=None)
        if best is not None and overlaps[best] > thresh:
            if not truth[image][best][1]:
                right += (image, best) not in taken
                wrong += (image, best) in taken
                taken.add((image, best))
        else:
            wrong += 1
        points.append((right / positives, right / max(right + wrong, 1e-300)))
    if eleven:
        return sum(max([p for r, p in points if r >= level * 0.1], default=0) for level in range(11)) / 11
    recalls = sorted({r for r, _ in points})
    return sum((high - low) * max(p for r, p in points if r >= high)
               for low, high in zip([0.0] + recalls, recalls))


@pytest.mark.parametrize('seed', range(5))
def test_against_a_slow_reference(tmp_path, seed):
    draw = np.random.RandomState(seed)
    truth, annotations = {}, {}
    for image in 'abcdef':
        corners = draw.randint(1, 80, (draw.randint(0, 7), 2))
        boxes = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(corners.tolist(), draw.randint(3, 20, (9, 2)).tolist())]
        truth[image] = [(box, bool(draw.rand() < 0.2)) for box in boxes]
        annotations[image] = xml(*[('cell',) + box + (int(hard),) for box, hard in truth[image]])
    annotations['a'] = annotations['a'].replace('</annotation>', xml(('cell', 1, 1, 9, 9)).split('</size>')[1])
    truth['a'] = truth['a'] + [((1, 1, 9, 9), False)]
    dataset = open_plain(tmp_path, annotations)
    detections = no_detections(dataset)
    for index, image in enumerate(dataset.image_ids):
        near = [np.add(box, -1) + draw.randint(-2, 3, 4) for box, _ in truth[image] * 2]
        far = [np.array([x, y, x + 15, y + 9]) for x, y in draw.randint(0, 60, (4, 2))]
        detections[1][index] = [list(box) + [draw.randint(0, 20) / 20] for box in near + far]  # scores with many ties
    images, rows = rounded_rows(flat(detections))
    listed = [(dataset.image_ids[i], row[:4], row[4]) for i, row in zip(images, rows.tolist())]
    metrics = dataset.evaluate(flat(detections), str(tmp_path))
    for name, thresh in (('AP50', 0.5), ('AP70', 0.7)):
        assert metrics[name + '_area'] == pytest.approx(slow_ap(truth, listed, thresh, False), abs=1e-9)
        assert metrics[name + '_11point'] == pytest.approx(slow_ap(truth, listed, thresh, True), abs=1e-9)
        assert 0 < metrics[name + '_area'] < 1
    assert metrics['rule'] == 'area' and math.isclose(metrics['AP50'], metrics['AP50_area'])
