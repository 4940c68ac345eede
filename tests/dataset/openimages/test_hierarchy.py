"""Which classes are above and below a class, and files that say it wrongly."""
import json

import numpy as np
import pytest

from lib.dataset.openimages.hierarchy import expand, read_hierarchy
from lib.utils.errors import SniperError

MIDS = ('', '/m/food', '/m/fruit', '/m/apple', '/m/toy', '/m/bear', '/m/teddy')


def node(name, *children, **more):
    return {'LabelName': name, **({'Subcategory': list(children)} if children else {}), **more}


TREE = node('/m/root', node('/m/food', node('/m/fruit', node('/m/apple', Part=[node('/m/toy')]))),
            node('/m/toy', node('/m/teddy')), node('/m/bear', node('/m/teddy')))


def written(tmp_path, content):
    path = tmp_path / 'hierarchy.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_all_levels_and_several_parents(tmp_path):
    found = read_hierarchy(written(tmp_path, TREE), MIDS)
    assert found.above[3] == (1, 2) and found.above[6] == (4, 5) and found.above[1] == ()
    assert found.below[1] == (2, 3) and found.below[5] == (6,) and found.below[3] == ()


def test_what_is_above_a_parent_elsewhere_is_above_the_child(tmp_path):
    tree = node('r', node('/m/food', node('/m/fruit')), node('/m/fruit', node('/m/apple')))
    assert read_hierarchy(written(tmp_path, tree), MIDS).above[3] == (1, 2)


def test_classes_that_were_not_chosen_are_passed_through(tmp_path):
    mids = ('', '/m/food', '/m/apple')
    found = read_hierarchy(written(tmp_path, TREE), mids, MIDS[1:])
    assert found.above == {1: (), 2: (1,)} and found.below == {1: (2,), 2: ()}


def test_expansion():
    rows, labels = expand(np.array([3, 4, 3]), {3: (1, 2), 9: (1,)})
    assert sorted(zip(rows.tolist(), labels.tolist())) == [(0, 1), (0, 2), (0, 3), (1, 4), (2, 1), (2, 2), (2, 3)]
    assert [len(array) for array in expand(np.zeros(0, int), {1: (2,)})] == [0, 0]


def deep(levels):
    tree = node('/m/apple')
    for _ in range(levels):
        tree = node('/m/food', tree)
    return tree


@pytest.mark.parametrize('content, message', [
    (node('r', node('/m/pear')), '1 class that the list of classes lacks: /m/pear'), ('{', 'is no JSON'),
    ('[' * 100000, 'is no JSON'), ('[1]', 'is no hierarchy'), ({}, 'is no hierarchy'),
    ({'Subcategory': 3}, 'is no list of classes'), (node('r', {'LabelName': 7}), 'lacks: 7'),
    (node('r', node('/m/food', node('/m/fruit', node('/m/food')))), 'the class /m/(food|fruit) is below itself'),
    (deep(90), 'more than 64 levels')])
def test_bad_files(tmp_path, content, message):
    with pytest.raises(SniperError, match=message):
        read_hierarchy(written(tmp_path, content), MIDS)


def test_missing_file(tmp_path):
    with pytest.raises(SniperError, match='gone.json'):
        read_hierarchy(str(tmp_path / 'gone.json'), MIDS)
