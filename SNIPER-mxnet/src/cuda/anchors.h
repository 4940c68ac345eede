// Base anchors in device memory.
#ifndef SNIPER_CUDA_ANCHORS_H_
#define SNIPER_CUDA_ANCHORS_H_

#include <vector>

#include "cuda/context.h"
#include "sniper/boxes.h"

namespace sniper {

// Writes the boxes to device memory with room for them, in stream order; `boxes` may go as soon as it returns.
void place_anchors_cuda(const CudaContext& context, const std::vector<Box>& boxes, Box* anchors);

}  // namespace sniper

#endif  // SNIPER_CUDA_ANCHORS_H_
