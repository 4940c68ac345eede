// What operators on a GPU get from MXNet.
#include <stdexcept>
#include <string>

#include "ops/operator.h"

namespace sniper {
namespace {

void* device_memory(void* owner, size_t bytes) {
  // MXNet counts the bytes in an int.
  if (bytes > 0x7fffffffu) {
    throw std::runtime_error("needs " + std::to_string(bytes >> 20) +
                             " MB of working memory on the GPU, MXNet gives at most 2047: use fewer images a batch");
  }
  return static_cast<const mxnet::ext::OpResource*>(owner)->alloc_gpu(static_cast<int>(bytes));
}

}  // namespace

CudaContext cuda_context(const mxnet::ext::OpResource& resource) {
  return CudaContext(static_cast<void*>(resource.get_cuda_stream()), device_memory,
                     const_cast<mxnet::ext::OpResource*>(&resource));
}

}  // namespace sniper
