"""Layers with explicit names and initialisers, the same in every network.

A parameter's initialiser travels with its variable (`init=`). Parameters of layers that no pretrained file is asked for
(heads, deformable offsets) are marked as new, and those that a file either has or has not as a whole (a neck behind a
backbone) as optional; `new_parameters(symbol)` and `optional_parameters(symbol)` find them again in any graph.
"""
from sniper_mxnet import mx

NEW_LAYER = '__new_layer__'     # variable attribute; MXNet wants two underscores on both sides
OPTIONAL = 'optional'           # its value for layers that are new where the file has none of them, else 'True'


def parameter(name, init=None, new=False, lr_mult=None, wd_mult=None, shape=None):
    """Variable of a learnable array, or of a statistic. new: True = initialised over any pretrained file; OPTIONAL =
    initialised where the file has none of the arrays marked so. shape: where no layer says it."""
    return mx.sym.var(name, shape=shape, init=init, lr_mult=lr_mult, wd_mult=wd_mult,
                      **({NEW_LAYER: str(new)} if new else {}))


def new_parameters(symbol):
    """Names of the arguments and statistics of `symbol` that are initialised anew whatever the pretrained file says."""
    return _marked(symbol, str(True))


def optional_parameters(symbol):
    """Names of the arguments and statistics of `symbol` that a pretrained file has all of, or none."""
    return _marked(symbol, OPTIONAL)


def _marked(symbol, mark):
    attributes = symbol.attr_dict()
    return {name for name in symbol.list_arguments() + symbol.list_auxiliary_states()
            if attributes.get(name, {}).get(NEW_LAYER) == mark}


def convolution(data, name, channels, kernel=1, stride=1, dilate=1, groups=1, bias=False, init=None, new=False,
                bias_rate=None, bias_decay=None):
    """Square convolution, padded so that stride 1 keeps the size. The bias, if any, starts at zero.

    bias_rate, bias_decay: factors on the bias's learning rate and weight decay; None = those of all.
    """
    settings = dict(num_filter=channels, kernel=(kernel, kernel), stride=(stride, stride), num_group=groups,
                    pad=(same_pad(kernel, dilate),) * 2, dilate=(dilate, dilate),
                    no_bias=not bias, name=name)
    weight = parameter(name + '_weight', init, new)
    if not bias:
        return mx.sym.Convolution(data=data, weight=weight, **settings)
    return mx.sym.Convolution(data=data, weight=weight, **settings, bias=parameter(
        name + '_bias', mx.init.Zero(), new, bias_rate, bias_decay))


def same_pad(kernel, dilate=1):
    """Padding with which an odd kernel of stride 1 keeps the size of its input."""
    return dilate * (kernel - 1) // 2


def dense(data, name, outputs, init=None, lr_mult=None):
    """Fully connected layer with bias; heads only, so always new."""
    return mx.sym.FullyConnected(data=data, num_hidden=outputs, name=name,
                                 weight=parameter(name + '_weight', init, True, lr_mult),
                                 bias=parameter(name + '_bias', mx.init.Zero(), True, lr_mult))


def relu(data, name):
    return mx.sym.Activation(data=data, act_type='relu', name=name)


def batch_norm(data, name, eps, momentum, stored=False, fix_gamma=False, new=False):
    """BatchNorm; `stored`, or no momentum: training normalises by the moving statistics too and leaves them alone. new:
    see parameter, of all four arrays; statistics that are left alone are then 0 and 1, and change nothing."""
    arrays = {part: parameter(f'{name}_{part}', new=new)
              for part in ('gamma', 'beta', 'moving_mean', 'moving_var')} if new else {}
    if stored or momentum is None:
        return mx.sym.BatchNorm(data=data, eps=eps, fix_gamma=fix_gamma, use_global_stats=True, name=name, **arrays)
    return mx.sym.BatchNorm(data=data, eps=eps, momentum=momentum, fix_gamma=fix_gamma, name=name, **arrays)


def conv_norm_relu(data, name, channels, momentum, kernel=3, stride=1, active=True):
    """`<name>_conv`, `<name>_bn` and, if active, `<name>_relu`, for networks trained from scratch."""
    body = convolution(data, name + '_conv', channels, kernel, stride, init=he_normal())
    body = batch_norm(body, name + '_bn', 1e-5, momentum)
    return relu(body, name + '_relu') if active else body


def gaussian():
    """The initialiser of the original's new layers: mean 0, standard deviation 0.01."""
    return mx.init.Normal(0.01)


def he_normal(gain=1.0):
    """Gaussian of variance 2 gain^2 / fan-in (He et al. 2015), for layers before a ReLU."""
    return mx.init.Xavier(rnd_type='gaussian', factor_type='in', magnitude=2.0 * gain ** 2)


def to_half(symbol, half_precision):
    """Cast to float16 if the trunk runs in half precision."""
    return mx.sym.Cast(symbol, dtype='float16') if half_precision else symbol


def to_single(symbol, half_precision):
    """Cast back to float32 if the trunk runs in half precision: heads, losses and operators are float32."""
    return mx.sym.Cast(symbol, dtype='float32') if half_precision else symbol
