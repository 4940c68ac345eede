// ChipGenerator.
#include "interface.h"

#include "cpu/chip_generator.h"
#include "cuda/chip_generator.h"

using namespace sniper;

SNIPER_FUNCTION(chip_generator, (const float* boxes, const float* im_info, int64_t images, int64_t boxes_per_image,
                                 int64_t chip_size, int64_t stride, int64_t max_chips, int64_t seed, float* chips,
                                 float* num_chips)) {
  return guarded([&] {
    const ChipBatch batch = {boxes, im_info, images, boxes_per_image};
    ChipOptions options;
    options.chip_size = static_cast<int>(chip_size);
    options.stride = static_cast<int>(stride);
    options.max_chips = max_chips;
    options.seed = static_cast<uint64_t>(seed);
#if defined(SNIPER_INTERFACE_CPU)
    chip_generator_cpu(batch, options, chips, num_chips);
#else
    chip_generator_cuda(batch, options, test_context(), chips, num_chips);
#endif
  });
}
