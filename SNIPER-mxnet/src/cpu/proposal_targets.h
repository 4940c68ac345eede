// CPU loops of MultiProposalTarget and MultiProposalTargetMask.
#ifndef SNIPER_CPU_PROPOSAL_TARGETS_H_
#define SNIPER_CPU_PROPOSAL_TARGETS_H_

#include <cstdint>

#include "cpu/proposals.h"
#include "sniper/roi_targets.h"

namespace sniper {

struct BatchTruth {
  const float* gt_boxes;      // (N, max_gt, 5): x1, y1, x2, y2, class; class -1 marks an unused row
  const float* valid_ranges;  // (N, 2): bounds on the square root of area
  int64_t max_gt;
};

struct TargetArrays {
  float* rois;         // (N*P, 5)
  float* label;        // (N*P,)
  float* bbox_target;  // (N*P, 4)
  float* bbox_weight;  // (N*P, 4)
};

// N*M rows, M = max_masks an image, though an image with many objects may use those of others.
struct MaskArrays {
  float* rois;    // (N*M, 5)
  float* ids;     // (N*M,): row of the roi's object among its image's gt_boxes; -1 in rows left over
  float* labels;  // (N*M,): class - 1 of that object, -1 in rows left over; may be null
  int64_t max_masks;
};

// `masks` null: none are wanted. The rules of `target_options` say which of the two operators this is.
void proposal_targets_cpu(const BatchOutputs& batch, const BatchTruth& truth, const ProposalOptions& options,
                          const TargetOptions& target_options, const TargetArrays& out, const MaskArrays* masks);

}  // namespace sniper

#endif  // SNIPER_CPU_PROPOSAL_TARGETS_H_
