"""Average precision of WIDER FACE: recorded vectors, a slow reference, cases by hand."""
import numpy as np
import pytest

from lib.dataset.wider.lists import SETTINGS, find_lists, read_lists
from lib.dataset.wider.scoring import NO_FACES, Found, score, wider_ap
from tests.dataset.wider.made_up import random_faces, random_found, write_lists
from tests.golden import golden_file, real_data


def slow_scores(lists, setting, found):
    """The rules one by one, as reference/other_detectors.md C has them -> (AP, curve (1000, 2))."""
    span = found.score.max() - found.score.min()
    scores = (found.score - found.score.min()) / span
    curve, counted_faces = np.zeros((1000, 2), int), 0
    for number in range(len(lists.names)):
        rows = range(lists.starts[number], lists.starts[number + 1])
        counted_faces += sum(bool(lists.counted[setting][row]) for row in rows)
        mine = sorted(np.flatnonzero(found.picture == number), key=lambda place: -scores[place])
        if not rows or not mine:
            continue
        state, removed, recalled = dict.fromkeys(rows, 0), [], []
        for place in mine:
            overlaps = [slow_overlap(found.box[place], lists.faces[row]) for row in rows]
            best = int(np.argmax(overlaps))
            removed.append(False)
            if overlaps[best] >= 0.5:
                if not lists.counted[setting][rows[best]]:
                    state[rows[best]], removed[-1] = -1, True
                elif state[rows[best]] == 0:
                    state[rows[best]] = 1
            recalled.append(sum(value == 1 for value in state.values()))
        for step in range(1000):
            reached = [rank for rank, place in enumerate(mine) if scores[place] >= 1 - (step + 1) / 1000]
            if reached:
                curve[step] += [removed[:reached[-1] + 1].count(False), recalled[reached[-1]]]
    recall = [0] + [right / counted_faces for _, right in curve] + [1]
    precision = [0] + [right / kept if kept else 0 for kept, right in curve] + [0]
    for place in range(len(precision) - 2, -1, -1):
        precision[place] = max(precision[place], precision[place + 1])
    return sum((after - before) * height for before, after, height in zip(recall, recall[1:], precision[1:])), curve


def slow_overlap(one, other):
    sides = [min(one[axis] + one[axis + 2], other[axis] + other[axis + 2]) - max(one[axis], other[axis]) + 1
             for axis in (0, 1)]
    if min(sides) <= 0:
        return 0.0
    common = sides[0] * sides[1]
    return common / ((one[2] + 1) * (one[3] + 1) + (other[2] + 1) * (other[3] + 1) - common)


def real_lists():
    return read_lists(*find_lists(real_data('faces_mask')))


def recorded(lists):
    """(what was recorded, its detections with the pictures of `lists`)."""
    values = np.load(golden_file('detectors/wider_eval.npz'))
    rows, paths = values['faces_mask/detections'], values['faces_mask/paths'].tolist()
    places = np.array([lists.names.index(path) for path in paths])
    return values, Found(places[rows[:, 0].astype(int)], rows[:, 1:5], rows[:, 5])


def test_recorded_vectors():
    lists = real_lists()
    values, found = recorded(lists)
    for setting, scores in score(lists, found).items():
        assert scores.ap == pytest.approx(float(values[f'faces_mask/{setting}_ap']), abs=1e-6)
        assert scores.faces == values[f'faces_mask/{setting}_counted']
        np.testing.assert_array_equal(np.column_stack([scores.kept, scores.right]),
                                      values[f'faces_mask/{setting}_curve'])


def faces_as_detections(lists, false_boxes=False):
    """All faces with distinct scores; false_boxes: and a box far away a picture, which scores higher than all."""
    picture = np.repeat(np.arange(len(lists.names)), np.diff(lists.starts))
    box, count = lists.faces, len(lists.faces)
    if false_boxes:
        picture = np.concatenate([picture, np.arange(len(lists.names))])
        box = np.concatenate([box, np.tile([5000.0, 5000, 40, 40], (len(lists.names), 1))])
    return Found(picture, box, np.arange(1, len(box) + 1) / len(box) if false_boxes else 1 - np.arange(count) / count)


def test_faces_of_a_real_set_as_detections():
    lists = real_lists()
    for false_boxes, compared, low, high in ((False, 'easy', 0.9998, 1.0), (True, 'hard', 0.4, 0.95)):
        found = faces_as_detections(lists, false_boxes)
        scores = score(lists, found)
        assert all(low <= of_setting.ap <= high for of_setting in scores.values()), scores
        ap, curve = slow_scores(lists, compared, found)
        assert scores[compared].ap == pytest.approx(ap, abs=1e-9)
        np.testing.assert_array_equal(np.column_stack([scores[compared].kept, scores[compared].right]), curve)


@pytest.mark.parametrize('seed', range(4))
def test_as_a_slow_reference(tmp_path, seed, monkeypatch):
    """Also where the boxes of a picture are compared in several goes."""
    monkeypatch.setattr('lib.dataset.wider.scoring.PAIRS', 16)
    rng = np.random.RandomState(seed)
    lists = read_lists(write_lists(tmp_path, random_faces(rng)))
    found = random_found(rng, lists)
    scores = score(lists, found)
    assert list(scores) == list(SETTINGS)
    for setting in SETTINGS:
        ap, curve = slow_scores(lists, setting, found)
        assert 0.05 < ap < 0.95 and scores[setting].ap == pytest.approx(ap, abs=1e-9)
        np.testing.assert_array_equal(np.column_stack([scores[setting].kept, scores[setting].right]), curve)


def made(tmp_path, found, faces=((0, 0, 40, 40), (100, 0, 40, 9))):
    """Scores of rows (x, y, w, h, score) in a picture with an easy face and one that only counts in hard."""
    lists = read_lists(write_lists(tmp_path, {'e': {'a': list(faces), 'none': [], 'b': [(0, 0, 5, 5)]}}))
    rows = np.array(found, np.float64).reshape(-1, 6)
    return score(lists, Found(rows[:, 0].astype(int), rows[:, 1:5], rows[:, 5]))


def test_ignored_faces_second_hits_and_empty_pictures(tmp_path):
    hit, ignored = (0, 0, 0, 40, 40), (0, 100, 0, 40, 9)
    scores = made(tmp_path, [(*ignored, 1.0), (*ignored, 0.9), (*hit, 0.8), (*hit, 0.5), (1, 3, 3, 9, 9, 0.95),
                             (2, 0, 0, 5, 5, 0.0), (2, 90, 90, 5, 5, 0.2)])
    easy, hard = scores['easy'], scores['hard']
    assert (easy.faces, hard.faces) == (1, 2)
    # neither the small faces nor the picture without faces count; the second hit does, and what is far from a face
    assert [easy.kept[step] for step in (0, 199, 499, 799, 999)] == [0, 1, 2, 3, 3]
    assert easy.right[-1] == 1 and easy.ap == 1.0
    assert [hard.kept[step] for step in (0, 99, 199, 499, 999)] == [1, 2, 3, 4, 5]
    assert hard.right[-1] == 2 and hard.ap == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert easy.precision[0] == easy.recall[0] == 0     # 0 of 0


def test_equal_scores_no_detections_and_no_faces(tmp_path):
    """The official way divides by zero."""
    hit, far = (0, 0, 0, 40, 40, 0.7), (0, 500, 0, 40, 40, 0.7)
    scores = made(tmp_path / 'equal', [hit, far])['easy']
    assert scores.kept.tolist() == [2] * 1000 and scores.ap == pytest.approx(0.5)
    nothing = made(tmp_path / 'nothing', [])
    assert [of_setting.ap for of_setting in nothing.values()] == [0, 0, 0] and not nothing['easy'].kept.any()
    small = made(tmp_path / 'small', [hit], faces=[(0, 0, 9, 9)])
    assert [small[setting].ap for setting in SETTINGS] == [NO_FACES, NO_FACES, 0]


def test_a_side_is_a_pixel_longer_than_it_says(tmp_path):
    """A face of no width is one pixel wide; what covers it by just a half hits it."""
    for box, hits in (((0, 0, 0, 9, 19), 1), ((0, 0, 0, 9, 20), 0)):
        scores = made(tmp_path / f'{box}', [(*box, 0.5), (0, 300, 300, 2, 2, 0.1)], faces=[(0, 0, 9, 9)])['hard']
        assert scores.right[-1] == hits, box
    flat = made(tmp_path / 'flat', [(0, 0, 0, 0, 9, 0.5)], faces=[(0, 0, 0, 9)])['hard']
    assert flat.right[-1] == 1
    inside_out = made(tmp_path / 'inside_out', [(0, 0, 0, -5, -5, 0.5), (0, 0, 0, -1, -1, 0.4)], faces=[(0, 0, 9, 9)])
    assert inside_out['hard'].kept[-1] == 2 and inside_out['hard'].right[-1] == 0


def test_arrays_alone():
    """The same figures from a list of arrays a picture, with marks or with numbers from 1."""
    lists = real_lists()
    values, found = recorded(lists)
    faces = np.split(lists.faces, lists.starts[1:-1])
    rows = np.column_stack([found.box, found.score])
    detections = [rows[found.picture == number] for number in range(len(faces))]
    for setting in ('easy', 'medium', 'hard'):
        marks = np.split(lists.counted[setting], lists.starts[1:-1])
        for counted in (marks, [1 + np.flatnonzero(of_picture) for of_picture in marks]):
            ap, curve = wider_ap(faces, counted, detections)
            assert ap == pytest.approx(float(values[f'faces_mask/{setting}_ap']), abs=1e-6)
            np.testing.assert_array_equal(curve, values[f'faces_mask/{setting}_curve'])
    assert wider_ap([], [], [])[0] == wider_ap([[[1, 1, 5, 5]]], [[]], [[]])[0] == -1
    assert wider_ap([[[1, 1, 9, 9]]], [[1]], [[[1, 1, 9, 9, 0.5]]])[0] == 1
    for wrong in (([[[1, 1, 5, 5]]], [[2]], [[]]), ([[[1, 1, 5, 5]]], [[True, True]], [[]]), ([[]], [[]], [])):
        with pytest.raises(ValueError):
            wider_ap(*wrong)
