"""DeformableConvolution as in ResNet's last stage: 512 -> 512, 3x3, dilate 2, 4 deformable groups, 32x32 cells; and
WinogradConvolution as in the stages before and in the RPN."""
from benchmarks.cases.arrays import array, backward_call, draw, optional, synchronous
from lib.engine.winograd import transformed
from sniper_mxnet import mx

CHANNELS, CELLS, GROUPS = 512, 32, 4
PLAIN = dict(num_filter=CHANNELS, kernel=(3, 3), stride=(1, 1), pad=(2, 2), dilate=(2, 2), no_bias=True)
DEFORMABLE = dict(PLAIN, num_deformable_group=GROUPS)


def forward(images):
    """{column: callable}: ours, stock, the plain convolution, and torchvision's and mmcv's if there."""
    data, offset, weight = operands(images)
    calls = {'ours': synchronous(mx.nd.DeformableConvolution, data, offset, weight, **DEFORMABLE),
             'stock': synchronous(mx.nd.contrib.DeformableConvolution, data, offset, weight, **DEFORMABLE),
             'plain': synchronous(mx.nd.Convolution, data, weight, **PLAIN)}
    torch = optional('torch')
    if torch:
        tensors = [torch.from_numpy(value.asnumpy()) for value in (data, offset, weight)]
        vision, mmcv = optional('torchvision'), optional('mmcv.ops')
        if vision:
            calls['torchvision'] = lambda: vision.ops.deform_conv2d(*tensors, padding=2, dilation=2)
        if mmcv:
            calls['mmcv'] = lambda: mmcv.deform_conv2d(*tensors, 1, 2, 2, 1, GROUPS)
    return calls


def backward(images):
    """{column: callable}: ours, stock, and the plain convolution, gradients of all inputs."""
    out_grad = array(draw(1).randn(images, CHANNELS, CELLS, CELLS))
    calls = {name: backward_call(lambda *inputs, run=run: run(*inputs, **DEFORMABLE), operands(images), out_grad)
             for name, run in (('ours', mx.nd.DeformableConvolution), ('stock', mx.nd.contrib.DeformableConvolution))}
    data, _, weight = operands(images)
    calls['plain'] = backward_call(lambda *inputs: mx.nd.Convolution(*inputs, **PLAIN), [data, weight], out_grad)
    return calls


def operands(images):
    """data, offset and weight."""
    rng = draw()
    return [array(rng.randn(images, CHANNELS, CELLS, CELLS)),
            array(rng.randn(images, 18 * GROUPS, CELLS, CELLS) * 1.5),
            array(rng.randn(CHANNELS, CHANNELS, 3, 3) * 0.02)]


def winograd(channels, filters):
    """{column: callable}: WinogradConvolution with its ReLU, and the plain convolution with one behind it."""
    rng = draw()
    data, weight = rng.randn(1, channels, CELLS, CELLS), rng.randn(filters, channels, 3, 3) * 0.02
    bias, settings = array(rng.randn(filters)), dict(num_filter=filters)
    plain = dict(settings, kernel=(3, 3), pad=(1, 1))
    return {'ours': synchronous(mx.nd.WinogradConvolution, array(data), array(transformed(weight)), bias, relu=True,
                                **settings),
            'plain': synchronous(lambda *operands: mx.nd.relu(mx.nd.Convolution(*operands, **plain)), array(data),
                                 array(weight), bias)}
