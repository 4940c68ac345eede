"""Every broken annotation file ends in one line that names it, or in a counted warning."""
import json
import os

import pytest
from PIL import Image

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
    with pytest.raises(SniperError, match='nowhere is missing; check dataset.dataset_path'):
        load(tmp_path / 'nowhere')


def test_other_names_are_shown(tmp_path):
    make_folder(tmp_path, {'things.json': '{}'})
    with pytest.raises(SniperError, match=r'there is things\.json in that folder; rename'):
        load(tmp_path)
    make_folder(tmp_path, {'_annotations.coco.json': content({1: []})})
    with pytest.raises(SniperError, match=r'is missing: sets in .*: _annotations\.coco$'):
        load(tmp_path)


def test_what_is_in_the_way_of_the_annotation_file(tmp_path):
    path = tmp_path / 'annotations' / 'instances_train2017.json'
    path.mkdir(parents=True)
    with pytest.raises(SniperError, match='instances_train2017.json is a folder, not a file'):
        load(tmp_path)
    path.rmdir()
    path.symlink_to(path)
    with pytest.raises(SniperError, match='instances_train2017.json is a link that leads back to itself'):
        load(tmp_path)
    path.unlink()
    path.parent.rmdir()
    path.parent.write_text('')
    with pytest.raises(SniperError, match='annotations is a file where a folder should be'):
        load(tmp_path)


@pytest.mark.parametrize('text, said', [
    ('', 'is it empty or cut short?'), (' \n', 'is it empty'),
    ('{"images": [', 'ends in the middle (line 1, column 13)'),
    ('{"images": [\n"abc', 'ends in the middle'), ('{"images": [1, tru', 'ends in the middle'),
    ('no json', 'Expecting value: line 1, column 1'), ('\x00\x01', ''),
    ('[' * 200000, ''), ('{"images": [\n1,\n2,\n]}', 'take away the comma before the bracket'),
    ('{"images": [],\n}', 'take away the comma before the bracket'), ('{"images": 1}\n{"images": 2}', 'JSON lines'),
    ('version https://git-lfs.github.com/spec/v1\noid sha256:1', 'git lfs pull'), ('PK\x03\x04', 'unpack it'),
    ('<!DOCTYPE html>', 'web page'), ('{"images": ' + '1' * 5000 + '}', '')])
def test_not_json(tmp_path, text, said):
    message = error_line(tmp_path, text)
    assert said in message and len(message) < 600
    assert 'cannot be read' in message and 'not valid JSON' in message or '1111' in text


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-32', 'cp1252'])
def test_encodings(tmp_path, caplog, encoding):
    folder = make_folder(tmp_path, {'train2017': ''})
    file = json.dumps(content({1: [BOX]}, categories=[(1, 'K\xe4fer')]), ensure_ascii=False)
    (tmp_path / 'annotations' / 'instances_train2017.json').write_bytes(file.encode(encoding))
    assert get_dataset('coco', 'train2017', folder, folder).classes[1] == 'K\xe4fer'
    assert ('is not UTF-8' in caplog.text) == (encoding == 'cp1252')


def test_cut_utf16(tmp_path):
    folder = make_folder(tmp_path, {'train2017': ''})
    (tmp_path / 'annotations' / 'instances_train2017.json').write_bytes('{"a": 1}'.encode('utf-16')[:-1])
    with pytest.raises(SniperError, match='cannot be read: it is no valid UTF-16'):
        load(folder)


def test_results_and_other_formats(tmp_path):
    assert 'file of results' in error_line(tmp_path, '[{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]')
    assert '(it has "shapes", "imagePath")' in error_line(tmp_path, '{"shapes": [], "imagePath": "a.jpg"}')


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


@pytest.mark.parametrize('key', ['id', 'name'])
def test_categories_need_their_keys(tmp_path, key):
    assert f'has no "{key}"' in error_line(tmp_path, changed('categories', **{key: None}))


@pytest.mark.parametrize('value', [None, 1.5, [1], {}, True])
@pytest.mark.parametrize('every', [False, True])
def test_images_without_usable_id(tmp_path, caplog, value, every):
    file = changed('images', id=value)
    if every:
        file['images'][1] = dict(file['images'][0])
        message = error_line(tmp_path, file)
        assert '2 of 2 images have ' in message and 'number the images' in message
    else:
        assert [record['image_id'] for record in load(make_folder(tmp_path, {'train2017': file}))] == [2]
        assert '1 images have no "id"' in caplog.text or 'neither a whole number nor text' in caplog.text
        assert '1 annotations belong to no image of the file and are left out (annotation 1)' in caplog.text


@pytest.mark.parametrize('value', [1.5, [1], {}, True])
def test_category_ids_of_wrong_type(tmp_path, value):
    assert 'neither a whole number nor text' in error_line(tmp_path, changed('categories', id=value))


@pytest.mark.parametrize('key', ['width', 'height'])
@pytest.mark.parametrize('value', [None, 0, -5, float('nan'), float('inf'), '', 'x', True, [640], 10 ** 400, 1e8])
def test_sizes_are_read_from_the_pictures(tmp_path, caplog, key, value):
    file = changed('images', **{key: value})
    folder = make_folder(tmp_path, {'train2017': file})
    assert [record['image_id'] for record in load(folder)] == [2]
    assert 'nor a picture that tells them, and are left out (image 1)' in caplog.text
    caplog.clear()
    Image.new('RGB', (130, 90)).save(os.path.join(folder, 'images', 'train2017', '1.jpg'))
    assert [(record['width'], record['height']) for record in load(folder)] == [(130, 90), (100, 80)]
    assert '1 images have no usable width and height: they are read from the pictures (image 1)' in caplog.text


def test_most_images_without_size(tmp_path):
    file = content({1: [BOX], 2: [BOX], 3: [BOX]})
    for image in file['images'][:2]:
        image['height'] = 0
    assert '2 of 3 images have no usable width and height' in error_line(tmp_path, file)


@pytest.mark.parametrize('value', ['100', '100.0', 100.0])
def test_sizes_as_text(tmp_path, caplog, value):
    assert load(make_folder(tmp_path, {'train2017': changed('images', width=value)}))[0]['width'] == 100
    assert not caplog.text


def test_duplicate_ids(tmp_path):
    assert 'id 2 occurs twice' in error_line(tmp_path, changed('images', id=2))
    assert 'id 7 occurs twice' in error_line(tmp_path, changed('categories', id=7))


def test_images_listed_twice(tmp_path, caplog):
    file = content({number: [BOX] for number in range(1, 6)})
    file['images'] += [dict(file['images'][0]), dict(file['images'][1], file_name='other.jpg'),
                       dict(file['images'][2], id=9)]
    roidb = load(make_folder(tmp_path, {'train2017': file}))
    assert [(record['image_id'], len(record['boxes'])) for record in roidb] == [(1, 1), (3, 1), (4, 1), (5, 1), (9, 0)]
    assert '1 images are listed twice; the first entry counts (image 1)' in caplog.text
    assert '2 images have the id of another image' in caplog.text and 'id 2 occurs twice' in caplog.text
    assert '1 pictures stand in the file under several ids' in caplog.text and '(image 3.jpg)' in caplog.text


@pytest.mark.parametrize('key, said', [
    ('image_id', 'annotations have no "image_id"'), ('category_id', 'annotations have no "category_id"'),
    ('bbox', 'annotations have no "bbox"')])
def test_annotations_without_a_key(tmp_path, caplog, key, said):
    file = changed('annotations', **{key: None})
    assert [len(record['boxes']) for record in load(make_folder(tmp_path, {'train2017': file}))] == [0, 1]
    assert f'1 {said} and are left out (annotation 1)' in caplog.text
    del file['annotations'][1][key]
    assert f'2 of 2 {said}' in error_line(tmp_path, file)


@pytest.mark.parametrize('value', [99, 'cow', [1], 1.5, None])
def test_unknown_category(tmp_path, caplog, value):
    file = content({1: [BOX], 2: [BOX]})
    file['annotations'][1]['category_id'] = value
    assert [len(record['boxes']) for record in load(make_folder(tmp_path, {'train2017': file}))] == [1, 0]
    assert '1 annotations have a category_id that is not among the categories' in caplog.text
    file['annotations'][0]['category_id'] = value
    message = error_line(tmp_path, file)
    assert '2 of 2 annotations have a category_id' in message and 'known ids: 1, 7' in message


@pytest.mark.parametrize('image_id, category_id', [
    (1, 1), ('1', '1'), (1.0, 7.0), ('01', '07'), ('1.0', 1), (1, 'dog')])
def test_ids_in_other_forms(tmp_path, image_id, category_id):
    file = changed('annotations', image_id=image_id, category_id=category_id)
    roidb = load(make_folder(tmp_path, {'train2017': file}))
    assert [len(record['boxes']) for record in roidb] == ([0, 1] if image_id == '1.0' else [1, 1])


def test_text_ids_of_images_and_categories(tmp_path):
    file = content({'000001': [('1',) + BOX[1:]], 'b': [('7',) + BOX[1:]]}, categories=[('1', 'cat'), ('7', 'dog')])
    file['annotations'][0].update(image_id=1, category_id=1)
    roidb = load(make_folder(tmp_path, {'train2017': file}))
    assert [(record['image_id'], record['gt_classes'].tolist()) for record in roidb] == [('000001', [1]), ('b', [2])]


def test_image_without_name_or_number(tmp_path):
    """It is missing like any other, which is said where files are looked for."""
    first, second = load(make_folder(tmp_path, {'train2017': changed('images', id='x', file_name=None)}))
    assert "(image 'x')" in second['image'] and first['image_id'] == 2


def test_entries_that_are_no_objects(tmp_path, caplog):
    file = content({number: [BOX] for number in range(1, 5)})
    file['images'].insert(0, None)
    file['annotations'].insert(1, [1])
    assert len(load(make_folder(tmp_path, {'train2017': file}))) == 4
    assert '1 images are no objects and are left out (image number 0)' in caplog.text
    assert '1 annotations are no objects and are left out (annotation number 1)' in caplog.text


@pytest.mark.parametrize('value', [[float('nan'), 1, 2, 3], [1, 2, float('inf'), 4], [1, 2, 3], [], 'x', 5,
                                   [1, 2, 3, '4'], [1, 2, 3, 10 ** 400], [1, 2, 3, None], [1, 2, 3, 4, 5],
                                   [1, 2, True, 4], ['1', '2', '3', 'x'], None, {'x': 1}])
def test_broken_boxes_are_counted(tmp_path, caplog, value):
    file = content({1: [BOX], 2: [BOX]})
    file['annotations'][0]['bbox'] = value
    roidb = load(make_folder(tmp_path, {'train2017': file}))
    assert [len(record['boxes']) for record in roidb] == [0, 1]
    assert 'instances_train2017.json: 1 box is not four finite numbers' in caplog.text
    assert '(annotation 1)' in caplog.text
    file['annotations'][1]['bbox'] = value
    assert '2 of 2 boxes are not four finite numbers' in error_line(tmp_path, file)


def test_boxes_as_text(tmp_path):
    roidb = load(make_folder(tmp_path, {'train2017': changed('annotations', bbox=['10', '10.0', '2e1', ' 20'])}))
    assert roidb[0]['boxes'].tolist() == [[10, 10, 29, 29]]


def test_annotations_of_unknown_images_are_counted(tmp_path, caplog):
    roidb = load(make_folder(tmp_path, {'train2017': changed('annotations', image_id=99)}))
    assert [len(record['boxes']) for record in roidb] == [0, 1]
    assert '1 annotations belong to no image' in caplog.text


def test_most_annotations_of_unknown_images(tmp_path, caplog):
    """An error, unless the images are a part of those that the annotations were made for."""
    file = content({number: [BOX] for number in range(4)})
    whole = dict(file, images=file['images'][:1])
    assert len(load(make_folder(tmp_path, {'train2017': whole}))[0]['boxes']) == 1
    assert '3 annotations belong to no image' in caplog.text
    for annotation in file['annotations'][:3]:
        annotation['image_id'] += 100
    message = error_line(tmp_path, file)
    assert '3 of 4 annotations belong to no image' in message and 'image_id has to be the id of an image' in message


def test_duplicate_annotation_ids_are_counted(tmp_path, caplog):
    roidb = load(make_folder(tmp_path, {'train2017': changed('annotations', id=2)}))
    assert [len(record['boxes']) for record in roidb] == [1, 1]
    assert '1 annotations repeat the id' in caplog.text


def test_a_warning_names_only_the_first_few(tmp_path, caplog):
    load(make_folder(tmp_path, {'train2017': content({1: [(1, 500, 500, 9, 9)] * 50 + [BOX] * 50})}))
    assert '50 boxes lie outside' in caplog.text and '(annotation 1, 2, 3, 4, 5, ...)' in caplog.text


def test_unknown_data_set():
    with pytest.raises(SniperError, match="'voc2' is unknown; known data sets: .*coco.*synthetic"):
        get_dataset('voc2', 'x', '.', '.')
