"""demo.py: the picture, the table, and its error lines."""
import itertools
import json
import os
import shutil
import time

import cv2
import numpy as np
import pytest
from PIL import Image

import demo
from configs import load_config
from lib.bbox.detections import Detections
from lib.cli import run
from lib.image.sources import Source
from lib.image.video import Video
from lib.inference.weights import names_for
from lib.outputs import detection_table
from lib.utils.clock import StageClock
from lib.utils.errors import SniperError
from tests.detections import flat
from tests.inference import tiny_data
from tests.outputs.samples import write_video


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


def test_a_place_that_takes_no_files_is_said_before_anything_is_computed(folder, image, tmp_path, capsys, monkeypatch):
    (tmp_path / 'file').write_text('')
    monkeypatch.setattr(demo.Detector, 'load', None)
    for words in (['--out', 'a.jpg'], ['--out', 'folder'], ['--json', 'a.json'], ['--csv', 'a.csv'], ['--yolo', 'y'],
                  ['--labelme', 'l'], ['--crops', 'c']):
        with pytest.raises(SniperError, match='cannot write'):
            demo.main([words[0], str(tmp_path / 'file' / words[1])] + arguments(folder, image))
    with pytest.raises(SystemExit) as stop:
        run(demo.main, ['--out', str(tmp_path / 'file' / 'a.jpg')] + arguments(folder, image))
    assert stop.value.code == 1 and capsys.readouterr().err.startswith('error: cannot write')


def test_several_images_a_folder_and_bad_ones(folder, image, tmp_path, capsys):
    """All good ones are looked at, names do not clash, and the status is 1 for the bad ones."""
    place = tmp_path / 'images'
    os.makedirs(str(place / 'sub'))
    for name in ('a.png', 'a.bmp', 'sub/a.png', 'notes.txt', '._a.png'):
        shutil.copy(image, str(place / name))
    (place / 'b.jpg').write_bytes(b'GIF89a')
    (tmp_path / 'empty.png').write_bytes(b'')
    words = ['--im_path', str(place), str(place / 'sub' / 'a.png'), str(tmp_path / 'empty.png'),
             '--out', str(tmp_path / 'drawn')] + arguments(folder, image, VIS_THRESH=0.0)[4:]
    with pytest.raises(SystemExit) as stop:
        run(demo.main, ['--cfg', tiny_data.CONFIG] + words)
    shown = capsys.readouterr()
    assert stop.value.code == 1 and len(set(os.listdir(str(tmp_path / 'drawn')))) == 3
    assert {name.split('_')[-1] for name in os.listdir(str(tmp_path / 'drawn'))} == {'detections.jpg'}
    assert shown.out.count('picture: ') == shown.out.count('class ') == 3 and str(place / 'a.bmp') + '\n' in shown.out
    assert 'b.jpg is a GIF' in shown.err and 'empty.png is empty' in shown.err
    assert shown.err.splitlines()[-1].startswith('error: 2 of 5 images failed (first: image ')


@pytest.mark.parametrize('name', [b'caf\xe9.png', b'a' * 250 + b'.png', '\u732b \U0001f408'.encode() * 15 + b'.png',
                                  b'a\nb.png'])
def test_names_that_are_no_text_or_very_long(folder, image, tmp_path, capsys, name):
    (tmp_path / 'in').mkdir()
    shutil.copy(image, os.fsdecode(os.path.join(os.fsencode(str(tmp_path)), b'in', name)))
    assert demo.main(['--out', str(tmp_path / 'out')] + arguments(folder, str(tmp_path / 'in'))) == 0
    capsys.readouterr().out.encode('utf-8')
    assert len(os.listdir(str(tmp_path / 'out'))) == 1


@pytest.mark.parametrize('words, message', [
    (['--out', 'a.webp'], 'ends in one of'), (['--out', '{image}'], 'is the image itself'),
    (['--out', 'b.png', '--im_path', '{image}', '{image}'], 'name a folder'), (['--json', '{image}'], 'end in .json'),
    (['--csv', 'a.json'], 'end in .csv'), (['--min_score', '50'], 'from 0 to 1'), (['--every', '0'], '1 or more'),
    (['--limit', '-1'], '1 or more'), (['--im_path', 'gone.png'], 'gone.png cannot be read: it is missing'),
    (['--im_path', ''], "an image is called ''"),
    (['--im_path', '*.nothing'], 'fits no picture'), (['--im_path', 'cut.mp4'], 'video cut.mp4 is damaged, cut short'),
    (['--im_path', '7'], 'camera 7 cannot be opened'), (['--im_path', 'there'], 'holds no picture'),
    (['--labelme', 'there'], 'may have been corrected by hand')])
def test_what_cannot_be_meant_is_said_before_anything_is_computed(image, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo.Detector, 'load', None)
    (tmp_path / 'cut.mp4').write_bytes(b'\0\0\0\x18ftypmp42' + bytes(100))
    (tmp_path / 'there').mkdir()
    (tmp_path / 'there' / 'my.photo.json').write_text('{}')
    with pytest.raises(SniperError, match=message):
        demo.main(['--im_path', image] + [word.format(image=image) for word in words])


class FakeDetector:
    """Finds a box whose score is the brightness of a picture in hundredths."""

    def __init__(self):
        self.classes, self.batch_images, self.calls = ('__background__', 'cat'), 4, []
        self.config = load_config(tiny_data.CONFIG)
        self.clock = StageClock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def detect(self, images):
        images = [cv2.imread(item) if isinstance(item, str) else item for item in images]
        self.calls.append(len(images))
        return Detections(range(len(images)), np.ones(len(images)), [[1, 2, 20, 30]] * len(images),
                          [item.mean() / 100 for item in images], classes=self.classes,
                          sizes=[item.shape[1::-1] for item in images])


@pytest.fixture
def fake(monkeypatch):
    detector = FakeDetector()
    monkeypatch.setattr(demo.Detector, 'load', lambda *_: detector)
    return detector


@pytest.mark.parametrize('ending', ['mp4', 'avi'])
def test_a_video(fake, tmp_path, capsys, ending):
    """Frames are all there, in order, in whole batches; with --every the video lasts as long."""
    path = write_video(str(tmp_path / 'my film.avi'))
    words = ['--im_path', path, '--out', str(tmp_path / f'drawn.{ending}'), '--json', str(tmp_path / 'a.json'),
             '--csv', str(tmp_path / 'a.csv'), '--labelme', str(tmp_path / 'l'), '--min_score', '0.15']
    assert demo.main(words) == 0
    shown = capsys.readouterr().out
    assert '7 frames in ' in shown and 'frames/s' in shown and f'drawn.{ending} (7 frames)' in shown
    assert fake.calls == [4, 3]
    drawn = Video(str(tmp_path / f'drawn.{ending}'))
    assert [number for number, _, _ in drawn.frames()] == list(range(7)) and drawn.size == (64, 48)
    content = json.load(open(str(tmp_path / 'a.json')))
    assert [image['frame'] for image in content['images']] == list(range(7))
    assert [round(entry['score'], 1) for entry in content['annotations']] == [.2, .3, .4, .5, .6]
    assert {'my film_000006.jpg', 'my film_000006.json'} <= set(os.listdir(str(tmp_path / 'l')))
    with pytest.raises(SniperError, match='corrected by hand'):
        demo.main(words)
    assert demo.main(['--im_path', path, '--out', str(tmp_path / 'less'), '--every', '3', '--limit', '2']) == 0
    less = Video(str(tmp_path / 'less' / 'my film_detections.mp4'))
    assert len(list(less.frames())) == 2 and less.rate == pytest.approx(10 / 3, rel=.01)


def test_ctrl_c_leaves_whole_files(fake, tmp_path, monkeypatch):
    path = write_video(str(tmp_path / 'film.avi'))
    detect = fake.detect

    def interrupted(images):
        if fake.calls:
            raise KeyboardInterrupt
        return detect(images)
    monkeypatch.setattr(fake, 'detect', interrupted)
    with pytest.raises(KeyboardInterrupt):
        demo.main(['--im_path', path, '--out', str(tmp_path / 'a.mp4'), '--csv', str(tmp_path / 'a.csv')])
    assert len(list(Video(str(tmp_path / 'a.mp4')).frames())) == 4 and (tmp_path / 'a.csv').exists()


class Camera:
    """One that never ends."""

    live, path, rate, count = True, 'camera 0', 25.0, 0

    def frames(self, every):
        for number in itertools.count(0, every):
            time.sleep(.001)
            yield number, number / 100, np.full((48, 64, 3), 50, np.uint8)

    def close(self):
        self.path = 'closed'


def test_a_camera_goes_on_until_ctrl_c(fake, tmp_path, monkeypatch, capsys):
    camera, detect = Camera(), fake.detect

    def interrupted(images):
        if len(fake.calls) == 3:
            raise KeyboardInterrupt
        return detect(images)
    monkeypatch.setattr(fake, 'detect', interrupted)
    monkeypatch.setattr(demo, 'open_sources', lambda _: [Source('camera 0', camera)])
    assert demo.main(['--im_path', '0', '--out', str(tmp_path), '--csv', str(tmp_path / 'a.csv')]) == 0
    assert fake.calls == [1, 1, 1] and len((tmp_path / 'a.csv').read_text().splitlines()) == 4
    assert os.path.exists(str(tmp_path / 'camera 0_detections.mp4')) and camera.path == 'closed'
    monkeypatch.setattr(demo, 'open_sources', lambda _: [Source('camera 0', camera), Source('a.png')])
    with pytest.raises(SniperError, match='look at it alone'):
        demo.main([])


def test_pictures_of_a_pattern_and_equal_names(fake, tmp_path, capsys):
    for name, side in (('a/x.png', 32), ('a/y.png', 32), ('b/x.png', 40)):
        os.makedirs(str(tmp_path / os.path.dirname(name)), exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.full((side, side, 3), 90, np.uint8))
    (tmp_path / 'a' / 'notes.txt').write_text('')
    assert demo.main(['--im_path', str(tmp_path / '**' / '*'), '--json', str(tmp_path / 'a.json'), '--yolo',
                      str(tmp_path / 'y'), '--crops', str(tmp_path / 'c')]) == 0
    assert fake.calls == [2, 1], 'pictures of one size share a batch'
    content = json.load(open(str(tmp_path / 'a.json')))
    assert [image['file_name'] for image in content['images']] == ['a/x.png', 'a/y.png', 'b/x.png']
    assert sorted(os.listdir(str(tmp_path / 'y' / 'labels'))) == ['x.txt', 'x_3.txt', 'y.txt']
    assert len(os.listdir(str(tmp_path / 'c' / 'cat'))) == 3
    assert capsys.readouterr().out.count('class ') == 3


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
