// MultiProposal, MultiProposalTarget and MultiProposalTargetMask on the device. The functions compute what those of
// cpu/proposals.h and cpu/proposal_targets.h do, bit for bit, on arrays in device memory.
#ifndef SNIPER_CUDA_PROPOSALS_H_
#define SNIPER_CUDA_PROPOSALS_H_

#include "cuda/context.h"
#include "sniper/batch.h"
#include "sniper/proposals.h"
#include "sniper/roi_targets.h"

namespace sniper {

void multi_proposal_cuda(const CudaContext& context, const BatchOutputs& batch, const ProposalOptions& options,
                         float* rois, float* scores);

void proposal_targets_cuda(const CudaContext& context, const BatchOutputs& batch, const BatchTruth& truth,
                           const ProposalOptions& options, const TargetOptions& target_options,
                           const TargetArrays& out, const MaskArrays* masks);

}  // namespace sniper

#endif  // SNIPER_CUDA_PROPOSALS_H_
