"""Configurations, manifests and weights for the tests of the networks."""
import json
import os
import zlib

import numpy as np

from configs import load_config
from lib.tasks import get_task
from lib.tasks.proposals import ProposalTask
from tests.conftest import ROOT
from tests.golden import reference_file

CONFIG_FILES = {
    'resnet_mx_101_e2e': 'sniper_res101_e2e.yml',
    'resnet_mx_101_e2e_mask': 'sniper_res101_e2e_mask.yml',
    'resnet_mx_50_e2e': 'sniper_res50_e2e.yml',
    'resnet_v1_101_e2e': 'sniper_res101_v1_e2e.yml',
    'resnet_v1_50_e2e': 'sniper_res50_v1_e2e.yml',
    'resnext_mx_101': 'sniper_res101_e2e.yml',      # it has no file of its own: same stride, anchors and classes
    'mobilenetv2_e2e': 'sniper_mobilenetv2_e2e.yml',
    'sniper_tiny': 'sniper_tiny_e2e.yml',
}
OPENIMAGES_FILES = {
    'resnet_mx_101_e2e_openimages': '../openimages/openimages_res101.yml',
    'sniper_tiny_openimages': '../openimages/openimages_tiny.yml',
}
ARM_FILES = {'deepv_arm_net': '../arm/sniper_arm_deepv.yml'}
RFCN_FILES = {
    'resnet_mx_101_e2e_3k': '../rfcn3k/rfcn3k_res101.yml',
    'resnet_mx_101_e2e_3k_demo': '../rfcn3k/rfcn3k_res101.yml',
    'rfcn_3k_tiny': '../rfcn3k/rfcn3k_tiny.yml',
}


FED = ('network.ROIS', 'input')


def original_rois(name):
    """Overrides with which the R-CNN looks at what it does in the original."""
    return FED if name == 'resnext_mx_101' else ()


def config_for(name, *overrides):
    """The detector's shipped configuration at 2 chips a device in float32; `overrides` as after --set."""
    files = {**CONFIG_FILES, **RFCN_FILES, **OPENIMAGES_FILES, **ARM_FILES}
    config = load_config(os.path.join(ROOT, 'configs', 'faster', files[name]),
                         ['symbol', name, 'TRAIN.BATCH_IMAGES', '2', 'TRAIN.fp16', 'False', 'gpus', 'cpu'] +
                         list(overrides))
    config.dataset.NUM_CLASSES = config.dataset.NUM_CLASSES or 4
    return config


def shapes_of(detector, config, batch, height, width, variant):
    """{input name: shape} of a graph, data before labels: from the task for training, else from the detector."""
    if not variant.endswith('train'):
        return detector.input_shapes(config, batch, height, width, variant)
    kind = ProposalTask if variant == 'proposal_train' else type(get_task(config))
    task = type('Sized', (kind,), {'input_size': (height, width)})(config)
    return {name: shape for part in task.layout(batch) for name, shape in part}


def manifest(name, variant):
    """The original's `networks/<name>.<variant>.json`; skips the test if it is absent."""
    with open(reference_file(f'networks/{name}.{variant}.json')) as handle:
        return json.load(handle)


def golden_array(name, shape, gain=1.0):
    """The array which the golden vectors were made with: it depends on name and shape (reference/networks.md 16)."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith(('_gamma', '_moving_var')):
        array = random.uniform(0.5, 1.5, shape)
    elif name.endswith(('_beta', '_bias', '_moving_mean')):
        array = random.normal(0, 0.1, shape)
    elif name.endswith('offset_weight'):
        array = random.normal(0, 0.003, shape)
    else:
        array = random.normal(0, (gain / np.prod(shape[1:])) ** 0.5, shape)
    return array.astype(np.float32)


def bind_golden(symbol, inputs, gain=1.0, train=False):
    """Executor of `symbol` with the golden weights; `inputs` {name: array} are all that is not learnt."""
    from sniper_mxnet import mx
    shapes = {name: array.shape for name, array in inputs.items()}
    executor = symbol.simple_bind(mx.cpu(), grad_req={name: 'null' if name in inputs or not train else 'write'
                                                      for name in symbol.list_arguments()}, **shapes)
    for arrays in (executor.arg_dict, executor.aux_dict):
        for name, array in arrays.items():
            array[:] = inputs[name] if name in inputs else golden_array(name, array.shape, gain)
    return executor
