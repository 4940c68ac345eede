"""Anchors against objects as the network sees them: the share is that of the real grid, and the mend mends."""
import re
import shlex

import numpy as np
import pytest

from lib.bbox import bbox_overlaps
from lib.bbox.anchors import anchor_base
from lib.chips.seen_sizes import seen_in_training
from lib.dataset.object_sizes import object_sizes
from lib.tasks import get_task
from lib.tasks.anchor_fit import POOR_IOU, _poor, anchor_warnings
from lib.utils.errors import SniperError
from tests.chips.pictures import make_pictures, tiny


def warnings(records, *overrides):
    task, sizes = get_task(tiny(*overrides)), object_sizes(records)
    return task.size_warnings(seen_in_training(task.sampler(), sizes), sizes)


def test_share_of_poor_anchors_on_a_grid():
    """Objects at random places, and the best of all anchors of a map."""
    rng, stride, scales, ratios = np.random.default_rng(0), 8, [2, 4, 8], [0.5, 1, 2]
    base = anchor_base(stride, ratios, scales)
    places = np.stack(np.meshgrid(np.arange(30), np.arange(30)), axis=-1).reshape(-1, 1, 2) * stride
    anchors = (base[None] + np.tile(places, 2)).reshape(-1, 4).astype(np.float32)
    objects = np.exp(rng.uniform(np.log(6), np.log(100), (400, 2)))
    corners = rng.uniform(60, 120, (400, 2))
    boxes = np.hstack([corners, corners + objects - 1]).astype(np.float32)
    real = bbox_overlaps(boxes, anchors).max(axis=1) < POOR_IOU
    assert abs(_poor(objects, stride, ratios, scales).mean() - real.mean()) < 0.05


@pytest.mark.parametrize('records, overrides, word', [
    (make_pictures((8, 250)), ('network.ANCHOR_SCALES', '[16, 32, 64]'), 'network.ANCHOR_SCALES'),
    (make_pictures((8, 250)), ('network.ANCHOR_SCALES', '[0.5, 1]'), 'network.ANCHOR_SCALES'),
    (make_pictures((60, 400), ((2000, 2000),), tall=8), (), 'network.ANCHOR_RATIOS')])
def test_anchors_far_from_the_objects(records, overrides, word):
    line, = warnings(records, *overrides)
    assert re.match(r'\d+ % of the objects in training have no anchor that overlaps them by 0.4: the network sees '
                    r'sides of \d+ to \d+ pixels, anchors have \d+ to \d+: --set network', line)
    words = shlex.split(line.partition('--set ')[2])
    assert word in words and warnings(records, *overrides, *words) == []


def test_objects_smaller_than_cells():
    line, = warnings(make_pictures((8, 20)), 'TRAIN.SAMPLER', 'images')
    assert line.endswith('show them larger, by TRAIN.SCALES or TRAIN.CHIP_SIZE')


def test_fitting_anchors_and_no_objects():
    assert warnings(make_pictures((8, 250))) == []
    sizes = object_sizes(make_pictures((8, 250), each=0))
    assert anchor_warnings([], sizes, 8, [1], [2]) == []


def test_anchors_that_no_chip_holds():
    """One chip and twice 32 pixels is the most that an anchor of a stride of 8 may measure."""
    keys = ('TRAIN.CHIP_SIZE', '64', 'TRAIN.CHIP_STRIDES', '[8]', 'network.ANCHOR_SCALES')
    task = get_task(tiny(*keys, '[4, 16, 17]'))
    task.check('train')
    remark, = task.remarks('train')
    assert remark.startswith('network.ANCHOR_SCALES 17 make anchors') and 'CHIP_SIZE' in remark
    assert not task.remarks('test') and not get_task(tiny(*keys, '[4, 16]')).remarks('train')
    with pytest.raises(SniperError, match='CHIP_SIZE is 64, but the smallest .* anchors of 136 pixels.* to 136, or'):
        get_task(tiny(*keys, '[17, 20]')).check('train')
