"""Every detector's graphs on a small map, in ONNX Runtime and OpenVINO, with weights that do not saturate."""
import os

import numpy as np
import pytest

from configs import load_config
from lib.export.files import run_mxnet
from lib.export.proof import TOLERANCES, differences
from sniper_mxnet import mx
from symbols import get_detector
from tests.conftest import ROOT
from tests.export.engines import installed_engines, loaded
from tests.symbols.helpers import golden_array

pytest.importorskip('onnx', reason='onnx is not installed (requirements-onnx.txt)')
FEW = ('TEST.RPN_POST_NMS_TOP_N', 20)
FOCUS = ('TEST.AUTO_FOCUS', True)
MASKS = ('TEST.WITH_MASK', True, 'TEST.MAX_PER_IMAGE', 6)
TINY, ARM = 'faster/sniper_tiny_e2e.yml', 'arm/sniper_arm_slim.yml'
# name -> (configuration, graph, keys)
GRAPHS = {
    'sniper_tiny': (TINY, 'test', FEW + FOCUS + MASKS),
    'sniper_tiny, proposals': (TINY, 'proposal_test', FEW),
    'sniper_tiny, masks': (TINY, 'mask', MASKS),
    'slim_arm_net': (ARM, 'proposal_test', FEW),
    'rfcn_3k_tiny, super-classes': ('rfcn3k/rfcn3k_tiny.yml', 'detect', FEW + ('RFCN.num_super_classes', 2)),
    'openimages': ('openimages/openimages_tiny.yml', 'test', FEW),
    'm2det_tiny': ('m2det/m2det_tiny.yml', 'test', ()),
    'ssh_tiny': ('ssh/ssh_tiny.yml', 'test', FOCUS),
}
LARGE = {
    'sniper_tiny, feature': (TINY, 'feature', FEW),
    'slim_arm_net, R-CNN': (ARM, 'test', FEW),
    'deepv_arm_net': ('arm/sniper_arm_deepv.yml', 'proposal_test', FEW),
    'mobilenetv2': ('faster/sniper_mobilenetv2_e2e.yml', 'test', FEW),
    'resnet_mx_50': ('faster/sniper_res50_e2e.yml', 'test', FEW + FOCUS),
    'resnet_mx_101_mask': ('faster/sniper_res101_e2e_mask.yml', 'test', FEW + MASKS),
    'resnet_v1_50': ('faster/sniper_res50_v1_e2e.yml', 'test', FEW),
    'resnet_v1_101': ('faster/sniper_res101_v1_e2e.yml', 'test', FEW),
    'resnext_mx_101 on rois': ('faster/sniper_res101_e2e.yml', 'test', FEW + ('symbol', 'resnext_mx_101',
                                                                              'network.ROIS', 'input')),
    'rfcn_3k': ('rfcn3k/rfcn3k_res101.yml', 'detect', FEW + ('dataset.NUM_CLASSES', 9)),
    'rfcn_3k, node by node': ('rfcn3k/rfcn3k_tiny.yml', 'test', FEW),
    'openimages_res101': ('openimages/openimages_res101.yml', 'test', FEW),
    'm2det, SE-ResNeXt': ('m2det/m2det_tiny.yml', 'test', ('M2DET.backbone', 'se_resnext50_32x4d', 'M2DET.width', 1)),
    'm2det, ResNet': ('m2det/m2det320_resnet101.yml', 'test', ()),
    'ssh_vgg16': ('ssh/ssh_vgg16.yml', 'test', ()),
    'ssh_res50': ('ssh/ssh_res50.yml', 'test', ()),
}


def configuration(file, keys):
    config = load_config(os.path.join(ROOT, 'configs', file), ['gpus', 'cpu', 'TRAIN.fp16', False, *keys])
    config.dataset.NUM_CLASSES = 2 if 'ssh' in file else config.dataset.NUM_CLASSES or 4
    return config


def drawn(name, shape):
    """Weights that keep numbers at about 1."""
    if name.endswith('running_var'):
        return np.random.RandomState(len(name)).uniform(0.5, 1.5, shape).astype(np.float32)
    return golden_array(name.replace('running_mean', 'moving_mean'), shape)


def network_of(config, variant):
    """(symbol, arg_params, aux_params) with drawn weights."""
    detector = get_detector(config.symbol)
    symbol = detector.symbol(config, variant)
    inputs = detector.input_shapes(config, 1, 128, 128, variant)
    shapes = symbol.infer_shape(**{name: shape for name, shape in inputs.items() if name in symbol.list_arguments()})
    arrays = [{name: mx.nd.array(drawn(name, shape)) for name, shape in zip(names, found) if name not in inputs}
              for names, found in ((symbol.list_arguments(), shapes[0]), (symbol.list_auxiliary_states(), shapes[2]))]
    return (symbol, *arrays)


def drawn_inputs(config, variant, images, height, width):
    """{name: array} of the graph's inputs; rois of all sizes, of all images."""
    random, found = np.random.RandomState(3), {}
    for name, shape in get_detector(config.symbol).input_shapes(config, images, height, width, variant).items():
        if name in ('rois', 'mask_rois'):
            boxes = random.uniform(0, 0.6, shape[:-1] + (2, 2)) * [width, height]
            boxes[..., 1, :] += boxes[..., 0, :] * 0.6
            number = np.repeat(np.arange(images), np.prod(shape[:-1]) // images).reshape(shape[:-1] + (1,))
            found[name] = np.concatenate([number, boxes.reshape(shape[:-1] + (4,))], -1)
        elif name == 'im_info':
            found[name] = np.tile([height, width, 1], (images, 1))
        else:
            found[name] = random.normal(0, 1, shape)
    return {name: array.astype(np.float32) for name, array in found.items()}


@pytest.mark.parametrize('name', GRAPHS)
def test_graph(name):
    check(*GRAPHS[name])


@pytest.mark.skipif(not os.environ.get('SNIPER_LARGE_TESTS'), reason='minutes: set SNIPER_LARGE_TESTS=1')
@pytest.mark.parametrize('name', LARGE)
def test_large_graph(name):
    check(*LARGE[name])


def check(file, variant, keys):
    """Both engines give what MXNet gives for one and for two images, whose maps have odd sides."""
    from lib.export.network import export_graph
    engines, config = installed_engines(), configuration(file, keys)
    facts = {'variant': variant, 'classes': ['', 'any'], 'pixels': {'name': 'data', 'order': 'RGB', 'means': []}}
    exported = export_graph(config, network_of(config, variant), facts)
    run = {engine: loaded(engine, exported.model) for engine in engines}
    for images, height, width in ((2, 72, 104), (1, 96, 64)):
        inputs = drawn_inputs(config, variant, images, height, width)
        wanted = run_mxnet(exported, inputs)
        read = {key: inputs[key] for key in exported.facts['inputs']}
        for engine in engines:
            found = run[engine](read)
            assert list(found) == exported.facts['outputs']
            for item in differences(wanted, found, TOLERANCES['fp32']):
                assert item.within >= 0.97, (engine, item)
                assert wanted[item.name].std() > 1e-4 * np.abs(wanted[item.name]).max(), item.name
