"""A real detector on two devices: the same as on one with the chips of both."""
import os

import numpy as np

from configs import load_config
from lib.iterators import TrainIterator
from lib.weights.params_file import read_arrays
from tests.conftest import ROOT
from tests.iterators.scenes import make_roidb

SETTINGS = {
    'network.pretrained': os.path.join(ROOT, 'data', 'models', 'sniper_tiny'), 'network.KEEP_HEADS': True,
    'network.FIX_BN': True, 'TRAIN.LOSS_MEAN': 'update', 'TRAIN.CHIP_SIZE': 64, 'TRAIN.CHIP_STRIDES': [12],
    'TRAIN.SCALES': [1.5, 64.0], 'TRAIN.VALID_RANGES': [(-1, 40), (20, -1)], 'TRAIN.RPN_POST_NMS_TOP_N': 16,
    'TRAIN.MAX_BATCHES': 3, 'TRAIN.end_epoch': 1,
}


def train_on(devices, roidb, folder):
    """Parameters and optimiser state after three updates of 4 chips."""
    from lib.train.run import train
    from symbols import get_detector
    settings = dict(SETTINGS, **{'TRAIN.BATCH_IMAGES': 4 // len(devices)})
    config = load_config(os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml'),
                         [word for pair in settings.items() for word in pair])
    prefix = str(folder / (f'on{len(devices)}'))
    with TrainIterator(roidb, config, 4, num_workers=0) as iterator:
        assert train(config, get_detector(config.symbol), iterator, ('__background__',) + tuple('abcdef'), prefix,
                     devices) == 0
    return read_arrays(prefix + '-0001.params'), read_arrays(prefix + '-0001.states')


def test_two_devices_are_one_with_the_chips_of_both(tmp_path):
    from sniper_mxnet import mx
    roidb = make_roidb(tmp_path, 4)
    one, one_state = train_on([mx.cpu()], roidb, tmp_path)
    two, two_state = train_on([mx.cpu(0), mx.cpu(1)], roidb, tmp_path)
    assert one.keys() == two.keys()
    moved = 0
    for name, value in one.items():
        assert np.abs(two[name] - value).max() <= 1e-4 * max(np.abs(value).max(), 1e-6), name
    for name, value in one_state.items():
        if name.startswith('momentum:'):
            moved += np.abs(value).max() > 0
            assert np.linalg.norm(two_state[name] - value) <= 1e-3 * np.linalg.norm(value) + 1e-9, name
    assert moved > 50  # it was trained
