"""Every broken file of Open Images ends in one line that names it, or in a counted warning."""
import logging
import re

import pytest

from lib.dataset import get_dataset
from lib.dataset.class_choice import ClassChoice
from lib.utils.errors import SniperError
from tests.dataset.openimages.made_up import CLASSES, HEADER, ROWS, make, row

BOXES, LABELS = 'train-annotations-bbox.csv', 'train-annotations-human-imagelabels-boxable.csv'


def refused(tmp_path, folder=None, image_set='train', **options):
    """The line that a folder ends in."""
    with pytest.raises(SniperError) as caught:
        dataset = get_dataset('openimages', image_set, str(tmp_path / 'root'), folder or str(tmp_path), **options)
        dataset.roidb()
        dataset.verified_labels()
    message = str(caught.value).replace(str(tmp_path), 'DATA')
    assert '\n' not in message and len(message) < 400
    return message


def rows_refused(tmp_path, *rows, **options):
    return refused(tmp_path, make(tmp_path, [*ROWS, *rows], **options))


@pytest.mark.parametrize('lacking', ['ImageID', 'LabelName', 'XMin', 'YMax'])
def test_a_column_is_missing(tmp_path, lacking):
    header = HEADER.replace(lacking, 'Other')
    assert f'{BOXES} lacks the column {lacking}: its first line is' in rows_refused(tmp_path, header=header)


def test_no_header(tmp_path):
    message = rows_refused(tmp_path, header='')
    assert f'{BOXES} lacks the columns ImageID, LabelName, XMin, YMin, XMax, YMax' in message


def test_an_unknown_class(tmp_path):
    message = rows_refused(tmp_path, row('a', '/m/0new'), row('b', '/m/0new'), row('a', '/m/0other'))
    assert (f"{BOXES}: 3 boxes are of classes that the list of classes lacks ('/m/0new' in line 7, '/m/0other' in line "
            '9): take both files from one version') in message


def test_a_little_outside_is_cut_and_far_outside_left_out(tmp_path, caplog):
    folder = make(tmp_path, [*ROWS, row('a', box=(-1e-4, 0.5, 0, 1.0005)), row('a', box=(0, 1.5, 0, 1))])
    with caplog.at_level(logging.WARNING):
        a = get_dataset('openimages', 'train', folder, folder).roidb()[0]
    assert a['boxes'].tolist() == [[20, 20, 99, 59], [0, 0, 99, 99]]
    assert '1 box lies outside its picture by at most 0.001 of its side and is cut (line 7)' in caplog.text
    assert '1 box lies outside its picture and is left out (line 8)' in caplog.text


def test_rows_that_are_there_twice_are_said_and_stay(tmp_path, caplog):
    again = [ROWS[0], ROWS[2], row('a', '/m/0dog'), row('a', box=(0.1, 0.5, 0.2, 0.61))]
    folder = make(tmp_path, [*ROWS, *again])
    for _ in range(2):      # from the files, and from the cache
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            dataset = get_dataset('openimages', 'train', folder, folder)
            assert len(dataset.roidb()[0]['boxes']) == 4
        assert (f'{BOXES}: 2 rows repeat picture, class and corners of others and count as objects of their own '
                '(pictures a, b)') in caplog.text


def test_pixels(tmp_path):
    message = refused(tmp_path, make(tmp_path, [row('abc'[number % 3], box=(10, 50, 20, 60)) for number in range(9)]))
    assert '9 of 9 boxes lie outside their picture and are left out (line 2, 3, 4, 5, 6, ...): coordinates' in message
    assert message.endswith('0 to 1: are these pixels?')


def test_corners_in_the_wrong_order(tmp_path, caplog):
    folder = make(tmp_path, [*ROWS, row('a', box=(0.5, 0.1, 0, 1)), row('a', box=(0.1, 0.5, 0.3, 0.3))])
    assert len(get_dataset('openimages', 'train', folder, folder).roidb()[0]['boxes']) == 1
    assert '2 boxes have no area (XMax <= XMin or YMax <= YMin) and are left out (line 7, 8)' in caplog.text
    header = HEADER.replace('XMin,XMax', 'XMax,XMin')
    assert 'are the columns named in the wrong order?' in refused(tmp_path / 'other', make(
        tmp_path / 'other', header=header))


@pytest.mark.parametrize('broken, said', [
    (row('a', box=('x', 0.5, 0, 1)), "line 7: XMin is 'x', which is no number"),
    (row('a', box=('', 0.5, 0, 1)), "line 7: XMin is '', which is no number"),
    (row('a', box=('1_0', 0.5, 0, 1)), "line 7: XMin is '1_0', which is no number"),
    (row('a', '/m/ü'), "1 box is of classes that the list of classes lacks ('/m/ü' in line 7)"),
    (row('a', box=('nan', 0.5, 0, 1)), 'line 7: XMin is nan, which is no number of sensible size'),
    (row('a', box=(0, 'inf', 0, 1)), 'line 7: XMax is inf, which is no number of sensible size'),
    (row('a', flags='0,0,yes,0,0'), "line 7: IsGroupOf is 'yes', which is none of 1, 0 and -1"),
    (row('a')[:-4], 'line 7: 11 values where 13 are wanted'), (row('a') + ',1', 'line 7: 14 values where 13 are'),
    ('a,xclick,/m/0cat,1,0.', 'line 7: 5 values where 13 are wanted'),
    ('"' + row('a'), 'line 7: unexpected end of data: is a quotation mark missing'),
    (row('"a\n"'), 'line 7: a quotation mark that nothing ends'),
    (row('../x'), "line 7: ImageID is '../x', which is no name of a picture"),
    (row('..'), "line 7: ImageID is '..', which is"), (row('a\\b'), "line 7: ImageID is 'a\\\\b', which is"),
    (row('a\0b'), 'line 7: ImageID has a NUL byte, which no text has: is the file damaged?'),
    (row('a\0'), 'line 7: ImageID has a NUL byte'), (row('a', '/m\0/0cat'), 'line 7: LabelName has a NUL byte'),
    (row('a') + '\0', 'line 7: IsInside has a NUL byte'), (row('a') + ',\0', 'line 7: there is a NUL byte'),
    (row(''), "line 7: ImageID is '', which is"), (row('a b'), "line 7: ImageID is 'a b', which is"),
    (row('x' * 200), "line 7: ImageID is 'xxx"), (row('ü'), "line 7: ImageID is 'ü', which is no name of a picture")])
def test_a_broken_row(tmp_path, broken, said):
    message = rows_refused(tmp_path, broken)
    assert f'DATA/annotations/{BOXES}' in message and said in message


def test_the_line_is_right_after_blank_ones_and_quotes(tmp_path):
    assert "bbox.csv line 10: XMin is 'x'" in rows_refused(tmp_path, '', '"a"' + row('a')[1:], '',
                                                           row('a', box=('x', 1, 0, 1)))


@pytest.mark.parametrize('content, said', [(b'', 'is empty'), (b'\n\n', 'is empty'),
                                           (HEADER.encode() + b'\n', 'has no box'), (b'\x1f\x8b\x08\x00\xff', 'UTF-8')])
def test_no_rows(tmp_path, content, said):
    folder = make(tmp_path)
    (tmp_path / 'annotations' / BOXES).write_bytes(content)
    assert re.search(f'{BOXES} .*{said}', refused(tmp_path, folder))


def test_another_encoding(tmp_path):
    folder = make(tmp_path)
    (tmp_path / 'annotations' / BOXES).write_bytes('\n'.join([HEADER, *ROWS, row('ü')]).encode('latin-1'))
    assert f'{BOXES} cannot be read: line 7 is no UTF-8 text' in refused(tmp_path, folder)
    (tmp_path / 'annotations' / BOXES).write_text('\n'.join([HEADER, *ROWS]), encoding='utf-16')
    assert f'{BOXES} cannot be read: line 1 is no UTF-8 text' in refused(tmp_path, folder)


@pytest.mark.parametrize('classes, said', [
    ('', 'class-descriptions-boxable.csv is empty'), ('LabelName,DisplayName\n', 'is empty'),
    (CLASSES + '/m/0cat,Tiger\n', 'names /m/0cat twice'), ('/m/0cat\n', "line 1: '/m/0cat' is no code and name"),
    (CLASSES + '/m/0x,Fixed, wing\n', "line 5: '/m/0x,Fixed, wing' is no code and name of a class"),
    (CLASSES + '"/m/0x,y\n', 'line 5: unexpected end of data')])
def test_a_broken_list_of_classes(tmp_path, classes, said):
    assert said in rows_refused(tmp_path, classes=classes)


@pytest.mark.parametrize('rows, said', [
    ('a,verification,/m/0cat', 'line 2: 3 values where 4 are wanted'), ('a,x,/m/0cat,yes', "Confidence is 'yes'"),
    ('../a,x,/m/0cat,1', 'ImageID is')])
def test_broken_image_labels(tmp_path, rows, said):
    message = rows_refused(tmp_path, labels=[rows])
    assert f'DATA/annotations/{LABELS} line 2: ' in message and said in message


def test_files_that_are_not_there(tmp_path):
    folder = make(tmp_path)
    assert ("has no image set 'test': there is no annotations/test-annotations-bbox.csv; sets there: train"
            in refused(tmp_path, folder, 'test'))
    (tmp_path / 'annotations' / 'class-descriptions-boxable.csv').unlink()
    assert 'lacks the list of classes, annotations/class-descriptions-boxable.csv' in refused(tmp_path, folder)
    assert refused(tmp_path, str(tmp_path / 'no')) == 'DATA/no is missing; check dataset.dataset_path'


@pytest.mark.parametrize('pictures', ['', 'a'])
def test_half_of_the_pictures_are_missing(tmp_path, pictures):
    message = refused(tmp_path, make(tmp_path, pictures=pictures))
    assert f'{3 - len(pictures)} of 3 pictures of OpenImages_train are missing or cannot be read' in message
    assert 'check dataset.dataset_path' in message


def test_a_broken_converted_file(tmp_path):
    rows = ['a,/m/0cat,1,2,30,40,0,0,200']
    message = refused(tmp_path, make(tmp_path, rows, header='', name='{}.csv'))
    assert 'train.csv line 1: the last two values have to be height and width of the picture' in message
    assert 'train.csv line 1: 6 values where 9 are wanted' in refused(tmp_path / 'other', make(
        tmp_path / 'other', ['a,1,2,30,40,cat'], header='', name='{}.csv'))


def test_a_broken_file_of_sizes(tmp_path):
    folder = make(tmp_path)
    (tmp_path / 'annotations' / 'train-image-sizes.csv').write_text('ImageID,Width,Height\na,10,0\n')
    assert 'train-image-sizes.csv line 2: width and height have to be pixels' in refused(tmp_path, folder)


def test_switches_that_do_not_fit(tmp_path):
    folder = make(tmp_path)
    assert 'boxes of Open Images have no masks' in refused(tmp_path, folder, masks=True)
    assert 'names no class of DATA' in refused(tmp_path, folder, choice=ClassChoice(['Horse']))
