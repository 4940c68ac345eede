// SoftSamplingWeight.
#include "soft_sampling.h"

#include "cpu/soft_sampling.h"
#include "cuda/soft_sampling.h"
#include "interface.h"

using namespace sniper;

// sizes: rois, images, rows of gt_boxes an image; numbers: a, b, c.
SNIPER_FUNCTION(soft_sampling, (const float* rois, const float* gt_boxes, float* weights, const int64_t* sizes,
                                const double* numbers)) {
  return guarded([&] {
    const SoftSamplingInputs in = {rois, gt_boxes, sizes[0], sizes[1], sizes[2]};
#if defined(SNIPER_INTERFACE_CPU)
    soft_sampling_cpu(in, soft_sampling(numbers), weights);
#else
    soft_sampling_cuda(test_context(), in, soft_sampling(numbers), weights);
#endif
  });
}
