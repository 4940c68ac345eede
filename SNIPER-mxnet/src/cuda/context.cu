#include "cuda/context.h"

#include "cuda/launch.h"

namespace sniper {

void fill_zero_cuda(const CudaContext& context, void* data, size_t bytes) {
  if (bytes == 0) return;
  check_cuda(cudaMemsetAsync(data, 0, bytes, static_cast<cudaStream_t>(context.stream())), "clearing GPU memory");
}

}  // namespace sniper
