"""Every YAML file in configs/: what it describes is built, bound and run."""
import glob
import os

import numpy as np
import pytest

from configs import load_config
from lib.tasks import check_config, get_task
from sniper_mxnet import mx
from symbols import get_detector
from tests.conftest import ROOT
from tests.symbols.helpers import shapes_of

FILES = sorted(glob.glob(os.path.join(ROOT, 'configs', '*', '*.yml')))
CONFIGS = [path for path in FILES if os.sep + '_base_' + os.sep not in path]
M2DET = [path for path in CONFIGS if os.sep + 'm2det' + os.sep in path]
SSH = [path for path in CONFIGS if os.sep + 'ssh' + os.sep in path]
RFCN = [path for path in CONFIGS if os.sep + 'rfcn3k' + os.sep in path]
ARM = [path for path in CONFIGS if os.sep + 'arm' + os.sep in path]
RCNN = [path for path in CONFIGS if path not in M2DET + SSH + RFCN + ARM]
SIZE = 96
MEGABYTES = 100     # of parameters: larger networks are built, and bound by shapes only


def on_cpu(path):
    overrides = ['gpus', 'cpu', 'TRAIN.fp16', False, 'TRAIN.USE_NEG_CHIPS', False, 'TRAIN.BATCH_IMAGES', 1]
    return load_config(path, overrides)


def names(paths):
    return [os.path.basename(path) for path in paths]


def test_the_original_names_are_there():
    assert {f'sniper_{name}.yml' for name in (
        'res101_e2e', 'res50_e2e', 'mobilenetv2_e2e', 'res101_e2e_mask', 'res101_e2e_autofocus',
        'res101_e2e_mask_autofocus', 'res101_e2e_pascal_voc')} <= set(names(CONFIGS))


@pytest.mark.parametrize('path', CONFIGS, ids=names(CONFIGS))
def test_supported_for_tests(path):
    for purpose in ('test', 'demo'):
        check_config(on_cpu(path), purpose)


@pytest.mark.parametrize('path', CONFIGS, ids=names(CONFIGS))
def test_supported_for_training(path):
    check_config(on_cpu(path), 'train')


@pytest.mark.parametrize('path', RCNN, ids=names(RCNN))
def test_every_graph_is_bound_and_the_test_graph_runs(path):
    config = on_cpu(path)
    config.dataset.NUM_CLASSES = config.dataset.NUM_CLASSES or 25
    detector = get_detector(config.symbol)
    for variant in ('train', 'proposal_train', 'proposal_test', 'test') + ('mask',) * config.TEST.WITH_MASK:
        shapes = shapes_of(detector, config, 1, SIZE, SIZE, variant)
        executor = detector.symbol(config, variant).simple_bind(mx.cpu(), grad_req='null', **shapes)
        if variant == 'test':
            check_outputs(executor, config)


@pytest.mark.parametrize('path', ARM, ids=names(ARM))
def test_every_graph_of_a_proposal_network_is_bound_and_runs(path):
    config = on_cpu(path)
    config.dataset.NUM_CLASSES = config.dataset.NUM_CLASSES or 2
    detector, task = get_detector(config.symbol), get_task(config, 'train')
    inputs = {each.name: (1, *each.shape) for each in task.inputs()}
    detector.symbol(config, task.train_graph).simple_bind(mx.cpu(), **inputs)
    shapes = detector.input_shapes(config, 1, SIZE, SIZE, 'proposal_test')
    executor = detector.symbol(config, 'proposal_test').simple_bind(mx.cpu(), grad_req='null', **shapes)
    fill(executor)
    outputs = dict(zip(executor.output_dict, executor.forward(is_train=False)))
    rois, scores = (outputs[name].asnumpy() for name in ('rois_output', 'rois_score'))
    assert rois.shape == (config.TEST.RPN_POST_NMS_TOP_N, 5) and np.isfinite(rois).all()
    assert (scores <= 1).all() and (scores > 0).any()


def fill(executor):
    """Parameters that are not alike, the same in all runs, and an input size."""
    pattern = np.random.RandomState(0).normal(0, 0.02, 65521).astype(np.float32)    # a prime number: no two rows agree
    for name, array in sorted(executor.arg_dict.items()):
        array[:] = np.resize(pattern, array.shape)
    for name, array in executor.aux_dict.items():
        array[:] = 1
    executor.arg_dict['im_info'][:] = [[SIZE, SIZE, 1]]


def check_outputs(executor, config):
    fill(executor)
    outputs = dict(zip(executor.output_dict, executor.forward(is_train=False)))
    rois = config.TEST.RPN_POST_NMS_TOP_N
    probability = outputs['cls_prob_reshape_output'].asnumpy()
    assert probability.shape == (1, rois, config.dataset.NUM_CLASSES)
    np.testing.assert_allclose(probability.sum(2), 1, rtol=1e-4)
    assert outputs['rois_output'].shape == (rois, 5)
    assert np.isfinite(outputs['bbox_pred_reshape_output'].asnumpy()).all()


@pytest.mark.parametrize('path', RFCN, ids=names(RFCN))
def test_every_graph_of_rfcn_3k_fits_its_inputs(path):
    config = on_cpu(path)
    config.dataset.NUM_CLASSES = config.dataset.NUM_CLASSES or 25
    detector, classes = get_detector(config.symbol), config.dataset.NUM_CLASSES - 1
    train = shapes_of(detector, config, 1, SIZE, SIZE, 'train')
    rois, outputs = config.TRAIN.RPN_POST_NMS_TOP_N, detector.symbol(config, 'train').infer_shape(**train)[1]
    assert outputs[2:] == [(1, rois, 2), (config.RFCN.fine_rois, classes), (rois, 4), (rois,),
                           (config.RFCN.fine_rois,)]
    shapes, rois = shapes_of(detector, config, 1, SIZE, SIZE, 'test'), config.TEST.RPN_POST_NMS_TOP_N
    symbol = detector.symbol(config, 'test')
    assert symbol.infer_shape(**shapes)[1] == [(rois, 5), (1, rois, 2), (1, rois, 4), (1,), (1, rois, classes)]
    executor = symbol.simple_bind(mx.cpu(), grad_req='null', **shapes)
    for name, array in executor.arg_dict.items():
        array[:] = np.resize(np.random.RandomState(0).normal(0, 0.02, 65521), array.shape)
    for array in executor.aux_dict.values():
        array[:] = 1
    executor.arg_dict['im_info'][:] = [[SIZE, SIZE, 1]]
    outputs = [output.asnumpy() for output in executor.forward(is_train=False)]
    np.testing.assert_allclose(outputs[1].sum(2), 1, rtol=1e-4)
    np.testing.assert_allclose(outputs[4].sum(2), 1, rtol=1e-4)


@pytest.mark.parametrize('path', M2DET, ids=names(M2DET))
def test_every_graph_of_m2det_fits_its_inputs(path):
    config = on_cpu(path)
    detector, task = get_detector(config.symbol), get_task(config)
    side, priors = config.M2DET.input_size, len(task.prior_targets.priors)
    train = {name: shape for part in task.layout(2) for name, shape in part}
    assert train == dict(data=(2, 3, side, side), cls_target=(2, priors), loc_target=(2, priors, 4))
    assert detector.symbol(config, 'train').infer_shape(**train)[1] == [(1,), (1,), (2, priors)]
    symbol, shapes = detector.symbol(config, 'test'), detector.input_shapes(config, 1, side, side, 'test')
    arguments, outputs, _ = symbol.infer_shape(**shapes)
    assert outputs == [(1, priors, 4), (1, priors, config.dataset.NUM_CLASSES)]
    if sum(4 * np.prod(shape) for shape in arguments) / 1e6 > MEGABYTES:
        return
    executor = symbol.simple_bind(mx.cpu(), grad_req='null', **shapes)
    for array in executor.arg_dict.values():
        array[:] = np.random.RandomState(0).normal(0, 0.02, array.shape)
    scores = dict(zip(executor.output_dict, executor.forward(is_train=False)))['conf_output'].asnumpy()
    np.testing.assert_allclose(scores.sum(2), 1, rtol=1e-4)


def test_what_is_shipped_of_m2det():
    sides = {os.path.basename(path): load_config(path).M2DET.input_size for path in M2DET}
    assert (sides.pop('m2det_tiny.yml'), sides.pop('m2det_tiny_bccd.yml')) == (512, 320)
    assert sides == {f'm2det{side}_{rest}.yml': side for side, rest in (
        (320, 'vgg16'), (512, 'vgg16'), (320, 'resnet101'), (512, 'resnet101'), (704, 'vgg16'), (800, 'vgg16'),
        (320, 'vgg16_sfam'), (512, 'vgg16_port'))}


@pytest.mark.parametrize('path', SSH, ids=names(SSH))
def test_every_graph_of_ssh_fits_its_inputs(path):
    config = on_cpu(path)
    detector, task = get_detector(config.symbol), get_task(config)
    side, cells = config.TRAIN.CHIP_SIZE, [config.TRAIN.CHIP_SIZE // stride for stride in (8, 16, 32)]
    train = {name: shape for part in task.layout(2) for name, shape in part}
    assert train == dict(data=(2, 3, side, side), im_info=(2, 3), gt_boxes=(2, config.TRAIN.MAX_GT, 5))
    assert detector.symbol(config, 'train').infer_shape(**train)[1] == [
        shape for cell in cells for shape in ((2, 2, 2 * cell, cell), (2, 8, cell, cell), (2, 2 * cell * cell))]
    for index in range(len(config.TEST.SCALES)):
        of_scale = get_task(config, 'test').at_scale(index).config
        symbol, shapes = detector.symbol(of_scale, 'test'), detector.input_shapes(of_scale, 1, 100, SIZE, 'test')
        wanted = [(1, channels, -(-100 // stride), SIZE // stride) for stride in (8, 16, 32) for channels in (2, 8)]
        arguments, outputs, _ = symbol.infer_shape(**shapes)
        assert outputs == wanted[:2 * len(of_scale.SSH.modules)]
    if sum(4 * np.prod(shape) for shape in arguments) / 1e6 > MEGABYTES:
        return
    executor = symbol.simple_bind(mx.cpu(), grad_req='null', **shapes)
    for array in executor.arg_dict.values():
        array[:] = np.random.RandomState(0).normal(0, 0.02, array.shape)
    for array in executor.aux_dict.values():
        array[:] = 1
    faces = executor.forward(is_train=False)[0].asnumpy()
    assert ((0 < faces) & (faces < 1)).all()
