"""Every broken file in PASCAL VOC's format ends in one line that names it, or in a counted warning."""
import os
import re

import pytest

from configs import load_config
from lib.dataset import get_dataset, load_training_roidb
from lib.dataset.voc_annotations import read_annotation
from lib.utils.errors import SniperError
from tests.dataset.coco_folder import content, make_folder
from tests.dataset.voc_folder import make_part, write, write_image, xml
from tests.detections import flat

CAT = ('cat', 11, 21, 30, 40)
BOMB = '''<?xml version="1.0"?><!DOCTYPE annotation [<!ENTITY a "aaaaaaaaaa">{}]><annotation>&j;</annotation>'''.format(
    ''.join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip('abcdefghi', 'bcdefghij')))
OUTSIDE = '<!DOCTYPE annotation [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>'


def opened(folder, image_set='all'):
    return get_dataset('PascalVOC', image_set, str(folder), str(folder))


def load(folder, image_set='train'):
    return opened(folder, image_set).roidb()


def error_line(tmp_path, text, image_set='train'):
    """What a set of one bad annotation ends in; a good one beside it says the classes."""
    make_part(tmp_path, {'good': xml(CAT), 'bad': text}, {'train': ['bad']})
    with pytest.raises(SniperError) as caught:
        load(tmp_path, image_set)
    assert '\n' not in str(caught.value) and len(str(caught.value).replace(str(tmp_path), 'DATA')) < 300
    return str(caught.value)


@pytest.mark.parametrize('text', ['', ' ', '<annotation>', '<annotation><object></annotation>', 'no xml', '\x00\x01',
                                  '<?xml version="1.0" encoding="klingon"?><annotation/>',
                                  '<annotation>&undeclared;</annotation>'])
def test_not_xml(tmp_path, text):
    message = error_line(tmp_path, text)
    assert 'bad.xml is not valid XML' in message


@pytest.mark.parametrize('text', [BOMB, OUTSIDE], ids=['bomb', 'outside'])
def test_entities_are_refused(tmp_path, text):
    assert 'bad.xml declares the entity' in error_line(tmp_path, text)


def test_a_bomb_in_another_encoding_is_refused(tmp_path):
    make_part(tmp_path, {'bad': ''}, {'train': ['bad']})
    (tmp_path / 'Annotations' / 'bad.xml').write_bytes(BOMB.replace('?>', ' encoding="utf-16"?>', 1).encode('utf-16'))
    write(tmp_path / 'classes.txt', 'cat')
    with pytest.raises(SniperError, match='declares the entity'):
        load(tmp_path)


def test_endless_nesting_is_refused(tmp_path):
    assert 'nested more than 32 deep' in error_line(tmp_path, '<annotation>' + '<a>' * 100000)


def test_a_file_of_another_kind(tmp_path):
    assert 'bad.xml holds <html>, not <annotation>' in error_line(tmp_path, '<html></html>')


def test_huge_file(tmp_path, monkeypatch):
    monkeypatch.setattr('lib.dataset.voc_annotations.MAX_BYTES', 1000)
    assert 'bad.xml has more than' in error_line(tmp_path, '<annotation>' + ' ' * 1000 + '</annotation>')


def test_unknown_class_with_a_list(tmp_path):
    write(tmp_path / 'classes.txt', 'cat\n')
    assert 'classes.txt lacks classes of the annotations: d o g (1 objects)' in error_line(
        tmp_path, xml(('d\no\tg', 1, 1, 9, 9)))


@pytest.mark.parametrize('text', [xml(('', 1, 1, 9, 9)), xml(CAT).replace('<name>cat</name>', '')])
def test_object_without_a_name(tmp_path, text, caplog):
    make_part(tmp_path, {'a': xml(CAT), 'b': text}, {'train': ['a', 'b']})
    assert [len(record['boxes']) for record in load(tmp_path)] == [1, 0]
    assert '1 objects have no <name> and are left out (annotation b object 1)' in caplog.text
    make_part(tmp_path / 'other', {'b': text})
    with pytest.raises(SniperError, match='none of the 1 objects in .*Annotations has a <name>'):
        load(tmp_path / 'other', 'all')


def test_size_known_from_nowhere(tmp_path):
    message = error_line(tmp_path, xml(CAT, size=None))
    assert 'bad.xml does not give the size' in message and 'bad.jpg cannot be opened' in message


@pytest.mark.parametrize('corners', [('x', 1, 9, 9), ('', 1, 9, 9), ('nan', 1, 9, 9), (1, 1, 'inf', 9),
                                     (1, 1, '9' * 400, 9), (1, 1, 9)])
def test_broken_boxes_are_counted(tmp_path, caplog, corners):
    make_part(tmp_path, {'a': xml(('cat',) + corners), 'b': xml(CAT)}, {'train': ['a', 'b']})
    assert [len(record['boxes']) for record in load(tmp_path)] == [0, 1]
    assert '1 box is not four finite numbers and is left out (annotation a object 1)' in caplog.text


def test_inverted_boxes_are_counted(tmp_path, caplog):
    make_part(tmp_path, {'a': xml(('cat', 30, 1, 9, 9), ('cat', 1, 9, 9, 3), CAT, CAT)}, {'train': ['a']})
    assert [len(record['boxes']) for record in load(tmp_path)] == [2]
    assert '2 boxes have their corners in the wrong order and are left out' in caplog.text
    assert 'outside' not in caplog.text


def test_odd_difficult_is_counted(tmp_path, caplog):
    text = xml(CAT, CAT).replace('<difficult>0', '<difficult>Unspecified', 1).replace('<difficult>0', '<difficult>', 1)
    make_part(tmp_path, {'a': text}, {'train': ['a']})
    assert len(load(tmp_path)[0]['boxes']) == 2
    assert '1 objects have a <difficult> that is neither 0 nor 1' in caplog.text


def test_images_without_annotation_have_no_objects(tmp_path, caplog):
    make_part(tmp_path, {'a': None, 'b': xml(CAT)}, {'train': ['a', 'b']})
    image = os.path.join(str(tmp_path), 'JPEGImages', 'a.jpg')
    assert [r['image_id'] for r in load(tmp_path)] == ['b']
    assert f'1 of 2 images are left out of training and of the score: image {image} cannot be opened' in caplog.text
    write_image(tmp_path, 'a', 60, 50, '.jpg')
    records = load(tmp_path)
    assert [len(r['boxes']) for r in records] == [0, 1] and records[0]['image'] == image
    assert '1 images have no annotation file and count as images without objects (annotation a)' in caplog.text


def test_empty_list(tmp_path):
    make_part(tmp_path, {'a': xml(CAT)}, {'train': []})
    with pytest.raises(SniperError, match=r'train\.txt lists no images'):
        load(tmp_path)


def test_no_annotation_at_all(tmp_path):
    make_part(tmp_path, {})
    with pytest.raises(SniperError, match='Annotations lists no images'):
        load(tmp_path, 'all')


def test_no_object_at_all(tmp_path):
    make_part(tmp_path, {'a': xml()}, {'train': ['a']})
    with pytest.raises(SniperError, match='no annotation in .*Annotations has an object.*classes.txt'):
        load(tmp_path)


def test_missing_folder(tmp_path):
    with pytest.raises(SniperError, match='neither folders VOC<year> nor a folder Annotations.*dataset_path'):
        load(tmp_path / 'nowhere')


def test_missing_set_names_the_sets_there_are(tmp_path):
    make_part(tmp_path / 'VOC2007', {'a': xml(CAT)}, {'train': ['a'], 'val': ['a']})
    for name, there in (('train', '2007_train, 2007_all, 2007_val'), ('2008_train', '2007_train, 2007_all, 2007_val'),
                        ('2007_val.txt', '2007_val, 2007_all, 2007_train')):
        with pytest.raises(SniperError, match=f'no image set {name!r} .*there: {there}'):
            load(tmp_path, name)
    with pytest.raises(SniperError, match=r"no image set 'x' \(.*x\.txt\); sets there: all, train, val"):
        load(tmp_path / 'VOC2007', 'x')


@pytest.mark.parametrize('name', ['../secret', '/etc/passwd', 'a/../../b'])
def test_lists_name_images_of_the_folder(tmp_path, name):
    make_part(tmp_path, {'a': xml(CAT)}, {'train': [name]})
    with pytest.raises(SniperError, match='is not the name of an image in this folder'):
        load(tmp_path)


def test_an_image_listed_twice(tmp_path):
    make_part(tmp_path, {'a': xml(CAT)}, {'train': ['a', 'a']})
    with pytest.raises(SniperError, match="image 'a' occurs twice"):
        load(tmp_path)


def test_list_that_is_no_text(tmp_path):
    make_part(tmp_path, {'a': xml(CAT)}, {'train': ['a']})
    (tmp_path / 'ImageSets' / 'Main' / 'train.txt').write_bytes(b'\xff\xfe\xff')
    with pytest.raises(SniperError, match=r'train\.txt cannot be read'):
        load(tmp_path)


# ---- bad files among good ones


def test_bad_files_among_good_ones_are_left_out_and_said(tmp_path, caplog):
    make_part(tmp_path, {'a': xml(CAT), 'b': '<annotations/>', 'c': xml(CAT), 'd': '', 'e': xml(CAT)})
    dataset = opened(tmp_path)
    assert dataset.image_ids == ['a', 'c', 'e'] == [record['image_id'] for record in dataset.roidb()]
    assert dataset.left_out == 2 and len(dataset.objects_by_class()[8]) == 3
    assert ('PASCALVOC_all: 2 of 5 images are left out of training and of the score: annotation file '
            f'{tmp_path}/Annotations/b.xml holds <annotations>, not <annotation>') in caplog.text
    assert caplog.text.count('left out') == 1 and '; the others: d' in caplog.text


def test_what_was_left_out_is_said_with_the_score(tmp_path, caplog):
    make_part(tmp_path, {'a': xml(CAT), 'b': '', 'c': xml(CAT)})
    dataset = opened(tmp_path)
    detections = [[[] for _ in dataset.image_ids] for _ in dataset.classes]
    with caplog.at_level('INFO'):
        assert dataset.evaluate(flat(detections), str(tmp_path / 'results'))['images_left_out'] == 1
    assert '1 images are left out of the score' in caplog.text


@pytest.mark.parametrize('class_list', [False, True])
def test_all_bad(tmp_path, class_list):
    """The message of the first file, and how many there are."""
    make_part(tmp_path, {name: '<annotations/>' for name in 'abcd'})
    if class_list:
        write(tmp_path / 'classes.txt', 'cat\n')
    with pytest.raises(SniperError, match=r'a\.xml holds <annotations>.*\(4 of 4 '):
        opened(tmp_path)


def test_a_file_without_rights(tmp_path, caplog, monkeypatch):
    make_part(tmp_path, {'a': xml(CAT), 'b': xml(CAT)}, {'train': ['a']})
    closed, really = {os.path.join(str(tmp_path), 'Annotations', 'a.xml')}, open

    def refusing(path, *args, **others):
        if str(path) in closed:
            raise PermissionError(13, 'Permission denied', path)
        return really(path, *args, **others)

    monkeypatch.setattr('builtins.open', refusing)
    assert opened(tmp_path).image_ids == ['b']
    assert f'annotation file {tmp_path}/Annotations/a.xml cannot be read: Permission denied' in caplog.text
    closed.add(os.path.join(str(tmp_path), 'ImageSets', 'Main', 'train.txt'))
    with pytest.raises(SniperError, match=r'image list .*train\.txt cannot be read: Permission denied$'):
        opened(tmp_path, 'train')


# ---- what objects say of themselves


@pytest.mark.parametrize('said, expected', [
    ('1', True), ('0', False), ('true', True), ('False', False), (' 1 ', True), ('1.0', True), ('', False),
    ('yes', True), ('Unspecified', None), ('2', None)])
def test_difficult(tmp_path, said, expected):
    path = write(tmp_path / 'a.xml', xml(('cat', 1, 1, 9, 9, said)))
    assert read_annotation(path).objects[0].difficult is expected


def test_difficult_objects_are_counted(tmp_path, caplog):
    make_part(tmp_path, {'a': xml(CAT, CAT + (1,), CAT + ('true',)), 'b': xml(CAT)})
    keys = ['dataset.dataset', 'PascalVOC', 'dataset.dataset_path', str(tmp_path), 'dataset.image_set', 'all',
            'TRAIN.USE_NEG_CHIPS', 'False']
    load_training_roidb(load_config(overrides=keys))
    said = 'PASCALVOC_all: {} of {} objects are marked as difficult (<difficult>) and are not trained on ({} cat)'
    assert said.format(2, 4, 2) in caplog.text
    make_part(tmp_path, {'a': xml(CAT + (1,)), 'b': xml(CAT + (1,), ('cat', 9, 9, 1, 1, 1))})
    with pytest.raises(SniperError, match=re.escape('can be trained on: ' + said.format(2, 2, 2))):
        load_training_roidb(load_config(overrides=keys))
    opened(tmp_path).roidb('objects')


def test_boxes_in_shares_of_the_image(tmp_path):
    make_part(tmp_path, {'a': xml(('cat', 0.1, 0.2, 0.5, 1)), 'b': xml(('cat', 0, 0, 0.25, 0.5))})
    with pytest.raises(SniperError, match='PASCALVOC_all of .* 2 of 2 boxes lie between 0 and 1: are boxes shares'):
        load(tmp_path, 'all')


@pytest.mark.parametrize('corners, said', [
    ((0, 5, 20, 30), '1 box has a corner at 0, where PASCAL VOC begins to count at 1'),
    ((60, 5, 99, 95), '1 box sticks out of its image by more than 2 pixels and is cut'),
    (('12,5', 1, 20, 30), '1 box is not four finite numbers'), (('1_0', 1, 20, 30), '1 box is not four'),
    ((20, 5, 10, 30), 'corners in the wrong order')])
def test_odd_boxes_are_counted(tmp_path, caplog, corners, said):
    make_part(tmp_path, {'a': xml(CAT, ('cat',) + corners)})
    load(tmp_path, 'all')
    assert said in caplog.text and '(annotation a object 2)' in caplog.text


@pytest.mark.parametrize('spoil, said', [
    (lambda text: text.replace('<xmin>1', '<xmin>1,5'), '3 of 3 boxes are not four finite numbers .* a point before'),
    (lambda text: text.replace('bndbox', 'robndbox'), '3 of 3 objects have no <bndbox> .* exported as boxes')])
def test_most_boxes_are_none(tmp_path, spoil, said):
    make_part(tmp_path, {'a': spoil(xml(*[('cat', 1, 2, 30, 40)] * 3))})
    with pytest.raises(SniperError, match=said):
        load(tmp_path, 'all')


def test_floats_and_exponents(tmp_path, caplog):
    make_part(tmp_path, {'a': xml(('cat', '12.5', '1e1', ' 20.0 ', '+3.0e+1'))})
    assert load(tmp_path, 'all')[0]['boxes'].tolist() == [[11, 9, 19, 29]] and not caplog.records


def test_outlines_without_a_box(tmp_path, caplog):
    outline = xml(CAT).replace('bndbox', 'polygon')
    make_part(tmp_path, {'a': xml(CAT), 'b': outline})
    assert [len(record['boxes']) for record in load(tmp_path, 'all')] == [1, 0]
    assert '1 object has no <bndbox> and is left out (annotation b object 1)' in caplog.text


def test_data_of_the_other_format_says_so(tmp_path):
    make_folder(tmp_path / 'coco', {'train': content({1: []})})
    with pytest.raises(SniperError, match='there are JSON files and no XML: set dataset.dataset coco'):
        load(tmp_path / 'coco')
    for place, part in (('plain', ''), ('kit', 'VOC2007')):
        make_part(tmp_path / place / part, {'good': xml(CAT)})
        with pytest.raises(SniperError, match='or set dataset.dataset PascalVOC: there are XML files such as good.xml'):
            get_dataset('coco', 'train', str(tmp_path / place), str(tmp_path)).roidb()
