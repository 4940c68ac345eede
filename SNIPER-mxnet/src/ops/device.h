// What a binding needs to run its operator on a GPU, in builds with SNIPER_WITH_CUDA. The rule is one forward and one
// backward a device; what they share (options, arrays, checks of shapes) does not know the device:
//
//   #if SNIPER_WITH_CUDA
//   MXReturnValue forward_gpu(... same parameters ...) {
//     return guarded(kName, [&] { my_operator_cuda(cuda_context(resource), arrays(in), ...); });
//   }
//   #endif
//   ...
//       .setForward(forward, "cpu")
//       .setBackward(backward, "cpu")
//   #if SNIPER_WITH_CUDA
//       .setForward(forward_gpu, "gpu")
//       .setBackward(backward_gpu, "gpu")
//   #endif
//       ;
//
// A tensor's data<float>() is device memory there: nothing but kernels may look into it.
#ifndef SNIPER_OPS_DEVICE_H_
#define SNIPER_OPS_DEVICE_H_

#if SNIPER_WITH_CUDA

#include <vector>

#include "cuda/context.h"
#include "ops/binding.h"

namespace sniper {

// MXNet's stream and its pool of device memory. `resource` must outlive the context.
CudaContext cuda_context(const OpResource& resource);

void fill_zero_gpu(const CudaContext& context, std::vector<MXTensor>* tensors);

// The backward of an operator that passes no gradient: zeros to all inputs.
MXReturnValue zero_gradients_gpu(const AttributeMap&, std::vector<MXTensor>*, std::vector<MXTensor>* out,
                                 const OpResource& resource);

}  // namespace sniper

#endif  // SNIPER_WITH_CUDA

#endif  // SNIPER_OPS_DEVICE_H_
