"""Kernels of MultiProposal, MultiProposalTarget and MultiProposalTargetMask against the CPU's loops.

Under emulation every number is the same. On a GPU too, as boxes are decoded by our own exponential and multiply-adds
are not contracted; only the logarithm in box targets is CUDA's, which may differ in the last bit of a double.
"""
import numpy as np
import pytest

from proposal_data import SCALES, Options, ground_truth, group_boxes, multi_proposal, network_outputs, proposal_targets


def check(device, expected, got):
    for wanted, value in zip(expected, got):
        assert value.shape == wanted.shape and not np.isnan(value).any()
        np.testing.assert_allclose(value, wanted, rtol=1e-6 if device.kind == 'cuda' else 0)


CASES = {
    'one image': dict(images=1, height=5, width=7, options=dict(post=20)),
    'three images': dict(images=3, height=9, width=12, options=dict(post=60)),
    'ties': dict(images=2, height=8, width=8, levels=4, options=dict(post=100)),
    'several chunks': dict(images=2, height=16, width=20, options=dict(pre=-1, post=200, threshold=0.2)),
    'cut within a chunk': dict(images=2, height=16, width=20, options=dict(pre=2500, post=300, threshold=0.3)),
    'more rows than boxes': dict(images=2, height=3, width=3, options=dict(post=400, threshold=0.1)),
    'none survives': dict(images=2, height=4, width=4, options=dict(post=10, min_size=1000)),
    'no suppression': dict(images=1, height=6, width=6, options=dict(post=500, threshold=1)),
    'any overlap suppresses': dict(images=1, height=6, width=6, options=dict(post=50, threshold=0)),
    'other anchors': dict(images=1, height=6, width=9, stride=32, scales=(1, 2, 4, 8, 12), options=dict(post=50)),
    'many scales': dict(images=1, height=3, width=2, scales=tuple(np.linspace(1, 20, 70)), options=dict(post=30)),
    'one row': dict(images=3, height=4, width=5, options=dict(post=1)),
}


def case(name, seed=0):
    settings = dict(CASES[name])
    scales = settings.pop('scales', SCALES)
    options = Options(stride=settings.get('stride', 16), scales=scales, **settings.pop('options'))
    return network_outputs(seed, anchors=3 * len(scales), **settings), options


@pytest.mark.parametrize('name', CASES)
def test_multi_proposal(cpu, device, name):
    outputs, options = case(name)
    check(device, multi_proposal(cpu, outputs, options), multi_proposal(device, outputs, options))


def test_large_maps_take_larger_chunks(cpu, device):
    outputs, options = network_outputs(1, 1, 56, 60, 21), Options(post=300, pre=9000, threshold=0.5)
    check(device, multi_proposal(cpu, outputs, options), multi_proposal(device, outputs, options))


def test_nan_and_infinity_drop_their_boxes_only(cpu, device):
    outputs, options = case('three images')
    draw = np.random.RandomState(5)
    for array in outputs[:2]:
        for value in (np.nan, np.inf, -np.inf, -1):
            array[draw.uniform(size=array.shape) < 0.02] = value
    outputs[2][1, 0] = np.nan
    rois, scores = multi_proposal(device, outputs, options)
    assert np.isfinite(rois).all()
    check(device, multi_proposal(cpu, outputs, options), (rois, scores))


@pytest.mark.parametrize('name', CASES)
def test_targets(cpu, device, name):
    outputs, options = case(name, seed=1)
    truth = ground_truth(2, len(outputs[0]), 12, 16 * outputs[0].shape[2])
    check(device, proposal_targets(cpu, outputs, truth, options), proposal_targets(device, outputs, truth, options))


@pytest.mark.parametrize('name', CASES)
@pytest.mark.parametrize('labels', [False, True])
def test_targets_with_masks(cpu, device, name, labels):
    outputs, options = case(name, seed=3)
    truth = ground_truth(4, len(outputs[0]), 7, 16 * outputs[0].shape[2])
    settings = dict(masks=15, labels=labels, mask_rules=True, aligned=labels)
    check(device, proposal_targets(cpu, outputs, truth, options, **settings),
          proposal_targets(device, outputs, truth, options, **settings))


@pytest.mark.parametrize('name', CASES)
def test_targets_with_group_boxes(cpu, device, name):
    outputs, options = case(name, seed=8)
    images, side = len(outputs[0]), 16 * outputs[0].shape[2]
    truth, groups = ground_truth(9, images, 7, side), group_boxes(10, images, 4, side)
    settings = dict(groups=groups, aligned=True, sampling=(0.1, 20, 10))
    expected = proposal_targets(cpu, outputs, truth, options, **settings)
    check(device, expected, proposal_targets(device, outputs, truth, options, **settings))
    assert len(expected[-1]) == len(expected[1]) and (expected[-1] >= np.float32(0.1)).all()


def test_group_boxes_decide_labels(cpu, device):
    """Else the test above would show nothing: rois of all kinds, and odd numbers among the group boxes."""
    outputs, options = case('three images', seed=11)
    truth, groups = ground_truth(12, 3, 7, 150), group_boxes(13, 3, 40, 150)
    groups[0, ::3, 2] = [np.nan, np.inf, -np.inf] * 4 + [np.nan] * 2
    found = proposal_targets(device, outputs, truth, options, groups=groups)
    check(device, proposal_targets(cpu, outputs, truth, options, groups=groups), found)
    assert {-1, 0} <= set(found[1]) and (found[1] > 0).any() and len(np.unique(found[-1])) > 20


@pytest.mark.parametrize('max_gt', [1, 300, 700])
def test_any_number_of_objects(cpu, device, max_gt):
    outputs, options = case('three images', seed=6)
    truth = ground_truth(7, 3, max_gt, 150)
    if max_gt == 1:
        truth[0][:] = -1
    settings = dict(masks=100, mask_rules=True)
    check(device, proposal_targets(cpu, outputs, truth, options, **settings),
          proposal_targets(device, outputs, truth, options, **settings))


@pytest.mark.parametrize('seed', range(8))
def test_random_shapes(cpu, device, seed):
    draw = np.random.RandomState(100 + seed)
    images, height, width = draw.randint(1, 6), draw.randint(1, 14), draw.randint(1, 14)
    scales = tuple(draw.uniform(1, 12, draw.randint(1, 9)))
    options = Options(stride=int(draw.choice([4, 8, 16, 32])), pre=int(draw.choice([-1, 1, 64, 1000])),
                      post=draw.randint(1, 400), threshold=draw.uniform(0.05, 0.95), min_size=draw.uniform(0, 30),
                      scales=scales)
    outputs = network_outputs(seed, images, height, width, 3 * len(scales), levels=draw.choice([None, 20]),
                              spread=draw.uniform(0.05, 1.5))
    truth = ground_truth(seed, images, draw.randint(1, 40), 16 * height)
    check(device, multi_proposal(cpu, outputs, options), multi_proposal(device, outputs, options))
    settings = dict(masks=draw.randint(0, 60), mask_rules=bool(seed % 2))
    check(device, proposal_targets(cpu, outputs, truth, options, **settings),
          proposal_targets(device, outputs, truth, options, **settings))


@pytest.mark.parametrize('images, height, width, pre', [(1, 32, 32, 12000), (16, 32, 32, -1), (1, 88, 125, -1)])
def test_working_memory_is_below_four_times_inputs_and_outputs(emulated, images, height, width, pre):
    """Asked for before anything runs, so the emulated library answers for a GPU's but for the radix sort's few KB."""
    outputs, options = network_outputs(0, images, height, width, 21), Options(pre=pre, post=1, threshold=0)
    multi_proposal(emulated, outputs, options)
    assert 0 < emulated.scratch_bytes() < 4 * sum(array.nbytes for array in outputs)
