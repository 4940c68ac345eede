"""Trunk, RPN, R-CNN, AutoFocus and mask heads against numbers of the original's graphs (reference/networks.md 16)."""
import numpy as np
import pytest

from lib.train.initialise import frozen_parameters
from sniper_mxnet import mx
from symbols import get_detector, ops
from symbols.detectors import faster_rcnn
from symbols.heads.rcnn import rcnn_losses
from tests.golden import golden_file
from tests.symbols.helpers import bind_golden, config_for

GAIN = {'resnet_mx_101_e2e': 1.0, 'resnet_mx_101_e2e_mask': 1.0, 'mobilenetv2_e2e': 1.5}
NAMES = sorted(GAIN)
OF_BRANCHES = {'resnet_mx_101_e2e_3k': 1.0, 'deepv_arm_net': 1.0}   # of which there is a test file alone
FOCUS = {'resnet_mx_101_e2e', 'resnet_mx_101_e2e_mask'}    # their golden files were made with the AutoFocus branch
ROI_INPUTS = ('rois', 'roi_label', 'roi_bbox_target', 'roi_bbox_weight')
DATA_SEED = {'test': 20180523, 'train': 20181204}


@pytest.fixture(autouse=True)
def rpn_outputs(monkeypatch):
    """The operators that choose rois become variables, so that the heads see the golden files' rois.

    Returns a dict that receives what the RPN handed to MultiProposal, else unreachable from the graph's outputs.
    """
    received = {}

    def multi_proposal(cls_prob, bbox_pred, **_):
        received.update(cls_prob=cls_prob, bbox_pred=bbox_pred)
        return [mx.sym.var('fed_rois'), mx.sym.var('fed_score')]

    monkeypatch.setattr(ops.mx.sym, 'MultiProposal', multi_proposal, raising=False)
    monkeypatch.setattr(ops.mx.sym, 'MultiProposalTarget', raising=False, value=lambda **_: [
        mx.sym.var('fed_' + name) for name in ROI_INPUTS])
    monkeypatch.setattr(ops.mx.sym, 'MultiProposalTargetMask', raising=False, value=lambda **_: [
        mx.sym.var('fed_' + name) for name in ROI_INPUTS + ('mask_rois', 'mask_ids')])
    monkeypatch.setattr(ops.mx.sym, 'MaskRcnnTarget', raising=False, value=lambda **_: [
        mx.sym.var('fed_' + name) for name in ('mask_targets', 'mask_cls')])
    return received


def golden_inputs(golden, variant, batch):
    """{variable: array}: the file's `in:` arrays; those of the replaced operators under `fed_`."""
    inputs = {'data': np.random.RandomState(DATA_SEED[variant]).normal(0, 1, (batch, 3, 128, 160)).astype(np.float32)}
    for key in golden.files:
        if key.startswith('in:'):
            name = key[3:]
            inputs['fed_' + name if name.startswith(('roi', 'mask_')) else name] = golden[key]
    return inputs


def assert_near(actual, expected, bound, name):
    """Equal but for `bound` times the largest magnitude."""
    assert actual.shape == expected.shape, name
    error = np.abs(actual - expected).max() / max(np.abs(expected).max(), 1e-12)
    assert error <= bound, f'{name} is off by {error:.2e} of its largest magnitude'


def stage_ends(internals):
    """{'stage1': symbol ...}: the sums that end the stages, found as what the next stage (or cat4) reads."""
    names = internals.list_outputs()
    ends = {}
    for stage in (2, 3, 4):
        ends[f'stage{stage - 1}'] = names[names.index(f'stage{stage}_unit1_bn1_gamma') - 1]
    ends['stage4'] = names[names.index('cat4_output') - 1]
    return {stage: internals[name] for stage, name in ends.items()}


@pytest.mark.parametrize('name', NAMES + sorted(OF_BRANCHES))
def test_inference(name, rpn_outputs, monkeypatch):
    # oneDNN's fusion of inference graphs overwrites an output that is also an inner node (here conv0 by its ReLU).
    monkeypatch.setenv('MXNET_SUBGRAPH_BACKEND', 'NONE')
    golden = np.load(golden_file(f'networks/{name}.test.npz'))
    symbol = get_detector(name).test_symbol(config_for(name, 'TEST.RPN_POST_NMS_TOP_N', '8', 'TEST.AUTO_FOCUS',
                                                       str(name in FOCUS)))
    internals = mx.sym.Group([symbol] + list(rpn_outputs.values())).get_internals()
    expected = [key for key in golden.files if not key.startswith('in:')]
    names = {key.split(':')[-1] for key in expected}
    ends = stage_ends(internals) if 'stage1' in names else {}
    wanted = {key: ends[key] if key in ends else internals[key + '_output'] for key in names}

    keys = sorted(wanted)
    group = mx.sym.Group([wanted[key] for key in keys])
    inputs = golden_inputs(golden, 'test', 1)
    executor = bind_golden(group, {key: inputs[key] for key in group.list_arguments() if key in inputs},
                           {**GAIN, **OF_BRANCHES}[name])
    compared = 0
    for key, output in zip(keys, executor.forward(is_train=False)):
        output = output.asnumpy()
        if key in golden.files:
            assert_near(output, golden[key], 1e-4, key)
            compared += 1
        if 'mean:' + key in golden.files:
            assert_near(output.mean(axis=(2, 3)).ravel(), golden['mean:' + key].ravel(), 1e-4, 'mean of ' + key)
            assert_near(output.std(axis=(2, 3)).ravel(), golden['std:' + key].ravel(), 1e-4, 'std of ' + key)
            compared += 2
    assert compared == len(expected), sorted(expected)


@pytest.mark.parametrize('name', NAMES)
def test_training_step(name, monkeypatch):
    golden = np.load(golden_file(f'networks/{name}.train.npz'))
    config = config_for(name, 'TRAIN.RPN_POST_NMS_TOP_N', str(len(golden['in:rois']) // 2), 'TRAIN.AUTO_FOCUS',
                        str(name in FOCUS))
    # The golden run fed 8 rois an image to a graph whose loss was divided by 300.
    monkeypatch.setattr(faster_rcnn, 'rcnn_losses', lambda outputs, targets, losses, rois: rcnn_losses(
        outputs, targets, losses, rois and 300 * losses.batch_images))
    symbol = get_detector(name).train_symbol(config)
    inputs = golden_inputs(golden, 'train', 2)
    arguments = symbol.list_arguments()
    executor = bind_golden(symbol, {key: value for key, value in inputs.items() if key in arguments}, GAIN[name], True)
    statistics = {key: array.asnumpy() for key, array in executor.aux_dict.items()}
    outputs = dict(zip(symbol.list_outputs(), executor.forward(is_train=True)))
    executor.backward()
    mx.nd.waitall()

    for key in golden.files:
        if key.startswith('out:'):
            assert_near(outputs[key[4:]].asnumpy(), golden[key], 5e-4, key)
        elif key.startswith('sum:'):
            output = outputs[key[4:]].asnumpy().astype(np.float64)
            assert_near(np.array([output.sum(), (output ** 2).sum()]), golden[key], 5e-4, key)

    for key, row in zip(golden['grad_names'], golden['grad']):
        norm = np.linalg.norm(executor.grad_dict[str(key)].asnumpy().astype(np.float64))
        bound = 1e-1 if key == 'bn_data_beta' else 2e-2
        assert abs(norm - row[1]) <= bound * row[1] + 1e-7, f'gradient of {key}: norm {norm:g}, expected {row[1]:g}'
    assert sorted(frozen_parameters(config, symbol.list_arguments())) == sorted(golden['fixed_names'].astype(str))

    for key, row, changed in zip(golden['aux_names'], golden['aux'], golden['aux_changed']):
        array = executor.aux_dict[str(key)].asnumpy()
        assert_near(np.array([array.sum(), np.linalg.norm(array), array.ravel()[0]]), row, 1e-5, key)
        assert bool(changed) == (not np.array_equal(array, statistics[str(key)])), f'{key} moves, or not, wrongly'
