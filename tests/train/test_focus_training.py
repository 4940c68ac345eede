"""main_train.py with AutoFocus: the whole network, the head alone on a finished detector, the proposal network."""
import glob
import os

import numpy as np
import pytest

from lib.weights.params_file import read_arrays
from tests.conftest import ROOT
from tests.synthetic_folder import synthetic_folder

HEAD = ('conv_new_2', 'conv_new_3', 'conv_new_out')
SHIPPED = os.path.join(ROOT, 'data', 'models', 'sniper_tiny-0000.params')


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Folder of a synthetic data set with four training images."""
    return synthetic_folder(tmp_path_factory, 4)


def train(name, images, output, *settings):
    """Arrays of the checkpoint after three batches of two chips."""
    import main_train
    status = main_train.main(['--cfg', os.path.join(ROOT, 'configs', 'faster', name + '.yml'), '--display', '1',
                              '--set',
                              'output_path', str(output), 'dataset.dataset_path', images, 'dataset.root_path',
                              str(output), 'TRAIN.MAX_BATCHES', '3', 'TRAIN.BATCH_IMAGES', '2', 'TRAIN.end_epoch', '1',
                              'TRAIN.NUM_PROCESS', '0', 'gpus', 'cpu'] + list(settings))
    assert status == 0
    return read_arrays(os.path.join(str(output), name, 'train', 'SNIPER-0001.params'))


def test_the_whole_network(images, tmp_path):
    arrays = train('sniper_tiny_autofocus', images, tmp_path)
    assert {f'arg:{layer}_{kind}' for layer in HEAD for kind in ('weight', 'bias')} <= set(arrays)
    log, = glob.glob(os.path.join(str(tmp_path), 'sniper_tiny_autofocus', 'train', '*.log'))
    text = open(log).read()
    assert 'AutoFocusAcc' in text and 'AutoFocusLogLoss' in text
    assert np.abs(arrays['arg:conv_new_out_bias']).max() > 0        # it started at zero


def test_the_head_alone(images, tmp_path):
    if not os.path.exists(SHIPPED):
        pytest.skip('needs the shipped model')
    arrays, shipped = train('sniper_tiny_autofocus_head', images, tmp_path), read_arrays(SHIPPED)
    kept = [name for name in arrays if not name.split(':')[1].startswith(HEAD)]
    changed = [name for name in kept if not np.array_equal(arrays[name], shipped[name])]
    assert len(kept) > 100 and not changed
    assert arrays['arg:conv_new_out_bias'].any()


def test_the_proposal_network_has_no_such_head(images, tmp_path):
    arrays = train('sniper_tiny_autofocus', images, tmp_path, 'TRAIN.ONLY_PROPOSAL', 'True')
    assert 'arg:rpn_cls_score_weight' in arrays and not any('conv_new' in name for name in arrays)
