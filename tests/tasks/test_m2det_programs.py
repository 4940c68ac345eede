"""M2Det by the command lines: training that is killed and resumed, tests on COCO and VOC, shards, pictures, the API."""
import glob
import os
import re
import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

import demo
import main_test
import main_train
from lib.api import Detector
from lib.chips import stats
from lib.dataset.synthetic import generate
from lib.utils.errors import SniperError
from lib.visualization.chips import HEADER, MARGIN, VALID
from lib.weights.params_file import read_arrays
from tests.conftest import ROOT
from tests.dataset.voc_folder import make_part, xml
from tests.inference import tiny_data

CONFIG = os.path.join(ROOT, 'configs', 'm2det', 'm2det_tiny.yml')
SMALL = {'M2DET.input_size': '64', 'M2DET.num_scales': '3', 'M2DET.size_pattern': '[0.15, 0.4, 0.7, 0.9]',
         'M2DET.planes': '16', 'TRAIN.BATCH_IMAGES': '2', 'TRAIN.MAX_BATCHES': '3', 'TRAIN.end_epoch': '2',
         'TRAIN.NUM_PROCESS': '1', 'TEST.NUM_PROCESS': '0', 'TEST.BATCH_IMAGES': '2', 'TEST.TEST_EPOCH': '2',
         'TEST.SCORE_THRESH': '0.05', 'gpus': 'cpu'}


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('data') / 'synthetic')
    generate(path, counts={'train': 6, 'val': 4, 'test-dev': 1}, processes=1)
    return path


def arguments(images, output, *words, flags=(), **changed):
    keys = dict(SMALL, **{'output_path': str(output), 'dataset.dataset_path': images, 'dataset.root_path': str(output)})
    keys.update(zip(words[::2], words[1::2]))
    return ['--cfg', CONFIG, *flags, '--set'] + [word for pair in keys.items() for word in pair]


def folder(output, *names):
    return os.path.join(str(output), 'm2det_tiny', 'train', *names)


def detections(output):
    with np.load(folder(output, 'results', 'synthetic_val', 'SNIPER-0002', 'dets_final', 'detections.npz')) as file:
        return file['rows']


@pytest.fixture(scope='module')
def trained(images, tmp_path_factory):
    """Output path of an uninterrupted run."""
    output = tmp_path_factory.mktemp('straight')
    assert main_train.main(arguments(images, output)) == 0
    return output


def test_it_trained(trained):
    first, second = (read_arrays(folder(trained, f'SNIPER-000{epoch}.params')) for epoch in (1, 2))
    assert set(first) == set(second) >= {'arg:conf.2.weight', 'arg:base.0.weight', 'aux:Norm.running_var'}
    assert all(np.isfinite(array).all() for array in second.values())
    unmoved = [name for name in first if np.array_equal(first[name], second[name])]
    assert unmoved == []
    log, = [name for name in os.listdir(folder(trained)) if name.endswith('.log')]
    with open(folder(trained, log)) as stream:
        text = stream.read()
    assert re.search(r'Trained to epoch 2 in .*, with at most \d+\.\d\d GB of main memory$', text, re.MULTILINE)
    assert 'TRAIN 64px' in text and 'TEST input' in text and 'ConfLoss' in text and 'WARNING' not in text


def test_a_killed_process_resumes_exactly(images, trained, tmp_path):
    process = subprocess.Popen([sys.executable, 'main_train.py'] + arguments(
        images, tmp_path, flags=['--display', '1']), cwd=ROOT, stderr=subprocess.PIPE, universal_newlines=True)
    for line in process.stderr:
        if 'Epoch 2/2 batch 1/3' in line:
            process.send_signal(signal.SIGKILL)
            break
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == -9, rest
    assert main_train.main(arguments(images, tmp_path, 'TRAIN.NUM_PROCESS', '0', flags=['--resume'])) == 0
    for suffix in ('params', 'states'):
        one, other = (read_arrays(folder(output, f'SNIPER-0002.{suffix}')) for output in (trained, tmp_path))
        assert one.keys() == other.keys()
        assert [name for name in one if one[name].tobytes() != other[name].tobytes()] == []


def test_a_loss_that_is_not_finite_names_the_images(images, tmp_path):
    with pytest.raises(SniperError, match=r'not finite .*epoch 1, batch \d, images .*\.(jpg|png)'):
        main_train.main(arguments(images, tmp_path, 'TRAIN.lr', '1e30', 'TRAIN.warmup', 'False', 'TRAIN.CLIP_NORM',
                                  '0'))


def test_it_is_tested_drawn_and_sharded(images, trained, capsys):
    assert main_test.main(arguments(images, trained, flags=['--vis'])) == 0
    text = capsys.readouterr().err
    assert 'Average Precision' in text and 'scale input: 4 windows' in text
    alone = detections(trained)
    assert len(alone) and len(os.listdir(folder(trained, 'results', 'synthetic_val', 'SNIPER-0002', 'pictures',
                                                'dets_final'))) == 4
    for jobs in ('2', '1'):
        assert main_test.main(arguments(images, trained, 'TEST.CONCURRENT_JOBS', jobs)) == 0
        np.testing.assert_array_equal(detections(trained), alone)
    for number in (1, 2):
        assert main_test.main(arguments(images, trained, flags=['--shard', f'{number}/2'])) == 0
    assert main_test.main(arguments(images, trained, flags=['--merge', '2'])) == 0
    np.testing.assert_allclose(detections(trained), alone, rtol=1e-4, atol=1e-3)


def test_limit_of_a_class(images, trained):
    before = set(glob.glob(folder(trained, 'results', 'synthetic_val', '*')))
    assert main_test.main(arguments(images, trained, 'TEST.MAX_PER_CLASS', '2')) == 0
    own, = set(glob.glob(folder(trained, 'results', 'synthetic_val', '*'))) - before
    with np.load(os.path.join(own, 'dets_final', 'detections.npz')) as file:
        image, label = np.repeat(np.arange(4), file['rows_per_image']), file['rows'][:, 5]
    assert np.unique([image, label], axis=1, return_counts=True)[1].max() == 2


def test_the_api_finds_what_the_test_finds(images, trained):
    place = os.path.join(images, 'images', 'val')
    paths = [os.path.join(place, name) for name in sorted(os.listdir(place))]
    words = arguments(images, trained)
    with Detector.load(CONFIG, words[words.index('--set') + 1:]) as detector:
        together, single = detector.detect(paths), detector.detect(paths[0])
    assert 'disc' in detector.classes
    of_first = together.take(together.image == 0)
    np.testing.assert_allclose(of_first.box, single.box, rtol=1e-4, atol=1e-2)


def test_demo(images, trained, tmp_path, capsys):
    image = os.path.join(images, 'images', 'val')
    assert demo.main(['--im_path', image, '--out', str(tmp_path) + os.sep] + arguments(
        images, trained, 'TEST.VIS_THRESH', '0')) == 0
    assert len(os.listdir(str(tmp_path))) == 4 and 'class' in capsys.readouterr().out


@pytest.mark.parametrize('augment, panels', [('True', 4), ('False', 1)])
def test_statistics_draw_what_the_network_sees(images, tmp_path, capsys, augment, panels):
    """The pixels and boxes that training has, the former but for the boxes' lines."""
    drawn = str(tmp_path / 'drawn')
    words = arguments(images, tmp_path, 'M2DET.augment', augment, flags=['--out', '', '--draw', '2', drawn])
    assert stats.main(words) == 0
    seen = sorted(name for name in os.listdir(drawn) if name.endswith('_seen.png'))
    assert len(seen) == 2 and '6 images' in capsys.readouterr().out
    picture = cv2.imread(os.path.join(drawn, seen[0]))
    assert picture.shape[1] == panels * (64 + MARGIN)
    if augment == 'False':
        path = os.path.join(images, 'images', 'train', seen[0].replace('_seen.png', '.jpg'))
        expected = cv2.resize(cv2.imread(path), (64, 64))
        green = (picture[HEADER:, :64] == VALID).all(axis=2)
        assert 0 < green.mean() < 0.5
        np.testing.assert_array_equal(picture[HEADER:, :64][~green], expected[~green])


def test_start_from_a_detector_with_a_frozen_backbone(images, trained, tmp_path, capsys):
    """The heads are new, which is said, as is a part of FIXED_PARAMS that no name has."""
    before = folder(trained, 'SNIPER')
    assert main_train.main(arguments(images, tmp_path, 'network.pretrained', before, 'network.pretrained_epoch', '2',
                                     'network.FIXED_PARAMS', '["base.", "bn0"]', 'TRAIN.end_epoch', '1',
                                     'network.KEEP_HEADS', 'False')) == 0
    said = capsys.readouterr().err
    assert '60 of 125 parameters are frozen (network.FIXED_PARAMS: base., bn0); no name has bn0 in it' in said
    assert '12 new ones are initialised (conf.0.bias, conf.0.weight, conf.1.bias, conf.1.weight and 8' in said
    old, new = read_arrays(before + '-0002.params'), read_arrays(folder(tmp_path, 'SNIPER-0001.params'))
    same = {name for name in old if np.array_equal(old[name], new[name])}
    assert same == {name for name in old if name.startswith(('arg:base.', 'aux:base.'))}


@pytest.mark.parametrize('key, value, mend', [
    ('M2DET.planes', '32', '16'), ('M2DET.backbone', 'resnet18', 'vgg16_bn M2DET.width 0.125'),
    ('M2DET.num_levels', '3', '2'), ('M2DET.sfam', 'True', 'False')])
def test_weights_of_another_network(images, trained, key, value, mend):
    width = ['M2DET.width', '1'] if key == 'M2DET.backbone' else []
    with pytest.raises(SniperError, match=f'do not fit the network: .* they are of another m2det: --set {key} {mend}$'):
        main_test.main(arguments(images, trained, key, value, *width))


def test_an_input_of_another_size_takes_the_same_weights(images, trained, tmp_path):
    """Their shapes do not depend on it."""
    shutil.copytree(folder(trained), folder(tmp_path))
    assert main_test.main(arguments(images, tmp_path, 'M2DET.input_size', '96')) == 0


def test_data_in_the_format_of_voc(images, tmp_path, capsys):
    """Trained and tested there, in one set; difficult objects are trained on."""
    annotations = {f'picture{number}': xml(('cat', 6, 7, 35, 46), ('dog', 40, 40, 60, 60, 1), size=size)
                   for number, size in enumerate(tiny_data.SIZES)}
    voc = make_part(str(tmp_path / 'voc'), annotations, {'val': sorted(annotations)}, image_files=False)
    tiny_data.write_data(str(tmp_path / 'data'))
    shutil.copytree(str(tmp_path / 'data' / 'images' / 'val'), os.path.join(voc, 'JPEGImages'))
    words = ['dataset.dataset', 'PascalVOC', 'dataset.dataset_path', voc, 'dataset.image_set', 'val',
             'TRAIN.end_epoch', '1', 'TEST.TEST_EPOCH', '1', 'TEST.SCORE_THRESH', '0.01']
    assert main_train.main(arguments(images, tmp_path, *words)) == 0
    assert main_test.main(arguments(images, tmp_path, *words)) == 0
    log = capsys.readouterr().err
    assert 'mean AP at IoU 0.5 = ' in log and 'objects            6: ' in log
