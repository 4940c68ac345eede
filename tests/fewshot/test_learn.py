"""From pictures to a classifier: caches that are never stale, pictures that cannot be read, more classes later."""
import os
import pickle
import shutil

import numpy as np
import pytest

from lib.fewshot.cache import FeatureCache, ObjectCache
from lib.fewshot.classifier import Examples, FewShotClassifier
from lib.fewshot.folder import read_class_folder
from lib.fewshot.learn import accuracy, extract, learn
from lib.utils.errors import SniperError
from lib.utils.npz import write_npz
from tests.fewshot.pictures import write_classes, write_picture


@pytest.fixture
def folder(shapes, tmp_path):
    return shutil.copytree(shapes, tmp_path / 'classes')


@pytest.fixture(scope='session')
def classifier(shapes, network):
    return learn(extract(read_class_folder(shapes), network), network.origin())


def test_other_pictures_are_told_apart(classifier, network, tmp_path):
    others = write_classes(tmp_path, ['box', 'disc', 'ring'], 3, seed=9)
    found = accuracy(classifier, extract(read_class_folder(others), network))
    assert found.total == 9 and found.top1 == 1 and not found.confusions()
    assert found.text()[0] == 'top-1 accuracy 100.0 % of 9 pictures (chance 33.3 %)'


def test_a_picture_that_changes_is_looked_at_alone(folder, network, tmp_path):
    cache, pictures = str(tmp_path / 'cache'), read_class_folder(str(folder))
    first = extract(pictures, network, cache)
    again = extract(pictures, network, cache)
    assert (first.computed, again.computed) == (12, 0)
    np.testing.assert_array_equal(first.examples.features, again.examples.features)
    times = os.stat(pictures.paths[5])
    write_picture(pictures.paths[5], 'ring', 77)
    os.utime(pictures.paths[5], ns=(times.st_atime_ns, times.st_mtime_ns))      # nobody can tell by its time
    shutil.move(pictures.paths[6], pictures.paths[6] + '.moved.png')
    changed = extract(read_class_folder(str(folder)), network, cache)
    assert changed.computed == 1
    differ = (changed.examples.features != first.examples.features).any(axis=(1, 2))
    assert np.flatnonzero(differ).tolist() == [5]
    np.testing.assert_allclose(extract(read_class_folder(str(folder)), network).examples.features,
                               changed.examples.features, rtol=1e-5, atol=1e-6)


def test_caches_are_of_one_network(network, tmp_path):
    origins = [dict(network.origin(), weights='other'), dict(network.origin(), kind='grid'), network.origin()]
    caches = [FeatureCache(str(tmp_path), origin) for origin in origins]
    for number, cache in enumerate(caches):
        cache.add(['a'], np.full((1, 1, 2), number, np.float32))
        cache.save()
    assert [FeatureCache(str(tmp_path), origin).get('a')[0, 0] for origin in origins] == [0, 1, 2]


class Evil:
    def __reduce__(self):
        return os.mkdir, ('unpickled',)


@pytest.mark.parametrize('content', ['pickle', 'objects', 'text', 'other', 'nan', 'cut'])
def test_hostile_files_are_not_believed(content, network, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    cache = FeatureCache(str(tmp_path), network.origin())
    write_hostile(cache.path, content, network.origin())
    assert FeatureCache(str(tmp_path), network.origin()).get('a') is None and not os.path.exists('unpickled')
    objects = ObjectCache(str(tmp_path), network.objects_origin())
    os.makedirs(os.path.dirname(objects._path('a')))
    write_hostile(objects._path('a'), content, dict(network.objects_origin(), picture='a'))
    assert objects.get('a') is None and not os.path.exists('unpickled')
    write_hostile('classifier.npz', content, {'classifier format': 1, 'penalty': 0.01, 'features': network.origin()})
    with pytest.raises(SniperError, match='classifier.npz is damaged .*: learn its classes anew') as error:
        FewShotClassifier.load('classifier.npz')
    assert '\n' not in str(error.value) and not os.path.exists('unpickled')


def write_hostile(path, content, origin):
    features = np.full((1, 2, 3), np.nan if content == 'nan' else 1, np.float32)
    if content == 'pickle':
        with open(path, 'wb') as stream:
            pickle.dump(Evil(), stream)
    elif content == 'objects':
        with open(path, 'wb') as stream:
            np.savez(stream, digests=np.array([Evil()]), features=np.array([Evil()]), origin=np.array([Evil()]))
    elif content == 'text':
        with open(path, 'w') as stream:
            stream.write('no archive')
    elif content == 'other':
        write_npz(path, {'digests': np.arange(3), 'features': features[0]}, origin)
    else:
        write_npz(path, {'digests': np.array(['a']), 'features': features, 'rows': features[0], 'labels': np.zeros(1)},
                  origin)
        if content == 'cut':
            os.truncate(path, os.path.getsize(path) - 40)


def test_unreadable_pictures_are_named_and_counted(folder, network, tmp_path, caplog):
    (folder / 'ring' / '1.png').write_bytes(b'no picture')
    (folder / 'ring' / '7.jpg').mkdir()
    (folder / 'box' / '2.png').write_bytes((folder / 'box' / '2.png').read_bytes()[:100])
    found = extract(read_class_folder(str(folder)), network, str(tmp_path / 'cache'))
    assert len(found.pictures.paths) == len(found.examples.labels) == 10
    for name in ('ring/1.png', 'ring/7.jpg', 'box/2.png'):
        assert f'{folder}/{name}' in caplog.text
    assert '3 pictures that cannot be read are passed over' in caplog.text


def test_a_class_of_which_nothing_can_be_read(folder, network):
    for name in os.listdir(folder / 'ring'):
        (folder / 'ring' / name).write_bytes(b'no picture')
    found = extract(read_class_folder(str(folder)), network)
    with pytest.raises(SniperError, match='nothing can be learnt of ring: none of the pictures can be read'):
        learn(found, network.origin())
    for name in ('box', 'disc'):
        shutil.rmtree(folder / name)
    with pytest.raises(SniperError, match='none of the 4 pictures can be read: image .*ring/0.png'):
        extract(read_class_folder(str(folder), least=1), network)


def test_the_file_of_a_classifier(classifier, network, tmp_path):
    path = str(tmp_path / 'classifier.npz')
    classifier.save(path)
    again = FewShotClassifier.load(path)
    assert again.classes == classifier.classes and again.settings == {'kind': 'mean+std', 'scales': [0],
                                                                      'mirrored': True}
    again.check_network(network.origin())
    features = classifier.examples.features
    np.testing.assert_array_equal(again.of_pictures(features), classifier.of_pictures(features))
    with pytest.raises(SniperError, match='was learnt with other weights than the network has now'):
        again.check_network(dict(network.origin(), weights='0' * 64))
    with pytest.raises(SniperError, match='gone.npz cannot be read: No such file'):
        FewShotClassifier.load(str(tmp_path / 'gone.npz'))
    arrays = dict(np.load(path))
    np.savez(path, **dict(arrays, labels=arrays['labels'] * 0))
    with pytest.raises(SniperError, match='classifier.npz is damaged .it has classes without examples'):
        FewShotClassifier.load(path)


def test_classes_are_added_behind_the_old_ones(classifier, network, tmp_path):
    more = extract(read_class_folder(write_classes(tmp_path, ['wedge', 'disc'], 3, seed=5)), network)
    found = learn(more, network.origin(), classifier)
    assert found.classes == ('box', 'disc', 'ring', 'wedge') and len(found.examples.labels) == 12 + 6
    np.testing.assert_array_equal(found.examples.features[:12], classifier.examples.features)
    np.testing.assert_array_equal(found.examples.labels[:12], classifier.examples.labels)
    assert (found.of_pictures(more.examples.features).argmax(axis=1) == [1, 1, 1, 3, 3, 3]).all()
    assert len(learn(more, network.origin(), found).examples.labels) == 18     # the same pictures teach nothing new


def test_one_class_is_refused(network):
    examples = Examples(np.ones((2, 1, 3), np.float32), np.zeros(2, np.int64), ('a', 'b'))
    with pytest.raises(SniperError, match='one class alone cannot be told from anything'):
        FewShotClassifier(['a'], examples, network.origin())
