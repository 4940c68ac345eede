// WinogradConvolution: what Convolution with a 3x3 kernel, stride 1 and padding 1 gives, from weights that were
// transformed beforehand (lib.engine.winograd), with the ReLU behind it. For inference on CPUs: it has no gradient, and
// on GPUs cuDNN chooses such an algorithm by itself.
#include "cpu/winograd_convolution.h"

#include <vector>

#include "cpu/gemm.h"
#include "ops/attributes.h"
#include "ops/binding.h"
#include "ops/workspace.h"

namespace sniper {
namespace {

const char kName[] = "WinogradConvolution";
enum Input { kData, kWeight, kBias };

struct Options {
  int num_filter;
  bool no_bias, relu;
};

Options read_options(const AttributeMap& values) {
  const Attributes attributes(kName, values);
  attributes.check_names({"num_filter", "no_bias", "relu"});
  attributes.require(values.count("num_filter") > 0, "num_filter", "given");
  const int64_t filters = attributes.integer("num_filter", 1);
  attributes.require(filters > 0 && filters <= 0x7fffffff - kPanel, "num_filter", "above 0");
  return Options{static_cast<int>(filters), attributes.boolean("no_bias", false), attributes.boolean("relu", false)};
}

MXReturnValue parse_attributes(const AttributeMap& values, int* num_inputs, int* num_outputs) {
  return guarded(kName, [&] {
    *num_inputs = read_options(values).no_bias ? 2 : 3;
    *num_outputs = 1;
  });
}

MXReturnValue infer_type(const AttributeMap&, std::vector<int>* in_types, std::vector<int>* out_types) {
  return guarded(kName, [&] { infer_float32({"data", "weight", "bias"}, in_types, out_types); });
}

MXReturnValue infer_shape(const AttributeMap& values, std::vector<Shape>* in, std::vector<Shape>* out) {
  return guarded(kName, [&] {
    const Options options = read_options(values);
    const Shape& data = (*in)[kData];
    check_maps("data", data);
    check_shape("weight", (*in)[kWeight],
                {kWinogradPoints, static_cast<unsigned int>(winograd_panels(options.num_filter)), data[1], kPanel},
                "(36, num_filter/32 rounded up, C, 32)");
    const unsigned int filters = options.num_filter;
    if (!options.no_bias) check_shape("bias", (*in)[kBias], {filters}, "(num_filter,)");
    (*out)[0] = {data[0], filters, data[2], data[3]};
  });
}

MXReturnValue forward(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                      const OpResource& resource) {
  return guarded(kName, [&] {
    const Options options = read_options(values);
    MXTensor& data = (*in)[kData];
    WinogradConvolutionInputs inputs;
    inputs.data = data.data<float>();
    inputs.weight = (*in)[kWeight].data<float>();
    inputs.bias = options.no_bias ? nullptr : (*in)[kBias].data<float>();
    inputs.images = data.shape[0];
    inputs.channels = static_cast<int>(data.shape[1]);
    inputs.height = static_cast<int>(data.shape[2]);
    inputs.width = static_cast<int>(data.shape[3]);
    inputs.filters = options.num_filter;
    inputs.relu = options.relu;
    Workspace workspace(resource, winograd_convolution_workspace(inputs));
    winograd_convolution_cpu(inputs, workspace.data(), (*out)[0].data<float>());
  });
}

}  // namespace

REGISTER_OP(WinogradConvolution)
    .setParseAttrs(parse_attributes)
    .setInferType(infer_type)
    .setInferShape(infer_shape)
    .setForward(forward, "cpu");

}  // namespace sniper
