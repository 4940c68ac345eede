// CPU loops of MultiProposalTarget and MultiProposalTargetMask.
#ifndef SNIPER_CPU_PROPOSAL_TARGETS_H_
#define SNIPER_CPU_PROPOSAL_TARGETS_H_

#include "sniper/batch.h"
#include "sniper/proposals.h"
#include "sniper/roi_targets.h"

namespace sniper {

// `masks` null: none are wanted. The rules of `target_options` say which of the two operators this is.
void proposal_targets_cpu(const BatchOutputs& batch, const BatchTruth& truth, const ProposalOptions& options,
                          const TargetOptions& target_options, const TargetArrays& out, const MaskArrays* masks);

}  // namespace sniper

#endif  // SNIPER_CPU_PROPOSAL_TARGETS_H_
