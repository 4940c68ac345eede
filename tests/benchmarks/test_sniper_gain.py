"""SNIPER against whole images: equal pixels, what trainings see, the verdict, and what is run."""
import json
import os

import numpy as np
import pytest

from benchmarks import plateau, sniper_gain
from benchmarks.shown_objects import shown_objects
from configs import load_config
from lib.dataset import load_training_roidb
from lib.iterators import TrainIterator
from lib.tasks import check_config
from lib.utils.errors import SniperError
from tests.inference import tiny_data

CFG = 'configs/faster/sniper_tiny_e2e.yml'
SETTINGS = ['gpus', 'cpu', 'dataset.dataset', 'coco',
            'TRAIN.CHIP_SIZE', '32', 'TRAIN.CHIP_STRIDES', '[8]', 'TRAIN.SCALES', '[0.5, 0.4, 32.0]',
            'TRAIN.VALID_RANGES', '[[-1, 60], [10, 100], [10, -1]]', 'TRAIN.BATCH_IMAGES', '4',
            'TRAIN.warmup_step', '4', 'TRAIN.NUM_PROCESS', '0', 'TEST.SHIPPED_MODEL', '',
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
    return ['--batches', '2', '--data', data, '--out', str(out), '--cfg', CFG, *more, '--set'] + SETTINGS


def test_parts_show_the_same_pixels(data, tmp_path):
    args = sniper_gain.parse(arguments(data, tmp_path))
    chips, whole, weighted = sniper_gain.make_arms(args)
    names = [arm.name for arm in (chips, whole, weighted)]
    assert names == [sniper_gain.CHIPS, sniper_gain.WHOLE, sniper_gain.WEIGHTED]
    assert chips.batches == 2 and chips.keys['TRAIN.MAX_BATCHES'] == 2
    assert chips.shown['pixels'] <= chips.padded == 8 * 32 ** 2
    images = whole.keys['TRAIN.BATCH_IMAGES']
    assert abs(whole.shown['pixels'] - chips.shown['pixels']) <= images * 48 * 64 / 2  # half a batch
    assert whole.padded == whole.batches * images * 64 ** 2
    assert whole.keys['TRAIN.MAX_BATCHES'] == whole.batches
    assert whole.keys['TRAIN.warmup_step'] == round(4 * whole.batches / 2)  # a share of the pixels
    assert abs(weighted.shown['pixels'] - chips.shown['pixels']) <= 4 * 32 ** 2 / 2
    assert weighted.keys['TRAIN.SCALE_WEIGHTS'] == [1, 1, 3] and sum(weighted.shown['samples']) == 4 * weighted.batches


def test_shown_objects(data, tmp_path):
    """Whole images show all objects of all images, each at its scale."""
    args = sniper_gain.parse(arguments(data, tmp_path))
    config = load_config(args.cfg, args.set + sniper_gain.words(sniper_gain.make_arms(args)[1].keys))
    config.TRAIN.FLIP, config.TRAIN.BATCH_IMAGES, config.TRAIN.MAX_BATCHES = False, 3, 0
    roidb, _ = load_training_roidb(config)
    shown = shown_objects(config, roidb)
    sides = np.concatenate([entry['boxes'][:, 2:] - entry['boxes'][:, :2] + 1 for entry in roidb])
    area = sides.prod(axis=1)
    expected = [int((area < 1024).sum()), int(((area >= 1024) & (area < 9216)).sum()), int((area >= 9216).sum())]
    assert shown.objects.tolist() == [expected] and shown.scales.tolist() == [[3]]
    scales = [min(48 / min(width, height), 64 / max(width, height)) for width, height in tiny_data.SIZES[:3]]
    pixels = sum(int(width * scale) * int(height * scale) for (width, height), scale in zip(tiny_data.SIZES, scales))
    assert shown.pixels.tolist() == [pixels]
    facts = shown.facts(1)
    assert facts['objects_per_megapixel'] == [round(count / pixels * 1e6, 2) for count in expected]
    assert [len(of) for of in shown.sides] == expected


def test_whole_images_are_chips_with_all_objects_valid(data, tmp_path):
    args = sniper_gain.parse(arguments(data, tmp_path))
    config = load_config(args.cfg, args.set + sniper_gain.words(sniper_gain.make_arms(args)[1].keys))
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
        sniper_gain.make_arms(sniper_gain.parse(arguments(data, tmp_path)[2:]))  # the default number


def row_of(arm, seed, way, aps, apl):
    return dict(dict.fromkeys(sniper_gain.METRICS, 0.1), training=arm, seed=seed, test=way, APs=aps, APl=apl)


@pytest.mark.parametrize('small, large, weighted_large, holds', [
    (0.41, 0.51, 0.4, True), (0.39, 0.51, 0.6, False), (0.41, 0.5, 0.5, False), (0.41, 0.4, 0.6, True)])
def test_verdict(small, large, weighted_large, holds):
    """Against whole images tested at one scale: small 0.4, large 0.5, with both seeds."""
    rows = []
    for seed in (1, 2):
        rows += [row_of(sniper_gain.CHIPS, seed, sniper_gain.PYRAMID, small, large),
                 row_of(sniper_gain.CHIPS, seed, sniper_gain.ONE_SCALE, 0.9, 0.9),
                 row_of(sniper_gain.WEIGHTED, seed, sniper_gain.PYRAMID, small, weighted_large),
                 row_of(sniper_gain.WHOLE, seed, sniper_gain.ONE_SCALE, 0.4, 0.5),
                 row_of(sniper_gain.WHOLE, seed, sniper_gain.PYRAMID, 0.9, 0.9)]
    found = sniper_gain.verdict(rows, [1, 2])
    assert found['holds'] is holds
    assert found['gains'][sniper_gain.CHIPS][sniper_gain.ONE_SCALE][2]['APs'] == pytest.approx(small - 0.4)
    assert found['gains'][sniper_gain.CHIPS][sniper_gain.PYRAMID][1]['APs'] == pytest.approx(small - 0.9)
    assert not sniper_gain.verdict(rows[:5], [1, 2])['holds']  # the second seed is not measured
    assert not sniper_gain.verdict([], [1])['holds']


def run_here(name, *arguments):
    """In the place of a process of its own."""
    import main_test
    import main_train
    assert {'main_train.py': main_train, 'main_test.py': main_test}[name].main(list(arguments)) == 0
    return 60.0


def test_the_whole_benchmark(data, tmp_path, monkeypatch, capsys):
    """Tables and JSON of two seeds, by programs that only look at their configuration; then --show of the same."""
    programs = []

    def checked(name, *arguments):
        programs.append(name)
        words = list(arguments[arguments.index('--set') + 1:])
        check_config(load_config(arguments[arguments.index('--cfg') + 1], words), name[len('main_'):-len('.py')])
        return 60.0
    monkeypatch.setattr(sniper_gain, 'run', checked)
    monkeypatch.setattr(plateau, 'read_metrics', lambda folder: dict(
        dict.fromkeys(sniper_gain.METRICS, 0.2 if os.path.basename(folder).startswith('whole') else 0.3), AP=0.5))
    options = arguments(data, tmp_path / 'out', '--most', '2', '--jobs', '2')
    assert sniper_gain.main(options) == 0
    assert programs.count('main_train.py') == 2 * 3 * 3 and programs.count('main_test.py') == 2 * 3 * (3 + 2)
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(lines[-1])
    assert len(figures['rows']) == 2 * 3 * 3 and figures['holds']
    assert sum('0.500 0.500 (0.500)' in line for line in lines) == 6
    with open(str(tmp_path / 'out' / 'sniper_gain.json'), encoding='utf-8') as stream:
        assert json.load(stream) == figures
    programs.clear()
    assert sniper_gain.main(options[:2] + ['--show'] + options[2:]) == 0 and not programs
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == figures
