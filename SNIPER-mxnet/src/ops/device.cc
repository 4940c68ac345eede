#include "ops/device.h"

#if SNIPER_WITH_CUDA

#include <stdexcept>
#include <string>

namespace sniper {
namespace {

void* device_memory(void* owner, size_t bytes) {
  // MXNet counts the bytes in an int.
  if (bytes > 0x7fffffffu) {
    throw std::runtime_error("needs " + std::to_string(bytes >> 20) +
                             " MB of working memory on the GPU, MXNet gives at most 2047: use fewer images a batch");
  }
  return static_cast<const OpResource*>(owner)->alloc_gpu(static_cast<int>(bytes));
}

}  // namespace

CudaContext cuda_context(const OpResource& resource) {
  return CudaContext(static_cast<void*>(resource.get_cuda_stream()), device_memory, const_cast<OpResource*>(&resource));
}

void fill_zero_gpu(const CudaContext& context, std::vector<MXTensor>* tensors) {
  for (MXTensor& tensor : *tensors) fill_zero_cuda(context, tensor.data_ptr, tensor.size() * sizeof(float));
}

MXReturnValue zero_gradients_gpu(const AttributeMap&, std::vector<MXTensor>*, std::vector<MXTensor>* out,
                                 const OpResource& resource) {
  return guarded("sniper_mxnet", [&] { fill_zero_gpu(cuda_context(resource), out); });
}

}  // namespace sniper

#endif  // SNIPER_WITH_CUDA
