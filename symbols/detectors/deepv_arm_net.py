"""`deepv_arm_net`: a proposal network of 677,132 parameters for small inputs and ARM processors, stride 8.

Its graphs are those of proposals alone, `proposal_train_symbol` and `proposal_test_symbol`. The original has two more,
which hang an R-CNN that learns nothing on it so that programs for detectors run; they are here as `train_symbol` and
`test_symbol`, for files of weights that have it.
"""
from sniper_mxnet import mx
from symbols.backbones.deepv_arm import DeepvArm
from symbols.detectors.faster_rcnn import FasterRcnn
from symbols.heads.rcnn import RcnnHead
from symbols.heads.rpn import RpnHead
from symbols.necks.select import Select

RCNN_STRIDE = 16    # of the R-CNN's pooling in the original, whose feature has 8


class DeepvArmNet(FasterRcnn):
    """FasterRcnn whose R-CNN stands by."""
