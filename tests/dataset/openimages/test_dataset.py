"""What becomes of rows of Open Images: records, regions, classes, image labels, caches."""
import logging
import os

import numpy as np
import pytest
from PIL import Image

from configs import load_config
from lib.dataset import get_dataset, load_training_roidb, roidb_cache
from lib.dataset.class_choice import ClassChoice
from lib.dataset.compact import CompactRoidb
from lib.dataset.formats.auto import find_format
from lib.dataset.image_sets import find_image_sets
from lib.dataset.openimages import sizes, table
from lib.dataset.openimages.records import to_pixels, to_shares
from lib.dataset.roidb import DEPICTION, INSIDE, OCCLUDED, TRUNCATED, validate
from lib.utils.npz import write_npz
from tests.dataset.openimages.made_up import CLASSES, ROWS, SIZE, make, row
from tests.dataset.test_compact import assert_same


def opened(folder, image_set='train', **options):
    return get_dataset('openimages', image_set, os.path.join(folder, 'root'), folder, **options)


def records(folder, ignored='', **options):
    dataset = opened(folder, **options)
    roidb = dataset.roidb(ignored)
    validate(roidb, dataset.num_classes)
    return {record['image_id']: record for record in roidb}


def test_rows_of_a_picture_may_stand_anywhere(tmp_path):
    found = records(make(tmp_path), 'ignore')
    assert list(found) == ['a', 'b', 'c']
    a, b, c = found.values()
    assert (a['width'], a['height'], a['image']) == (*SIZE, os.path.join(tmp_path, 'images', 'train', 'a.jpg'))
    assert a['boxes'].tolist() == [[20, 20, 99, 59], [0, 0, 199, 99]] and a['group_of'].tolist() == [False, True]
    assert a['attributes'].tolist() == [0, OCCLUDED] and a['ignored'].tolist() == [False, True]
    assert b['gt_classes'].tolist() == [2, 1] and b['boxes'].tolist() == [[20, 20, 99, 59], [50, 50, 149, 99]]
    assert b['attributes'].tolist() == [0, TRUNCATED | DEPICTION | INSIDE] and b['source'].tolist() == [1, 2]
    assert c['max_overlaps'].tolist() == [0] and c['gt_classes'].tolist() == [0]


def test_blocks_join(tmp_path, monkeypatch):
    whole = list(records(make(tmp_path), 'objects').values())
    monkeypatch.setattr(table, 'BLOCK', 1)
    assert_same(list(records(str(tmp_path), 'objects').values()), whole)


@pytest.mark.parametrize('ignored, seen', [
    ('', {'a': 'o', 'b': 'oo', 'c': ''}), ('ignore', {'a': 'oi', 'b': 'oo', 'c': 'i'}),
    ('background', {'a': 'og', 'b': 'oo', 'c': 'g'}), ('objects', {'a': 'oc', 'b': 'oo', 'c': 'c'})])
def test_groups(tmp_path, ignored, seen):
    """o: an object, c: one that is a crowd, i: ignored, g: none of these."""
    folder = make(tmp_path)
    for name, record in records(folder, ignored).items():
        kinds = ''.join('c' if crowd else 'o' if overlap == 1 else 'i' if nothing else 'g' for crowd, overlap, nothing
                        in zip(record['crowd'], record['max_overlaps'], record['ignored']))
        assert kinds == seen[name]
        assert record['group_of'].tolist() == [kind in 'cig' for kind in kinds]
    dataset = opened(folder)
    dataset.roidb(ignored)
    assert dataset.not_trained['boxes around groups (IsGroupOf)'] == ({} if ignored == 'objects' else {'Cat': 2})


def test_pixels_and_shares():
    shares = np.random.default_rng(0).random((1000, 2, 2)).astype(np.float32)
    shares = np.sort(shares, axis=1).reshape(-1, 4)
    sides = np.tile([[1024, 683]], (1000, 1))
    large = ((shares[:, 2:] - shares[:, :2]) * sides >= 1).all(axis=1)
    assert large.sum() > 900
    boxes = to_pixels(shares, sides)
    np.testing.assert_allclose(to_shares(boxes[large], sides[large]), shares[large], rtol=0, atol=2e-7)
    edges = to_pixels(np.float32([[0, 0, 1, 1], [0.9999, 0.9999, 1, 1], [0, 0, 1e-5, 1e-5]]), sides[:3])
    assert edges.tolist() == [[0, 0, 1023, 682], [1023, 682, 1023, 682], [0, 0, 0, 0]]


def test_whole_pixels(tmp_path):
    dataset = opened(make(tmp_path, [row('a', box=(0.1234, 0.5678, 0.2, 0.6))]))
    assert dataset.roidb()[0]['boxes'][0].tolist() == [24, 20, 112, 59]
    dataset.whole_pixels = False
    np.testing.assert_allclose(dataset.roidb()[0]['boxes'], [[24.68, 20, 112.56, 59]], rtol=1e-6)
    np.testing.assert_allclose(dataset.truth().box, [[24.68, 20, 112.56, 59]], rtol=1e-6)


def test_names_of_classes(tmp_path):
    dataset = opened(make(tmp_path, classes='LabelName,DisplayName\n' + CLASSES + '"/m/0x","Fixed, wing"\n'))
    assert dataset.classes == ('__background__', 'Cat', 'Dog', 'Bow (/m/0bow1)', 'Bow (/m/0bow2)', 'Fixed, wing')
    assert dataset.mids == ('', '/m/0cat', '/m/0dog', '/m/0bow1', '/m/0bow2', '/m/0x')
    assert dataset.hierarchy_path == ''


def test_chosen_classes(tmp_path):
    folder = make(tmp_path, labels=['a,verification,/m/0cat,0', 'a,verification,/m/0dog,0', 'b,verification,/m/0cat,0',
                                    'c,verification,/m/0dog,1', 'c,verification,/m/0cat,0'])
    choice = ClassChoice(['pet = Cat + Dog'])
    dataset = opened(folder, choice=choice)
    assert dataset.classes == ('__background__', 'pet') and dataset.mids == ('', '')
    labels = dataset.verified_labels()
    # That b has no cat does not say that it has no pet.
    assert (labels.image.tolist(), labels.label.tolist(), labels.present.tolist()) == ([0, 2], [1, 1], [False, True])
    only = records(folder, 'ignore', choice=ClassChoice(['Dog', 'ignore = Cat']))
    assert only['a']['ignored'].tolist() == [True, True] and only['b']['ignored'].tolist() == [False, True]
    assert only['b']['gt_classes'].tolist() == [1, 0] and only['b']['boxes'][0].tolist() == [20, 20, 99, 59]
    truth = opened(folder, choice=ClassChoice(['Dog', 'ignore = Cat'])).truth()
    assert truth.label.tolist() == [1] * 5 and truth.crowd.tolist() == [True, True, False, True, True]


def test_image_labels(tmp_path):
    """Pictures with labels alone are in the set; labels of pictures elsewhere, and unverified ones, say nothing."""
    dataset = opened(make(tmp_path, pictures='abcd', labels=[
        'd,verification,/m/0cat,0', 'a,verification,/m/0dog,1', 'a,verification,/m/0dog,0', 'a,verification,/m/0cat,1',
        'd,machine,/m/0dog,0.7', 'd,verification,/m/unknown,1']))
    assert dataset.image_ids == ['a', 'b', 'c', 'd'] and len(dataset.roidb()[3]['boxes']) == 0
    labels = dataset.verified_labels()
    assert labels.image.tolist() == [0, 0, 3] and labels.label.tolist() == [1, 2, 1]
    assert labels.present.tolist() == [True, True, False]
    part = dataset.part([1, 3])
    assert part.image_ids == ['b', 'd'] and part.verified_labels().image.tolist() == [1]
    assert part.truth().image.tolist() == [0, 0] and [record['image_id'] for record in part.roidb()] == ['b', 'd']
    assert part.part([1]).image_ids == ['d']
    assert opened(make(tmp_path / 'other')).verified_labels() is None


def test_the_converted_form(tmp_path):
    official = records(make(tmp_path / 'official'), 'ignore')
    rows = ['b,/m/0dog,20,20,100,60,0,100,200', 'a,/m/0cat,0,0,200,100,1,100,200', 'a,/m/0cat,20,20,100,60,0,100,200',
            'b,/m/0cat,50,50,150,100,0,100,200', 'c,/m/0cat,20,20,100,60,1,100,200']
    folder = make(tmp_path / 'converted', rows, header='', name='{}.csv', pictures='')
    assert find_format(folder).name == 'openimages'
    converted = records(folder, 'ignore')
    for one, other in zip(official.values(), converted.values()):
        for name in ('width', 'height', 'boxes', 'gt_classes', 'group_of', 'ignored', 'max_overlaps'):
            np.testing.assert_array_equal(one[name], other[name], name)


def test_later_versions_and_other_orders_of_columns(tmp_path):
    header = 'LabelName,YMax,YMin,XMax,XMin,XClick1X,IsGroupOf,ImageID'
    folder = make(tmp_path, ['/m/0dog,0.6,0.2,0.5,0.1,0.3,1,a', '"/m/0cat",0.6,0.2,0.5,0.1,0.3,0,"a"'], 'validation',
                  header=header, name='oidv6-{}-annotations-bbox.csv')
    dataset = opened(folder, 'val')
    assert dataset.name == 'OpenImages_val'
    (record,) = dataset.roidb('objects')
    assert record['gt_classes'].tolist() == [1, 2] and record['boxes'].tolist() == [[20, 20, 99, 59]] * 2
    assert os.path.isfile(record['image'])


def test_other_ends_of_lines(tmp_path):
    folder = make(tmp_path)
    expected = list(records(folder, 'objects').values())
    path = tmp_path / 'annotations' / 'train-annotations-bbox.csv'
    lines = path.read_text().splitlines()
    for content in ('\ufeff' + '\r\n'.join(lines), '\r'.join(lines) + '\r', '\n\n'.join(lines)):
        path.write_bytes(content.encode())
        assert_same(list(records(folder, 'objects').values()), expected)


def test_what_is_called_ignore_is_no_class(tmp_path):
    folder = make(tmp_path, classes='/m/0cat,Ignored regions\n/m/0dog,Dog\n')
    dataset = opened(folder)
    assert dataset.classes == ('__background__', 'Dog') and dataset.mids == ('', '/m/0dog')
    assert [record['ignored'].tolist() for record in dataset.roidb('background')] == [[True] * 2, [False, True], [True]]
    chosen = opened(folder, choice=ClassChoice(['Dog'])).roidb('background')
    assert [record['ignored'].tolist() for record in chosen] == [[True] * 2, [False, True], [True]]


def test_recognised(tmp_path):
    folder = make(tmp_path)
    make(tmp_path, image_set='validation')
    assert find_format(folder).name == 'openimages'
    found = find_image_sets(folder)
    assert (found.training, found.test) == (('train',), 'validation')


def test_a_set_without_boxes(tmp_path):
    """To send predictions in for."""
    folder = make(tmp_path, labels=['a,verification,/m/0cat,0'])
    make(tmp_path / 'other', image_set='challenge')
    os.rename(tmp_path / 'other' / 'images' / 'challenge', tmp_path / 'images' / 'challenge')
    dataset = opened(folder, 'challenge')
    assert not dataset.has_annotations and dataset.image_ids == ['a', 'b', 'c']
    roidb = dataset.roidb()
    validate(roidb, dataset.num_classes)
    assert [(record['width'], len(record['boxes'])) for record in roidb] == [(200, 0)] * 3
    assert len(dataset.truth().image) == 0 and dataset.verified_labels() is None
    assert opened(folder).has_annotations


@pytest.mark.parametrize('ignored', ['ignore', 'background', 'objects'])
def test_what_is_trained_on(tmp_path, ignored):
    """Pictures with groups alone are not, without TRAIN.BACKGROUND_IMAGES."""
    config = load_config(overrides=[
        'symbol', 'sniper_tiny_e2e', 'dataset.dataset', 'openimages', 'dataset.dataset_path', make(tmp_path),
        'dataset.root_path', str(tmp_path / 'root'), 'dataset.image_set', 'train', 'TRAIN.BACKGROUND_IMAGES', '0',
        'TRAIN.IGNORED_OBJECTS', ignored, 'TRAIN.USE_NEG_CHIPS', 'False'])
    roidb, classes = load_training_roidb(config)
    names = ['a', 'b', 'c'] if ignored == 'objects' else ['a', 'b']
    assert [record['image_id'] for record in roidb] == names * 2 and len(classes) == 5
    assert [len(record['boxes']) for record in roidb] == [2, 2, 1][:len(names)] * 2
    assert roidb[len(names)]['flipped'] and roidb[len(names)]['group_of'].tolist() == [False, True]


def test_mirrored(tmp_path):
    roidb = opened(make(tmp_path)).roidb('ignore')
    assert roidb.mirrored(True, False)[1]['boxes'].tolist() == [[100, 20, 179, 59], [50, 50, 149, 99]]


@pytest.fixture
def cached(tmp_path, monkeypatch):
    monkeypatch.setattr(roidb_cache, 'WORTHWHILE', 0)
    return make(tmp_path)


def forbid(monkeypatch, name):
    def refused(*_):
        raise AssertionError(f'{name} was called')
    monkeypatch.setattr(f'lib.dataset.openimages.dataset.{name}', refused)


def test_the_second_start_parses_nothing(cached, monkeypatch):
    first = {ignored: list(opened(cached).roidb(ignored)) for ignored in ('', 'ignore', 'background', 'objects')}
    forbid(monkeypatch, 'read_boxes')
    for ignored, expected in first.items():
        dataset = opened(cached)
        assert_same(list(dataset.roidb(ignored)), expected)
    assert dataset.image_ids == ['a', 'b', 'c']


@pytest.mark.parametrize('change', ['boxes', 'classes', 'picture', 'new picture'])
def test_the_cache_follows_the_files(cached, change, tmp_path, caplog):
    opened(cached).roidb()
    if change == 'boxes':
        make(tmp_path, ROWS[:-1])
    elif change == 'classes':
        make(tmp_path, classes='/m/0new,New\n' + CLASSES)
    elif change == 'picture':
        Image.new('RGB', (50, 50)).save(tmp_path / 'images' / 'train' / 'b.jpg')
    else:
        make(tmp_path, pictures='abcd')
    dataset = opened(cached)
    found = {record['image_id']: record for record in dataset.roidb()}
    assert len(found) == (2 if change == 'boxes' else 3)
    assert found['b']['gt_classes'].tolist() == ([3, 2] if change == 'classes' else [2, 1])
    assert found['b']['width'] == (50 if change == 'picture' else 200)
    assert ('of other sizes now' in caplog.text) == (change == 'picture')


def test_sizes_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, 'ASKED_AGAIN', 2)
    cache = sizes.SizeCache(str(tmp_path), 'set', str(tmp_path / 'images' / 'train'))
    make(tmp_path)
    names = np.array([b'a', b'b', b'c', b'missing'])
    expected = [list(SIZE)] * 3 + [[0, 0]]
    assert cache.find(names[2:]).tolist() == expected[2:] and cache.find(names).tolist() == expected
    asked = []
    monkeypatch.setattr(sizes, 'read_headers', lambda folder, names: asked.append(names) or [(0, 0)] * len(names))
    assert cache.find(names).tolist() == expected and asked == [['missing']]
    assert cache.find(names[1:2]).tolist() == expected[1:2] and len(asked) == 1
    Image.new('RGB', (9, 9)).save(tmp_path / 'images' / 'train' / 'a.jpg')
    assert cache.find(names).tolist() == [[0, 0]] * 4


@pytest.mark.parametrize('arrays', [{'names': np.array([b'a']), 'size': np.zeros((2, 2), np.int32)}, {
    'names': np.array(['a']), 'size': np.zeros((1, 2), np.int32)}, {'names': np.array([b'a'])}])
def test_a_file_of_kept_sizes_that_is_none(tmp_path, arrays, caplog):
    cache = sizes.SizeCache(str(tmp_path), 'set', str(tmp_path / 'images' / 'train'))
    make(tmp_path)
    write_npz(cache.path, arrays, {'format': sizes.FORMAT})
    assert cache.find(np.array([b'a'])).tolist() == [list(SIZE)]
    assert 'cannot be used' in caplog.text and 'sizes are read from the pictures' in caplog.text


def test_sizes_by_processes(tmp_path):
    make(tmp_path)
    assert sizes.read_headers(str(tmp_path / 'images' / 'train'), ['a', 'c', 'x'], 2).tolist() == [
        list(SIZE), list(SIZE), [0, 0]]


def test_a_file_of_sizes_spares_the_pictures(tmp_path, monkeypatch):
    folder = make(tmp_path, pictures='')
    (tmp_path / 'annotations' / 'train-image-sizes.csv').write_text('ImageID,Width,Height\na,10,20\nb,30,40\nc,5,6\n')
    forbid(monkeypatch, 'SizeCache.find')
    assert [(record['width'], record['height']) for record in opened(folder).roidb()] == [(10, 20), (30, 40), (5, 6)]


def test_missing_pictures_are_named_and_passed_over(tmp_path, caplog):
    folder = make(tmp_path, pictures='bc')
    with caplog.at_level(logging.WARNING):
        found = records(folder, 'objects')
    assert list(found) == ['b', 'c'] and [len(record['boxes']) for record in found.values()] == [2, 1]
    path = os.path.join(folder, 'images', 'train', 'a.jpg')
    assert f'1 of 3 pictures is missing or cannot be read and is left out, with its boxes: {path}' in caplog.text


def test_it_is_compact(tmp_path):
    roidb = opened(make(tmp_path)).roidb('ignore')
    assert isinstance(roidb, CompactRoidb)
    assert_same(list(CompactRoidb.from_records(list(roidb))), list(roidb))
