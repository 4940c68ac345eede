"""Heads of single-shot detectors (Liu et al. 2016, "SSD"): a box and class scores for each prior of every map.

Letters: B images, P priors of all maps together, C classes with background, k priors of a cell. Order of the priors:
map (largest first), row, column, prior of the cell. Channels of a cell: k * 4 offsets and k * C scores, prior by prior.
"""
from typing import Any, NamedTuple

import numpy as np

from sniper_mxnet import mx
from symbols.module_layers import convolution


class SsdOutputs(NamedTuple):
    loc: Any        # (B, P, 4) offsets from the priors
    conf: Any       # (B, P, C) logits


class SsdHead:
    """A 3x3 convolution for boxes, `loc.<map>`, and one for classes, `conf.<map>`, on each map.

    priors: k. init: from the number of input channels and kernel cells (fan-in) to the weights' initialiser.
    background: share of the background in all first scores; None = all classes alike.
    """

    def __init__(self, priors, init, background=None):
        self.priors = priors
        self.init = init
        self.background = background

    def __call__(self, features, num_classes):
        """list of Feature, largest first, in float32 -> SsdOutputs."""
        biases = np.zeros((self.priors, num_classes))
        if self.background is not None:
            biases[:, 1:] = -np.log(self.background / (1 - self.background) * (num_classes - 1))    # odds
        return SsdOutputs(self._rows(features, 'loc', np.zeros((self.priors, 4))), self._rows(features, 'conf', biases))

    def _rows(self, features, name, biases):
        """biases (k, columns): the first values."""
        columns = biases.shape[1]
        parts = []
        for number, feature in enumerate(features):
            body = convolution(feature.symbol, f'{name}.{number}', self.priors * columns, kernel=3, bias=True,
                               init=self.init(9 * feature.channels), bias_init=mx.init.Constant(biases.ravel()),
                               new=True)
            body = mx.sym.transpose(body, axes=(0, 2, 3, 1), name=f'{name}.{number}.last')
            parts.append(mx.sym.Reshape(body, shape=(0, -1, columns), name=f'{name}.{number}.rows'))
        return mx.sym.Concat(*parts, dim=1, name=f'{name}.all') if len(parts) > 1 else parts[0]


def multibox_losses(outputs, negatives_per_positive, scale=1.0, constant=None):
    """[conf_loss_output (1,), loc_loss_output (1,), used_output (B, P)] as graph outputs.

    Targets are the inputs `cls_target` (B, P), 0 = background, and `loc_target` (B, P, 4). Cross entropy of the
    positives and of the worst negatives of each image, and smooth L1 of the positives, are sums divided by the number
    of positives of the batch, or by `constant` where that is given, so that halves of a batch add up to the whole.
    used: 1 where a prior counts for the classes. scale: factor on the gradients.
    """
    target = mx.sym.var('cls_target')
    losses = mx.sym.MultiBoxLoss(outputs.conf, outputs.loc, target, mx.sym.var('loc_target'),
                                 negatives_per_positive=negatives_per_positive, name='multibox')
    conf, loc, used = losses[0], losses[1], losses[2]
    if constant is not None:
        positives = mx.sym.sum(target > 0, keepdims=False, name='positives')
        factor = mx.sym.BlockGrad(mx.sym.Reshape(mx.sym.maximum(positives, 1) / constant, shape=(1,)), name='of_mean')
        conf, loc = conf * factor, loc * factor
    return [mx.sym.MakeLoss(conf, grad_scale=scale, name='conf_loss'),
            mx.sym.MakeLoss(loc, grad_scale=scale, name='loc_loss'), mx.sym.BlockGrad(used, name='used')]


def ssd_scores(outputs, name='conf'):
    """Test: softmax over the classes (B, P, C)."""
    return mx.sym.softmax(outputs.conf, axis=-1, name=name)
