// SoftNMS on the device. It finds the CPU's survivors in the CPU's order; a score may differ from the CPU's in the last
// bit, because the device rounds the exponential differently. Arrays are in device memory.
#ifndef SNIPER_CUDA_SOFT_NMS_H_
#define SNIPER_CUDA_SOFT_NMS_H_

#include <cstdint>

#include "cuda/context.h"
#include "sniper/soft_nms.h"

namespace sniper {

// dets (sets, rows, 5): x1, y1, x2, y2, score, each set by itself. out, of the same shape: survivors in the order of
// their selection, then rows of -1. counts (sets): survivors.
void soft_nms_cuda(const float* dets, int64_t sets, int64_t rows, const SoftNmsParam& param,
                   const CudaContext& context, float* out, float* counts);

}  // namespace sniper

#endif  // SNIPER_CUDA_SOFT_NMS_H_
