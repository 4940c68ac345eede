"""Mask head: rois -> a small mask a class (He et al. 2017, "Mask R-CNN"; deformable pooling of Dai et al. 2017).

Letters: B images, R mask rois in all, K classes without background, S x S pixels of a mask, G objects an image, L
numbers of an object's polygons. Channels of the logits: first "not in the mask" of all classes, then "in the
mask" of all.
"""
from sniper_mxnet import mx
from symbols.heads.roi_pooling import RoiPooling
from symbols.layers import convolution, gaussian, parameter, relu, to_half, to_single
from symbols.ops import mask_rcnn_target

IGNORED = -1


class MaskHead:
    """Roi pooling, 3x3 convolutions, a transposed convolution to twice the size and a 1x1 convolution, under the names
    of the released weights.

    channels: of all layers. convolutions: number of 3x3 ones. pooled: bins a side; masks have twice as many pixels.
    deformable, samples: see RoiPooling. hidden_init, out_init: make the initialisers of the layers before a ReLU and
    of the last one; the original's 0.01 leaves the loss where it begins for thousands of batches.
    """

    def __init__(self, channels=256, convolutions=4, pooled=14, deformable=True, samples=4, hidden_init=gaussian,
                 out_init=gaussian):
        self.channels = channels
        self.convolutions = convolutions
        self.pool = RoiPooling(pooled, deformable, samples, prefix='mask_')
        self.hidden_init = hidden_init
        self.out_init = out_init

    @property
    def size(self):
        """S."""
        return 2 * self.pool.pooled

    def __call__(self, feature, rois, num_classes, half_precision=False, on_gpu=False):
        """Logits (R, 2K, S, S) of rois (R, 5) on a Feature in float32; `num_classes` is K, on_gpu: where the graph
        runs."""
        body = to_half(self.pool(feature, rois, on_gpu), half_precision)
        for index in range(1, self.convolutions + 1):
            body = convolution(body, f'mask_conv_3x3_{index}', self.channels, 3, bias=True, init=self.hidden_init(),
                               new=True)
            body = relu(body, f'mask_relu_{index}')
        body = to_single(body, half_precision)
        body = mx.sym.Deconvolution(data=body, weight=parameter('mask_deconv_weight', self.hidden_init(), True),
                                    kernel=(2, 2), stride=(2, 2), pad=(0, 0), num_filter=self.channels, no_bias=True,
                                    name='mask_deconv')
        return convolution(relu(body, 'mask_deconv_relu'), 'mask_out', 2 * num_classes, bias=True,
                           init=self.out_init(), new=True)


def mask_loss(logits, rois, size, num_classes, losses):
    """Probabilities (R, 2, S, S) of the object's class and targets (R, S, S), as graph outputs; `size` is S.

    rois: symbols.heads.rpn.MaskRois. The targets are 0 or 1, and -1, which is ignored, in rows without an object;
    they are drawn from the input `gt_masks` (B, G, L) (lib.targets.polygons). The loss is a mean over the pixels that
    count.
    """
    targets, classes = mask_rcnn_target(rois.rois, mx.sym.var('gt_masks'), rois.ids, size)
    outside = mx.sym.pick(logits, classes, axis=1, keepdims=True)
    inside = mx.sym.pick(logits, classes + num_classes, axis=1, keepdims=True)
    prob = mx.sym.SoftmaxOutput(data=mx.sym.Concat(outside, inside, dim=1, name='pred_cat'), label=targets,
                                multi_output=True, use_ignore=True, ignore_label=IGNORED, name='mask_cls_prob',
                                **losses.of_labels(losses.masks * size * size, size * size))
    return prob, mx.sym.BlockGrad(targets, name='blockgrad1')


def mask_probabilities(logits, num_classes):
    """Test: probability (R, K, S, S) of each pixel to lie in the mask, a class each; the output `mask_prob_output`."""
    inside = mx.sym.slice_axis(logits, axis=1, begin=num_classes, end=2 * num_classes)
    outside = mx.sym.slice_axis(logits, axis=1, begin=0, end=num_classes)
    return mx.sym.sigmoid(inside - outside, name='mask_prob')      # the softmax over a pair


def mask_feature_output(feature):
    """The map that masks are pooled from as the output `mask_feature_output` (B, C, F, F) of a test graph."""
    return mx.sym.identity(feature.symbol, name='mask_feature')
