"""Folders as labelling tools and exports make them: subfolders, other names, files beside each other, endings."""
import os

import pytest

from lib.dataset import get_dataset
from lib.dataset.voc_layout import FileIndex
from lib.dataset.voc_sets import main as split
from lib.utils.errors import SniperError
from tests.dataset.coco_folder import touch
from tests.dataset.voc_folder import make_part, write, xml

CAT, RING = ('cat', 11, 21, 30, 40), ('ring', 1, 1, 9, 9)


def load(folder, image_set='all'):
    return get_dataset('PascalVOC', image_set, str(folder), str(folder))


def images(dataset):
    """Paths of the images below the folder of the data set, which all exist."""
    paths = [record['image'] for record in dataset.roidb()]
    assert all(map(os.path.isfile, paths)), paths
    return [os.path.relpath(path, dataset.dataset_path) for path in paths]


# ---- subfolders


def test_annotations_in_subfolders_count(tmp_path):
    make_part(tmp_path, {'top': xml(('disc', 1, 1, 9, 9)), 'a/img0': xml(RING), 'b/c/img0': xml(RING)},
              {'train': ['top', 'a/img0']})
    for name, ids in (('train', ['top', 'a/img0']), ('all', ['a/img0', 'b/c/img0', 'top'])):
        dataset = load(tmp_path, name)
        assert dataset.classes[1:] == ('disc', 'ring') and dataset.image_ids == ids
        assert images(dataset) == [f'JPEGImages/{image_id}.jpg' for image_id in ids]


def test_classes_of_subfolders_must_be_in_the_list(tmp_path):
    make_part(tmp_path, {'a': xml(CAT), 'sub/b': xml(RING)})
    write(tmp_path / 'classes.txt', 'cat\n')
    with pytest.raises(SniperError, match=r'lacks classes of the annotations: ring \(1 objects\)'):
        load(tmp_path)


def test_subfolders_are_split_and_are_sets(tmp_path):
    folder = make_part(tmp_path, {f'{part}/{number}': xml(RING) for part in ('day', 'night') for number in range(5)})
    assert load(folder, 'night').image_ids == [f'night/{number}' for number in range(5)]
    with pytest.raises(SniperError, match="no image set 'train' .*sets there: day, .*voc_sets .* makes train and"):
        load(folder, 'train')
    split([folder, '--test', '0.3'])
    assert sorted(load(folder, 'train').image_ids + load(folder, 'test').image_ids) == load(folder).image_ids
    with pytest.raises(SniperError, match="no image set 'nigt' .*sets there: night"):
        load(folder, 'nigt')


@pytest.mark.parametrize('annotation, image', [('sub/a', 'a'), ('a', 'sub/a'), ('xmls/a.b', 'a.b')])
def test_only_one_of_the_two_in_subfolders(tmp_path, annotation, image):
    make_part(tmp_path, {annotation: xml(RING)}, image_files=False)
    touch(str(tmp_path), 'JPEGImages', image + '.png')
    assert images(load(tmp_path)) == [f'JPEGImages/{image}.png']


def test_an_image_of_another_subfolder_is_another(tmp_path):
    make_part(tmp_path, {'a/img': xml(RING)}, image_files=False)
    touch(str(tmp_path), 'JPEGImages', 'b/img.jpg')
    assert load(tmp_path).roidb()[0]['image'] == str(tmp_path / 'JPEGImages' / 'a' / 'img.jpg')


def test_links_in_a_circle(tmp_path):
    make_part(tmp_path, {'a': xml(RING), 'sub/b': xml(RING)})
    os.symlink(str(tmp_path / 'Annotations'), str(tmp_path / 'Annotations' / 'sub' / 'again'))
    assert load(tmp_path).image_ids == ['a', 'sub/b']


def test_hidden_files_are_none(tmp_path):
    make_part(tmp_path, {'a': xml(RING)})
    for name in ('._a.xml', '.DS_Store', '.hidden/b.xml', '__MACOSX/._a.xml', '__MACOSX/a.xml'):
        write(tmp_path / 'Annotations' / name, '\0\5\26\7')
    write(tmp_path / 'JPEGImages' / '._a.jpg', '')
    assert load(tmp_path).image_ids == ['a']


# ---- names of images


@pytest.mark.parametrize('name', ['a.Jpg', 'a.JPEG', 'a.tif', 'a.TIFF', 'a.webp', 'a.Bmp', 'A.jpg', 'a.jfif', 'a.JP2',
                                  'a.gif'])
def test_endings(tmp_path, name):
    make_part(tmp_path, {'a': xml(RING)}, image_files=False)
    touch(str(tmp_path), 'JPEGImages', name)
    assert images(load(tmp_path)) == ['JPEGImages/' + name]


def test_annotations_in_capitals(tmp_path):
    write(tmp_path / 'Annotations' / 'A.XML', xml(RING))
    touch(str(tmp_path), 'JPEGImages', 'a.JPG')
    assert images(load(tmp_path)) == ['JPEGImages/a.JPG']


@pytest.mark.parametrize('name', ['a.b', 'img.jpg', 'v1.0 final', 'Ünï', '#1', '{0}', '%s'])
def test_odd_names(tmp_path, name):
    make_part(tmp_path, {name: xml(RING), 'other': xml(RING)}, {'train': [name]})
    assert load(tmp_path, 'train').image_ids == [name]
    assert images(load(tmp_path, 'train')) == [f'JPEGImages/{name}.jpg']


@pytest.mark.parametrize('filename, taken', [('', 'a.jpg'), ('a.png', 'a.png'), ('b.jpg', 'a.jpg'), ('A.PNG', 'a.png')])
def test_several_images_of_a_name(tmp_path, caplog, filename, taken):
    make_part(tmp_path, {'a': xml(RING, extra=f'<filename>{filename}</filename>')})
    touch(str(tmp_path), 'JPEGImages', 'a.png')
    assert images(load(tmp_path)) == ['JPEGImages/' + taken]
    said = '1 images have several files of their name, of which the first is taken (annotation a.jpg or a.png)'
    assert (said in caplog.text) == (taken == 'a.jpg')


@pytest.mark.parametrize('filename', ['day/x.jpg', r'day\x.jpg', 'x.jpg', 'x.png', r'C:\Users\me\x.JPG'])
def test_image_by_the_name_in_the_annotation(tmp_path, filename):
    make_part(tmp_path, {'0001': xml(RING, extra=f'<filename>{filename}</filename>')}, image_files=False)
    touch(str(tmp_path), 'JPEGImages', 'day/x.jpg')
    assert images(load(tmp_path)) == ['JPEGImages/day/x.jpg']


def test_letters_taken_apart(tmp_path):
    """macOS writes e and an accent where others write one letter."""
    make_part(tmp_path, {'caf\u00e9': xml(('caf\u00e9', 1, 1, 9, 9), ('cafe\u0301', 1, 1, 9, 9))}, image_files=False)
    touch(str(tmp_path), 'JPEGImages', 'cafe\u0301.jpg')
    dataset = load(tmp_path)
    assert len(images(dataset)) == 1 and dataset.num_classes == 2


@pytest.mark.parametrize('name', [b'a\nb', b'a\rb', b'\xe9'])
def test_names_that_no_list_can_hold(tmp_path, name):
    make_part(tmp_path, {'a': xml(RING), 'a\u3000b': xml(RING)})
    assert len(load(tmp_path).image_ids) == 2
    write(os.path.join(str(tmp_path), 'Annotations', os.fsdecode(name) + '.xml'), xml(RING))
    with pytest.raises(SniperError, match='cannot stand in a list: rename the file'):
        load(tmp_path)


# ---- other layouts


@pytest.mark.parametrize('annotations, pictures', [
    ('annotations', 'images'), ('Annotations', 'Images'), ('ANNOTATIONS', 'jpegimages'), ('Annotations', ''),
    ('Annotations', 'Annotations'), ('', ''), ('', 'images'), ('annotations/xmls', 'images'), ('xmls', 'imgs'),
    ('labels', 'images'), ('labels', 'data'), ('Annotation', 'JPEGImages')])
def test_names_of_folders(tmp_path, annotations, pictures):
    write(tmp_path / annotations / 'a.xml', xml(RING))
    touch(str(tmp_path), pictures, 'a.jpg')
    dataset = load(tmp_path)
    assert dataset.image_ids[0].endswith('a') and images(dataset) == [os.path.join(pictures, 'a.jpg')]


def test_one_folder_a_set(tmp_path):
    """Roboflow's export has both files in it, others have two folders in it; all have the same classes."""
    for name in ('train', 'valid'):
        write(tmp_path / name / (name + '.v1.xml'), xml((name, 1, 1, 9, 9)))
        touch(str(tmp_path), name, name + '.v1.jpg')
    write(tmp_path / 'test' / 'annotations' / 'c.xml', xml(CAT))
    touch(str(tmp_path), 'test/images/c.jpg')
    there = {'train': 'train/train.v1.jpg', 'valid': 'valid/valid.v1.jpg', 'test': 'test/images/c.jpg'}
    for name, image in there.items():
        dataset = load(tmp_path, name)
        assert dataset.classes[1:] == ('cat', 'train', 'valid') and images(dataset) == [image]
    with pytest.raises(SniperError, match=r"no image set 'val' \(one folder a set\); sets there: valid, "):
        load(tmp_path, 'val')


def test_the_folder_of_a_year_itself(tmp_path):
    make_part(tmp_path / 'VOC2007', {'a': xml(CAT)}, {'test': ['a']})
    dataset = load(tmp_path / 'VOC2007', '2007_test')
    assert dataset.folder.year == 2007 and dataset.image_ids == ['a']
    assert load(tmp_path / 'VOC2007', 'test').folder.year is None


def test_the_folder_above_a_kit(tmp_path):
    make_part(tmp_path / 'VOCdevkit' / 'VOC2007', {'a': xml(CAT)}, {'test': ['a']})
    with pytest.raises(SniperError, match='set dataset.dataset_path to .*VOCdevkit, which does'):
        load(tmp_path, '2007_test')


def test_lists_without_main(tmp_path):
    make_part(tmp_path, {'a': xml(CAT), 'b': xml(CAT)}, {'train': ['a']})
    write(tmp_path / 'ImageSets' / 'train.txt', 'b\n')
    write(tmp_path / 'ImageSets' / 'val.txt', 'b\n')
    assert load(tmp_path, 'train').image_ids == ['a'] and load(tmp_path, 'val').image_ids == ['b']


def test_data_of_coco(tmp_path):
    write(tmp_path / 'annotations' / 'instances_train.json', '{}')
    with pytest.raises(SniperError, match="no XML file in it, but instances_train.json; dataset.dataset coco reads"):
        load(tmp_path)


# ---- rights; the tests run as root, whom the system refuses nothing


@pytest.mark.parametrize('closed', ['', 'Annotations', 'Annotations/sub', 'JPEGImages', 'ImageSets/Main'])
def test_folders_that_cannot_be_read(tmp_path, monkeypatch, closed):
    make_part(tmp_path, {'a': xml(CAT), 'sub/b': xml(CAT)}, {'train': ['a']})
    scan, target = os.scandir, os.path.join(str(tmp_path), closed).rstrip('/')

    def scandir(path):
        if str(path) == target:
            raise PermissionError(13, 'Permission denied', path)
        return scan(path)

    monkeypatch.setattr('os.scandir', scandir)
    with pytest.raises(SniperError) as caught:
        load(tmp_path, 'train')
    assert str(caught.value) == f'folder {target} cannot be read: Permission denied'


def test_index_of_no_folder(tmp_path):
    index = FileIndex.images(str(tmp_path / 'nowhere'))
    assert index.stems() == index.find('a') == index.paths() == [] and index.named('a.jpg') is None
