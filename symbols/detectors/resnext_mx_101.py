"""`resnext_mx_101`: Faster R-CNN on stage 4 of a deformable ResNeXt-101, stride 16.

The original feeds it with rois, for which `network.ROIS` asks, and has no proposal graphs for it; ours put the ResNets'
RPN on the same stage.
"""
from symbols.backbones.resnext import ResNeXt101
from symbols.detectors.either_rois import EitherRois
from symbols.heads.rcnn import RcnnHead
from symbols.heads.rpn import RpnHead
from symbols.necks.select import Select


def build():
    return EitherRois(ResNeXt101(), Select('stage4'), RpnHead(512), RcnnHead(), stage='stage4')
