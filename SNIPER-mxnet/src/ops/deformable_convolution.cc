// DeformableConvolution: the stock operator's arguments, attributes and values at a fraction of the time
// (reference/operators.md, section 9). Gradients flow to all inputs.
#include "cpu/deformable_convolution.h"

#include <stdexcept>

#include "cuda/deformable_convolution.h"
#include "ops/operator.h"

namespace sniper {
namespace {

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

struct DeformableConvolution {
  typedef DeformableConvolutionOptions Options;
  enum Input { kData, kOffset, kWeight, kBias };

  static Signature signature() {
    return Signature("DeformableConvolution")
        .inputs({"data", "offset", "weight", "bias"})
        .last_input_unless("no_bias")
        .outputs({"output"})
        .attributes({"kernel", "stride", "dilate", "pad", "num_filter", "num_group", "num_deformable_group",
                     "workspace", "no_bias", "layout"})
        .required({"kernel", "num_filter"})
        .types(infer_float32_or_float16);
  }

  static Options read_options(const Attributes& attributes) {
    Options options;
    read_pair(attributes, "kernel", 0, 1, &options.kernel_h, &options.kernel_w);
    read_pair(attributes, "stride", 1, 1, &options.stride_h, &options.stride_w);
    read_pair(attributes, "dilate", 1, 1, &options.dilate_h, &options.dilate_w);
    read_pair(attributes, "pad", 0, 0, &options.pad_h, &options.pad_w);
    options.num_filter = static_cast<int>(attributes.positive("num_filter", 1));
    options.num_group = static_cast<int>(attributes.positive("num_group", 1));
    options.num_deformable_group = static_cast<int>(attributes.positive("num_deformable_group", 1));
    options.no_bias = attributes.boolean("no_bias", false);
    // Megabytes of columns in the stock operator; here memory follows from the caches.
    attributes.require(attributes.integer("workspace", 1024) >= 0, "workspace", "0 or above");
    const std::string layout = attributes.word("layout", "None");
    attributes.require(layout == "None" || layout == "NCHW", "layout", "NCHW or None");
    attributes.require(options.num_filter % options.num_group == 0, "num_filter",
                       "a multiple of num_group = " + std::to_string(options.num_group));
    return options;
  }

  static std::vector<Shape> output_shapes(const Attributes&, const Options& options, const std::vector<Shape>& in) {
    const Shape& data = in[kData];
    check_maps("data", data);
    check_channels(data[1], options.num_group, "num_group");
    check_channels(data[1], options.num_deformable_group, "num_deformable_group");
    const unsigned int filters = options.num_filter, kernel_h = options.kernel_h, kernel_w = options.kernel_w;
    const unsigned int height = output_size(data[2], options.kernel_h, options.stride_h, options.dilate_h,
                                            options.pad_h, "height");
    const unsigned int width = output_size(data[3], options.kernel_w, options.stride_w, options.dilate_w,
                                           options.pad_w, "width");
    const unsigned int shifts = checked_size("2*num_deformable_group*kernel_h*kernel_w",
                                             {2, options.num_deformable_group, kernel_h, kernel_w});
    check_shape("offset", in[kOffset], {data[0], shifts, height, width},
                "(N, 2*num_deformable_group*kernel_h*kernel_w, H', W')");
    check_shape("weight", in[kWeight], {filters, data[1] / options.num_group, kernel_h, kernel_w},
                "(num_filter, C/num_group, kernel_h, kernel_w)");
    if (!options.no_bias) check_shape("bias", in[kBias], {filters}, "(num_filter,)");
    return {{data[0], filters, height, width}};
  }

  // `output` holds the output or its gradient.
  static DeformableConvolutionInputs convolution_inputs(const Tensors& in, const Tensors& output) {
    DeformableConvolutionInputs inputs;
    inputs.data = in.data(kData);
    inputs.offset = in.data(kOffset);
    inputs.weight = in.data(kWeight);
    inputs.bias = in.data(kBias);
    inputs.images = in.size(kData, 0);
    inputs.channels = static_cast<int>(in.size(kData, 1));
    inputs.height = static_cast<int>(in.size(kData, 2));
    inputs.width = static_cast<int>(in.size(kData, 3));
    inputs.out_height = static_cast<int>(output.size(0, 2));
    inputs.out_width = static_cast<int>(output.size(0, 3));
    return inputs;
  }

  static DeformableConvolutionGradients gradients(const Tensors& in_grads) {
    return DeformableConvolutionGradients{in_grads.data(kData), in_grads.data(kOffset), in_grads.data(kWeight),
                                          in_grads.data(kBias)};
  }

  static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace* workspace) {
    const DeformableConvolutionInputs inputs = convolution_inputs(in, out);
    float* working = workspace->take(deformable_convolution_forward_workspace(inputs, options));
    deformable_convolution_forward_cpu(inputs, options, working, out.data(0));
  }

  static void backward_cpu(const Options& options, const Tensors& out_grads, const Tensors& in, const Tensors&,
                           const Tensors& in_grads, Workspace* workspace) {
    const DeformableConvolutionInputs inputs = convolution_inputs(in, out_grads);
    float* working = workspace->take(deformable_convolution_backward_workspace(inputs, options));
    deformable_convolution_backward_cpu(inputs, options, out_grads.data(0), working, gradients(in_grads));
  }

  static void forward_gpu(const Options& options, const Tensors& in, const Tensors& out, const CudaContext& context) {
    deformable_convolution_forward_cuda(convolution_inputs(in, out), options, context, out.data(0));
  }

  static void backward_gpu(const Options& options, const Tensors& out_grads, const Tensors& in, const Tensors&,
                           const Tensors& in_grads, const CudaContext& context) {
    deformable_convolution_backward_cuda(convolution_inputs(in, out_grads), options, context, out_grads.data(0),
                                         gradients(in_grads));
  }
};

const Operator<DeformableConvolution> registration = Operator<DeformableConvolution>().on_cpu().on_gpu();

}  // namespace
}  // namespace sniper
