// DeformableConvolution on the device: points sampled into columns, matrix products by cuBLAS. Arrays are in device
// memory.
#ifndef SNIPER_CUDA_DEFORMABLE_CONVOLUTION_H_
#define SNIPER_CUDA_DEFORMABLE_CONVOLUTION_H_

#include <cstdint>

#include "cuda/context.h"
#include "sniper/deformable_convolution.h"

namespace sniper {

// out (images, num_filter, out_height, out_width). Working memory: at most twice inputs and output, see
// deformable_convolution.cu.
void deformable_convolution_forward_cuda(const DeformableConvolutionInputs& in,
                                         const DeformableConvolutionOptions& options, const CudaContext& context,
                                         float* out);

// The data gradient is made by atomic additions, so its last bits differ from run to run; the others do not.
void deformable_convolution_backward_cuda(const DeformableConvolutionInputs& in,
                                          const DeformableConvolutionOptions& options, const CudaContext& context,
                                          const float* out_grad, const DeformableConvolutionGradients& gradients);

}  // namespace sniper

#endif  // SNIPER_CUDA_DEFORMABLE_CONVOLUTION_H_
