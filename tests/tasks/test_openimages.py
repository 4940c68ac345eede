"""The Open Images task: boxes around groups on a chip, and what becomes of those beyond its rows."""
import numpy as np
import pytest

from configs import ConfigError
from lib.chips.window import Window
from lib.tasks import check_config, get_task
from lib.tasks.openimages import groups_on_chip, write_groups
from tests.symbols.helpers import config_for

WINDOW = Window((0, 0, 255, 255), 1.0, 1.0, 256, 256, 0, False, np.array([0], np.int32))


def record(groups):
    boxes = np.array([[20, 20, 80, 80]] + groups, np.float32).reshape(-1, 4)
    is_group = np.arange(len(boxes)) > 0
    return dict(boxes=boxes, gt_classes=np.where(is_group, 0, 2), max_classes=np.where(is_group, 0, 2),
                max_overlaps=np.where(is_group, 0, 1).astype(np.float32), group_of=is_group,
                ignored=np.zeros(len(boxes), bool), width=256, height=256)


def filled(groups, rows):
    task = get_task(config_for('sniper_tiny_openimages', 'dataset.NUM_CLASSES', '4', 'TRAIN.MAX_GROUPS', str(rows)))
    out = {name: np.full(shape, 7, np.float32) for name, shape, _ in task.inputs()}
    report = task.targets(record(groups), WINDOW, np.random.default_rng(0), out)
    assert report.dropped == 0
    return out['crowd_boxes'], out['gt_boxes'][out['gt_boxes'][:, 4] != -1]


def test_groups_stand_first_and_the_rest_is_empty():
    crowd, objects = filled([[10, 10, 200, 200], [300, 300, 400, 400]], 3)
    assert crowd.tolist() == [[10, 10, 200, 200, 0], [255, 255, 255, 255, 0], [-1] * 5]     # on the border: not shown
    assert objects.tolist() == [[20, 20, 80, 80, 2]]


def test_what_does_not_fit_is_a_region():
    crowd, objects = filled([[300, 300, 400, 400], [10, 10, 200, 200], [50, 50, 90, 90], [0, 0, 30, 30]], 2)
    assert crowd[:, :4].tolist() == [[10, 10, 200, 200], [50, 50, 90, 90]]      # those that are shown
    assert objects.tolist() == [[20, 20, 80, 80, 2], [0, 0, 30, 30, -2]]


def test_no_groups_and_no_column():
    crowd, _ = filled([], 2)
    assert (crowd == -1).all()
    without = {key: value for key, value in record([[1, 1, 9, 9]]).items() if key != 'group_of'}
    assert groups_on_chip(without, WINDOW, 256).shape == (0, 4)
    out = np.zeros((1, 5), np.float32)
    assert write_groups(np.zeros((0, 4), np.float32), out).shape == (0, 4) and (out == -1).all()


@pytest.mark.parametrize('symbol, key', [
    ('sniper_tiny_openimages', 'WITH_MASK'), ('sniper_tiny_openimages', 'AUTO_FOCUS'), ('ssh_tiny', 'SOFT_SAMPLING'),
    ('m2det', 'SOFT_SAMPLING_RPN')])
def test_switches_of_others(symbol, key):
    file = {'ssh_tiny': '../ssh/ssh_tiny.yml', 'm2det': '../m2det/m2det_tiny.yml'}.get(symbol)
    from configs import load_config
    words = ['gpus', 'cpu', f'TRAIN.{key}', 'True']
    config = load_config(f'configs/faster/{file}', words) if file else config_for(symbol, *words)
    with pytest.raises(ConfigError, match=f'TRAIN.{key} is True, but {symbol} has nothing of the kind'):
        check_config(config, 'train')
