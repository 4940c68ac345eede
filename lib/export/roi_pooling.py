"""ROIPooling and RoIMeanPooling in operators of ONNX: MaxRoiPool, which has the same bins."""
from lib.export.conversion import attribute


def roi_pooling(conversion, node):
    """(R, C, bins, bins): the largest value of each bin of rois (R, 5)."""
    return [conversion.writer.add('MaxRoiPool', *conversion.inputs(node), pooled_shape=list(attribute(
        node, 'pooled_size')), spatial_scale=float(attribute(node, 'spatial_scale')))]


def roi_mean_pooling(conversion, node):
    """(R, C): the mean of these over the bins."""
    pooled, = roi_pooling(conversion, node)
    return [conversion.writer.add('ReduceMean', pooled, axes=[2, 3], keepdims=0)]


CONVERTERS = {'ROIPooling': roi_pooling, 'RoIMeanPooling': roi_mean_pooling}
