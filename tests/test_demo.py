"""demo.py: the picture, the table, and its error lines."""
import os
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

import demo
from demo import detection_table
from lib.api import Detector
from lib.cli import run
from lib.inference.weights import names_for
from lib.utils.errors import SniperError
from tests.detections import flat
from tests.inference import tiny_data


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('demo'))
    tiny_data.write_all(path)
    return path


@pytest.fixture
def image(folder, tmp_path):
    path = str(tmp_path / 'my.photo.png')
    shutil.copy(os.path.join(folder, 'data', 'images', 'val', 'picture0.png'), path)
    return path


def arguments(folder, image, *overrides, **test_keys):
    return ['--cfg', tiny_data.CONFIG, '--im_path', image, '--set'] + tiny_data.settings(folder, **test_keys) + list(
        overrides)


def failure(capsys, *args, **keys):
    with pytest.raises(SystemExit) as stop:
        run(demo.main, arguments(*args, **keys))
    assert stop.value.code == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    assert len(lines) == 1
    return lines[0]


def test_picture_and_table(folder, image, capsys):
    assert demo.main(arguments(folder, image, VIS_THRESH=0.0)) == 0
    path = os.path.join(folder, 'out', 'demo', 'my.photo_detections.jpg')
    assert os.listdir(os.path.dirname(image)) == ['my.photo.png'], 'the folder of the image is its owner\'s'
    assert cv2.imread(path).shape == (64, 96, 3)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ['class', 'score', 'x1', 'y1', 'x2', 'y2'] and len(lines) > 3
    assert lines[-1] == 'picture: ' + path
    scores = [float(line.split()[1]) for line in lines[1:-1]]
    assert scores == sorted(scores, reverse=True) and {line.split()[0] for line in lines[1:-1]} <= {'cat', 'dog'}
    assert len({len(line) for line in lines[:-1]}) == 1, 'columns are not aligned'


def test_autofocus(image, tmp_path, capsys, monkeypatch):
    """demo.py looks at chips only where the configuration says so; here its threshold leaves none."""
    from configs import load_config
    from lib.inference import scale
    from tests.inference.random_weights import write_checkpoint
    keys = dict(AUTO_FOCUS=True, DO_PRUNING='[False, True]', CHIP_HYPERPARAMS='[(1, 1.0, 3), (-1, -1, -1)]',
                SCALES='[(48, 64), (96, 128)]', VALID_RANGES='[(-1, -1), (-1, -1)]')
    write_checkpoint(load_config(tiny_data.CONFIG, tiny_data.settings(str(tmp_path), **keys)), tiny_data.CONFIG,
                     tiny_data.CLASSES)
    windows = []
    run_scale = scale.run_scale
    monkeypatch.setattr('lib.inference.mirror.run_scale', lambda roidb, crops, *args, **kwargs:
                        windows.append(crops) or run_scale(roidb, crops, *args, **kwargs))
    assert demo.main(arguments(str(tmp_path), image, VIS_THRESH=0.0, **keys)) == 0
    assert windows[0] == [[(0, 0, 96, 64)]] and windows[1:] == [[[]]]
    assert len(capsys.readouterr().out.splitlines()) > 3


def test_nothing_to_show(folder, image, capsys):
    assert demo.main(arguments(folder, image, SCORE_THRESH=1.0, VIS_THRESH=1.0)) == 0
    assert 'no detection with a score of 1.0 or more' in capsys.readouterr().out


def test_a_place_that_cannot_be_written_costs_the_picture_alone(folder, image, tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    with pytest.raises(SystemExit) as stop:
        run(demo.main, ['--out', str(tmp_path / 'file' / 'a.jpg')] + arguments(folder, image, VIS_THRESH=0.0))
    shown = capsys.readouterr()
    assert stop.value.code == 1 and len(shown.out.splitlines()) > 3 and 'cannot write' in shown.err.splitlines()[-1]


def test_several_images_a_folder_and_bad_ones(folder, image, tmp_path, capsys):
    """All good ones are looked at, names do not clash, and the status is 1 for the bad ones."""
    place = tmp_path / 'images'
    os.makedirs(str(place / 'sub'))
    for name in ('a.png', 'a.bmp', 'sub/a.png', 'notes.txt', '._a.png'):
        shutil.copy(image, str(place / name))
    (place / 'b.jpg').write_bytes(b'GIF89a')
    words = ['--im_path', str(place), str(place / 'sub' / 'a.png'), str(tmp_path / 'gone.png'),
             '--out', str(tmp_path / 'drawn')] + arguments(folder, image, VIS_THRESH=0.0)[4:]
    with pytest.raises(SystemExit) as stop:
        run(demo.main, ['--cfg', tiny_data.CONFIG] + words)
    shown = capsys.readouterr()
    assert stop.value.code == 1 and len(set(os.listdir(str(tmp_path / 'drawn')))) == 3
    assert {name.split('_')[-1] for name in os.listdir(str(tmp_path / 'drawn'))} == {'detections.jpg'}
    assert shown.out.count('picture: ') == shown.out.count('class ') == 3 and str(place / 'a.bmp') + '\n' in shown.out
    assert 'b.jpg is a GIF' in shown.err and 'gone.png cannot be read' in shown.err
    assert shown.err.splitlines()[-1].startswith('error: 2 of 5 images failed (first: image ')


@pytest.mark.parametrize('name', [b'caf\xe9.png', b'a' * 250 + b'.png', '\u732b \U0001f408'.encode() * 15 + b'.png',
                                  b'a\nb.png'])
def test_names_that_are_no_text_or_very_long(folder, image, tmp_path, capsys, name):
    path = os.fsdecode(os.path.join(os.fsencode(str(tmp_path)), name))
    shutil.copy(image, path)
    detector = Detector.load(tiny_data.CONFIG, tiny_data.settings(folder))
    place, = demo.picture_paths([path], str(tmp_path / 'out'))
    assert demo.look_at(path, place, detector, several=True) == []
    capsys.readouterr().out.encode('utf-8')
    assert len(os.listdir(str(tmp_path / 'out'))) == 1


@pytest.mark.parametrize('out, words', [('a.webp', 'ends in one of'), ('{image}', 'is the image itself'),
                                        ('b.png two', 'name a folder')])
def test_places_that_cannot_be_meant(folder, image, tmp_path, capsys, out, words):
    out = out.format(image=image)
    with pytest.raises(SniperError, match=words):
        demo.check_out(out.split()[0], [image] * len(out.split()))
    assert demo.picture_paths([image], str(tmp_path / 'x.PNG')) == [str(tmp_path / 'x.PNG')]


def turned_photo(path, orientation):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    turn = {1: None, 3: Image.ROTATE_180, 6: Image.ROTATE_90}[orientation]
    picture = picture.transpose(turn) if turn is not None else picture
    picture.save(path, exif=exif, **({'lossless': True} if path.endswith('webp') else {}))


def test_a_photo_is_looked_at_as_viewers_show_it(folder, tmp_path, capsys):
    tables = []
    for name, orientation in (('a.png', 1), ('b.png', 6), ('c.webp', 6), ('d.png', 3)):
        path = str(tmp_path / name)
        turned_photo(path, orientation)
        assert demo.main(['--out', str(tmp_path / 'out.jpg')] + arguments(folder, path, VIS_THRESH=0.0)) == 0
        shown = capsys.readouterr()
        tables.append(shown.out)
        assert cv2.imread(str(tmp_path / 'out.jpg')).shape == (64, 96, 3)
        assert 'annotated' not in shown.err and (f'orientation {orientation} says' in shown.err) == (orientation > 1)
    assert len(set(tables)) == 1


def test_a_picture_too_long_for_jpeg_is_drawn_smaller(folder, tmp_path, capsys):
    path = str(tmp_path / 'long.png')
    cv2.imwrite(path, np.full((20, 66000, 3), 120, np.uint8))
    assert demo.main(arguments(folder, path, VIS_THRESH=0.0)) == 0
    shown = capsys.readouterr()
    assert 'drawn smaller, 65500 x 20 instead of 66000 x 20 pixels' in shown.err and 'picture: ' in shown.out
    assert cv2.imread(os.path.join(folder, 'out', 'demo', 'long_detections.jpg')).shape == (20, 65500, 3)


def test_weights_without_side_file(folder, image, tmp_path, capsys):
    """The original's checkpoints: names come from the number of classes."""
    from configs import load_config
    from tests.inference.random_weights import write_checkpoint
    config = load_config(tiny_data.CONFIG, tiny_data.settings(str(tmp_path)) + ['dataset.NUM_CLASSES', '21'])
    write_checkpoint(config, tiny_data.CONFIG, None)
    assert 'the number of classes is not known' in failure(capsys, str(tmp_path), image,
                                                                  'dataset.NUM_CLASSES', '0')
    assert demo.main(arguments(str(tmp_path), image, 'dataset.NUM_CLASSES', '21', VIS_THRESH=0.0)) == 0
    names = {line.split()[0] for line in capsys.readouterr().out.splitlines()[1:-1]}
    assert names and names <= set(names_for(21))


@pytest.mark.parametrize('content, message', [(None, 'cannot be read'), (b'', 'is empty'), (b'GIF?', 'not an image')])
def test_bad_image(folder, tmp_path, capsys, content, message):
    path = str(tmp_path / 'bad.jpg')
    if content is not None:
        with open(path, 'wb') as stream:
            stream.write(content)
    text = failure(capsys, folder, path)
    assert path in text and message in text
    assert not os.path.exists(os.path.join(folder, 'out', 'demo', 'bad_detections.jpg'))


def test_missing_model(folder, image, capsys):
    assert 'SNIPER-0009.params do not exist' in failure(capsys, folder, image, TEST_EPOCH=9)
    assert 'the shipped model nowhere-0000.params is missing too' in failure(capsys, folder, image, TEST_EPOCH=9,
                                                                             SHIPPED_MODEL='nowhere')


def test_number_of_classes_is_that_of_the_weights(folder, image, capsys):
    assert demo.main(arguments(folder, image, 'dataset.NUM_CLASSES', '7')) == 0
    text = capsys.readouterr().err
    assert 'dataset.NUM_CLASSES is 7' in text and 'on 3 classes with background: 3 are used' in text


def test_weights_of_other_shapes(folder, image, tmp_path, capsys):
    """Side file and parameters that do not belong together."""
    tiny_data.write_all(str(tmp_path), classes=('__background__', 'a', 'b', 'c', 'd'))
    base = os.path.join('out', 'sniper_tiny_e2e', 'train', 'SNIPER-0001.json')
    shutil.copy(os.path.join(folder, base), str(tmp_path / base))
    text = failure(capsys, str(tmp_path), image)
    assert 'cls_score_weight is 5x' in text and 'the network wants 3x' in text


def test_table():
    dets = [np.zeros((0, 5), np.float32), np.array([[1, 2, 3, 4, .5]], np.float32),
            np.array([[10.25, 20, 1333.5, 44.4, .75], [0, 0, 9, 9, .1]], np.float32)]
    found = flat([[of_class] for of_class in dets])
    assert detection_table(found, ('__background__', 'cat', 'polar bear'), 0.3).splitlines() == [
        'class       score      x1      y1      x2      y2',
        'polar bear  0.750    10.2    20.0  1333.5    44.4',
        'cat         0.500     1.0     2.0     3.0     4.0']
