// CPU loop of MultiProposal over the images of a batch.
#ifndef SNIPER_CPU_PROPOSALS_H_
#define SNIPER_CPU_PROPOSALS_H_

#include "sniper/batch.h"
#include "sniper/proposals.h"

namespace sniper {

// rois (N*P, 5), scores (N*P,). Rows beyond the survivors hold the whole image with score 0.
void multi_proposal_cpu(const BatchOutputs& batch, const ProposalOptions& options, float* rois, float* scores);

}  // namespace sniper

#endif  // SNIPER_CPU_PROPOSALS_H_
