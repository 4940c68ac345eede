"""Every broken annotation file ends in one line that names it, or in a counted warning."""
import json

import pytest

from lib.dataset import get_dataset
from lib.utils.errors import SniperError
from tests.dataset.coco_folder import content, make_folder

BOX = (1, 10, 10, 20, 20)


def load(folder):
    return get_dataset('coco', 'train2017', str(folder), str(folder)).roidb()


def error_line(tmp_path, file):
    folder = make_folder(tmp_path, {'train2017': file})
    with pytest.raises(SniperError) as caught:
        load(folder)
    message = str(caught.value)
    assert '\n' not in message and 'instances_train2017.json' in message
    return message


def changed(part, index=0, **values):
    """Good content with keys of one record set; a value of None removes the key."""
    file = content({1: [BOX], 2: [BOX]})
    for key, value in values.items():
        if value is None:
            del file[part][index][key]
        else:
            file[part][index][key] = value
    return file


def test_missing_file_names_the_sets_there_are(tmp_path):
    make_folder(tmp_path, {'val2017': content({1: []}), 'image_info_test2017.json': content({1: []})})
    with pytest.raises(SniperError, match=r'instances_train2017\.json is missing: .*test2017, val2017'):
        load(tmp_path)


def test_missing_folder(tmp_path):
    with pytest.raises(SniperError, match='dataset_path'):
        load(tmp_path / 'nowhere')


@pytest.mark.parametrize('text', ['', '{"images": [', 'no json', '\x00\x01', '[' * 200000])
def test_not_json(tmp_path, text):
    assert 'not valid JSON' in error_line(tmp_path, text)


def test_not_utf8(tmp_path):
    folder = make_folder(tmp_path, {'train2017': ''})
    (tmp_path / 'annotations' / 'instances_train2017.json').write_bytes(b'\xff\xfe{}')
    with pytest.raises(SniperError, match='cannot be read'):
        load(folder)


@pytest.mark.parametrize('text', ['[]', '3', 'null', '"x"'])
def test_not_an_object(tmp_path, text):
    assert 'not an object' in error_line(tmp_path, text)


@pytest.mark.parametrize('key', ['images', 'categories'])
@pytest.mark.parametrize('value', [None, 3, {}, [1]])
def test_missing_or_wrong_lists(tmp_path, key, value):
    file = content({1: [BOX]})
    del file[key]
    if value is not None:
        file[key] = value
    assert f'"{key}"' in error_line(tmp_path, file)


def test_zero_images(tmp_path):
    assert 'lists no images' in error_line(tmp_path, dict(content({1: [BOX]}), images=[]))


def test_zero_categories(tmp_path):
    assert 'no categories' in error_line(tmp_path, dict(content({1: [BOX]}), categories=[]))


@pytest.mark.parametrize('part, key', [('images', 'id'), ('images', 'width'), ('images', 'height'),
                                       ('annotations', 'image_id'), ('annotations', 'category_id'),
                                       ('annotations', 'bbox'), ('categories', 'id'), ('categories', 'name')])
def test_missing_keys(tmp_path, part, key):
    assert f'has no "{key}"' in error_line(tmp_path, changed(part, **{key: None}))


@pytest.mark.parametrize('value', [0, -5, float('nan'), float('inf'), '640', True, [640], 10 ** 400])
def test_bad_image_size(tmp_path, value):
    assert 'width of image 1' in error_line(tmp_path, changed('images', width=value))


@pytest.mark.parametrize('part, value', [('images', 2), ('categories', 7)])
def test_duplicate_ids(tmp_path, part, value):
    assert f'id {value} occurs twice' in error_line(tmp_path, changed(part, id=value))


@pytest.mark.parametrize('part', ['images', 'categories'])
@pytest.mark.parametrize('value', [1.5, [1], {}, True])
def test_ids_of_wrong_type(tmp_path, part, value):
    assert 'neither a whole number nor text' in error_line(tmp_path, changed(part, id=value))


@pytest.mark.parametrize('value', [99, 'cat', [1], 1.5])
def test_unknown_category(tmp_path, value):
    message = error_line(tmp_path, changed('annotations', 1, category_id=value))
    assert 'annotation 2' in message and repr(value) in message and 'known ids: 1, 7' in message


def test_image_without_name_or_number(tmp_path):
    assert "image 'x' has no file_name" in error_line(tmp_path, changed('images', id='x', file_name=None))


@pytest.mark.parametrize('value', [[float('nan'), 1, 2, 3], [1, 2, float('inf'), 4], [1, 2, 3], [], 'x', 5,
                                   [1, 2, 3, '4'], [1, 2, 3, 10 ** 400]])
def test_broken_boxes_are_counted(tmp_path, caplog, value):
    roidb = load(make_folder(tmp_path, {'train2017': changed('annotations', bbox=value)}))
    assert [len(record['boxes']) for record in roidb] == [0, 1]
    assert 'instances_train2017.json: 1 boxes are not four finite numbers' in caplog.text
    assert '(annotation 1)' in caplog.text


def test_annotations_of_unknown_images_are_counted(tmp_path, caplog):
    roidb = load(make_folder(tmp_path, {'train2017': changed('annotations', image_id=99)}))
    assert [len(record['boxes']) for record in roidb] == [0, 1]
    assert '1 annotations belong to no image' in caplog.text


def test_duplicate_annotation_ids_are_counted(tmp_path, caplog):
    roidb = load(make_folder(tmp_path, {'train2017': changed('annotations', id=2)}))
    assert [len(record['boxes']) for record in roidb] == [1, 1]
    assert '1 annotations repeat the id' in caplog.text


def test_a_warning_names_only_the_first_few(tmp_path, caplog):
    load(make_folder(tmp_path, {'train2017': content({1: [(1, 500, 500, 9, 9)] * 50})}))
    assert '50 boxes lie outside' in caplog.text and '(annotation 1, 2, 3, 4, 5, ...)' in caplog.text


def test_unknown_data_set():
    with pytest.raises(SniperError, match="'voc2' is unknown; known data sets: .*coco.*synthetic"):
        get_dataset('voc2', 'x', '.', '.')


def test_byte_order_mark_is_no_error(tmp_path):
    folder = make_folder(tmp_path, {'train2017': '\ufeff' + json.dumps(content({1: [BOX]}))})
    assert len(load(folder)) == 1
