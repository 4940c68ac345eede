#include "cuda/context.h"

#include <cstring>

#include "cuda/launch.h"

namespace sniper {

void fill_zero_cuda(const CudaContext& context, void* data, size_t bytes) {
  if (bytes == 0) return;
#if defined(SNIPER_CUDA_EMULATION)
  static_cast<void>(context);
  std::memset(data, 0, bytes);
#else
  check_cuda(cudaMemsetAsync(data, 0, bytes, static_cast<cudaStream_t>(context.stream())), "clearing GPU memory");
#endif
}

}  // namespace sniper
