"""A whole network, with the deformable operators and with plain ones in their place."""
from unittest import mock

import numpy as np

from benchmarks.cases.arrays import draw
from configs import load_config
from sniper_mxnet import mx
from symbols import get_detector

SIZE = 512


def resnet101():
    """{column: callable}: the test graph of resnet_mx_101_e2e with our operators, and with dilated convolutions and
    ROIAlign. The plain graph keeps the layers that predict offsets, so that the two differ in the operators alone."""
    config = load_config('configs/faster/sniper_res101_e2e.yml', ['gpus', 'cpu', 'TRAIN.fp16', 'False'])
    ours = bind(get_detector(config.symbol), config)
    with mock.patch('symbols.backbones.resnet.deformable_convolution', _plain_convolution), \
            mock.patch('symbols.heads.roi_pooling.deformable_roi_pooling', _roi_align):
        plain = bind(get_detector(config.symbol), config)
    return {'ours': ours, 'plain': plain}


def bind(detector, config):
    """A callable that runs the test graph of `detector` on one image with random weights."""
    shapes = detector.input_shapes(config, 1, SIZE, SIZE, 'test')
    executor = detector.symbol(config, 'test').simple_bind(mx.cpu(), grad_req='null', **shapes)
    rng = draw()
    for name, value in sorted(executor.arg_dict.items()):
        value[:] = rng.normal(0, 0.02, value.shape)
    for value in executor.aux_dict.values():
        value[:] = 1
    executor.arg_dict['im_info'][:] = np.array([[SIZE, SIZE, 1]])

    def call():
        executor.forward(is_train=False)
        mx.nd.waitall()
    return call


def _plain_convolution(data, offset, weight, name, num_deformable_group, half_precision=False, on_gpu=False,
                       **settings):
    """Dilated convolution; a sum of the offsets that adds nothing keeps the layer which predicts them."""
    body = mx.sym.Convolution(data=data, weight=weight, name=name, **settings)
    return mx.sym.broadcast_add(body, mx.sym.mean(offset, axis=1, keepdims=True) * 0)


def _roi_align(data, rois, name, trans=None, spatial_scale=None, pooled_size=None, sample_per_part=None, **_):
    body = mx.sym.contrib.ROIAlign(data=data, rois=rois, spatial_scale=spatial_scale, name=name,
                                   pooled_size=(pooled_size, pooled_size), sample_ratio=sample_per_part)
    return body if trans is None else mx.sym.broadcast_add(body, mx.sym.mean(trans, axis=1, keepdims=True) * 0)
