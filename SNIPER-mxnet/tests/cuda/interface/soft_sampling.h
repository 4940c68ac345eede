// The numbers a, b, c of Soft Sampling as the C functions take them.
#ifndef SNIPER_TESTS_CUDA_SOFT_SAMPLING_H_
#define SNIPER_TESTS_CUDA_SOFT_SAMPLING_H_

#include "sniper/soft_sampling.h"

namespace sniper {

inline SoftSampling soft_sampling(const double* numbers) {
  SoftSampling options;
  options.a = static_cast<float>(numbers[0]);
  options.b = static_cast<float>(numbers[1]);
  options.c = static_cast<float>(numbers[2]);
  return options;
}

}  // namespace sniper

#endif  // SNIPER_TESTS_CUDA_SOFT_SAMPLING_H_
