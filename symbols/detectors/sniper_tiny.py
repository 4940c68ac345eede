"""`sniper_tiny`: a Faster R-CNN of 1.4 M parameters for small inputs and CPUs, stride 8, trained from scratch.

All widths stand here and in `backbones/tiny.py`. The rois are pooled rigidly: offsets cost a second pooling and layer.
"""
from symbols.backbones.tiny import TinyNet
from symbols.detectors.faster_rcnn import FasterRcnn
from symbols.heads.focus import FocusHead
from symbols.heads.mask import MaskHead
from symbols.heads.rcnn import RcnnHead
from symbols.heads.rpn import RpnHead
from symbols.layers import he_normal
from symbols.necks.top_down import TopDown


def build():
    return FasterRcnn(TinyNet(), TopDown(('stage2', 'stage3', 'stage4'), channels=96), RpnHead(96, he_normal),
                      RcnnHead(reduced=48, hidden=192, deformable=False, samples=2, hidden_init=he_normal),
                      focus=FocusHead(48, he_normal),
                      mask=MaskHead(48, convolutions=3, deformable=False, samples=2, hidden_init=he_normal,
                                    out_init=he_normal))
