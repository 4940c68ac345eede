// MaskRcnnTarget on the device.
#ifndef SNIPER_CUDA_MASK_TARGETS_H_
#define SNIPER_CUDA_MASK_TARGETS_H_

#include "cuda/context.h"
#include "sniper/mask_targets.h"

namespace sniper {

// Computes what mask_rcnn_target_cpu does, on arrays in device memory, with one difference: a row whose id or image
// index is invalid is no error but holds the ignore label, since the host would have to wait for the device to see it.
void mask_rcnn_target_cuda(const CudaContext& context, const MaskInputs& in, const MaskOptions& options,
                           float* targets, float* categories);

}  // namespace sniper

#endif  // SNIPER_CUDA_MASK_TARGETS_H_
