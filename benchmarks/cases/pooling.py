"""300 rois of a 512x512 image: DeformablePSROIPooling on a map of 256 channels, 7x7 bins of 4x4 samples, and
RoIMeanPooling on one of 3,130 channels, R-FCN-3K's."""
import numpy as np

from benchmarks.cases.arrays import array, backward_call, draw, optional, synchronous
from sniper_mxnet import mx

CHANNELS, CELLS, ROIS, BINS = 256, 32, 300, 7
SETTINGS = dict(spatial_scale=1 / 16.0, output_dim=CHANNELS, group_size=1, pooled_size=BINS, part_size=BINS,
                sample_per_part=4, trans_std=0.1)


def forward(trans):
    """{column: callable}: ours, stock, MXNet's ROIAlign, and torchvision's if there."""
    inputs = operands(trans)
    settings = dict(SETTINGS, no_trans=not trans)
    calls = {'ours': synchronous(mx.nd.DeformablePSROIPooling, *inputs, **settings),
             'stock': synchronous(mx.nd.contrib.DeformablePSROIPooling, *inputs, **settings),
             'ROIAlign': synchronous(mx.nd.contrib.ROIAlign, inputs[0], inputs[1], pooled_size=(BINS, BINS),
                                     spatial_scale=1 / 16.0, sample_ratio=4)}
    torch, vision = optional('torch'), optional('torchvision')
    if torch and vision:
        data, rois = [torch.from_numpy(value.asnumpy()) for value in inputs[:2]]
        calls['torchvision roi_align'] = lambda: vision.ops.roi_align(data, rois, (BINS, BINS), 1 / 16.0, 4)
    return calls


def backward(trans):
    """{column: callable}: ours and stock."""
    settings = dict(SETTINGS, no_trans=not trans)
    out_grad = array(draw(1).randn(ROIS, CHANNELS, BINS, BINS))
    return {name: backward_call(lambda *inputs: operator(*inputs, **settings), operands(trans), out_grad)
            for name, operator in (('ours', mx.nd.DeformablePSROIPooling),
                                   ('stock', mx.nd.contrib.DeformablePSROIPooling))}


def mean_forward(channels=3130):
    """{column: callable}: RoIMeanPooling, and stock ROIPooling with a mean behind it."""
    return {name: synchronous(call, *operands(False, channels)) for name, call in _MEANS.items()}


def mean_backward(channels=3130):
    """{column: callable}: the same, backward."""
    out_grad = array(draw(1).randn(ROIS, channels))
    return {name: backward_call(call, operands(False, channels), out_grad) for name, call in _MEANS.items()}


_MEANS = {
    'ours': lambda data, rois: mx.nd.RoIMeanPooling(data, rois, pooled_size=(BINS, BINS), spatial_scale=1 / 16.0),
    'stock': lambda data, rois: mx.nd.ROIPooling(data, rois, pooled_size=(BINS, BINS),
                                                 spatial_scale=1 / 16.0).mean(axis=(2, 3))}


def operands(trans, channels=CHANNELS):
    """data, rois and, if asked for, trans."""
    rng = draw()
    corners = rng.uniform(0, 400, (ROIS, 2))
    sides = np.exp(rng.uniform(np.log(16), np.log(300), (ROIS, 2)))
    rois = np.concatenate([np.zeros((ROIS, 1)), corners, np.minimum(corners + sides, 511)], axis=1)
    inputs = [array(rng.randn(1, channels, CELLS, CELLS)), array(rois)]
    return inputs + ([array(rng.randn(ROIS, 2, BINS, BINS))] if trans else [])
