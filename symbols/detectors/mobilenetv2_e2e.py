"""`mobilenetv2_e2e`: Faster R-CNN on MobileNetV2, stride 32.

Trained with the same inputs as the ResNets. (The original asked for group boxes that no operator took.)
"""
from symbols.backbones.mobilenetv2 import MobileNetV2
from symbols.detectors.faster_rcnn import FasterRcnn
from symbols.heads.rcnn import RcnnHead
from symbols.heads.rpn import RpnHead
from symbols.necks.select import Select


def build():
    return FasterRcnn(MobileNetV2(), Select('last'), RpnHead(256), RcnnHead(hidden=512), cls_loss_over_rois=True)
