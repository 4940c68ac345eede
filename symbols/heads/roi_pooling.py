"""RoI pooling of boxes and masks: average pooling of bins, which may move (Dai et al. 2017, "Deformable convolutional
networks", section 2.2)."""
from typing import NamedTuple

from sniper_mxnet import mx
from symbols.layers import dense
from symbols.ops import deformable_roi_pooling

OFFSET_LR_MULT = 0.01   # the offsets learn this much slower than the rest
TRANS_STD = 0.1         # unit of the offsets, in sides of the roi


class RoiPooling(NamedTuple):
    """(R, channels, pooled, pooled) from a Feature and rois (R, 5).

    pooled: bins a side. deformable: the bins of a roi move by offsets which the dense layer `<prefix>offset` reads off
    a first, rigid pooling. samples: sample points a bin and side. prefix: of all names, which released weights ask for.
    """
    pooled: int
    deformable: bool = True
    samples: int = 4
    prefix: str = ''

    def __call__(self, feature, rois, on_gpu=False):
        """on_gpu: where the graph runs."""
        pooled, prefix = self.pooled, self.prefix
        settings = dict(spatial_scale=feature.spatial_scale, output_dim=feature.channels, group_size=1,
                        pooled_size=pooled, part_size=pooled, sample_per_part=self.samples, on_gpu=on_gpu)
        if not self.deformable:
            return deformable_roi_pooling(feature.symbol, rois, prefix + 'roi_pool', **settings)
        rigid = deformable_roi_pooling(feature.symbol, rois, prefix + 'offset_t', **settings)
        offset = dense(rigid, prefix + 'offset', 2 * pooled * pooled, mx.init.Zero(), OFFSET_LR_MULT)
        offset = mx.sym.Reshape(offset, shape=(-1, 2, pooled, pooled), name=prefix + 'offset_reshape')
        return deformable_roi_pooling(feature.symbol, rois, prefix + 'deformable_roi_pool', trans=offset,
                                      trans_std=TRANS_STD, **settings)
