"""Folders of pictures a class: what is read, what is refused in one line, what is held out."""
import collections
import os

import pytest

from lib.fewshot.folder import ClassPictures, hold_out, read_class_folder, same_pictures
from lib.utils.errors import SniperError
from tests.fewshot.pictures import write_classes


def test_classes_are_sorted_folders(tmp_path):
    folder = write_classes(tmp_path, ['ring', 'box'], 2)
    write_classes(tmp_path, ["disc µ'\u2028;$(x)"], 1)
    (tmp_path / '.hidden').mkdir()
    (tmp_path / 'notes.txt').write_text('no class')
    (tmp_path / 'ring' / 'notes.txt').write_text('no picture')
    found = read_class_folder(folder)
    assert found.classes == ('box', "disc µ'\u2028;$(x)", 'ring') and found.labels == [0, 0, 1, 2, 2]
    assert [os.path.basename(path) for path in found.paths] == ['0.png', '1.png', '0.png', '0.png', '1.png']


@pytest.mark.parametrize('make, says', [
    (lambda folder: folder / 'gone', 'is missing: name a folder that holds one folder of pictures a class'),
    (lambda folder: folder / 'file', 'is a file, not a folder'),
    (lambda folder: folder / 'empty', 'holds no folders: a class is a folder of pictures'),
    (lambda folder: folder / 'one', 'holds one class alone, ring, and there is nothing to tell it from'),
    (lambda folder: folder / 'bare', 'class ring: folder .*ring holds no picture .*: put pictures there'),
    (lambda folder: folder / 'none', 'no class can be called __background__')])
def test_bad_folders(tmp_path, make, says):
    (tmp_path / 'file').write_text('x')
    (tmp_path / 'empty').mkdir()
    write_classes(tmp_path / 'one', ['ring'], 1)
    write_classes(tmp_path / 'bare', ['box'], 1)
    (tmp_path / 'bare' / 'ring').mkdir()
    write_classes(tmp_path / 'none', ['box'], 1)
    (tmp_path / 'none' / '__background__').mkdir()
    with pytest.raises(SniperError, match=says) as error:
        read_class_folder(str(make(tmp_path)))
    assert '\n' not in str(error.value)


def pictures_of(counts):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    return ClassPictures(tuple('abcdef'[:len(counts)]), [f'/p/{number}' for number in range(len(labels))], labels)


def test_so_many_are_held_out_of_each_class(caplog):
    pictures = pictures_of([5, 9, 7])
    kept, held = hold_out(pictures, 3, seed=2)
    assert sorted(kept + held) == list(range(21)) and not caplog.text
    assert collections.Counter(pictures.labels[number] for number in held) == {0: 3, 1: 3, 2: 3}
    assert (kept, held) == hold_out(pictures, 3, seed=2) != hold_out(pictures, 3, seed=3)
    fewer = hold_out(pictures_of([5, 9]), 3, seed=2)[1]
    assert fewer == [number for number in held if number < 14]      # what a class gives does not depend on others


def test_one_picture_a_class_is_learnt_from(caplog):
    kept, held = hold_out(pictures_of([1, 4, 2]), 2)
    assert len(kept) == 1 + 2 + 1 and len(held) == 0 + 2 + 1
    assert '2 classes have too few pictures to hold 2 out: a (1), c (2)' in caplog.text


def test_the_same_picture(caplog):
    kept = same_pictures(pictures_of([3, 2]), ['x', 'y', 'x', 'y', ''])
    assert kept == [0, 1, 3]
    assert '1 picture is in two classes, which cannot be told apart by it: /p/1 is /p/3 too' in caplog.text
