"""Layers whose parameters are named as PyTorch's modules name them, for networks whose trained files come from there.

A module `<name>` has `<name>.weight`, `<name>.bias` and, of a BatchNorm, the statistics `<name>.running_mean` and
`<name>.running_var`: so a file's own names are those of the graph. MXNet takes weight decay off all names that do not
end as its own do; here the weights of convolutions say that they have it (TRAIN.WD_ON can say otherwise).
"""
from sniper_mxnet import mx
from symbols.layers import parameter, relu, same_pad

EPS = 1e-5  # of all BatchNorms


def convolution(data, name, channels, kernel=1, stride=1, pad=None, dilate=1, groups=1, bias=False, init=None,
                bias_init=None, new=False):
    """Square convolution `<name>`, padded so that stride 1 keeps the size unless `pad` says otherwise."""
    pad = same_pad(kernel, dilate) if pad is None else pad
    arrays = dict(weight=parameter(f'{name}.weight', init, new, wd_mult=1.0))
    if bias:
        arrays['bias'] = parameter(f'{name}.bias', bias_init or mx.init.Zero(), new)
    return mx.sym.Convolution(data=data, num_filter=channels, kernel=(kernel, kernel), stride=(stride, stride),
                              num_group=groups, pad=(pad, pad), dilate=(dilate, dilate), no_bias=not bias, name=name,
                              **arrays)


def batch_norm(data, name, momentum, new=False):
    """BatchNorm `<name>`. momentum: share of the old statistics that is kept; None: training uses and keeps them."""
    settings = dict(use_global_stats=True) if momentum is None else dict(momentum=momentum)
    return mx.sym.BatchNorm(
        data=data, eps=EPS, fix_gamma=False, name=name, gamma=parameter(f'{name}.weight', mx.init.One(), new),
        beta=parameter(f'{name}.bias', mx.init.Zero(), new),
        moving_mean=parameter(f'{name}.running_mean', mx.init.Zero(), new),
        moving_var=parameter(f'{name}.running_var', mx.init.One(), new), **settings)


def conv_norm(data, conv, norm, channels, momentum, active=True, new=False, **settings):
    """Convolution `conv` without bias, BatchNorm `norm` and, if active, a ReLU."""
    body = batch_norm(convolution(data, conv, channels, new=new, **settings), norm, momentum, new)
    return relu(body, f'{norm}.relu') if active else body


def conv_norm_relu(data, name, channels, momentum, **settings):
    """Convolution `<name>.conv` without bias, BatchNorm `<name>.bn` and ReLU."""
    return conv_norm(data, f'{name}.conv', f'{name}.bn', channels, momentum, **settings)
