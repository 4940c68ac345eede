"""What a test on Open Images writes, how it is read back, and both forms of its scores."""
import json
import os

import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.dataset import get_dataset
from lib.dataset.class_choice import ClassChoice
from lib.dataset.openimages import evaluation
from lib.dataset.openimages.hierarchy import Hierarchy
from lib.dataset.openimages_eval import main
from lib.utils.errors import SniperError
from tests.dataset.openimages.made_up import make, row
from tests.golden import real_data

TREE = {'LabelName': 'r', 'Subcategory': [{'LabelName': '/m/0dog', 'Subcategory': [{'LabelName': '/m/0cat'}]},
                                          {'LabelName': '/m/0bow1'}, {'LabelName': '/m/0bow2'}]}
LABELS = ['a,verification,/m/0cat,1', 'b,verification,/m/0cat,0', 'c,verification,/m/0dog,0']


def opened(folder, tmp_path, tree=TREE, **more):
    folder = make(folder, labels=LABELS, **more)
    if tree is not None:
        with open(os.path.join(folder, 'annotations', 'bbox_labels_600_hierarchy.json'), 'w') as stream:
            json.dump(tree, stream)
    return get_dataset('openimages', 'train', str(tmp_path / 'root'), folder)


def detections_of(truth, chosen=slice(None)):
    index = np.arange(len(truth.image))[chosen]
    return Detections(truth.image[index], truth.label[index], truth.box[index].astype(np.float32),
                      np.linspace(1, 0.5, len(index)))


def test_truth_as_detections_is_1_in_both_forms(tmp_path):
    dataset = opened(tmp_path / 'data', tmp_path)
    metrics = dataset.evaluate(detections_of(dataset.truth()), str(tmp_path / 'out'))
    assert metrics['mAP'] == metrics['challenge_mAP'] == 1
    assert set(dataset.own_scores) <= set(metrics)
    assert metrics['per_class'] == {'Cat': 1.0, 'Dog': 1.0}
    with open(tmp_path / 'out' / 'predictions_train_metrics.json') as stream:
        assert json.load(stream) == metrics


def test_groups_as_detections_are_no_false_positives(tmp_path):
    dataset = opened(tmp_path / 'data', tmp_path)
    truth = dataset.truth()
    assert truth.crowd.sum() == 2
    scores = dataset.scores(detections_of(truth, truth.crowd))
    assert scores.plain.found.sum() == 0
    assert scores.challenge.right.tolist() == [2.0, 2.0] == scores.challenge.found.tolist()


def test_the_file_is_the_official_one_and_is_read_back(tmp_path):
    dataset = opened(tmp_path / 'data', tmp_path)
    truth = dataset.truth()
    written = detections_of(truth)
    dataset.evaluate(written, str(tmp_path / 'out'))
    path = tmp_path / 'out' / 'predictions_train.csv'
    lines = path.read_text().splitlines()
    assert lines[0] == 'ImageID,LabelName,Score,XMin,XMax,YMin,YMax' and len(lines) == 1 + len(written)
    assert {tuple(line.split(',')[:2]) for line in lines[1:]} == {('a', '/m/0cat'), ('b', '/m/0cat'), ('b', '/m/0dog'),
                                                                ('c', '/m/0cat')}
    back = dataset.read_predictions(str(path))
    order = np.lexsort([-written.score, written.image])
    for name in ('image', 'label'):
        assert np.array_equal(getattr(back, name), getattr(written, name)[order])
    np.testing.assert_allclose(back.box, written.box[order], atol=2e-4)
    np.testing.assert_allclose(back.score, written.score[order], atol=1e-6)


@pytest.mark.parametrize('name', ['animal', 'an animal, of those that people keep in their houses', 'Häustier',
                                  'cats, "dogs"'])
def test_classes_put_together_are_read_back_whatever_they_are_called(tmp_path, name):
    folder = make(tmp_path / 'data')
    dataset = get_dataset('openimages', 'train', str(tmp_path / 'root'), folder,
                          choice=ClassChoice([f'{name} = Cat + Dog']))
    written = detections_of(dataset.truth())
    dataset.evaluate(written, str(tmp_path / 'out'))
    back = dataset.read_predictions(str(tmp_path / 'out' / 'predictions_train.csv'))
    assert back.label.tolist() == [1] * len(written)


def test_the_command(tmp_path, capsys):
    dataset = opened(tmp_path / 'data', tmp_path)
    dataset.evaluate(detections_of(dataset.truth()), str(tmp_path / 'out'))
    words = ['--predictions', str(tmp_path / 'out' / 'predictions_train.csv'), '--data', str(tmp_path / 'data'),
             '--set', 'train', '--root', str(tmp_path / 'root'), '--out', str(tmp_path / 'm.json')]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert 'mean AP (Open Images V2) = 1.0000 of 2 classes' in said and '(Open Images Challenge) = 1.0000' in said
    with open(tmp_path / 'm.json') as stream:
        assert json.load(stream)['mAP'] == 1


def test_only_verified_classes_count(tmp_path):
    dataset = opened(tmp_path / 'data', tmp_path, tree=None)
    truth = dataset.truth()
    wrong = Detections(np.array([2, 1, 0]), np.array([2, 1, 2]), np.array([[0, 0, 9, 9]] * 3, np.float32), np.ones(3))
    scores = dataset.scores(Detections.concatenate([detections_of(truth), wrong]))
    counted = dict(zip(scores.plain.label.tolist(), scores.plain.found.tolist()))
    objects = np.bincount(truth.label[~truth.crowd], minlength=3)
    assert counted == {1: objects[1] + 1, 2: objects[2] + 1}   # of b there is a cat, of c no dog; nobody asked of a
    assert scores.challenge is None


def test_labels_hold_for_classes_above_and_below(monkeypatch):
    asked = []
    monkeypatch.setattr(evaluation, 'openimages_ap', lambda *args, **_: asked.append(args))
    tree = Hierarchy({1: (2,), 2: ()}, {2: (1,), 1: ()})
    from lib.dataset.openimages.labels import VerifiedLabels
    from lib.dataset.truth import Truth
    labels = VerifiedLabels(np.array([0, 1, 2, 3]), np.array([1, 2, 1, 2]), np.array([True, True, False, False]))
    evaluation.score(Truth.of([0], [1], [[0, 0, 9, 9]]), Detections.empty(), labels, tree)
    pairs = set(map(tuple, asked[1][2].tolist()))
    assert pairs == {(0, 1), (0, 2), (1, 2), (2, 1), (3, 2), (3, 1)}
    assert sorted(asked[1][0].label.tolist()) == [1, 2]


def test_one_box_counts_once_above_its_classes():
    tree = Hierarchy({1: (3,), 2: (3,), 3: ()}, {3: (1, 2)})
    box = [[0, 0, 9, 9]] * 2
    found = evaluation.with_ancestors(Detections(np.zeros(2), np.array([1, 2]), box, np.array([0.4, 0.9])), tree)
    order = np.argsort(found.label)
    assert found.label[order].tolist() == [1, 2, 3] and np.allclose(found.score[order], [0.4, 0.9, 0.9])


def test_a_box_that_a_class_has_twice_is_two_detections_above_it_too():
    tree = Hierarchy({1: (3,), 2: (3,), 3: ()}, {3: (1, 2)})
    score = np.array([0.4, 0.9, 0.7])       # class 1 twice, class 2 once: two of class 3
    found = evaluation.with_ancestors(Detections(np.zeros(3), np.array([1, 2, 1]), [[0, 0, 9, 9]] * 3, score), tree)
    order = np.lexsort([-found.score, found.label])
    assert found.label[order].tolist() == [1, 1, 2, 3, 3]
    assert np.allclose(found.score[order], [0.7, 0.4, 0.9, 0.9, 0.4])


@pytest.mark.parametrize('line, message', [
    ('a,/m/none,1,0,1,0,1', "line 2: LabelName is '/m/none'"), ('a,/m/0cat,nan,0,1,0,1', 'line 2: Score is nan'),
    ('a,/m/0cat,1,0,1.5,0,1', 'line 2: XMin, YMin, XMax, YMax are .* 0 to 1'),
    ('a,/m/0cat,1,0.6,0.5,0,1', 'XMax is below XMin'), ('zzz,/m/0cat,1,0,1,0,1', "other pictures alone .*zzz"),
    ('a,/m/0cat,1,0,1,0', 'line 2: 6 values where 7'), ('a,/m/0cat,x,0,1,0,1', "Score is 'x', which is no number"),
    ('../a,/m/0cat,1,0,1,0,1', 'no name of a picture')])
def test_bad_predictions(tmp_path, line, message):
    dataset, path = opened(tmp_path / 'data', tmp_path), tmp_path / 'p.csv'
    path.write_text('ImageID,LabelName,Score,XMin,XMax,YMin,YMax\n' + line + '\n')
    with pytest.raises(SniperError, match=message):
        dataset.read_predictions(str(path))


def test_missing_columns_and_other_pictures(tmp_path, caplog):
    dataset, path = opened(tmp_path / 'data', tmp_path), tmp_path / 'p.csv'
    path.write_text('ImageID,LabelName,XMin,XMax,YMin,YMax\na,/m/0cat,0,1,0,1\n')
    with pytest.raises(SniperError, match='lacks the column Score'):
        dataset.read_predictions(str(path))
    path.write_text('ImageID,LabelName,Score,XMin,XMax,YMin,YMax\na,/m/0cat,1,0,1,0,1\nq,/m/0cat,1,0,1,0,1\n')
    assert len(dataset.read_predictions(str(path))) == 1
    assert 'pictures that the set does not have' in caplog.text and "q" in caplog.text


def test_a_hierarchy_of_other_classes(tmp_path):
    dataset = opened(tmp_path / 'data', tmp_path, tree={'Subcategory': [{'LabelName': '/m/zebra'}]})
    with pytest.raises(SniperError, match='hierarchy.json has 1 class that the list of classes lacks'):
        dataset.evaluate(detections_of(dataset.truth()), str(tmp_path / 'out'))


def test_many_classes_are_told_in_few_lines():
    names = ['__background__'] + [f'class {place}' for place in range(600)]
    per_class = {name: place / 600 for place, name in enumerate(names[1:])}
    lines = evaluation.report(dict(mAP=0.5, truths=9, groups=1, detections=7, per_class=per_class), 'm.json')
    assert len(lines) < 20 and 'AP of all 600 classes: m.json' in lines and max(map(len, lines)) <= 120


def test_parts_of_a_set(tmp_path):
    dataset = opened(tmp_path / 'data', tmp_path, rows=[row('a'), row('b', '/m/0dog'), row('c')])
    part = dataset.part([1, 2])
    metrics = part.evaluate(detections_of(part.truth()), str(tmp_path / 'out'))
    assert metrics['mAP'] == 1 and metrics['truths'] == 2


def test_real_files(tmp_path):
    folder = real_data('openimages_mini')
    dataset = get_dataset('openimages', 'val', str(tmp_path), folder)
    truth = dataset.truth()
    metrics = dataset.evaluate(detections_of(truth), str(tmp_path / 'out'))
    assert metrics['mAP'] == metrics['challenge_mAP'] == 1 and metrics['groups'] == 2
    assert {'Apple', 'Fruit', 'Food', 'French fries', 'Fast food'} == set(metrics['challenge_per_class'])
    assert dataset.scores(detections_of(truth, truth.crowd)).plain.found.sum() == 0


def test_predictions_without_a_row_are_said(tmp_path, caplog):
    dataset, path = opened(tmp_path / 'data', tmp_path), tmp_path / 'p.csv'
    path.write_text('ImageID,LabelName,Score,XMin,XMax,YMin,YMax\n\n')
    assert len(dataset.read_predictions(str(path))) == 0
    assert caplog.messages[-1] == f'{path} has no row but its header: nothing was found, so that every score is 0'
