"""Classes that look alike become one super-class."""
import json
import shutil

import numpy as np
import pytest

from lib.dataset.imagenet.super_classes import read_super_classes
from lib.fewshot import superclasses
from lib.fewshot.classifier import Examples
from lib.fewshot.clusters import class_means, clusters, named_clusters
from lib.utils.errors import SniperError
from tests.fewshot.conftest import CONFIG, SMALL
from tests.fewshot.pictures import write_classes


def test_clusters_are_found_whatever_the_seed():
    random = np.random.RandomState(0)
    centres = np.repeat(random.normal(0, 5, (4, 12)), 6, axis=0)
    order = random.permutation(24)
    means = (centres + random.normal(0, 0.3, centres.shape)).astype(np.float32)[order]
    truth = np.repeat(np.arange(4), 6)[order]
    for seed in range(3):
        found = clusters(means, 4, seed)
        np.testing.assert_array_equal(found[:, None] == found, truth[:, None] == truth)
        np.testing.assert_array_equal(found, clusters(means, 4, seed))
    assert found[0] == 0 and set(found.tolist()) == {0, 1, 2, 3}      # numbered as they occur
    assert len(set(clusters(means, 24).tolist())) == 24 and set(clusters(means, 1).tolist()) == {0}


def test_means_of_classes():
    features = np.array([[[0, 10]], [[2, 30]], [[4, 20]]], np.float32)
    found = class_means(Examples(features, np.array([1, 1, 0]), ('a', 'b', 'c')), 2)
    np.testing.assert_allclose(found * features.std(axis=0) + features.mean(axis=0), [[4, 20], [1, 20]], rtol=1e-6)
    with pytest.raises(SniperError, match='1 classes have no picture'):
        class_means(Examples(features, np.array([1, 1, 0]), ('a', 'b', 'c')), 3)


def test_names_are_those_of_central_classes():
    means = np.array([[0, 0], [1, 0], [2, 0], [9, 9]], np.float32)
    found = named_clusters(['a', 'b', 'c', 'd'], means, np.array([0, 0, 0, 1]))
    assert found == {'like b': ['a', 'b', 'c'], 'like d': ['d']}


def test_the_command(shapes, tmp_path, capsys):
    """Two pairs of folders of the same shapes: four classes, two super-classes."""
    folder = shutil.copytree(shapes, tmp_path / 'classes')
    shutil.rmtree(folder / 'disc')
    write_classes(folder, ['box of another kind', 'ring of another kind'], 3, seed=4)
    path = tmp_path / 'superclasses.json'
    words = [str(folder), '--count', '2', '--json', str(path), '--cfg', CONFIG, '--set', *SMALL, 'output_path',
             str(tmp_path / 'nothing')]
    assert superclasses.main(words) == 0
    assert sorted(json.loads(path.read_text()).values()) == [['box', 'box of another kind'],
                                                             ['ring', 'ring of another kind']]
    read = read_super_classes(str(path), ['box', 'box of another kind', 'ring', 'ring of another kind'])
    assert read.of_class.tolist() == [0, 0, 1, 1]
    assert 'like ' in capsys.readouterr().out
    with pytest.raises(SniperError, match='--count 9: .* has 4 classes, which make 1 to 4 super-classes'):
        superclasses.main([words[0], '--count', '9', *words[3:]])
