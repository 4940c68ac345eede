"""The roidb cache: used when it fits, made anew when it does not, safe for processes that run at once."""
import json
import multiprocessing
import os

import pytest

from lib.dataset import get_dataset, roidb_cache
from lib.dataset.coco import CocoFile
from tests.dataset.coco_folder import content, make_folder
from tests.dataset.test_compact import assert_same

BOX = (1, 10, 10, 20, 20)
IMAGES = {number: [BOX] * (number % 4) for number in range(12)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(roidb_cache, 'WORTHWHILE', 0)
    return make_folder(tmp_path, {'train2017': content(IMAGES)})


def load(folder):
    dataset = get_dataset('coco', 'train2017', os.path.join(folder, 'root'), folder)
    return dataset.roidb(), dataset


def cache_files(folder):
    path = os.path.join(folder, 'root', 'cache')
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


def forbid_parsing(monkeypatch):
    def parse(*_):
        raise AssertionError('the annotation file was parsed')
    monkeypatch.setattr('lib.dataset.coco.CocoFile', parse)


def test_second_run_does_not_parse(folder, monkeypatch, caplog):
    first, dataset = load(folder)
    expected = list(first)
    name, = cache_files(folder)
    assert name.startswith('COCO_train2017_') and name.endswith('_roidb.npz')
    forbid_parsing(monkeypatch)
    with caplog.at_level('INFO'):
        second, other = load(folder)
    assert_same(second, expected)
    assert other.classes == dataset.classes
    assert '12 records read from' in caplog.text and name in caplog.text


def test_changed_annotations_with_the_same_size_and_time_are_noticed(folder, caplog):
    load(folder)
    path = os.path.join(folder, 'annotations', 'instances_train2017.json')
    before = os.stat(path)
    with open(path) as stream:
        text = stream.read()
    changed = text.replace('"cat"', '"cow"')
    with open(path, 'w') as stream:
        stream.write(changed)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.path.getsize(path) == before.st_size and text != changed
    with caplog.at_level('INFO'):
        assert load(folder)[1].classes[1] == 'cow'
        assert 'other annotations' in caplog.text
        assert load(folder)[1].classes[1] == 'cow'
    assert len(cache_files(folder)) == 1


@pytest.mark.parametrize('damage', ['cut', 'flip', 'empty', 'text'])
def test_damaged_cache_is_made_anew_with_a_line(folder, damage, caplog, monkeypatch):
    expected = list(load(folder)[0])
    path = os.path.join(folder, 'root', 'cache', cache_files(folder)[0])
    with open(path, 'rb') as stream:
        whole = stream.read()
    place = whole.rindex(b'.jpg')
    with open(path, 'wb') as stream:
        stream.write({'cut': whole[:-40], 'flip': whole[:place] + b',' + whole[place + 1:], 'empty': b'',
                      'text': b'hello' * 100}[damage])
    assert_same(load(folder)[0], expected)
    assert f'{path} is damaged' in caplog.text
    forbid_parsing(monkeypatch)
    assert_same(load(folder)[0], expected)


def test_moved_images_are_found_again(folder):
    images = os.path.join(folder, 'images')
    load(folder)
    for name in os.listdir(os.path.join(images, 'train2017')):
        os.rename(os.path.join(images, 'train2017', name), os.path.join(images, name))
    assert os.path.isfile(load(folder)[0][0]['image'])


def test_folder_that_cannot_be_written_only_warns(folder, caplog):
    with open(os.path.join(folder, 'root'), 'w'):
        pass  # a file where the folder should be
    assert len(load(folder)[0]) == 12
    assert 'parsed again next time' in caplog.text


def test_masks_have_a_file_of_their_own(folder, monkeypatch):
    root = os.path.join(folder, 'root')
    plain = list(load(folder)[0])
    expected = list(get_dataset('coco', 'train2017', root, folder, masks=True).roidb())
    assert len(cache_files(folder)) == 2
    forbid_parsing(monkeypatch)
    found = get_dataset('coco', 'train2017', root, folder, masks=True).roidb()
    assert_same(load(folder)[0], plain)
    for record, other in zip(found, expected):
        assert [[ring.tolist() for ring in rings] for rings in record['gt_masks']] == [
            [ring.tolist() for ring in rings] for rings in other['gt_masks']]
        assert len(record['gt_masks']) == len(record['boxes'])


def test_small_files_are_not_cached(folder, monkeypatch):
    monkeypatch.setattr(roidb_cache, 'WORTHWHILE', 10 ** 9)
    load(folder)
    assert cache_files(folder) == []


def test_evaluation_still_has_the_annotations(folder):
    load(folder)
    dataset = load(folder)[1]
    assert isinstance(dataset.file, CocoFile) and dataset.image_ids == list(range(12))


def load_in_process(folder, results):
    roidb_cache.WORTHWHILE = 0
    for _ in range(10):
        roidb, dataset = load(folder)
        results.send((len(roidb), [record['image_id'] for record in roidb], dataset.classes))


def test_processes_at_once(folder):
    """Each rewrites the cache whenever it finds another's options, so that reads and writes mix."""
    context = multiprocessing.get_context('spawn')
    path = os.path.join(folder, 'annotations', 'instances_train2017.json')
    pairs = [context.Pipe(duplex=False) for _ in range(3)]
    processes = [context.Process(target=load_in_process, args=(folder, writer)) for _, writer in pairs]
    for process in processes:
        process.start()
    for turn in range(20):  # meanwhile the file changes in a way that keeps its meaning
        with open(path) as stream:
            annotations = json.load(stream)
        annotations['info'] = {'turn': turn}
        with open(path + '.new', 'w') as stream:
            json.dump(annotations, stream)
        os.replace(path + '.new', path)
    for process, (reader, _) in zip(processes, pairs):
        for _ in range(10):
            assert reader.recv() == (12, list(range(12)), ('__background__', 'cat', 'dog'))
        process.join(30)
        assert process.exitcode == 0
    assert len(cache_files(folder)) == 1
