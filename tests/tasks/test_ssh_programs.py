"""SSH by the command lines, on a few small pictures in WIDER FACE's layout: whole pictures and chips, iterations and
resuming, an image pyramid, AutoFocus, shards, pictures, the API, and a face set in COCO's format."""
import glob
import os
import re
import shutil

import cv2
import numpy as np
import pytest

import demo
import main_test
import main_train
from lib.api import Detector
from lib.dataset.synthetic import generate
from lib.utils.errors import SniperError
from lib.weights.params_file import read_arrays
from tests.conftest import ROOT

CONFIGS = os.path.join(ROOT, 'configs', 'ssh')
SMALL = {'TRAIN.CHIP_SIZE': '96', 'TRAIN.SCALES': '[[72, 96]]', 'TRAIN.BATCH_IMAGES': '2', 'TRAIN.end_epoch': '0',
         'TRAIN.end_iteration': '5', 'TRAIN.SNAPSHOT_ITERATIONS': '3', 'TRAIN.warmup_step': '2',
         'TRAIN.NUM_PROCESS': '1', 'TEST.NUM_PROCESS': '0', 'TEST.SCALES': '[[72, 96]]', 'TEST.BATCH_IMAGES': '2',
         'TEST.SCORE_THRESH': '0.05', 'TEST.MAX_PER_IMAGE': '50', 'gpus': 'cpu', 'network.FIX_BN': 'False'}
CHIPS = {'TRAIN.SAMPLER': 'chips', 'TRAIN.CHIP_SIZE': '64', 'TRAIN.CHIP_STRIDES': '[8]', 'TRAIN.SCALES': '[2x, 64px]',
         'TRAIN.VALID_RANGES': '[[-1, 14], [10, -1]]', 'TEST.SCALES': '[64px, 2x]',
         'TEST.VALID_RANGES': '[[10, -1], [-1, 14]]', 'TEST.BATCH_IMAGES': '[2, 2]'}
FACES = {'a': [(10, 12, 12, 14), (40, 20, 20, 22)], 'b': [(30, 30, 9, 9)], 'c': [(5, 5, 30, 32), (60, 40, 10, 12)]}


@pytest.fixture(scope='module')
def wider(tmp_path_factory):
    root = tmp_path_factory.mktemp('wider')
    rng = np.random.default_rng(0)
    for split in ('train', 'val'):
        folder, lines = root / f'WIDER_{split}' / 'images' / '0--Parade', []
        folder.mkdir(parents=True)
        for name, boxes in FACES.items():
            pixels = rng.integers(0, 90, (80, 96, 3)).astype(np.uint8)
            for x, y, width, height in boxes:
                pixels[y:y + height, x:x + width] = 200
            assert cv2.imwrite(str(folder / f'{name}.jpg'), pixels)
            lines += [f'0--Parade/{name}.jpg', str(len(boxes))]
            lines += [' '.join(map(str, box)) + ' 0 0 0 0 0 0 ' for box in boxes]
        (root / 'wider_face_split').mkdir(exist_ok=True)
        (root / 'wider_face_split' / f'wider_face_{split}_bbx_gt.txt').write_text('\n'.join(lines) + '\n')
    return str(root)


def arguments(data, output, *words, cfg='ssh_tiny', flags=(), **changed):
    keys = dict(SMALL, **{'output_path': str(output), 'dataset.dataset_path': data, 'dataset.root_path': str(output)})
    keys.update(changed.get('keys', {}))
    keys.update(zip(words[::2], words[1::2]))
    return ['--cfg', os.path.join(CONFIGS, cfg + '.yml'), *flags, '--set'] + [
        word for pair in keys.items() for word in pair]


def folder(output, *names, cfg='ssh_tiny'):
    return os.path.join(str(output), cfg, 'train', *names)


def rows_of(output, cfg='ssh_tiny'):
    path, = glob.glob(folder(output, 'results', '*', '*', 'dets_final', 'detections.npz', cfg=cfg))
    with np.load(path) as file:
        return file['rows']


@pytest.fixture(scope='module')
def trained(wider, tmp_path_factory):
    """Output path of an uninterrupted run."""
    output = tmp_path_factory.mktemp('straight')
    assert main_train.main(arguments(wider, output)) == 0
    return output


def test_it_trained_by_iterations(trained):
    assert {os.path.basename(path) for path in glob.glob(folder(trained, '*.params'))} == {
        'SNIPER-iter3.params', 'SNIPER-iter5.params'}
    early, last = (read_arrays(folder(trained, f'SNIPER-iter{number}.params')) for number in (3, 5))
    assert {'arg:m1@ssh_3x3_weight', 'arg:m3@ssh_bbox_pred_bias', 'aux:neck_bn_moving_var'} <= set(last)
    assert all(np.isfinite(array).all() for array in last.values())
    still = {name for name in early if np.array_equal(early[name], last[name])}
    assert still <= {'arg:m2@ssh_bbox_pred_bias', 'arg:m3@ssh_bbox_pred_bias'}    # there is no face of their sizes
    log, = glob.glob(folder(trained, '*.log'))
    with open(log) as stream:
        text = stream.read()
    assert 'M1LogLoss' in text and 'M3L1Loss' in text and 'TRAIN [72, 96]' in text


def test_it_resumes_exactly(wider, trained, tmp_path):
    """From its third iteration, with what lies there of the run that went on."""
    os.makedirs(folder(tmp_path))
    for path in glob.glob(folder(trained, '*iter3*')) + glob.glob(folder(trained, '*.json*')):
        if 'iter5' not in path:
            shutil.copy(path, folder(tmp_path))
    assert main_train.main(arguments(wider, tmp_path, flags=['--resume'])) == 0
    one, other = (read_arrays(folder(output, 'SNIPER-iter5.params')) for output in (trained, tmp_path))
    assert [name for name in one if one[name].tobytes() != other[name].tobytes()] == []


def test_it_is_tested_and_sharded(wider, trained):
    assert main_test.main(arguments(wider, trained)) == 0
    alone = rows_of(trained)
    assert len(alone)
    for number in (1, 2):
        assert main_test.main(arguments(wider, trained, flags=['--shard', f'{number}/2'])) == 0
    assert main_test.main(arguments(wider, trained, flags=['--merge', '2'])) == 0
    np.testing.assert_allclose(rows_of(trained), alone, rtol=1e-4, atol=1e-3)


def test_a_pyramid_leaves_the_third_module_out(wider, trained, tmp_path, capsys):
    """At the largest scale, where alone nothing as large as its smallest anchor is found."""
    words = ['TEST.SCALES', '[[48, 72], [72, 96]]', 'TEST.VALID_RANGES', '[[-1, -1], [-1, -1]]', 'TEST.BATCH_IMAGES',
             '[1, 1]', 'TEST.NMS', '1', 'TEST.MAX_PER_IMAGE', '0', 'TEST.SCORE_THRESH', '0.0']
    found = {}
    for left_out in ('[3]', '[]'):
        with Detector.load(os.path.join(CONFIGS, 'ssh_tiny.yml'), arguments(wider, trained, *words, 'SSH.left_out',
                                                                             left_out)[3:]) as detector:
            path = os.path.join(wider, 'WIDER_val', 'images', '0--Parade', 'a.jpg')
            found[left_out] = len(detector.detect(path).score)
    assert found['[]'] - found['[3]'] == 2 * 3 * 3      # anchors of the third module's map of 72 x 86 pixels


def test_demo_and_the_api(wider, trained, tmp_path, capsys):
    place = os.path.join(wider, 'WIDER_val', 'images', '0--Parade')
    assert demo.main(['--im_path', place, '--out', str(tmp_path) + os.sep] + arguments(
        wider, trained, 'TEST.VIS_THRESH', '0')) == 0
    assert len(os.listdir(str(tmp_path))) == 3 and 'face' in capsys.readouterr().out


def test_chips_and_autofocus(wider, tmp_path, capsys):
    keys = dict(CHIPS, **{'TRAIN.AUTO_FOCUS': 'True', 'TEST.AUTO_FOCUS': 'True', 'TEST.DO_PRUNING': '[False, True]',
                          'TEST.CHIP_HYPERPARAMS': '[[1, 0.01, 1], [-1, -1, -1]]'})
    assert main_train.main(arguments(wider, tmp_path, keys=keys)) == 0
    log = capsys.readouterr().err
    assert 'AutoFocusLogLoss' in log and re.search(r'chips_per_scale \[\d+, \d+\]', log)
    assert main_test.main(arguments(wider, tmp_path, keys=keys)) == 0
    assert len(rows_of(tmp_path)) and re.search(r'scale 2x: \d+ windows', capsys.readouterr().err)
    without = dict(keys, **{'TRAIN.AUTO_FOCUS': 'False'})
    other = tmp_path / 'other'
    assert main_train.main(arguments(wider, other, keys=without)) == 0
    with pytest.raises(SniperError, match='trained without AutoFocus'):
        main_test.main(arguments(wider, other, keys=keys))


def test_several_classes_are_refused(tmp_path):
    path = str(tmp_path / 'scenes')
    generate(path, counts={'train': 2, 'val': 1, 'test-dev': 1}, processes=1)
    with pytest.raises(SniperError, match='finds one class, and there are 6') as caught:
        main_train.main(arguments(path, tmp_path, 'dataset.dataset', 'synthetic'))
    assert 'dataset.CLASSES' in str(caught.value) and '\n' not in str(caught.value)
    joined = "['face = disc + box']"
    assert main_train.main(arguments(path, tmp_path, 'dataset.dataset', 'synthetic', 'dataset.CLASSES', joined,
                                     'TRAIN.end_iteration', '1', 'TRAIN.SNAPSHOT_ITERATIONS', '0',
                                     'TRAIN.VISUALIZE_VALID_GT', '2')) == 0
    assert len(os.listdir(folder(tmp_path, 'chips'))) == 4      # each of two raw, and with its boxes
