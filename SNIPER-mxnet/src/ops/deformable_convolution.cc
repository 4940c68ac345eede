// DeformableConvolution: the stock operator's arguments, attributes and values at a fraction of the time
// (reference/operators.md, section 9). Gradients flow to all inputs.
#include "cpu/deformable_convolution.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "cuda/deformable_convolution.h"
#include "ops/attributes.h"
#include "ops/binding.h"
#include "ops/device.h"
#include "ops/workspace.h"

namespace sniper {
namespace {

const char kName[] = "DeformableConvolution";
enum Input { kData, kOffset, kWeight, kBias };
const std::vector<std::string> kInputNames = {"data", "offset", "weight", "bias"};

// Height and width of attribute `name`, from `least` up; an empty list means the fallback, as in the stock operator.
void read_pair(const Attributes& attributes, const char* name, int fallback, int least, int* height, int* width) {
  std::vector<float> values = attributes.numbers(name, {});
  if (values.empty()) values.assign(2, static_cast<float>(fallback));
  bool holds = values.size() == 2;
  for (const float value : values) {
    holds = holds && value >= least && value <= 65536.0f && value == static_cast<int>(value);
  }
  attributes.require(holds, name, "two whole numbers (height, width) from " + std::to_string(least) + " up");
  *height = static_cast<int>(values[0]);
  *width = static_cast<int>(values[1]);
}

DeformableConvolutionOptions read_options(const AttributeMap& values) {
  const Attributes attributes(kName, values);
  attributes.check_names({"kernel", "stride", "dilate", "pad", "num_filter", "num_group", "num_deformable_group",
                          "workspace", "no_bias", "layout"});
  for (const char* name : {"kernel", "num_filter"}) attributes.require(values.count(name) > 0, name, "given");
  const auto count = [&](const char* name) {
    const int64_t value = attributes.integer(name, 1);
    attributes.require(value > 0, name, "above 0");
    return static_cast<int>(value);
  };
  DeformableConvolutionOptions options;
  read_pair(attributes, "kernel", 0, 1, &options.kernel_h, &options.kernel_w);
  read_pair(attributes, "stride", 1, 1, &options.stride_h, &options.stride_w);
  read_pair(attributes, "dilate", 1, 1, &options.dilate_h, &options.dilate_w);
  read_pair(attributes, "pad", 0, 0, &options.pad_h, &options.pad_w);
  options.num_filter = count("num_filter");
  options.num_group = count("num_group");
  options.num_deformable_group = count("num_deformable_group");
  options.no_bias = attributes.boolean("no_bias", false);
  // Megabytes of columns in the stock operator; here memory follows from the caches.
  attributes.require(attributes.integer("workspace", 1024) >= 0, "workspace", "0 or above");
  const auto layout = values.find("layout");
  attributes.require(layout == values.end() || layout->second == "None" || layout->second == "NCHW", "layout",
                     "NCHW or None");
  attributes.require(options.num_filter % options.num_group == 0, "num_filter",
                     "a multiple of num_group = " + std::to_string(options.num_group));
  return options;
}

MXReturnValue parse_attributes(const AttributeMap& values, int* num_inputs, int* num_outputs) {
  return guarded(kName, [&] {
    *num_inputs = read_options(values).no_bias ? 3 : 4;
    *num_outputs = 1;
  });
}

// Graphs in half precision have to be inferred on machines without a GPU too, so float16 passes here, for all inputs or
// none; computing in it is refused.
MXReturnValue infer_type(const AttributeMap&, std::vector<int>* in_types, std::vector<int>* out_types) {
  return guarded(kName, [&] {
    const int half = mxnet::ext::kFloat16;
    if ((*in_types)[kData] != half) return infer_float32(kInputNames, in_types, out_types);
    for (size_t i = 0; i < in_types->size(); ++i) {
      int& type = (*in_types)[i];
      if (type == -1 || type == mxnet::ext::kUNSET) type = half;
      if (type == half) continue;
      throw std::invalid_argument(kInputNames[i] + " must be float16 as data is, got " +
                                  (type == mxnet::ext::kFloat32 ? "float32" : "another type") + ": cast one of them");
    }
    (*out_types)[0] = half;
  });
}

void check_channels(unsigned int channels, int groups, const char* attribute) {
  if (channels % groups == 0) return;
  throw std::invalid_argument("the " + std::to_string(channels) + " channels of data must be a multiple of " +
                              attribute + ", got " + std::to_string(groups));
}

// Cells of the output along an axis.
unsigned int output_size(unsigned int size, int kernel, int stride, int dilate, int pad, const char* axis) {
  const int64_t cells = convolution_output(size, kernel, stride, dilate, pad);
  if (cells > 0) return static_cast<unsigned int>(cells);
  throw std::invalid_argument(std::string("the dilated kernel exceeds the padded data in ") + axis + ": " +
                              std::to_string(static_cast<int64_t>(dilate) * (kernel - 1) + 1) + " cells of " +
                              std::to_string(size + 2 * static_cast<int64_t>(pad)));
}

MXReturnValue infer_shape(const AttributeMap& values, std::vector<Shape>* in, std::vector<Shape>* out) {
  return guarded(kName, [&] {
    const DeformableConvolutionOptions options = read_options(values);
    const Shape& data = (*in)[kData];
    check_maps("data", data);
    check_channels(data[1], options.num_group, "num_group");
    check_channels(data[1], options.num_deformable_group, "num_deformable_group");
    const unsigned int height = output_size(data[2], options.kernel_h, options.stride_h, options.dilate_h,
                                            options.pad_h, "height");
    const unsigned int width = output_size(data[3], options.kernel_w, options.stride_w, options.dilate_w,
                                           options.pad_w, "width");
    const unsigned int filters = options.num_filter;
    const unsigned int shifts = 2 * options.num_deformable_group * options.taps();
    check_shape("offset", (*in)[kOffset], {data[0], shifts, height, width},
                "(N, 2*num_deformable_group*kernel_h*kernel_w, H', W')");
    check_shape("weight", (*in)[kWeight],
                {filters, data[1] / options.num_group, static_cast<unsigned int>(options.kernel_h),
                 static_cast<unsigned int>(options.kernel_w)},
                "(num_filter, C/num_group, kernel_h, kernel_w)");
    if (!options.no_bias) check_shape("bias", (*in)[kBias], {filters}, "(num_filter,)");
    (*out)[0] = {data[0], filters, height, width};
  });
}

// `in` holds data, offset, weight and, with bias, bias from place `first` on; `output` has the output's shape.
DeformableConvolutionInputs convolution_inputs(std::vector<MXTensor>* in, size_t first, const MXTensor& output,
                                               const DeformableConvolutionOptions& options) {
  const MXTensor& data = (*in)[first + kData];
  if (data.dtype != mxnet::ext::kFloat32) {
    throw std::invalid_argument("data must be float32, got float16: cast it first");
  }
  DeformableConvolutionInputs inputs;
  inputs.data = (*in)[first + kData].data<float>();
  inputs.offset = (*in)[first + kOffset].data<float>();
  inputs.weight = (*in)[first + kWeight].data<float>();
  inputs.bias = options.no_bias ? nullptr : (*in)[first + kBias].data<float>();
  inputs.images = data.shape[0];
  inputs.channels = static_cast<int>(data.shape[1]);
  inputs.height = static_cast<int>(data.shape[2]);
  inputs.width = static_cast<int>(data.shape[3]);
  inputs.out_height = static_cast<int>(output.shape[2]);
  inputs.out_width = static_cast<int>(output.shape[3]);
  return inputs;
}

DeformableConvolutionGradients gradient_arrays(std::vector<MXTensor>* out,
                                               const DeformableConvolutionOptions& options) {
  DeformableConvolutionGradients grads;
  grads.data = (*out)[kData].data<float>();
  grads.offset = (*out)[kOffset].data<float>();
  grads.weight = (*out)[kWeight].data<float>();
  grads.bias = options.no_bias ? nullptr : (*out)[kBias].data<float>();
  return grads;
}

MXReturnValue forward(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                      const OpResource& resource) {
  return guarded(kName, [&] {
    const DeformableConvolutionOptions options = read_options(values);
    const DeformableConvolutionInputs inputs = convolution_inputs(in, 0, (*out)[0], options);
    Workspace workspace(resource, deformable_convolution_forward_workspace(inputs, options));
    deformable_convolution_forward_cpu(inputs, options, workspace.data(), (*out)[0].data<float>());
  });
}

// in: gradient of the output, the inputs, the output; out: gradients of the inputs.
MXReturnValue backward(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                       const OpResource& resource) {
  return guarded(kName, [&] {
    const DeformableConvolutionOptions options = read_options(values);
    const DeformableConvolutionInputs inputs = convolution_inputs(in, 1, (*in)[0], options);
    Workspace workspace(resource, deformable_convolution_backward_workspace(inputs, options));
    deformable_convolution_backward_cpu(inputs, options, (*in)[0].data<float>(), workspace.data(),
                                        gradient_arrays(out, options));
  });
}

#if SNIPER_WITH_CUDA

MXReturnValue forward_gpu(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                          const OpResource& resource) {
  return guarded(kName, [&] {
    const DeformableConvolutionOptions options = read_options(values);
    const DeformableConvolutionInputs inputs = convolution_inputs(in, 0, (*out)[0], options);
    deformable_convolution_forward_cuda(inputs, options, cuda_context(resource), (*out)[0].data<float>());
  });
}

MXReturnValue backward_gpu(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                           const OpResource& resource) {
  return guarded(kName, [&] {
    const DeformableConvolutionOptions options = read_options(values);
    const DeformableConvolutionInputs inputs = convolution_inputs(in, 1, (*in)[0], options);
    deformable_convolution_backward_cuda(inputs, options, cuda_context(resource), (*in)[0].data<float>(),
                                         gradient_arrays(out, options));
  });
}

#endif

}  // namespace

REGISTER_OP(DeformableConvolution)
    .setParseAttrs(parse_attributes)
    .setInferType(infer_type)
    .setInferShape(infer_shape)
    .setForward(forward, "cpu")
    .setBackward(backward, "cpu")
#if SNIPER_WITH_CUDA
    .setForward(forward_gpu, "gpu")
    .setBackward(backward_gpu, "gpu")
#endif
    ;

}  // namespace sniper
