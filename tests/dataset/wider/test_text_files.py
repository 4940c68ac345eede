"""Detections as text files: what is written, read again, and what of other people's files is refused."""
import os

import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.dataset.wider.text_files import as_written, read_file, read_folder, write_folder
from lib.utils.errors import SniperError
from tests.dataset.voc_folder import write

NAMES = ['0--Parade/0_Parade_1.jpg', '1--Party/b.c.png', '1--Party/é.jpg']
FOUND = Detections([2, 0, 0, 0], [1, 1, 1, 1], [
    (1.9, 2.2, 30.9, 40.1), (-0.7, 3, 9.5, 8.9), (5, 6, 7, 8), (1, 1, 2, 2)], [0.25, 0.1234567, 0.99999994, 1e-5])


def test_lines_of_a_file(tmp_path):
    folder = str(tmp_path / 'detections')
    write(tmp_path / 'detections' / 'old' / 'x.txt', 'of a test before')
    found = as_written(FOUND)
    write_folder(folder, NAMES, found)
    assert sorted(os.path.relpath(os.path.join(place, name), folder) for place, _, names in os.walk(folder)
                  for name in names) == ['0--Parade/0_Parade_1.txt', '1--Party/b.c.txt', '1--Party/é.txt']
    assert (tmp_path / 'detections' / '0--Parade' / '0_Parade_1.txt').read_text() == (
        '0--Parade/0_Parade_1.jpg\n3\n5 6 2 2 1 \n0 3 9 5 0.123457 \n1 1 1 1 1e-05 \n')
    assert (tmp_path / 'detections' / '1--Party' / 'b.c.txt').read_text() == '1--Party/b.c.png\n0\n'
    assert (tmp_path / 'detections' / '1--Party' / 'é.txt').read_text('utf-8').endswith('\n1 2 29 38 0.25 \n')
    assert os.listdir(tmp_path) == ['detections']
    again = read_folder(folder, [os.path.splitext(name)[0] for name in NAMES])
    assert not again.missing and not again.others
    for one, other in zip(again.found, found):
        np.testing.assert_array_equal(one, other)


def test_a_folder_that_cannot_be_written(tmp_path):
    write(tmp_path / 'file', '')
    with pytest.raises(SniperError, match='cannot write .*file.*: Not a directory'):
        write_folder(str(tmp_path / 'file' / 'detections'), NAMES, as_written(FOUND))


GOOD = 'a\n2\n1 2 3 4 0.5 \n1.5 2 3 4 -1e-3\n'


@pytest.mark.parametrize('text', [GOOD, GOOD.replace('\n', '\r\n'), GOOD + '\n\n', GOOD[:-1], '\ufeff' + GOOD])
def test_files_of_others(tmp_path, text):
    write(tmp_path / 'a.txt', text)
    np.testing.assert_array_equal(read_file(str(tmp_path / 'a.txt')), [[1, 2, 3, 4, 0.5], [1.5, 2, 3, 4, -1e-3]])
    write(tmp_path / 'b.txt', 'b\n0\n')
    assert read_file(str(tmp_path / 'b.txt')).shape == (0, 5)


@pytest.mark.parametrize('text, said', [
    ('', "line 2: the number of detections is wanted after the name of the picture, got '': is the file cut short"),
    ('a\n', 'is the file cut short'), ('a\n-1\n', "got '-1'"), ('a\n2.0\n1 2 3 4 5\n', "got '2.0'"),
    ('a\n1 2 3 4 0.5\n', "got '1 2 3 4 0.5'"), ('a\n' + '9' * 50, 'got .9999'), ('a\n²\n', 'got .²'),
    (GOOD.replace('a\n2', 'a\n3'), ': 3 by their count and 2 lines of them: is the file cut short'),
    (GOOD.replace('a\n2', 'a\n1'), ': 1 by their count and 2 lines of them$'),
    ('a\n2\n1 2 3 4 0.5\n1 2 3', "line 4: five numbers are wanted, .* got '1 2 3': is the file cut short"),
    ('a\n2\n1 2 3 4\n1 2 3 4 5\n', "line 3: five numbers are wanted, x y width height score, got '1 2 3 4'$"),
    ('a\n1\n1 2 3 4 nan\n', 'five numbers are wanted'), ('a\n1\n1 2 3 4 1e400\n', 'five numbers are wanted'),
    ('a\n1\n1 2 3_0 4 5\n', 'five numbers are wanted'), ('a\n1\n1 2 x 4 5\n', "got '1 2 x 4 5'"),
    ('a\n1\n\x00\ufffd\n', 'five numbers are wanted')])
def test_bad_files(tmp_path, text, said):
    write(tmp_path / 'a.txt', text)
    with pytest.raises(SniperError, match=said) as error:
        read_file(str(tmp_path / 'a.txt'))
    assert 'a.txt' in str(error.value) and str(error.value).isprintable()


def test_pictures_without_files_and_files_without_pictures(tmp_path):
    write(tmp_path / 'e' / 'a.txt', GOOD)
    write(tmp_path / 'e' / 'z.txt', 'not read')
    read = read_folder(str(tmp_path), ['e/a', 'f/b'])
    assert read.missing == ['f/b'] and read.others == ['e/z'] and read.found.picture.tolist() == [0, 0]
    with pytest.raises(SniperError, match=r'no file of detections of any of the 1 pictures .*g/c.txt.; there are e/a'):
        read_folder(str(tmp_path), ['g/c'])
    with pytest.raises(SniperError, match='no file of detections of any of the 1 pictures'):
        read_folder(str(tmp_path / 'nowhere'), ['g/c'])
