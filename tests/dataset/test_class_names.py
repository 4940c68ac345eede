"""Class names of two lists: equal ones, those written differently, and those that are not the same."""
import unicodedata

import pytest

from lib.dataset.class_names import NOWHERE, match_classes, named

BACKGROUND = '__background__'


def pairs(names, known):
    """{name: partner} of those that have one."""
    found = match_classes(names, known)
    return {name: known[label] for name, label in zip(names, found.labels) if label != NOWHERE}


def test_equal_names_decide_their_own_places():
    found = match_classes([BACKGROUND, 'Star', 'cross', 'ring'], [BACKGROUND, 'ring', 'star', 'cross'])
    assert found.labels == (0, 2, 3, 1) and found.respelt == [('Star', 'star')]
    assert not found.unknown and not found.absent and not found.exact
    assert found.respelt_text() == 'Star is star'
    assert match_classes(['b', 'a'], ['b', 'a']).exact and not match_classes(['b', 'a'], ['a', 'b']).exact


@pytest.mark.parametrize('name, known', [
    ('Star', 'star'), ('STAR', 'Star'), (' star ', 'star'), ('traffic_light', 'traffic light'),
    ('traffic-light', 'traffic light'), ('TrafficLight', 'traffic light'), ('trafficlight', 'traffic_light'),
    ('traffic  light', 'traffic light'), ('traffic\u00a0light', 'traffic light'),
    ('traffic\u2010light', 'traffic-light'), ('T.V.monitor', 'T V monitor'), ('cars', 'car'), ('Box', 'boxes'),
    ('berries', 'Berry'), ('White Blood Cells', 'white_blood_cell'),
    (unicodedata.normalize('NFD', 'K\u00e4fer'), 'K\u00e4fer'), ('\ufeffcar', 'car'), ('\uff43\uff41\uff52', 'car'),
    ('STRASSE', 'Stra\u00dfe'), ('\u0417\u0412\u0415\u0417\u0414\u0410', '\u0437\u0432\u0435\u0437\u0434\u0430'),
    ('class_1', 'class 1'), ('_car', 'car')])
def test_written_differently(name, known):
    assert pairs([name, 'other'], ['other', known]) == {name: known, 'other': 'other'}
    assert pairs([known, 'other'], ['other', name]) == {known: name, 'other': 'other'}


@pytest.mark.parametrize('names, known', [
    (['Kasten'], ['box']), (['cat'], ['dog']), (['1'], ['-1']), (['1-0'], ['10']), (['c'], ['c++']), (['A-'], ['A']),
    (['s'], ['']), (['1s'], ['1']), (['grass'], ['gras s ed']), (['Dog', 'DOG'], ['dog']), (['dog'], ['Dog', 'DOG']),
    (['car', 'car'], ['a', 'b']), (['glass'], ['glasses']), (['shorts'], ['short']), (['princes'], ['princess']),
    (['AB'], ['ABS'])])
def test_not_the_same(names, known):
    found = match_classes(names, known)
    assert set(found.labels) == {NOWHERE}
    assert found.unknown == names and found.absent == known


def test_the_stricter_way_of_writing_comes_first():
    assert pairs(['Cars', 'car'], ['car', 'cars']) == {'Cars': 'cars', 'car': 'car'}
    assert pairs(['Dog', 'dogs'], ['dog']) == {'Dog': 'dog'}


def test_fewer_more_and_twice():
    found = match_classes([BACKGROUND, 'block'], [BACKGROUND, 'disc', 'block'])
    assert found.labels == (0, 2) and found.absent == ['disc'] and not found.unknown
    found = match_classes([BACKGROUND, 'block', 'disc', 'ring'], [BACKGROUND, 'disc', 'block'])
    assert found.labels == (0, 2, 1, NOWHERE) and found.unknown == ['ring'] and not found.absent
    assert match_classes(['a', 'b', 'a'], ['a', 'a', 'b']).labels == (0, 2, 1)
    assert match_classes(['a', 'a'], ['a', 'b']).labels == (0, NOWHERE)


def test_long_lists_are_shortened():
    assert named(list('abc')) == 'a, b, c' and named(list('abc'), 2) == 'a, b and 1 more'
