// CPU loops of MultiProposal and MultiProposalTarget over the images of a batch.
#ifndef SNIPER_CPU_PROPOSALS_H_
#define SNIPER_CPU_PROPOSALS_H_

#include <cstdint>

#include "sniper/proposals.h"
#include "sniper/roi_targets.h"

namespace sniper {

// The network outputs of a batch: A anchors a cell, N images, height x width cells.
struct BatchOutputs {
  const float* cls_prob;   // (N, 2A, height, width), the background half first
  const float* bbox_pred;  // (N, 4A, height, width)
  const float* im_info;    // (N, 3): height, width, scale of the valid area
  int64_t num_images;
  int height, width;
};

struct BatchTruth {
  const float* gt_boxes;      // (N, max_gt, 5): x1, y1, x2, y2, class; class -1 marks an unused row
  const float* valid_ranges;  // (N, 2): bounds on the square root of area
  int64_t max_gt;
};

// rois (N*P, 5), scores (N*P,). Rows beyond the survivors hold the whole image with score 0.
void multi_proposal_cpu(const BatchOutputs& batch, const ProposalOptions& options, float* rois, float* scores);

struct TargetArrays {
  float* rois;         // (N*P, 5)
  float* label;        // (N*P,)
  float* bbox_target;  // (N*P, 4)
  float* bbox_weight;  // (N*P, 4)
};

void multi_proposal_target_cpu(const BatchOutputs& batch, const BatchTruth& truth, const ProposalOptions& options,
                               const TargetOptions& target_options, const TargetArrays& out);

}  // namespace sniper

#endif  // SNIPER_CPU_PROPOSALS_H_
