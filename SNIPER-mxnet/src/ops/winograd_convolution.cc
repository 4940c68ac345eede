// WinogradConvolution: what Convolution with a 3x3 kernel, stride 1 and padding 1 gives, from weights that were
// transformed beforehand (lib.engine.winograd), with the ReLU behind it. For inference on CPUs: it has no gradient, and
// on GPUs cuDNN chooses such an algorithm by itself.
#include "cpu/winograd_convolution.h"

#include "cpu/gemm.h"
#include "ops/operator.h"

namespace sniper {
namespace {

struct WinogradConvolution {
  struct Options {
    int num_filter;
    bool no_bias, relu;
  };
  enum Input { kData, kWeight, kBias };

  static Signature signature() {
    return Signature("WinogradConvolution")
        .inputs({"data", "weight", "bias"})
        .last_input_unless("no_bias")
        .outputs({"output"})
        .attributes({"num_filter", "no_bias", "relu"})
        .required({"num_filter"});
  }

  static Options read_options(const Attributes& attributes) {
    const int64_t filters = attributes.integer("num_filter", 1);
    attributes.require(filters > 0 && filters <= 0x7fffffff - kPanel, "num_filter", "above 0");
    return Options{static_cast<int>(filters), attributes.boolean("no_bias", false), attributes.boolean("relu", false)};
  }

  static std::vector<Shape> output_shapes(const Attributes&, const Options& options, const std::vector<Shape>& in) {
    const Shape& data = in[kData];
    const unsigned int filters = options.num_filter;
    check_maps("data", data);
    check_shape("weight", in[kWeight],
                {kWinogradPoints, static_cast<unsigned int>(winograd_panels(options.num_filter)), data[1], kPanel},
                "(36, num_filter/32 rounded up, C, 32)");
    if (!options.no_bias) check_shape("bias", in[kBias], {filters}, "(num_filter,)");
    return {{data[0], filters, data[2], data[3]}};
  }

  static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace* workspace) {
    WinogradConvolutionInputs inputs;
    inputs.data = in.data(kData);
    inputs.weight = in.data(kWeight);
    inputs.bias = in.data(kBias);
    inputs.images = in.size(kData, 0);
    inputs.channels = static_cast<int>(in.size(kData, 1));
    inputs.height = static_cast<int>(in.size(kData, 2));
    inputs.width = static_cast<int>(in.size(kData, 3));
    inputs.filters = options.num_filter;
    inputs.relu = options.relu;
    winograd_convolution_cpu(inputs, workspace->take(winograd_convolution_workspace(inputs)), out.data(0));
  }
};

const Operator<WinogradConvolution> registration = Operator<WinogradConvolution>().inference_on_cpu();

}  // namespace
}  // namespace sniper
