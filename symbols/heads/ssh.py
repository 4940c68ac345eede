"""Detection modules of SSH (Najibi et al. 2017, "SSH: single stage headless face detector", sections 3.1, 3.3, 3.4).

Each looks at a feature map of its own, for faces of its own sizes; a context branch widens what it sees by stacked 3x3
convolutions in place of 5x5 and 7x7 ones. Letters: B images, A anchors a cell, h x w cells. Channels of scores: first
the background of all anchors, then their faces.
"""
from typing import Any, NamedTuple

from sniper_mxnet import mx
from symbols.layers import convolution, gaussian, relu
from symbols.ops import mined_anchor_target

BIAS = dict(bias_rate=2.0)      # module biases learn twice as fast and, as MXNet has it by itself, do not decay
SIGMA = 3.0                     # of the smooth L1 loss


class ModuleOutputs(NamedTuple):
    """name: of the module; scores (B, 2, A*h, w) logits; deltas (B, 4A, h, w); anchors: A; stride: pixels a cell."""
    name: str
    scores: Any
    deltas: Any
    anchors: int
    stride: int

    def by_anchor(self, symbol, name):
        """(B, A*h, w) -> (B, A, h, w)."""
        return mx.sym.Reshape(symbol, shape=(0, -4, self.anchors, -1, 0), name=name)


class DetectionModule:
    """`<name>@ssh_3x3`, the context layers `dimred`, `5x5`, `7x7-1`, `7x7`, and `cls_score`, `bbox_pred`.

    channels: X; the 3x3 convolution has X, both context branches X / 2. anchors: A. hidden_init: makes the initialiser
    of the hidden layers.
    """

    def __init__(self, name, channels, anchors, hidden_init=gaussian):
        self.name = name
        self.channels = channels
        self.anchors = anchors
        self.hidden_init = hidden_init

    def __call__(self, feature):
        """Feature in float32 -> ModuleOutputs."""
        half = self.channels // 2
        own = self._hidden(feature.symbol, '3x3', self.channels)
        reduced = relu(self._hidden(feature.symbol, 'dimred', half), self._named('dimred_relu'))
        middle = self._hidden(reduced, '5x5', half)
        wide = relu(self._hidden(reduced, '7x7-1', half), self._named('7x7-1_relu'))
        joined = mx.sym.Concat(own, middle, self._hidden(wide, '7x7', half), dim=1, name=self._named('output'))
        joined = relu(joined, self._named('output_relu'))
        score = self._last(joined, 'cls_score', 2 * self.anchors)
        return ModuleOutputs(self.name, mx.sym.Reshape(score, shape=(0, 2, -1, 0), name=self._named('cls_reshape')),
                             self._last(joined, 'bbox_pred', 4 * self.anchors), self.anchors, feature.stride)

    def _named(self, layer):
        return f'{self.name}@ssh_{layer}'

    def _hidden(self, data, layer, channels):
        return convolution(data, self._named(layer), channels, kernel=3, bias=True, init=self.hidden_init(), new=True,
                           **BIAS)

    def _last(self, data, layer, channels):
        return convolution(data, self._named(layer), channels, bias=True, init=gaussian(), new=True, **BIAS)


def module_losses(module, gt_boxes, im_info, anchors, mining, losses):
    """[class probabilities, box loss, labels] of a module as graph outputs, by what the network itself says.

    module: ModuleOutputs; gt_boxes (B, G, 5), im_info (B, 3); anchors: AnchorOptions; mining: MiningOptions; losses:
    LossOptions. `<name>_cls_prob_output` (B, 2, A*h, w); `<name>_bbox_loss_output` (B, 4A, h, w), which sums up to the
    mean over an image's anchors that count; `<name>_label_output` (B, A*h*w), 1 face, 0 background, -1 not used. Which
    anchors count is drawn from this very pass, and takes no gradient.
    """
    label, box_target, box_weight = mined_anchor_target(_hardness(module, mining), gt_boxes, im_info, anchors,
                                                        mining, name=f'{module.name}_targets')
    prob = mx.sym.SoftmaxOutput(data=module.scores, label=label, multi_output=True, use_ignore=True, ignore_label=-1,
                                name=f'{module.name}_cls_prob',
                                **losses.of_labels(losses.rpn_batch, anchors.count * losses.cells))
    distance = mx.sym.smooth_l1(module.deltas - box_target, scalar=SIGMA, name=f'{module.name}_distance')
    box_loss = mx.sym.MakeLoss(box_weight * distance, name=f'{module.name}_bbox_loss',
                               grad_scale=losses.scale / losses.batch_images)
    return [prob, box_loss, mx.sym.BlockGrad(label, name=f'{module.name}_label')]


def _hardness(module, mining):
    """(B, A, h, w) that grows with the probability of a face, or without mining is random: it decides which anchors
    count."""
    scores = mx.sym.BlockGrad(module.scores)
    background, face = mx.sym.split(scores, num_outputs=2, axis=1, squeeze_axis=True)
    hardness = face - background if mining.hard else mx.sym.random.uniform_like(face)
    return module.by_anchor(hardness, f'{module.name}_hardness')


def module_probabilities(module):
    """Test: [`<name>_prob_output` (B, A, h, w) of faces, `<name>_deltas_output` (B, 4A, h, w)]."""
    prob = mx.sym.slice_axis(mx.sym.softmax(module.scores, axis=1), axis=1, begin=1, end=2)
    return [module.by_anchor(mx.sym.Reshape(prob, shape=(0, -3, 0)), f'{module.name}_prob'),
            mx.sym.identity(module.deltas, name=f'{module.name}_deltas')]
