"""`resnet_v1_50_e2e` and `resnet_v1_101_e2e`: the ResNet detectors on the post-activation ResNet, for which there are
public ImageNet weights (docs/weights.md). The original has no such network."""
from symbols.backbones.resnet_v1 import ResNetV1
from symbols.detectors.faster_rcnn import FasterRcnn
from symbols.heads.rcnn import RcnnHead
from symbols.heads.rpn import RpnHead
from symbols.necks.concat import Concat


def build(depth):
    """Detector on a ResNet of `depth` 50 or 101."""
    return FasterRcnn(ResNetV1(depth), Concat(('stage3', 'stage4'), name='cat4'), RpnHead(512), RcnnHead())
