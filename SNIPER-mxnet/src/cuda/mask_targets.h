// MaskRcnnTarget on the device.
#ifndef SNIPER_CUDA_MASK_TARGETS_H_
#define SNIPER_CUDA_MASK_TARGETS_H_

#include "cuda/context.h"
#include "sniper/mask_targets.h"

namespace sniper {

// As mask_rcnn_target_cpu, arrays in device memory; but a row whose id or image index is none holds the ignore label,
// as looking at it here would mean waiting for the device.
void mask_rcnn_target_cuda(const CudaContext& context, const MaskInputs& in, const MaskOptions& options,
                           float* targets, float* categories);

}  // namespace sniper

#endif  // SNIPER_CUDA_MASK_TARGETS_H_
