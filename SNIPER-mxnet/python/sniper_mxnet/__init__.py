"""MXNet with SNIPER's operators.

    from sniper_mxnet import mx

gives stock MXNet in which `mx.nd` and `mx.sym` also have `MultiProposal`, `MultiProposalTarget` and a fast
`DeformablePSROIPooling`, with arguments by name or place and the output names of the original graphs. Import it
instead of `mxnet`, and before anything else does: some settings are read only when MXNet's library loads.
"""
from sniper_mxnet._load import has_cuda_kernels, load_mxnet

mx = load_mxnet()

__all__ = ['has_cuda_kernels', 'mx']
