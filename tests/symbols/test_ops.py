"""Which operators a graph is made of, and where they run, by how the library was built and what GPUs there are."""
import json

import pytest

import sniper_mxnet
from lib.engine.devices import host_group
from sniper_mxnet import mx
from symbols import get_detector, ops
from symbols.options import AnchorOptions, LossOptions, MiningOptions, ProposalOptions, SoftSampling, runs_on_gpu
from tests.symbols.helpers import config_for


@pytest.fixture(params=[(False, False), (False, True), (True, False), (True, True)],
                ids=['CPU', 'GPU', 'CPU, kernels', 'GPU, kernels'])
def machine(request, monkeypatch):
    """(whether the library has CUDA kernels, whether the run is on a GPU); the machine always has one."""
    kernels, gpu = request.param
    monkeypatch.setattr(sniper_mxnet, 'has_cuda_kernels', lambda: kernels)
    monkeypatch.setattr(mx.context, 'num_gpus', lambda: 1)
    return kernels, gpu


@pytest.mark.parametrize('name, variant, proposals', [
    ('resnet_mx_101_e2e', 'train', {'MultiProposalTarget'}), ('resnet_mx_101_e2e', 'test', {'MultiProposal'}),
    ('resnet_mx_101_e2e_mask', 'train', {'MultiProposalTargetMask', 'MaskRcnnTarget'})])
def test_operators_and_their_context(machine, name, variant, proposals):
    kernels, gpu = machine
    symbol = get_detector(name).symbol(config_for(name, 'gpus', '0' if gpu else 'cpu'), variant)
    nodes = json.loads(symbol.tojson())['nodes']
    prefix = '_contrib_' if gpu and not kernels else ''
    for name in ('DeformableConvolution', 'DeformablePSROIPooling'):
        assert {node['op'] for node in nodes if name in node['op']} == {prefix + name}
    grouped = {node['op'] for node in nodes if node.get('attrs', {}).get('__ctx_group__') == ops.HOST}
    assert grouped - {'BlockGrad'} == (set() if kernels else proposals)   # its guard of a variable goes with it
    assert proposals <= {node['op'] for node in nodes}


def test_mined_targets_and_their_context(machine):
    anchors = AnchorOptions(stride=8, scales=(1, 2), ratios=(1,))
    mining = MiningOptions(base_size=16, border=0, positive_overlap=0.5, negative_overlap=0.3, batch_size=256,
                           positive_fraction=0.25, hard=True)
    inputs = [mx.sym.identity(mx.sym.var(name)) for name in ('prob', 'gt_boxes', 'im_info')]
    symbol = mx.sym.Group(ops.mined_anchor_target(*inputs, anchors, mining, name='m1'))
    assert symbol.list_outputs() == ['m1_label', 'm1_bbox_target', 'm1_bbox_weight']
    group = {node['op']: node.get('attrs', {}).get('__ctx_group__') for node in json.loads(symbol.tojson())['nodes']}
    assert group['MinedAnchorTarget'] == (None if machine[0] else ops.HOST)


def test_mean_of_pooled_bins(machine):
    """Stock operators on GPUs for which there are no kernels; the same values."""
    kernels, gpu = machine
    symbol = ops.roi_mean_pooling(mx.sym.var('data'), mx.sym.var('rois'), 'fine', on_gpu=gpu, pooled_size=(7, 7),
                                  spatial_scale=0.25)
    assert symbol.list_outputs() == ['fine_output']
    assert ('RoIMeanPooling' in symbol.tojson()) == (kernels or not gpu)
    arrays = {'data': mx.nd.array(range(48)).reshape((1, 3, 4, 4)), 'rois': mx.nd.array([[0, 0, 0, 11, 11]])}
    found = symbol.bind(mx.cpu(), arrays).forward()[0]
    assert found.shape == (1, 3) and abs(found[0, 1].asscalar() - found[0, 0].asscalar() - 16) < 1e-5


@pytest.mark.parametrize('groups', [False, True])
def test_targets_with_group_boxes_and_their_context(machine, groups):
    config = config_for('sniper_tiny')
    options = AnchorOptions.from_config(config, 16), ProposalOptions.from_config(config, 'TRAIN'), \
        LossOptions.from_config(config, 16)
    inputs = [mx.sym.identity(mx.sym.var(name)) for name in
              ('cls_prob', 'bbox_pred', 'im_info', 'gt_boxes', 'valid_ranges', 'crowd_boxes')]
    more = dict(crowd_boxes=inputs[5], sampling=SoftSampling(a=0.5)) if groups else {}
    outputs = ops.multi_proposal_target(*inputs[:5], *options, name='targets', **more)
    names = ['rois', 'label', 'bbox_target', 'bbox_weight', 'label_weight'][:4 + groups]
    assert mx.sym.Group(outputs).list_outputs() == ['targets_' + name for name in names]
    weight = ops.soft_sampling_weight(outputs[0], inputs[3], SoftSampling(0.1, 20, 30), name='soft')
    nodes = {node['op']: node['attrs'] for node in json.loads(mx.sym.Group([*outputs, weight]).tojson())['nodes']
             if 'attrs' in node}
    for name in ('MultiProposalTarget', 'SoftSamplingWeight'):
        assert nodes[name].get('__ctx_group__') == (None if machine[0] else ops.HOST)
    assert [nodes['SoftSamplingWeight']['soft_sampling_' + name] for name in 'abc'] == ['0.1', '20', '30']
    assert nodes['MultiProposalTarget'].get('soft_sampling_a') == ('0.5' if groups else None)


def test_half_precision_takes_the_stock_convolution_on_gpus(machine):
    _, gpu = machine
    config = config_for('resnet_mx_101_e2e', 'gpus', '0' if gpu else 'cpu')
    config.TRAIN.fp16 = True
    nodes = json.loads(get_detector('resnet_mx_101_e2e').symbol(config, 'train').tojson())['nodes']
    assert {node['op'] for node in nodes if 'DeformableConvolution' in node['op']} == {
        '_contrib_DeformableConvolution' if gpu else 'DeformableConvolution'}


@pytest.mark.parametrize('gpus, count, on_gpu', [('', 1, False), ('cpu', 1, False), ('cpu,cpu', 2, False),
                                                 ('auto', 1, True), ('auto', 0, False), ('0', 0, True),
                                                 ('0,1', 2, True)])
def test_the_devices_of_the_run_count(monkeypatch, gpus, count, on_gpu):
    """Not whether the machine has GPUs."""
    monkeypatch.setattr(mx.context, 'num_gpus', lambda: count)
    assert runs_on_gpu(config_for('sniper_tiny', 'gpus', repr(gpus))) == on_gpu


@pytest.mark.parametrize('kernels', [False, True])
def test_host_group_of_devices(monkeypatch, kernels):
    monkeypatch.setattr(sniper_mxnet, 'has_cuda_kernels', lambda: kernels)
    assert host_group([mx.cpu()]) is None
    assert host_group([mx.gpu(0), mx.gpu(1)]) == (None if kernels else {ops.HOST: mx.cpu()})
