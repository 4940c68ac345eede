"""Which format and which sets a folder holds, and what is trained and tested on by its name."""
import pytest

from lib.dataset.check import check_data
from lib.dataset.image_sets import checked_sets, find_image_sets
from lib.dataset.set_choice import choose_sets
from lib.utils.errors import SniperError
from tests.dataset.coco_folder import content, make_folder
from tests.dataset.formats.folders import SIZES, WRITERS, labelme_content, pictures, yolo
from tests.dataset.voc_folder import make_part, write, xml


@pytest.mark.parametrize('names, training, test', [
    (['train', 'val'], ('train',), 'val'),
    (['test2017', 'train2017', 'val2017'], ('train2017', 'val2017'), 'test2017'),
    (['2007_test', '2007_train', '2007_trainval', '2007_val'], ('2007_train', '2007_val'), '2007_test'),
    (['2007_test', '2007_trainval'], ('2007_trainval',), '2007_test'),
    (['train', 'valid'], ('train',), 'valid'), (['a', 'b'], ('a',), 'b'), (['all'], ('all',), 'all')])
def test_names_decide(names, training, test):
    assert choose_sets(names) == (training, test)


def test_formats(tmp_path):
    coco = make_folder(tmp_path / 'coco', {'train': content({1: []}), 'val': content({2: []})})
    assert find_image_sets(coco)[:2] == ('coco', ('train', 'val'))
    voc = make_part(tmp_path / 'voc', {'x': xml(('cat', 1, 1, 9, 9))}, {'train': ['x'], 'cat_train': ['x -1']})
    found = find_image_sets(voc)
    assert found.format == 'PascalVOC' and 'train' in found.names and found.shared
    lone = make_part(tmp_path / 'lone', {'x': xml(('cat', 1, 1, 9, 9))})
    assert find_image_sets(lone).names == ('all',)


@pytest.mark.parametrize('name', list(WRITERS))
def test_every_format_is_checked(tmp_path, name):
    writer, form = WRITERS[name]
    writer(tmp_path)
    found = find_image_sets(str(tmp_path))
    assert found.format == form and found.names in (('val',), ('all',)) and found.shared
    report = check_data(str(tmp_path), found)
    assert report.pictures == {found.test: len(SIZES)} and not report.status
    assert report.counts[found.test] == {'ball': 2, 'egg': 2, 'rod': 1}


def test_sets_of_labelling_tools(tmp_path):
    """Folders that say what they are for, whatever lies above and below; lists; of two names of one set the first."""
    for place in ('cells/train/monday', 'cells/train/friday', 'cells/val', 'cells/spare'):
        pictures(str(tmp_path / place), ['a'])
        write(tmp_path / place / 'a.json', labelme_content('a'))
    assert find_image_sets(str(tmp_path)).names == ('spare', 'train', 'val')
    yolo(tmp_path / 'yolo')
    assert find_image_sets(str(tmp_path / 'yolo')).names == ('val',)    # called valid too
    write(tmp_path / 'yolo' / 'test.txt', 'val/images/d.png')
    write(tmp_path / 'yolo' / 'notes.txt', 'nothing')
    found = find_image_sets(str(tmp_path / 'yolo'))
    assert found.names == ('test', 'val') and (found.training, found.test) == (('val',), 'test')


def test_no_data_set(tmp_path):
    with pytest.raises(SniperError, match='in no format that is known; looked for coco: annotations/instances_<set>'):
        find_image_sets(str(tmp_path))
    with pytest.raises(SniperError, match='absent is missing'):
        find_image_sets(str(tmp_path / 'absent'))
    with pytest.raises(SniperError, match="the folder of the data is called ''"):
        find_image_sets('')


def test_sets_by_hand(tmp_path):
    found = find_image_sets(make_folder(tmp_path, {name: content({1: []}) for name in ('a', 'b', 'val')}))
    assert (found.training, found.test) == (('a',), 'val')
    assert checked_sets(found, 'a + b', '')[2:] == (('a', 'b'), 'val')
    assert checked_sets(found, 'val', '')[2:] == (('val',), 'a')
    assert checked_sets(found, '', 'a')[2:] == (('a',), 'a')
    with pytest.raises(SniperError, match="no annotated set 'c'; sets: a, b, val"):
        checked_sets(found, 'c', '')
