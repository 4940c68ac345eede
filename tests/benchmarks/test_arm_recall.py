"""The bars of benchmarks.arm_recall, and what it reads."""
import json
import os

import pytest

from benchmarks import arm_recall
from configs import load_config
from lib.tasks import check_config


@pytest.mark.parametrize('trained, random, minutes, holds', [
    (0.9, 0.2, 19.9, True), (0.9, 0.31, 10, False), (0.59, 0.1, 10, False), (0.6, 0.19, 20, True),
    (0.9, 0.2, 21, False)])
def test_bars(trained, random, minutes, holds):
    row = {'trained': {'bccd': trained, 'coco_mini': 0}, 'random': {'bccd': random, 'coco_mini': 0}, 'minutes': minutes}
    assert arm_recall.holds_bars(row) == holds


def test_the_last_test_is_read(tmp_path):
    for age, recall in ((100, 0.5), (0, 0.75)):
        folder = tmp_path / 'sniper_arm_slim' / 'train' / 'results' / f'coco_{age}' / 'SNIPER-0001'
        folder.mkdir(parents=True)
        path = folder / 'metrics_COCO_val_object.json'
        path.write_text(json.dumps({'recall50': {'all': {'10': 0.1, '100': recall}}}))
        os.utime(str(path), (1e9 - age, 1e9 - age))
    assert arm_recall.read_recall(str(tmp_path), 'slim') == 0.75


@pytest.mark.parametrize('name', arm_recall.NETWORKS)
@pytest.mark.parametrize('keys', [[], arm_recall.RANDOM], ids=['trained', 'random'])
def test_its_keys_make_configurations(name, keys):
    for purpose in ('train', 'test'):
        config = load_config(f'configs/arm/sniper_arm_{name}.yml', [*arm_recall.NETWORKS[name], *keys])
        check_config(config, purpose)
    assert config.TRAIN.end_epoch == (1 if keys else {'slim': 12, 'deepv': 3}[name])
