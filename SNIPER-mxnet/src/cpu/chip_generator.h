// CPU loop of ChipGenerator over the images of a batch.
#ifndef SNIPER_CPU_CHIP_GENERATOR_H_
#define SNIPER_CPU_CHIP_GENERATOR_H_

#include <cstdint>

#include "sniper/chip_grid.h"

namespace sniper {

// chips: (num_images, max_chips, 4), those with most boxes first, then rows of -1; num_chips: (num_images,), the
// whole cover's size even where it exceeds max_chips. Rows of boxes that are all -1, turned inside out or not finite
// are unused. An image whose height or width is below 1 or not a number has no chips. Throws std::invalid_argument
// for an image so large that the stride makes more than kMaxChipCandidates candidates.
void chip_generator_cpu(const ChipBatch& batch, const ChipOptions& options, float* chips, float* num_chips);

}  // namespace sniper

#endif  // SNIPER_CPU_CHIP_GENERATOR_H_
