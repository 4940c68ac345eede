"""AutoFocus head: where are objects to look at again at the next finer scale? (Najibi et al. 2019, "AutoFocus")

A cell of the feature map that lies on a small object is a FocusPixel. Letters: B chips, F x F cells.
"""
from sniper_mxnet import mx
from symbols.layers import convolution, gaussian, relu

FOCUS_LAYERS = ('conv_new_2*', 'conv_new_3*', 'conv_new_out*', '*scale_prob*')     # patterns of names


class FocusHead:
    """A 3x3 and two 1x1 convolutions under the names of the released weights: `conv_new_2`, `conv_new_3`,
    `conv_new_out`.

    channels: width of the first two. hidden_init: makes the initialiser of the layers before a ReLU.
    """

    def __init__(self, channels=256, hidden_init=gaussian):
        self.channels = channels
        self.hidden_init = hidden_init

    def __call__(self, feature):
        """Feature -> logits (B, 2, F, F) of "nothing small here" and FocusPixel."""
        body = feature.symbol
        for name, kernel in (('conv_new_2', 3), ('conv_new_3', 1)):
            body = convolution(body, name, self.channels, kernel, bias=True, init=self.hidden_init(), new=True)
            body = relu(body, name + '_relu')
        return convolution(body, 'conv_new_out', 2, bias=True, init=gaussian(), new=True)


def focus_loss(logits, losses):
    """Probabilities (B, 2, F*F) as a graph output; the label is the input `scale_label` (B, F*F), -1 ignored.

    The loss is a mean over the labels that count (see LossOptions). FocusPixels are rare, so probabilities stay low;
    thresholds of inference (TEST.CHIP_HYPERPARAMS) make up for it.
    """
    rows = mx.sym.Reshape(logits, shape=(0, 2, -1), name='conv_new_out_reshape')
    return mx.sym.SoftmaxOutput(data=rows, label=mx.sym.var('scale_label'), multi_output=True, use_ignore=True,
                                ignore_label=-1, name='cls_scale_prob', **losses.of_labels(losses.cells, losses.cells))


def focus_probabilities(logits):
    """Test: probabilities (B, 2, F, F) as the output `scale_prob_output`; channel 1 is the FocusPixel's."""
    return mx.sym.softmax(logits, axis=1, name='scale_prob')
