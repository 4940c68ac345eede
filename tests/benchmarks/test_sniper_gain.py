"""SNIPER against whole images: equal pixels, what a whole-image training sees, the verdict; and one run of it all."""
import json
import os

import numpy as np
import pytest

from benchmarks import sniper_gain
from configs import load_config
from lib.dataset import load_training_roidb
from lib.iterators import TrainIterator
from lib.utils.errors import SniperError
from tests.inference import tiny_data

SETTINGS = ['gpus', 'cpu', 'dataset.dataset', 'coco',
            'TRAIN.CHIP_SIZE', '32', 'TRAIN.CHIP_STRIDES', '[8]', 'TRAIN.SCALES', '[0.5, 0.4, 32.0]',
            'TRAIN.VALID_RANGES', '[[-1, 60], [10, 100], [10, -1]]', 'TRAIN.BATCH_IMAGES', '4',
            'TRAIN.warmup_step', '4', 'TRAIN.NUM_PROCESS', '0',
            'TEST.SCALES', '[(96, 128), (48, 64), (24, 32)]', 'TEST.RPN_POST_NMS_TOP_N', '8', 'TEST.NUM_PROCESS', '0']


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Folder of a data set whose three training images are its validation images too; one object is 4 pixels wide."""
    folder = str(tmp_path_factory.mktemp('gain') / 'data')
    tiny_data.write_data(folder)
    path = os.path.join(folder, 'annotations', 'instances_%s.json')
    with open(path % 'val', encoding='utf-8') as stream:
        content = json.load(stream)
    content['annotations'].append(dict(content['annotations'][0], id=9, bbox=[60, 50, 4, 4], area=16))
    with open(path % 'train', 'w', encoding='utf-8') as stream:
        json.dump(content, stream)
    os.symlink(os.path.join(folder, 'images', 'val'), os.path.join(folder, 'images', 'train'))
    return folder


def arguments(data, out, *more):
    return ['--batches', '2', '--train_data', data, '--test_data', data, '--out', str(out), *more, '--set'] + SETTINGS


def test_both_trainings_see_the_same_pixels(data, tmp_path):
    args = sniper_gain.parse(arguments(data, tmp_path))
    chips, whole = sniper_gain.trainings(args)
    assert chips.batches == 2 and chips.keys['TRAIN.MAX_BATCHES'] == 2 and chips.shown <= chips.padded == 8 * 32 ** 2
    images = whole.keys['TRAIN.BATCH_IMAGES']
    assert abs(whole.shown - chips.shown) <= images * 48 * 64 / 2  # half a batch
    assert whole.padded == whole.batches * images * 64 ** 2
    assert whole.keys['TRAIN.MAX_BATCHES'] == whole.batches
    assert whole.keys['TRAIN.warmup_step'] == round(4 * whole.batches / 2)  # a share of the pixels


def test_whole_images_are_chips_with_all_objects_valid(data, tmp_path):
    args = sniper_gain.parse(arguments(data, tmp_path))
    config = load_config(args.cfg, args.set + sniper_gain.words(sniper_gain.trainings(args)[1].keys))
    config.TRAIN.FLIP = False
    roidb, _ = load_training_roidb(config)
    with TrainIterator(roidb, config, 3, num_workers=0) as iterator:
        assert iterator.start_epoch(0) == 1
        chips = dict(iterator.epoch_chips())
        batch = next(iterator)
    order = [[os.path.basename(entry['image']) for entry in roidb].index(os.path.basename(path))
             for path in batch.images]
    assert sorted(order) == [0, 1, 2] and len(chips) == 3
    for row, image in enumerate(order):
        width, height = tiny_data.SIZES[image]
        scale = min(48 / min(width, height), 64 / max(width, height))
        np.testing.assert_allclose(batch.data['im_info'][row], [int(height * scale), int(width * scale), scale])
        np.testing.assert_array_equal(chips[image].props, np.arange(len(roidb[image]['boxes'])))
        low, high = batch.data['valid_ranges'][row]
        boxes = batch.label['gt_boxes'][row]
        boxes = boxes[boxes[:, 4] > 0]
        assert len(boxes) == len(roidb[image]['boxes']) and (low, high) == (0, 64)
        np.testing.assert_allclose(boxes[:, :4], roidb[image]['boxes'] * scale, atol=0.51)
    assert sorted(len(entry['boxes']) for entry in roidb) == [1, 1, 2]


def test_more_batches_than_an_epoch_has(data, tmp_path):
    with pytest.raises(SniperError, match='batches of chips'):
        sniper_gain.trainings(sniper_gain.parse(arguments(data, tmp_path)[2:]))  # the default number


@pytest.mark.parametrize('small, large, holds', [(0.41, 0.51, True), (0.39, 0.51, False), (0.41, 0.5, False)])
def test_verdict(small, large, holds):
    """Against whole images tested at one scale: small 0.4, large 0.5."""
    def row(training, way, aps, apl):
        return dict(dict.fromkeys(sniper_gain.METRICS, 0.1), training=training, test=way, APs=aps, APl=apl)
    rows = [row(training, way, 0.9, 0.9) for training in (sniper_gain.CHIPS, sniper_gain.WHOLE)
            for way in (sniper_gain.PYRAMID, sniper_gain.ONE_SCALE, sniper_gain.OPEN_PYRAMID)]
    rows[0].update(APs=small, APl=large)
    rows[4].update(APs=0.4, APl=0.5)
    found = sniper_gain.verdict(rows)
    assert found['holds'] is holds
    assert found['gains'][sniper_gain.ONE_SCALE]['APs'] == pytest.approx(small - 0.4)
    assert found['gains'][sniper_gain.PYRAMID]['APs'] == pytest.approx(small - 0.9)


def run_here(name, *arguments):
    """In the place of a process of its own."""
    import main_test
    import main_train
    assert {'main_train.py': main_train, 'main_test.py': main_test}[name].main(list(arguments)) == 0
    return 60.0


def test_the_whole_benchmark(data, tmp_path, monkeypatch, capsys):
    """Two batches of chips on three tiny images: table and JSON are there. Nothing is learnt: exit status 1."""
    monkeypatch.setattr(sniper_gain, 'run', run_here)
    assert sniper_gain.main(arguments(data, tmp_path / 'out')) == 1
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(lines[-1])
    assert len(figures['rows']) == 6 and not figures['holds']
    assert [training['minutes'] for training in figures['trainings']] == [1, 1]
    assert len([line for line in lines if line.startswith('| ')]) >= 1 + 6
    with open(str(tmp_path / 'out' / 'sniper_gain.json'), encoding='utf-8') as stream:
        assert json.load(stream) == figures
