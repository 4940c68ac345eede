// The operators as C functions without MXNet, for ctypes. Each is defined once (one file an operator) and compiled into
// three libraries: libsniper_cpu.so calls src/cpu, libsniper_emulated.so the kernels of src/cuda by ../emulation,
// libsniper_cuda.so the same kernels on a GPU. Arrays lie in the library's own memory (sniper_allocate); parameters are
// pointers, int64_t or double, nothing else, as arrays.py calls by these. Lists of options are host arrays.
//
//   SNIPER_FUNCTION(my_operator, (const float* data, int64_t rows, float* output)) {
//     return guarded([&] {
//   #if SNIPER_INTERFACE_CPU
//       my_operator_cpu(data, rows, output);
//   #else
//       my_operator_cuda(data, rows, output, test_context());
//   #endif
//     });
//   }
#ifndef SNIPER_TESTS_CUDA_INTERFACE_H_
#define SNIPER_TESTS_CUDA_INTERFACE_H_

#include <cstdint>
#include <exception>
#include <string>

#include "cuda/context.h"

// A function sniper_<name> that returns 0, or 1 with the message in sniper_last_error().
#define SNIPER_FUNCTION(name, parameters) extern "C" __attribute__((visibility("default"))) int sniper_##name parameters

namespace sniper {

std::string& last_error();

template <typename Body>
int guarded(const Body& body) {
  try {
    body();
    return 0;
  } catch (const std::exception& error) {
    last_error() = error.what();
    return 1;
  }
}

// The default stream with one buffer of working memory that grows as needed. A second request within a call is an
// error, as MXNet would answer it with the first one's memory.
CudaContext test_context();

}  // namespace sniper

#endif  // SNIPER_TESTS_CUDA_INTERFACE_H_
