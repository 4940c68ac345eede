// CPU loop of SoftSamplingWeight.
#ifndef SNIPER_CPU_SOFT_SAMPLING_H_
#define SNIPER_CPU_SOFT_SAMPLING_H_

#include "sniper/soft_sampling.h"

namespace sniper {

// weights: (R,). Throws std::invalid_argument if a roi names an image that the batch does not have.
void soft_sampling_cpu(const SoftSamplingInputs& in, const SoftSampling& options, float* weights);

}  // namespace sniper

#endif  // SNIPER_CPU_SOFT_SAMPLING_H_
