#include "cuda/soft_sampling.h"

#include "cuda/launch.h"

namespace sniper {
namespace {

const int kThreads = 128;

// One thread a roi.
__global__ void __launch_bounds__(kThreads)
    soft_sampling_kernel(SoftSamplingInputs in, SoftSampling options, float* weights) {
  const int64_t roi = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (roi < in.num_rois) weights[roi] = weight_of_roi(in, roi, options);
}

}  // namespace

void soft_sampling_cuda(const CudaContext& context, const SoftSamplingInputs& in, const SoftSampling& options,
                        float* weights) {
  launch(soft_sampling_kernel, dim3(blocks_for(in.num_rois, kThreads)), dim3(kThreads), 0, context, in, options,
         weights);
}

}  // namespace sniper
