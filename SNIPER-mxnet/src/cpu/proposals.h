// CPU loop of MultiProposal over the images of a batch, and what it shares with the training operators' loop.
#ifndef SNIPER_CPU_PROPOSALS_H_
#define SNIPER_CPU_PROPOSALS_H_

#include <cstdint>

#include "sniper/proposals.h"

namespace sniper {

// The network outputs of a batch: A anchors a cell, N images, height x width cells.
struct BatchOutputs {
  const float* cls_prob;   // (N, 2A, height, width), the background half first
  const float* bbox_pred;  // (N, 4A, height, width)
  const float* im_info;    // (N, 3): height, width, scale of the valid area
  int64_t num_images;
  int height, width;
};

// The outputs of image `image`, A = `num_anchors`.
ImageOutputs image_outputs(const BatchOutputs& batch, int num_anchors, int64_t image);

// Writes image index and corners.
void write_roi(int64_t image, const Box& box, float* roi);

// rois (N*P, 5), scores (N*P,). Rows beyond the survivors hold the whole image with score 0.
void multi_proposal_cpu(const BatchOutputs& batch, const ProposalOptions& options, float* rois, float* scores);

}  // namespace sniper

#endif  // SNIPER_CPU_PROPOSALS_H_
