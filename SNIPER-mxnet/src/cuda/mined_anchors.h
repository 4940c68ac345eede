// Kernels of MinedAnchorTarget.
#ifndef SNIPER_CUDA_MINED_ANCHORS_H_
#define SNIPER_CUDA_MINED_ANCHORS_H_

#include "cuda/context.h"
#include "sniper/mined_anchors.h"

namespace sniper {

// Labels are those of `mined_anchors_cpu`, bit by bit. Working memory: 32 bytes an anchor at most, 8 a row.
void mined_anchors_cuda(const CudaContext& context, const MinedAnchorInputs& in, const MinedAnchorOptions& options,
                        const MinedAnchorOutputs& out);

}  // namespace sniper

#endif  // SNIPER_CUDA_MINED_ANCHORS_H_
