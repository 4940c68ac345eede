"""`resnet_mx_101_e2e` and `resnet_mx_50_e2e`: Faster R-CNN on stages 3 and 4 of a deformable ResNet, stride 16."""
from symbols.backbones.resnet import ResNet
from symbols.detectors.faster_rcnn import FasterRcnn
from symbols.heads.rcnn import RcnnHead
from symbols.heads.rpn import RpnHead
from symbols.necks.concat import Concat


def build(depth):
    """Detector on a ResNet of `depth` 50 or 101."""
    return FasterRcnn(ResNet(depth), Concat(('stage3', 'stage4'), name='cat4'), RpnHead(512), RcnnHead())
