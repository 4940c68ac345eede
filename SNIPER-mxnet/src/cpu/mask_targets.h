// CPU loop of MaskRcnnTarget over the rows of a batch.
#ifndef SNIPER_CPU_MASK_TARGETS_H_
#define SNIPER_CPU_MASK_TARGETS_H_

#include <cstdint>

#include "sniper/mask_targets.h"

namespace sniper {

struct MaskInputs {
  const float* rois;        // (R, 5): image index, x1, y1, x2, y2
  const float* mask_polys;  // (N, G, L)
  const float* mask_ids;    // (R,): record within the image, -1 for none
  int64_t num_rows;
  PolygonShape shape;
};

// targets (R, S, S): 1 inside the object, 0 outside; categories (R, S, S). Rows without an object hold the ignore
// label and category 0. Throws std::invalid_argument if an id or an image index is none.
void mask_rcnn_target_cpu(const MaskInputs& in, const MaskOptions& options, float* targets, float* categories);

}  // namespace sniper

#endif  // SNIPER_CPU_MASK_TARGETS_H_
