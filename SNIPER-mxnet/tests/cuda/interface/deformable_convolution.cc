// DeformableConvolution.
#include "interface.h"

#include <vector>

#include "cpu/deformable_convolution.h"
#include "cuda/deformable_convolution.h"

namespace sniper {
namespace {

// `sizes`: images, channels, height, width, out_height, out_width, kernel (rows, columns), stride, dilate, pad,
// num_filter, num_group, num_deformable_group.
struct Call {
  DeformableConvolutionInputs in;
  DeformableConvolutionOptions options;

  Call(const float* data, const float* offset, const float* weight, const float* bias, const int64_t* sizes) {
    const auto size = [&](int i) { return static_cast<int>(sizes[i]); };
    in.data = data;
    in.offset = offset;
    in.weight = weight;
    in.bias = bias;
    in.images = sizes[0];
    in.channels = size(1);
    in.height = size(2);
    in.width = size(3);
    in.out_height = size(4);
    in.out_width = size(5);
    options.kernel_h = size(6);
    options.kernel_w = size(7);
    options.stride_h = size(8);
    options.stride_w = size(9);
    options.dilate_h = size(10);
    options.dilate_w = size(11);
    options.pad_h = size(12);
    options.pad_w = size(13);
    options.num_filter = size(14);
    options.num_group = size(15);
    options.num_deformable_group = size(16);
    options.no_bias = bias == nullptr;
  }
};

}  // namespace
}  // namespace sniper

using namespace sniper;

SNIPER_FUNCTION(deformable_convolution, (const float* data, const float* offset, const float* weight,
                                         const float* bias, const int64_t* sizes, float* out)) {
  return guarded([&] {
    const Call call(data, offset, weight, bias, sizes);
#if defined(SNIPER_INTERFACE_CPU)
    std::vector<float> workspace(deformable_convolution_forward_workspace(call.in, call.options));
    deformable_convolution_forward_cpu(call.in, call.options, workspace.data(), out);
#else
    deformable_convolution_forward_cuda(call.in, call.options, test_context(), out);
#endif
  });
}

SNIPER_FUNCTION(deformable_convolution_backward, (const float* data, const float* offset, const float* weight,
                                                  const float* bias, const int64_t* sizes, const float* out_grad,
                                                  float* data_grad, float* offset_grad, float* weight_grad,
                                                  float* bias_grad)) {
  return guarded([&] {
    const Call call(data, offset, weight, bias, sizes);
    DeformableConvolutionGradients gradients;
    gradients.data = data_grad;
    gradients.offset = offset_grad;
    gradients.weight = weight_grad;
    gradients.bias = bias_grad;
#if defined(SNIPER_INTERFACE_CPU)
    std::vector<float> workspace(deformable_convolution_backward_workspace(call.in, call.options));
    deformable_convolution_backward_cpu(call.in, call.options, out_grad, workspace.data(), gradients);
#else
    deformable_convolution_backward_cuda(call.in, call.options, test_context(), out_grad, gradients);
#endif
  });
}
