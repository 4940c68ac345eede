"""DeformablePSROIPooling: 300 rois of a 512x512 image on a map of 256 channels, 7x7 bins of 4x4 samples."""
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


def operands(trans):
    """data, rois and, if asked for, trans."""
    rng = draw()
    corners = rng.uniform(0, 400, (ROIS, 2))
    sides = np.exp(rng.uniform(np.log(16), np.log(300), (ROIS, 2)))
    rois = np.concatenate([np.zeros((ROIS, 1)), corners, np.minimum(corners + sides, 511)], axis=1)
    inputs = [array(rng.randn(1, CHANNELS, CELLS, CELLS)), array(rois)]
    return inputs + ([array(rng.randn(ROIS, 2, BINS, BINS))] if trans else [])
