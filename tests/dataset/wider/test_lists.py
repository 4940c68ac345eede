"""The lists of faces that count: where they are found, what they say, what is refused."""
import os

import numpy as np
import pytest
from scipy.io import savemat

from lib.dataset.wider.lists import SETTINGS, find_lists, read_lists
from lib.utils.errors import SniperError
from tests.dataset.wider.made_up import at_least, cells, content, write_lists
from tests.golden import real_data

FACES = {'0--Parade': {'a': [(1, 2, 30, 40), (5, 6, 7, 8), (9, 9, 9, 16)], 'b': []}, '1--Party': {'c': [(3, 3, 9, 30)]}}


@pytest.mark.parametrize('packed', [False, True])
def test_lists(tmp_path, packed):
    lists = read_lists(write_lists(tmp_path, FACES, do_compression=packed))
    assert lists.names == ('0--Parade/a', '0--Parade/b', '1--Party/c') and lists.starts.tolist() == [0, 3, 3, 4]
    assert lists.faces.tolist() == [[1, 2, 30, 40], [5, 6, 7, 8], [9, 9, 9, 16], [3, 3, 9, 30]]
    assert {setting: marks.tolist() for setting, marks in lists.counted.items()} == {
        'easy': [True, False, False, True], 'medium': [True, False, True, True], 'hard': [True, True, True, True]}
    part = lists.part([2, 0])
    assert part.names == ('1--Party/c', '0--Parade/a') and part.starts.tolist() == [0, 1, 4]
    assert part.faces[:, 3].tolist() == [30, 40, 8, 16] and part.counted['easy'].tolist() == [True, True, False, False]
    assert lists.part([]).faces.shape == (0, 4) and lists.part([1]).starts.tolist() == [0, 0]


def test_faces_of_no_size(tmp_path):
    """They stay: the official program counts them too."""
    assert not read_lists(write_lists(tmp_path / 'good', FACES)).remarks()
    flat = dict(FACES, flat={'d': [(1, 1, 9, 9), (5, 5, 0, 20)], 'e': [(3, 3, 9, -2)]})
    lists = read_lists(write_lists(tmp_path / 'flat', flat))
    line, = lists.remarks()
    assert line.startswith('2 faces have no width or height') and line.endswith('as officially: flat/d, flat/e')
    assert len(lists.faces) == 7


def test_where_they_are_found(tmp_path):
    folder = str(tmp_path)
    assert find_lists(folder) == ('', '')
    place = write_lists(tmp_path / 'eval_tools' / 'ground_truth', FACES)
    assert find_lists(folder) == find_lists(folder, 'train') == find_lists(place) == (place, 'val')
    own = write_lists(tmp_path / 'eval', FACES, 'train')
    assert find_lists(folder, 'train') == (own, 'train') and find_lists(folder) == (place, 'val')


def test_faces_mask():
    lists = read_lists(*find_lists(real_data('faces_mask')))
    assert (len(lists.names), len(lists.faces)) == (50, 223)
    assert [int(lists.counted[setting].sum()) for setting in SETTINGS] == [77, 183, 219]


def test_the_list_of_all_faces_may_be_absent_and_one_of_a_setting_not(tmp_path):
    folder = write_lists(tmp_path, FACES, with_faces=False)
    assert len(read_lists(folder).faces) == 4
    os.remove(tmp_path / 'wider_medium_val.mat')
    with pytest.raises(SniperError, match='there is no .*wider_medium_val.mat: the lists .* are three files'):
        read_lists(folder)


def other(**fields):
    """The list of a setting with other fields; None: without it."""
    made = dict(content(FACES, at_least(FACES, 8)), **fields)
    return {name: value for name, value in made.items() if value is not None}


NUMBERS = {event: dict(pictures) for event, pictures in at_least(FACES, 8).items()}
BAD = {
    'no gt_list': (other(gt_list=None), 'has no gt_list'),
    'no faces': (other(face_bbx_list=None), 'has no face_bbx_list'),
    'numbers': (other(event_list=np.ones((2, 1))), 'event_list is no array of cells'),
    'fewer events': (other(file_list=cells([cells(['a', 'b'])])), 'file_list is no array of cells, one an event'),
    'event': (other(event_list=cells(['0--Parade', 7.0])), 'an entry of event_list is no name'),
    'way out': (other(event_list=cells(['0--Parade', '../x'])), 'an entry of event_list is no name'),
    'picture': (other(file_list=cells([cells(['a', cells(['b'])]), cells(['c'])])), "event '0--Parade' is no name"),
    'fewer pictures': (other(file_list=cells([cells(['a']), cells(['c'])])), "event '0--Parade' are no arrays"),
    'columns': (other(face_bbx_list=cells([cells([np.ones((3, 5)), []]), cells([np.ones((1, 4))])])),
                "faces of '0--Parade/a' are no rows of x, y, width, height .numbers of shape 3x5"),
    'nan': (other(face_bbx_list=cells([cells([np.full((3, 4), np.nan), []]), cells([np.ones((1, 4))])])),
            "the faces of '0--Parade/a' are no rows"),
    'twice': (other(file_list=cells([cells(['a', 'a']), cells(['c'])])), "names the picture '0--Parade/a' twice"),
    'none': ({name: np.empty((0, 0), object) for name in other()}, 'names no picture'),
    'gt of fewer': (other(gt_list=cells([cells([np.ones((1, 1))]), cells([np.ones((1, 1))])])), 'gt_list is of 2 pict'),
    'out of range': (content(FACES, {**NUMBERS, '1--Party': {'c': [2]}}), "'1--Party/c' names face 2, and it has 1 f"),
    'zero': (content(FACES, {**NUMBERS, '1--Party': {'c': [0]}}), "'1--Party/c' names face 0, and it has 1 faces"),
    'half': (content(FACES, {**NUMBERS, '1--Party': {'c': [0.5]}}), "gt_list of '1--Party/c' holds no whole numbers"),
    'words': (other(gt_list=cells([cells(['x', []]), cells([np.ones((1, 1))])])), 'holds no whole numbers .*x'),
    'others': (content({'0--Parade': FACES['0--Parade'], '1--Party': {'d': [(3, 3, 9, 30)]}}, NUMBERS),
               'wider_hard_val.mat tells of other pictures or faces than .*wider_face_val.mat'),
}


@pytest.mark.parametrize('name', BAD)
def test_other_forms(tmp_path, name):
    fields, said = BAD[name]
    folder = write_lists(tmp_path, FACES)
    savemat(os.path.join(folder, 'wider_hard_val.mat'), fields)
    with pytest.raises(SniperError, match=said) as error:
        read_lists(folder)
    assert 'wider_hard_val.mat' in str(error.value) and len(str(error.value)) < 600
