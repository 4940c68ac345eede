"""Lists of sets as people and other programs write them: read, or one line that says what to write."""
import pytest

from lib.dataset import get_dataset
from lib.utils.errors import SniperError
from tests.dataset.voc_folder import make_part, write, xml

CAT = ('cat', 11, 21, 30, 40)


@pytest.fixture
def folder(tmp_path):
    return make_part(tmp_path, {name: xml(CAT) for name in ('img0', 'img1', 'sub/img2', 'a.b', 'two words')})


def ids(folder, content, name='train'):
    path = write(f'{folder}/ImageSets/Main/{name}.txt', '')
    with open(path, 'wb') as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
    return get_dataset('PascalVOC', name, folder, folder).image_ids


@pytest.mark.parametrize('content', [
    'img0\r\nsub/img2\r\n', 'img0\rsub/img2', '\ufeffimg0\nsub/img2', '\n img0 \t\n\n\tsub/img2 \n \n',
    './img0\n./sub/img2\n', 'img0\nsub\\img2\n', 'img0\r\nsub/img2'.encode('utf-16'),
    b'\xfe\xff' + 'img0\nsub/img2'.encode('utf-16-be')])
def test_read(folder, content):
    assert ids(folder, content) == ['img0', 'sub/img2']


def test_names_with_dots_and_blanks(folder):
    assert ids(folder, 'a.b\ntwo words\n') == ['a.b', 'two words']


@pytest.mark.parametrize('line, said', [
    ('img0.jpg', 'img0.jpg has an ending; write img0'),
    ('sub/img2.PNG', 'sub/img2.PNG has an ending; write sub/img2'),
    ('a.b.webp', 'a.b.webp has an ending; write a.b'),
    ('img0.xml', 'img0.xml has an ending; write img0'),
    ('img0 -1', "'img0 -1' says whether an image shows a class.*or write img0$"),
    ('two words  1', "'two words 1' says whether an image shows a class.*or write two words$"),
    ('img0.jpg\t0', "'img0.jpg 0' says whether an image shows a class.*or write img0$"),
    ('/data/x/JPEGImages/sub/img2.jpg', 'is not the name of an image in this folder; write sub/img2'),
    ('C:\\x\\img0.jpg', 'is not the name of an image in this folder; write img0'),
    ('../JPEGImages/img0', 'is not the name of an image in this folder; write img0'),
    ('JPEGImages/img0.jpg Annotations/img0.xml', 'is more than the name of an image; write img0'),
    ('"img0"', 'is more than the name of an image; write img0'),
    ('img0.jpg,img1.jpg', 'is more than the name of an image; write img0'),
    ('/nowhere/{x}.jpg', 'write names as they are below the folder of images, without ending')])
def test_refused_with_the_mend(folder, line, said):
    with pytest.raises(SniperError, match=r'image list .*train\.txt line 2: .*' + said) as caught:
        ids(folder, f'img1\n{line}\n')
    assert 'img0 -1' in str(caught.value) or '\t' not in str(caught.value)


def test_twice(folder):
    with pytest.raises(SniperError, match=r"line 4: image 'sub/img2' occurs twice, first in line 1: write it once"):
        ids(folder, 'sub/img2\nimg0\n\nsub\\img2')


@pytest.mark.parametrize('content', [b'img0\nimg\xe9\n', b'\xff\xfea', 'img0\nimgé'.encode('utf-16')[:-1]])
def test_no_text(folder, content):
    with pytest.raises(SniperError, match=r'train\.txt cannot be read: line [12] is no UTF-8 text; save it as UTF-8'):
        ids(folder, content)


def test_names_of_nothing_are_left_out_and_said(folder, caplog):
    path = f'{folder}/ImageSets/Main/train.txt'
    write(path, 'img0\nimg1\nimg7\nsub/img0\na.b\n')
    dataset = get_dataset('PascalVOC', 'train', folder, folder)
    assert len(dataset.roidb()) == 3 and dataset.image_ids == ['img0', 'img1', 'a.b']
    said = 'PASCALVOC_train: 2 of 5 images are left out of training and of the score: image list {0} line 3: there is '
    said += 'neither an annotation {1}/Annotations/img7.xml nor an image {1}/JPEGImages/img7.jpg: correct the name; '
    assert said.format(path, folder) + 'the others: sub/img0' in caplog.text
    write(path, 'img0\nx\ny\n')
    with pytest.raises(SniperError, match=r'line 2: there is neither .*x\.xml .*\(2 of 3 images of PASCALVOC_train'):
        get_dataset('PascalVOC', 'train', folder, folder).roidb()


def test_lists_of_classes_are_named_last(tmp_path):
    sets = ('train', 'val', 'trainval', 'test')
    part = make_part(tmp_path / 'VOC2007', {'a': xml(CAT)}, {name: ['a'] for name in sets})
    for number in range(7):
        for name in sets:
            write(f'{part}/ImageSets/Main/c{number}_{name}.txt', 'a  1\nb -1\n')
    with pytest.raises(SniperError) as caught:
        get_dataset('PascalVOC', 'train', str(tmp_path), str(tmp_path))
    named = str(caught.value).split('sets there: ')[1].split(', ')
    assert named[:2] == ['2007_train', '2007_trainval'] and named[-1] == '...'
    assert sorted(named[:5]) == ['2007_all', '2007_test', '2007_train', '2007_trainval', '2007_val']
    with pytest.raises(SniperError, match=r"c0_train.txt line 1: 'a 1' says whether"):
        get_dataset('PascalVOC', '2007_c0_train', str(tmp_path), str(tmp_path))


def test_remarks_in_a_class_list(tmp_path):
    make_part(tmp_path, {'a': xml(CAT, ('#1', 1, 1, 9, 9))})
    for content in ('# ours\ncat # the animal\n#1\n', '\ufeffcat\r#1\r'):
        write(tmp_path / 'classes.txt', content)
        assert get_dataset('PascalVOC', 'all', '.', str(tmp_path)).classes[1:] == ('cat', '#1')
    (tmp_path / 'classes.txt').write_bytes('cat\r\n#1\r\n'.encode('utf-16'))
    assert get_dataset('PascalVOC', 'all', '.', str(tmp_path)).classes[1:] == ('cat', '#1')
