"""main_train.py with masks: the loss falls, the detector beneath stays as it is, resuming is exact, proposals alone."""
import glob
import os
import re
import signal

import numpy as np
import pytest

from lib.weights.params_file import read_arrays
from tests.conftest import ROOT
from tests.synthetic_folder import synthetic_folder

SHIPPED = os.path.join(ROOT, 'data', 'models', 'sniper_tiny-0000.params')
NAME = 'sniper_tiny_mask'
LAYERS = ['mask_conv_3x3_1', 'mask_conv_3x3_2', 'mask_conv_3x3_3', 'mask_out']


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Folder of a synthetic data set with four training images."""
    return synthetic_folder(tmp_path_factory, 4)


def run(images, output, *settings, resume=False):
    """Exit status of a training of two epochs of two batches of two chips; `settings` go last."""
    import main_train
    if not os.path.exists(SHIPPED):
        pytest.skip('needs the shipped model')
    return main_train.main(
        ['--cfg', os.path.join(ROOT, 'configs', 'faster', NAME + '.yml'), '--display', '1'] + ['--resume'] * resume
        + ['--set', 'output_path', str(output), 'dataset.dataset_path', images, 'dataset.root_path', str(output),
           'TRAIN.MAX_BATCHES', '2', 'TRAIN.BATCH_IMAGES', '2', 'TRAIN.NUM_PROCESS', '0', 'gpus', 'cpu']
        + list(settings))


def checkpoint(output, epoch, kind='params'):
    return read_arrays(os.path.join(str(output), NAME, 'train', f'SNIPER-{epoch:04d}.{kind}'))


def test_loss_falls_and_the_detector_stays_as_it_is(images, tmp_path):
    """An average from the first batch on: the last batches are lower still. Shuffled batches of a pair of images."""
    assert run(images, tmp_path, 'TRAIN.end_epoch', '1', 'TRAIN.MAX_BATCHES', '24', 'TRAIN.warmup_step', '5',
               'TRAIN.lr', '0.1') == 0
    log, = glob.glob(os.path.join(str(tmp_path), NAME, 'train', '*.log'))
    losses = [float(number) for number in re.findall(r'MaskLogLoss ([\d.]+)', open(log).read())]
    assert losses[0] == pytest.approx(np.log(2), abs=0.3)
    assert losses[-1] < losses[0] - 0.05
    arrays, shipped = checkpoint(tmp_path, 1), read_arrays(SHIPPED)
    assert set(arrays) - set(shipped) == {f'arg:{layer}_{kind}' for layer in LAYERS
                                          for kind in ('weight', 'bias')} | {'arg:mask_deconv_weight'}
    for name, array in shipped.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)


def test_interrupted_and_resumed_is_as_if_it_had_not_been(images, tmp_path, monkeypatch):
    from lib.iterators import TrainIterator
    straight, broken = tmp_path / 'straight', tmp_path / 'broken'
    assert run(images, straight) == 0
    following, seen = TrainIterator.__next__, []

    def counted(iterator):
        seen.append(None)
        if len(seen) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return following(iterator)

    with monkeypatch.context() as patch:
        patch.setattr(TrainIterator, '__next__', counted)
        assert run(images, broken) == 143
    assert run(images, broken, resume=True) == 0
    for kind in ('params', 'states'):
        one, other = checkpoint(straight, 2, kind), checkpoint(broken, 2, kind)
        assert one.keys() == other.keys()
        for name in one:
            assert one[name].tobytes() == other[name].tobytes(), name


def test_the_proposal_network_has_no_masks(images, tmp_path):
    """With the heads' keys set, as the first step of scripts/train_neg_props_and_sniper.sh leaves them."""
    assert run(images, tmp_path, 'TRAIN.ONLY_PROPOSAL', 'True', 'TRAIN.AUTO_FOCUS', 'True', 'TRAIN.end_epoch', '1',
               'TRAIN.AUTO_FOCUS_SMALL_THRESH', '20', 'TRAIN.AUTO_FOCUS_DC_LOW', '2', 'TRAIN.AUTO_FOCUS_DC_HIGH', '30',
               'network.FIXED_PARAMS', '["stem"]', 'network.FIX_BN', 'False') == 0
    assert not any('mask' in name for name in checkpoint(tmp_path, 1))
