"""R-CNN head: rois -> class scores and box deltas (Girshick 2015, "Fast R-CNN"; deformable pooling of Dai et al. 2017).

Letters: B images, R rois in all, P rois an image (R = B*P), C classes with background.
"""
from typing import Any, NamedTuple

from sniper_mxnet import mx
from symbols.heads.roi_pooling import RoiPooling
from symbols.heads.soft_sampling import weighted
from symbols.layers import convolution, dense, gaussian, relu

POOLED = 7              # bins a side


class RcnnOutputs(NamedTuple):
    cls_score: Any      # (R, C) logits
    bbox_pred: Any      # (R, bbox_outputs) deltas in units of bbox_stds


class RcnnHead:
    """1x1 reduction, roi pooling and two fully connected layers, under the names of the released weights.

    reduced: channels of the reduction `conv_new_1`, and so of the pooled rois.
    hidden: width of `fc_new_1` and `fc_new_2`.
    deformable, samples: see RoiPooling.
    hidden_init: makes the initialiser of the layers before a ReLU; the original's 0.01 is too small for a trunk that
        starts from random weights.
    """

    def __init__(self, reduced=256, hidden=1024, deformable=True, samples=4, hidden_init=gaussian):
        self.reduced = reduced
        self.hidden = hidden
        self.pool = RoiPooling(POOLED, deformable, samples)
        self.hidden_init = hidden_init

    def reduce(self, feature):
        """Feature -> Feature of `reduced` channels, the map that rois are pooled from."""
        body = convolution(feature.symbol, 'conv_new_1', self.reduced, bias=True, init=self.hidden_init(),
                           new=True)
        return feature._replace(symbol=relu(body, 'conv_new_1_relu'), channels=self.reduced)

    def __call__(self, reduced, rois, num_classes, bbox_outputs=4, on_gpu=False):
        """RcnnOutputs of rois (R, 5) on a reduced feature; on_gpu: where the graph runs."""
        body = self.pool(reduced, rois, on_gpu)
        for name in ('fc_new_1', 'fc_new_2'):
            body = relu(dense(body, name, self.hidden, self.hidden_init()), name + '_relu')
        return RcnnOutputs(cls_score=dense(body, 'cls_score', num_classes, gaussian()),
                           bbox_pred=dense(body, 'bbox_pred', bbox_outputs, gaussian()))


def rcnn_losses(outputs, targets, losses, cls_rois=None):
    """(class probabilities (R, C), box loss (R, bbox_outputs)) as graph outputs.

    targets: anything with `label` (R,), `bbox_target` and `bbox_weight` (R, bbox_outputs), and label_weight (R, 1) if
    losses has Soft Sampling; label -1 is ignored. The classification loss is a mean over the labels that count, or,
    with `cls_rois`, a sum divided by that number; weights do not change the divisor.
    """
    settings = dict(grad_scale=losses.scale, normalization='valid')
    if cls_rois is not None:
        settings = dict(grad_scale=losses.scale / cls_rois)
    scores = outputs.cls_score
    if losses.sampling:
        scores = weighted(scores, targets.label_weight, 'cls_score_weighted')
    cls_prob = mx.sym.SoftmaxOutput(data=scores, label=targets.label, use_ignore=True, ignore_label=-1,
                                    name='cls_prob', **settings)
    distance = mx.sym.smooth_l1(outputs.bbox_pred - targets.bbox_target, scalar=1.0, name='bbox_loss_')
    bbox_loss = mx.sym.MakeLoss(targets.bbox_weight * distance, grad_scale=losses.scale / losses.bbox_count,
                                name='bbox_loss')
    return cls_prob, bbox_loss


def rcnn_probabilities(outputs):
    """Test: class probabilities (R, C)."""
    return mx.sym.softmax(outputs.cls_score, axis=1, name='cls_prob')


def labels_output(label):
    """The labels (R,) as a graph output, for metrics; named as metrics ask for it."""
    return mx.sym.BlockGrad(label, name='blockgrad0')
