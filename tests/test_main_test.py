"""main_test.py from the command line to files, with sniper_tiny of random weights."""
import json
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

import main_test
from configs import load_config
from lib.cli import run
from tests.conftest import ROOT
from tests.inference import tiny_data
from tests.inference.random_weights import write_checkpoint


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('main_test'))
    tiny_data.write_all(path)
    return path


def test(folder, *arguments, **test_keys):
    return main_test.main(['--cfg', tiny_data.CONFIG] + list(arguments) + ['--set'] +
                          tiny_data.settings(folder, **test_keys))


test.__test__ = False


def results(folder):
    with open(tiny_data.results(folder, 'detections_val_results.json'), encoding='utf-8') as stream:
        return json.load(stream)


def failure(capsys, folder, *overrides, **test_keys):
    """Run as a program that fails: exit status 1 and one line, which is returned."""
    with pytest.raises(SystemExit) as stop:
        run(main_test.main, ['--cfg', tiny_data.CONFIG, '--set'] + tiny_data.settings(folder, **test_keys) +
            list(overrides))
    assert stop.value.code == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    assert len(lines) == 1
    return lines[0]


def test_files_and_table(folder, capsys):
    assert test(folder, '--vis', '--report', VIS_THRESH=0.0) == 0
    log = capsys.readouterr().err
    with open(tiny_data.results(folder, 'report.html'), encoding='utf-8') as stream:
        page = stream.read()
    assert tiny_data.results(folder, 'report.html') in log and 'picture0.png' in page and '96x128' in page
    assert f'weights: {os.path.join(folder, "out", "sniper_tiny_e2e", "train", "SNIPER-0001.params")}' in log
    assert 'Average Precision  (AP) @[ IoU=0.50:0.95' in log and '3 images in' in log and 'network' in log
    found = results(folder)
    assert found and {row['image_id'] for row in found} == {10, 11, 12}
    assert {row['category_id'] for row in found} <= {1, 2}
    for name in ('dets_scale_96x128', 'dets_scale_48x64', 'dets_final'):
        assert os.listdir(tiny_data.results(folder, name)) == ['detections.npz']
    for number, (width, height) in enumerate(tiny_data.SIZES):
        picture = cv2.imread(os.path.join(folder, 'vis', 'dets_final', f'picture{number}.jpg'))
        assert picture.shape == (height, width, 3)


def test_cache(folder, capsys):
    test(folder)
    one = results(folder)
    test(folder, '--compare', tiny_data.results(folder), USE_CACHE='[True, True]')
    assert results(folder) == one
    log = capsys.readouterr().err
    assert log.count('images read from') == 2 and 'report.html, made in' in log
    test(folder, USE_CACHE='[True, False]', RPN_POST_NMS_TOP_N=10)
    assert 'made from other TEST.RPN_POST_NMS_TOP_N (20, here 10): the scale is run again' in capsys.readouterr().err


@pytest.mark.parametrize('words, said', [
    (['--compare', 'nowhere'], 'error: --compare nowhere: there are no detections'),
    (['--report', '--shard', '1/2'], 'error: --report tells of all detections: give it to --merge')])
def test_a_report_that_cannot_be_is_refused_before_the_test(folder, capsys, words, said):
    with pytest.raises(SystemExit) as stop:
        run(main_test.main, ['--cfg', tiny_data.CONFIG] + words + ['--set'] + tiny_data.settings(folder))
    assert stop.value.code == 1
    assert said in capsys.readouterr().err


def test_jobs_give_what_one_process_gives(folder):
    """As a program, whose jobs import main_test.py anew."""
    test(folder)
    one = results(folder)
    command = [sys.executable, 'main_test.py', '--cfg', tiny_data.CONFIG, '--set'] + tiny_data.settings(
        folder, CONCURRENT_JOBS=2, VISUALIZE_INTERMEDIATE_SCALES=True)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stdout
    assert '2 inference jobs' in done.stdout
    assert results(folder) == one
    assert len(os.listdir(os.path.join(folder, 'vis', 'dets_scale_48x64'))) == 3


def test_nothing_found_is_evaluated(folder, capsys):
    assert test(folder, SCORE_THRESH=1.0) == 0
    assert results(folder) == []
    assert 'Average Precision' in capsys.readouterr().err


def test_half_precision_becomes_float32_on_the_cpu(folder, capsys):
    settings = tiny_data.settings(folder) + ['TRAIN.fp16', 'True']
    assert main_test.main(['--cfg', tiny_data.CONFIG, '--set'] + settings) == 0
    assert 'inference runs in float32' in capsys.readouterr().err


@pytest.mark.parametrize('method', ['hard', 'linear', 'gaussian'])
def test_suppression_methods(folder, method):
    assert test(folder, NMS_METHOD=method, NMS=0.4, USE_CACHE='[True, True]') == 0
    assert results(folder)


def test_missing_checkpoint(folder, capsys):
    text = failure(capsys, folder, TEST_EPOCH=5)
    assert 'SNIPER-0005.params do not exist (there are epochs 1): train first' in text


def test_epochs_and_data_sets_do_not_overwrite_each_other(tmp_path):
    """Each has a place of its own; detections of one stay when the other is tested."""
    folder = str(tmp_path)
    tiny_data.write_all(folder)
    shutil.copytree(os.path.join(folder, 'data', 'images', 'val'), os.path.join(folder, 'data', 'images', 'other'))
    shutil.copy(os.path.join(folder, 'data', 'annotations', 'instances_val.json'),
                os.path.join(folder, 'data', 'annotations', 'instances_other.json'))
    first = os.path.join(folder, 'out', 'sniper_tiny_e2e', 'train', 'SNIPER-0001')
    for ending in ('.params', '.json'):
        shutil.copy(first + ending, first.replace('0001', '0002') + ending)
    keys = tiny_data.settings(folder) + ['TEST.VISUALIZATION_PATH', load_config().TEST.VISUALIZATION_PATH]
    places = []
    for words, place in (([], {}), (['TEST.TEST_EPOCH', '2'], {'weights': 'SNIPER-0002'}),
                         (['dataset.test_image_set', 'other'], {'dataset': 'coco_other'})):
        assert main_test.main(['--cfg', tiny_data.CONFIG, '--vis', '--set'] + keys + words) == 0
        places.append(tiny_data.results(folder, **place))
    for place, image_set in zip(places, ('val', 'val', 'other')):
        assert sorted(os.listdir(place)) == [f'detections_{image_set}_metrics.json',
                                             f'detections_{image_set}_results.json', 'dets_final', 'dets_scale_48x64',
                                             'dets_scale_96x128', 'pictures', 'test.json']
        assert len(os.listdir(os.path.join(place, 'pictures', 'dets_final'))) == 3
    assert sorted(os.listdir(os.path.join(folder, 'out'))) == ['sniper_tiny_e2e']
    assert not os.path.exists(os.path.join(folder, 'cache'))


def test_broken_checkpoint(folder, capsys):
    source = os.path.join(folder, 'out', 'sniper_tiny_e2e', 'train', 'SNIPER-0001.params')
    with open(source, 'rb') as stream, open(source.replace('0001', '0002'), 'wb') as copy:
        copy.write(stream.read()[:20000])
    assert 'SNIPER-0002.params' in failure(capsys, folder, TEST_EPOCH=2)


def test_weights_of_other_shapes(folder, capsys):
    """Another number of anchors: names and both shapes."""
    text = failure(capsys, folder, 'network.ANCHOR_SCALES', '[2, 4]', 'network.NUM_ANCHORS', '6')
    assert 'rpn_cls_score_weight is 42x' in text and 'the network wants 12x' in text


def test_weights_of_other_network(folder, capsys):
    text = failure(capsys, folder, 'symbol', 'resnet_mx_50_e2e', 'network.RPN_FEAT_STRIDE', '16')
    assert 'missing (bn_data_gamma, bn_data_beta, conv0_weight, ' in text and 'of another network' in text
    assert 'SNIPER-0001.params do not fit the network' in text and 'not asked for (' in text


def test_weights_of_other_classes(folder, capsys):
    prefix = os.path.join(folder, 'out', 'sniper_tiny_e2e', 'train', 'SNIPER-0004')
    for ending, content in (('.params', b''), ('.json', json.dumps({'classes': ['__background__', 'bird']}).encode())):
        with open(prefix + ending, 'wb') as stream:
            stream.write(content)
    text = failure(capsys, folder, TEST_EPOCH=4)
    assert 'trained on 1 classes and does not know 2 of the 2 of COCO_val: cat (3 objects), dog;' in text


def test_a_broken_image_is_counted_and_makes_the_status_1(tmp_path, capsys):
    """The AP is there, over all images; --vis draws the others."""
    folder = str(tmp_path)
    tiny_data.write_all(folder)
    broken = tmp_path / 'data' / 'images' / 'val' / 'picture1.png'
    whole = broken.read_bytes()
    broken.write_bytes(whole[:500])
    for words in (['--vis'], ['--shard', '1/1'], ['--merge']):
        with pytest.raises(SystemExit) as stop:
            run(main_test.main, ['--cfg', tiny_data.CONFIG] + words + ['--set'] + tiny_data.settings(folder))
        log = capsys.readouterr().err
        assert stop.value.code == 1 and log.count('picture1.png is cut short') == 1 + (words != ['--merge'])
        assert f'\nerror: 1 of 3 images could not be read (image {broken} is cut short' in log
        assert 'the result is that of all images, where these count as without detections' in log
        assert ('Average Precision' in log) == (words != ['--shard', '1/1'])
        assert ('2 pictures in' in log) == (words == ['--vis'])
        if words != ['--shard', '1/1']:
            assert {row['image_id'] for row in results(folder)} == {10, 12}
            os.remove(tiny_data.results(folder, 'detections_val_results.json'))
    broken.write_bytes(b'GIF89a' + whole)
    for name in ('picture0.png', 'picture2.png'):
        (broken.parent / name).write_bytes(b'GIF89a')
    assert 'none of the 3 images can be read: image ' in failure(capsys, folder)
    for name in ('picture0.png', 'picture1.png'):
        (broken.parent / name).unlink()
    assert 'picture0.png of COCO_val is missing (2 of 3 are)' in failure(capsys, folder)


def test_pictures_that_cannot_be_written_do_not_cost_the_result(tmp_path, capsys):
    folder = str(tmp_path)
    tiny_data.write_all(folder)
    (tmp_path / 'vis').write_text('a file where the folder should be')
    with pytest.raises(SystemExit) as stop:
        run(main_test.main, ['--cfg', tiny_data.CONFIG, '--vis', '--set'] + tiny_data.settings(folder) +
            ['TEST.VISUALIZE_INTERMEDIATE_SCALES', 'True'])
    log = capsys.readouterr().err
    assert stop.value.code == 1 and 'Average Precision' in log and results(folder)
    assert log.splitlines()[-1].startswith('error: 0 of 3 pictures were drawn in ') and 'cannot write' in log


def test_absent_gpu(folder, capsys):
    assert "asks for GPU 7" in failure(capsys, folder, 'gpus', '7')


AUTOFOCUS = {'AUTO_FOCUS': True, 'DO_PRUNING': '[False, True, True]', 'USE_CACHE': '[False, False, False]',
             'SCALES': '[(32, 48), (64, 96), (128, 192)]', 'VALID_RANGES': '[(40, -1), (-1, -1), (-1, 40)]',
             'BATCH_IMAGES': '[2, 2, 1]', 'CHIP_HYPERPARAMS': '[(1, 1e-9, 99), (1, 1e-9, 99), (-1, -1, -1)]'}


@pytest.fixture(scope='module')
def focus_folder(tmp_path_factory):
    """Like `folder`, with weights that have the AutoFocus head, and the keys with which some cells are FocusPixels.

    A first run takes whole images for chips; quantiles of its focus maps are the thresholds.
    """
    path = str(tmp_path_factory.mktemp('autofocus'))
    tiny_data.write_data(os.path.join(path, 'data'))
    write_checkpoint(load_config(tiny_data.CONFIG, tiny_data.settings(path, **AUTOFOCUS)), tiny_data.CONFIG,
                     tiny_data.CLASSES)
    assert test(path, **AUTOFOCUS) == 0
    assert pixels(path)['share'] == 1
    limits = []
    for size in ('32x48', '64x96'):
        with np.load(tiny_data.results(path, 'maps_scale_' + size, 'maps.npz'), allow_pickle=False) as file:
            limits.append(np.quantile(file['values'], 0.7))
    return path, dict(AUTOFOCUS, CHIP_HYPERPARAMS='[(1, {!r}, 1), (1, {!r}, 1), (-1, -1, -1)]'.format(
        *tuple(map(float, limits))))


def pixels(folder):
    with open(tiny_data.results(folder, 'autofocus_pixels.json'), encoding='utf-8') as stream:
        return json.load(stream)


def test_autofocus(focus_folder, capsys):
    """Chips at two scales: files, the report of pixels, pictures of chips and detections; and jobs give the same."""
    focus_folder, keys = focus_folder
    assert test(focus_folder, '--vis', **keys) == 0
    log = capsys.readouterr().err
    assert 'pixels processed by AutoFocus' in log and 'with padding' in log and '128x192' in log
    found, one = pixels(focus_folder), results(focus_folder)
    assert one and [scale['focused'] for scale in found['scales']] == [False, True, True]
    assert found['scales'][0]['pixels'] == found['scales'][0]['full'] and 0 < found['share'] < 1
    assert found['scales'][2]['windows'] > 0 and found['scales'][2]['network'] > 0
    for folder in ('focus_chips', 'dets_final'):
        for number, (width, height) in enumerate(tiny_data.SIZES):
            picture = cv2.imread(os.path.join(focus_folder, 'vis', folder, f'picture{number}.jpg'))
            assert picture.shape == (height, width, 3)
    assert test(focus_folder, **dict(keys, USE_CACHE='[True, True, True]')) == 0
    assert results(focus_folder) == one and pixels(focus_folder) == found
    assert capsys.readouterr().err.count('images read from') == 3
    assert test(focus_folder, **dict(keys, CONCURRENT_JOBS=2)) == 0
    assert {row['image_id'] for row in results(focus_folder)} == {10, 11, 12}


def test_autofocus_that_finds_nothing_to_look_at(focus_folder):
    focus_folder, keys = focus_folder
    nothing = '[(1, 1.0, 3), (1, 1.0, 4), (-1, -1, -1)]'
    assert test(focus_folder, **dict(keys, CHIP_HYPERPARAMS=nothing)) == 0
    assert [scale['windows'] for scale in pixels(focus_folder)['scales']] == [3, 0, 0]
    assert results(focus_folder)


def test_weights_without_autofocus(folder, capsys):
    text = failure(capsys, folder, **AUTOFOCUS)
    assert 'conv_new_2_weight' in text and 'trained without AutoFocus' in text


def test_ranges_and_scales_must_agree(folder, capsys):
    assert 'TEST.VALID_RANGES has 1' in failure(capsys, folder, VALID_RANGES='[(-1, 60)]')
