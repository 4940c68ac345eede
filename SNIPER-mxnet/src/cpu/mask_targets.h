// CPU loop of MaskRcnnTarget over the rows of a batch.
#ifndef SNIPER_CPU_MASK_TARGETS_H_
#define SNIPER_CPU_MASK_TARGETS_H_

#include "sniper/mask_targets.h"

namespace sniper {

// targets (R, S, S): 1 inside the object, 0 outside; categories (R, S, S). Rows without an object hold the ignore
// label and category 0. Throws std::invalid_argument if an id or an image index is none.
void mask_rcnn_target_cpu(const MaskInputs& in, const MaskOptions& options, float* targets, float* categories);

}  // namespace sniper

#endif  // SNIPER_CPU_MASK_TARGETS_H_
