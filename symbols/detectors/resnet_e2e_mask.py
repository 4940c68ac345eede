"""`resnet_mx_101_e2e_mask`: `resnet_mx_101_e2e` for masks. Its RPN reads stage 3 alone, half way up the trunk."""
from symbols.backbones.resnet import ResNet
from symbols.detectors.faster_rcnn import FasterRcnn
from symbols.heads.mask import MaskHead
from symbols.heads.rcnn import RcnnHead
from symbols.heads.rpn import RpnHead
from symbols.necks.concat import Concat
from symbols.necks.select import Select


def build():
    return FasterRcnn(ResNet(101), Concat(('stage3', 'stage4'), name='cat4'), RpnHead(512), RcnnHead(),
                      mask=MaskHead(), rpn_neck=Select('stage3'))
