// SoftSamplingWeight on the device.
#ifndef SNIPER_CUDA_SOFT_SAMPLING_H_
#define SNIPER_CUDA_SOFT_SAMPLING_H_

#include "cuda/context.h"
#include "sniper/soft_sampling.h"

namespace sniper {

// Computes what soft_sampling_cpu does, bit for bit, on arrays in device memory, with one difference: a roi of an image
// that the batch does not have is no error but overlaps nothing, since the host would have to wait to see it.
void soft_sampling_cuda(const CudaContext& context, const SoftSamplingInputs& in, const SoftSampling& options,
                        float* weights);

}  // namespace sniper

#endif  // SNIPER_CUDA_SOFT_SAMPLING_H_
