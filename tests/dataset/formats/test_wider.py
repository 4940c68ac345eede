"""WIDER FACE's layout: both forms of the annotation files, invalid faces, pictures without faces, broken files."""
import os

import numpy as np
import pytest

from lib.dataset import get_dataset
from lib.dataset.image_sets import find_image_sets
from lib.utils.errors import SniperError
from tests.dataset.formats.folders import pictures
from tests.dataset.voc_folder import write
from tests.golden import real_data

OLD = '0--Parade/a.png\n2\n5 6 30 40 0 0 0 0 0 0 \n10 50 0 9 0 0 0 0 0 0 \n0--Parade/d.png\n0\n1--Party/b.png\n2\n' \
      '3 11 41 37 2 0 0 1 0 0\n1 1 9 9\n'


def folder_of(root, text, image_set='train'):
    write(root / 'wider_face_split' / f'wider_face_{image_set}_bbx_gt.txt', text)
    for event, stems in (('0--Parade', 'ad'), ('1--Party', 'b')):
        pictures(str(root / f'WIDER_{image_set}' / 'images' / event), stems)
    return str(root)


@pytest.mark.parametrize('text', [OLD, OLD.replace('\n0\n1--', '\n0\n0 0 0 0 0 0 0 0 0 0 \n1--')])
def test_both_forms(tmp_path, text, caplog):
    folder = folder_of(tmp_path, text)
    write(tmp_path / 'wider_face_split' / 'wider_face_test_filelist.txt', '0--Parade/a.png\n')
    found = find_image_sets(folder)
    assert found[:2] == ('wider', ('split_train', 'split_val'))     # no set to test on
    dataset = get_dataset('auto', 'train', folder, folder)
    assert dataset.classes == ('__background__', 'face')
    records = list(dataset.roidb())
    assert [os.path.basename(record['image']) for record in records] == ['a.png', 'd.png', 'b.png']
    assert [(record['width'], record['height']) for record in records] == [(96, 64), (77, 50), (65, 97)]
    assert [record['boxes'].tolist() for record in records] == [[[5, 6, 35, 46]], [], [[1, 1, 10, 10]]]
    assert '1 faces have a side below 1 pixel and are left out (annotation 0--Parade/a.png face 2)' in caplog.text
    np.testing.assert_array_equal(dataset.truth().ignored, [False, True, False])
    test = get_dataset('wider', 'test', folder, folder)
    assert len(test.image_ids) == 1 and not test.file.has_annotations


@pytest.mark.parametrize('text, said', [
    (OLD[:-1] + '\n2--x/c.png\n1\n3 3 9', 'line 11: .*c.png.* has 1 faces by its count and 0 lines of them'),
    (OLD[:-len('1 1 9 9\n')] + '1 1 9 9', 'ends within a line, a face of .1--Party/b.png.: it is cut short'),
    (OLD[:-20], 'line 7: .*b.png.* has 2 faces by its count and 1 lines of them: is the file cut short'),
    (OLD.replace('d.png\n0', 'd.png'), "line 5: the number of faces is wanted after '0--Parade/d.png', got '1-"),
    (OLD.replace('a.png\n2', 'a.png\n1'), "line 4: '10 50 0 9 .* stands where the path of a picture is wanted"),
    (OLD.replace('a.png\n2', 'a.png\n3'), 'line 1: .* has 3 faces by its count and 2 lines'),
    ('0--Parade/a.png\n', 'is the file cut short'), ('a.png\n99999999999\n', 'the number of faces is wanted')])
def test_broken_files(tmp_path, text, said):
    folder = folder_of(tmp_path, text)
    with pytest.raises(SniperError, match=said):
        get_dataset('wider', 'train', folder, folder)


def test_no_such_folder(tmp_path):
    for name in ('wider', 'yolo'):
        with pytest.raises(SniperError, match='nowhere is missing; check dataset.dataset_path'):
            get_dataset(name, 'train', str(tmp_path), str(tmp_path / 'nowhere'))


def test_pictures_that_are_missing(tmp_path):
    """Half of them and more are an error; single ones are named."""
    folder = folder_of(tmp_path, OLD)
    for name in ('0--Parade/a.png', '1--Party/b.png'):
        os.remove(os.path.join(folder, 'WIDER_train', 'images', name))
    with pytest.raises(SniperError, match='no usable width and height, nor a picture that tells them'):
        get_dataset('wider', 'train', folder, folder)


def test_faces_mask():
    folder = real_data('faces_mask')
    assert find_image_sets(folder)[1:] == (('train', 'val'), ('train',), 'val')
    for image_set, images, faces in (('train', 110, 692), ('val', 50, 223)):
        records = get_dataset('wider', image_set, folder, folder).roidb()
        assert len(records) == images and sum(len(record['boxes']) for record in records) == faces
