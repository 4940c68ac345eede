"""The file that is written: it loads, says what was found, and has a schedule for the time there is."""
import os

import cv2
import numpy as np
import pytest

from configs import load_config
from lib.dataset import load_training_roidb
from lib.suggest import __main__ as suggest
from lib.suggest.anchors import choose_anchors
from lib.suggest.pace import SETTLED, SETTLED_CHIPS, Pace, fitting_batch, measured_pace, schedule
from lib.suggest.settings import optimiser_entries, schedule_entries
from lib.suggest.text import Entry, file_text, relative_base
from lib.tasks import check_config
from lib.utils.errors import SniperError
from tests.dataset.coco_folder import content, make_folder

SCALES, RATIOS = (2, 3, 4, 6, 9, 13, 18), (0.5, 1, 2)


def test_anchors_stay_where_they_match():
    square = np.random.default_rng(0).uniform(20, 120, (300, 1)) * np.ones(2)
    usual = choose_anchors(square, 8, RATIOS, SCALES)
    assert not usual.changed and usual.scales == SCALES and usual.recall[0] > 0.99
    long = square * (0.45, 2.2)
    changed = choose_anchors(long, 8, RATIOS, SCALES)
    assert changed.changed and max(changed.ratios) > 4 and changed.recall[0] > 0.95
    assert choose_anchors(np.zeros((0, 2)), 8, RATIOS, SCALES).recall == (0, 0)


def test_the_schedule_fills_the_time():
    assert schedule(Pace(40, 2000, 1), 60, 8)[:2] == (SETTLED, 0)
    assert schedule(Pace(20, 600, 1), 60, 8)[:2] == (SETTLED_CHIPS // 600, 0)
    assert schedule(Pace(20, 600, 1), 30, 8)[:2] == (55, 0)
    plan = schedule(Pace(10, 4000, 1), 40, 8)
    assert plan[:2] == (5, 0) and 30 < plan.seconds / 60 <= 40
    short = schedule(Pace(10, 4000, 1), 10, 8)
    assert short.epochs == 2 and 9 < short.seconds / 60 <= 10 and short.batches * 8 < 4000
    assert schedule(Pace(4, 4000, 0.4), 40, 8) == plan
    assert schedule(Pace(0.01, 4000, 1), 1, 8)[:2] == (1, 1)


def test_a_base_that_counts_iterations(tmp_path):
    """The file counts epochs, and a training has one end."""
    (tmp_path / 'base.yml').write_text('TRAIN: {end_iteration: 90, lr_step_iterations: [50]}\n')
    pace = Pace(10, 4000, 1)
    entries = schedule_entries(load_config(str(tmp_path / 'base.yml')), pace, schedule(pace, 40, 8), 8, 40)
    (tmp_path / 'my.yml').write_text(file_text([], 'base.yml', entries))
    train = load_config(str(tmp_path / 'my.yml')).TRAIN
    assert train.end_epoch > 0 and (train.end_iteration, train.lr_step_iterations) == (0, [])


def test_text_is_read_as_it_was_meant(tmp_path):
    path = str(tmp_path / 'my.yml')
    base = os.path.join(suggest.ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml')
    entries = [Entry('dataset.dataset_path', 'a b: #c'), Entry('dataset.image_set', '2017'),
               Entry('TRAIN.SCALES', ['2x', '0.3x'], ('why',)),
               Entry('TRAIN.VALID_RANGES', ((-1.0, 40.0), (20.0, -1.0))),
               Entry('TRAIN.FLIP_VERTICAL', True), Entry('output_path', './o')]
    with open(path, 'w', encoding='utf-8') as stream:
        stream.write(file_text(['head'], relative_base(base, path, suggest.ROOT), entries))
    config = load_config(path)
    assert config.dataset.dataset_path == 'a b: #c' and config.dataset.image_set == '2017'
    assert config.TRAIN.FLIP_VERTICAL and config.TRAIN.VALID_RANGES == [(-1, 40), (20, -1)]
    assert config.TRAIN.SCALES == ['2x', '0.3x'] and config.symbol == 'sniper_tiny'
    inside = os.path.join(suggest.ROOT, 'configs', 'my.yml')
    assert relative_base(base, inside, suggest.ROOT) == os.path.join('faster', 'sniper_tiny_e2e.yml')


def data(tmp_path):
    rng = np.random.default_rng(0)

    def boxes(number):
        return [(1, int(x), int(y), int(side), int(side)) for x, y, side in
                zip(rng.uniform(0, 300, 6), rng.uniform(0, 200, 6), rng.uniform(20, 200, 6))]
    sets = {name: content({number: boxes(number) for number in range(first, first + 8)}, width=640, height=480)
            for name, first in (('train', 1), ('val', 20))}
    return make_folder(tmp_path / 'data', sets)


def run(folder, out, *more):
    return suggest.main(['--data', folder, '--out', out, *more])


@pytest.mark.usefixtures('measured')
def test_a_suggestion_loads_and_is_checked(tmp_path, capsys):
    folder, out = data(tmp_path), str(tmp_path / 'mine.yml')
    assert run(folder, out, '--minutes', '5', '--memory', '4', '--upside_down') == 0
    config = load_config(out)
    check_config(config, 'train')
    check_config(config, 'test')
    assert config.dataset.image_set == 'train' and config.TRAIN.FLIP_VERTICAL and config.TEST.SHIPPED_MODEL == ''
    assert config.network.pretrained == 'sniper_tiny'    # by its name: from any folder
    assert (config.TRAIN.OPTIMIZER, config.TRAIN.lr, config.TRAIN.warmup_lr) == ('adam', 0.002, 0.0001)
    assert config.TRAIN.SCALES == config.TEST.SCALES and config.output_path == 'output/mine'
    with open(out, encoding='utf-8') as stream:
        text = stream.read()
    assert 'Share of the objects with an anchor of IoU 0.5, 0.7' in text and 'For 5 minutes' in text
    assert 'main_train.py --cfg' in capsys.readouterr().out
    with pytest.raises(SniperError, match='--force'):
        run(folder, out)


def test_rates_follow_the_batch_and_other_networks_keep_their_optimiser():
    folder = os.path.join(suggest.ROOT, 'configs', 'faster')
    tiny, large = (load_config(os.path.join(folder, f'sniper_{name}_e2e.yml')) for name in ('tiny', 'res50'))
    assert {entry.key: entry.value for entry in optimiser_entries(tiny, 2)} == {
        'TRAIN.OPTIMIZER': 'adam', 'TRAIN.lr': 0.001, 'TRAIN.warmup_lr': 0.0001}
    (rate,) = optimiser_entries(large, large.TRAIN.BATCH_IMAGES // 2)
    assert rate.key == 'TRAIN.lr' and rate.value == pytest.approx(large.TRAIN.lr / 2)


@pytest.fixture
def measured(monkeypatch):
    """Nothing is trained: the pace of a machine, and a batch that fits, are given."""
    from lib.suggest import pace
    monkeypatch.setattr(pace, 'measured_pace', lambda config, roidb, seconds, classes: Pace(12.0, 900, 1.0))
    monkeypatch.setattr(pace, 'fitting_batch', lambda config, memory: 8)


@pytest.mark.parametrize('words, said', [
    (['--base', 'configs/m2det/m2det_tiny.yml'], 'networks with proposals'),
    (['--base', 'configs/faster/sniper_tiny_autofocus.yml'], 'without AutoFocus'),
    (['--minutes', '0'], '--minutes'), (['--memory', '0.1'], '--memory'), (['--test', 'x'], "no annotated set 'x'")])
def test_mistakes(tmp_path, words, said):
    with pytest.raises(SniperError, match=said):
        run(data(tmp_path), str(tmp_path / 'out.yml'), *words)


def test_the_place_of_the_file_is_tried_first(tmp_path, monkeypatch):
    monkeypatch.setattr('lib.dataset.image_sets.find_image_sets', None)
    with pytest.raises(SniperError, match='cannot write'):
        run(str(tmp_path), str(tmp_path), '--force')


def test_no_objects(tmp_path):
    folder = make_folder(tmp_path, {'train': content({1: []}), 'val': content({2: []})})
    with pytest.raises(SniperError, match='no image of train has an object'):
        run(folder, str(tmp_path / 'out.yml'))


def test_the_pace_is_that_of_a_training(tmp_path):
    """A tiny network on tiny chips, for two or three batches."""
    folder = data(tmp_path)
    for name, first in (('train', 1), ('val', 20)):
        for number in range(first, first + 8):
            assert cv2.imwrite(f'{folder}/images/{name}/{number}.jpg', np.full((480, 640, 3), 99, np.uint8))
    config = load_config(suggest.BASE, list(map(str, [
        'dataset.dataset', 'coco', 'dataset.dataset_path', folder, 'dataset.image_set', 'train',
        'dataset.NUM_CLASSES', 3, 'dataset.root_path', tmp_path, 'TRAIN.CHIP_SIZE', 96, 'TRAIN.SCALES', '[0.3x]',
        'TRAIN.VALID_RANGES', '[[-1,-1]]', 'TRAIN.BATCH_IMAGES', 2, 'TRAIN.NUM_PROCESS', 0, 'gpus', 'cpu'])))
    assert fitting_batch(config, 1e12) == 2 and fitting_batch(config, 1e6) == 1
    found = measured_pace(config, load_training_roidb(config)[0], 0.01)
    assert found.rate > 0 and found.cores > 0 and found.chips % 2 == 0 and found.chips >= 16
