"""MXNet with SNIPER's operators.

    from sniper_mxnet import mx

gives stock MXNet in which `mx.nd` and `mx.sym` also have these operators, with arguments by name or place and the
output names of the original graphs:

    MultiProposal                                   rois of the test graphs
    MultiProposalTarget, MultiProposalTargetMask    rois of the training graphs with their targets
    SoftSamplingWeight                              weights of rois where objects lack boxes
    MaskRcnnTarget                                  masks of objects within rois
    DeformableConvolution, DeformablePSROIPooling   the stock operators, faster
    RoIMeanPooling                                  the stock ROIPooling and the mean of its bins in one
    WinogradConvolution                             3x3 convolutions for inference on CPUs
    MultiBoxLoss                                    the losses of single-shot detectors, hard negatives mined
    MinedAnchorTarget                               anchor targets of face detectors, hard examples mined
    SoftNMS, ChipGenerator                          soft-NMS and the cover of boxes by chips

Import it instead of `mxnet`, and before anything else does: some settings are read only when MXNet's library loads.
"""
from sniper_mxnet._load import has_cuda_kernels, load_mxnet

mx = load_mxnet()

__all__ = ['has_cuda_kernels', 'mx']
