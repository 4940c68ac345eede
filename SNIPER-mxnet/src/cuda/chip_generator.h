// ChipGenerator on the device: the CPU's chips, in its order. Arrays are in device memory.
#ifndef SNIPER_CUDA_CHIP_GENERATOR_H_
#define SNIPER_CUDA_CHIP_GENERATOR_H_

#include "cuda/context.h"
#include "sniper/chip_grid.h"

namespace sniper {

// chips (num_images, max_chips, 4) and num_chips (num_images) as chip_generator_cpu writes them. An image with more
// than kMaxChipCandidates candidates, an error on the CPU, has num_chips -1 here, as the host does not see the sizes.
//
// Working memory does not depend on the images: for an image boxes_per_image times the candidates that can cover one
// box, some (chip_size / stride + 3)^2 of them, with a bit a box. A batch that would need more than 256 MiB is done in
// several parts.
void chip_generator_cuda(const ChipBatch& batch, const ChipOptions& options, const CudaContext& context, float* chips,
                         float* num_chips);

}  // namespace sniper

#endif  // SNIPER_CUDA_CHIP_GENERATOR_H_
