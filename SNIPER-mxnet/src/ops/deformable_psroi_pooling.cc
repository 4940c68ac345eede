// DeformablePSROIPooling: the stock operator's arguments and values, without its second output, at a fraction of the
// time (reference/operators.md, section 9). Gradients flow to data and trans.
#include <stdexcept>
#include <string>
#include <vector>

#include "cpu/psroi_pooling.h"
#include "cuda/psroi_pooling.h"
#include "ops/attributes.h"
#include "ops/binding.h"
#include "ops/device.h"
#include "ops/workspace.h"

namespace sniper {
namespace {

const char kName[] = "DeformablePSROIPooling";
enum Input { kData, kRois, kTrans };

PoolingOptions read_options(const AttributeMap& values) {
  const Attributes attributes(kName, values);
  attributes.check_names({"spatial_scale", "output_dim", "group_size", "pooled_size", "part_size", "sample_per_part",
                          "trans_std", "no_trans"});
  for (const char* name : {"spatial_scale", "output_dim", "group_size", "pooled_size"}) {
    attributes.require(values.count(name) > 0, name, "given");
  }
  const auto count = [&](const char* name, int64_t fallback) {
    const int64_t value = attributes.integer(name, fallback);
    attributes.require(value > 0, name, "above 0");
    return static_cast<int>(value);
  };
  PoolingOptions options;
  options.spatial_scale = static_cast<float>(attributes.number("spatial_scale", 1.0));
  attributes.require(options.spatial_scale > 0.0f && options.spatial_scale <= 1.0f, "spatial_scale",
                     "above 0 and at most 1 (feature cells a pixel)");
  options.output_dim = count("output_dim", 1);
  options.group_size = count("group_size", 1);
  options.pooled_size = count("pooled_size", 1);
  options.sample_per_part = count("sample_per_part", 1);
  options.no_trans = attributes.boolean("no_trans", false);
  // As in the stock operator, 0 means the pooled size.
  const int64_t part_size = attributes.integer("part_size", 0);
  attributes.require(part_size >= 0, "part_size", "0 (the pooled size) or above");
  options.part_size = part_size > 0 ? static_cast<int>(part_size) : options.pooled_size;
  options.trans_std = static_cast<float>(attributes.number("trans_std", 0.0));
  attributes.require(options.trans_std >= 0.0f && options.trans_std <= 1.0f, "trans_std", "from 0 to 1");
  return options;
}

MXReturnValue parse_attributes(const AttributeMap& values, int* num_inputs, int* num_outputs) {
  return guarded(kName, [&] {
    *num_inputs = read_options(values).no_trans ? 2 : 3;
    *num_outputs = 1;
  });
}

MXReturnValue infer_type(const AttributeMap&, std::vector<int>* in_types, std::vector<int>* out_types) {
  return guarded(kName, [&] { infer_float32({"data", "rois", "trans"}, in_types, out_types); });
}

void check_trans(const Shape& trans, unsigned int rois, const PoolingOptions& options) {
  const unsigned int part = options.part_size;
  const std::string layout = "(rois, 2*classes, part_size, part_size)";
  check_rank("trans", trans, 4, layout);
  const unsigned int classes = trans[1] / 2;
  check_shape("trans", trans, {rois, 2 * (classes ? classes : 1), part, part}, layout);
  if (options.output_dim % classes == 0) return;
  throw std::invalid_argument("trans has offsets for " + std::to_string(classes) + " classes, which do not divide " +
                              "the " + std::to_string(options.output_dim) + " channels of output_dim");
}

MXReturnValue infer_shape(const AttributeMap& values, std::vector<Shape>* in, std::vector<Shape>* out) {
  return guarded(kName, [&] {
    const PoolingOptions options = read_options(values);
    const unsigned int channels = options.output_dim * options.group_size * options.group_size;
    const Shape& data = (*in)[kData];
    const std::string layout = "(N, output_dim*group_size*group_size, H, W)";
    check_rank("data", data, 4, layout);
    check_shape("data", data, {data[0], channels, data[2], data[3]}, layout);
    const Shape& rois = (*in)[kRois];
    check_rank("rois", rois, 2, "(rois, 5)");
    check_shape("rois", rois, {rois[0], 5}, "(rois, 5)");
    if (!options.no_trans) check_trans((*in)[kTrans], rois[0], options);
    const unsigned int pooled = options.pooled_size;
    (*out)[0] = {rois[0], static_cast<unsigned int>(options.output_dim), pooled, pooled};
  });
}

// `in` holds data, rois and, with offsets, trans from place `first` on.
PoolingInputs pooling_inputs(std::vector<MXTensor>* in, size_t first, const PoolingOptions& options) {
  MXTensor& data = (*in)[first + kData];
  PoolingInputs inputs;
  inputs.data = data.data<float>();
  inputs.images = data.shape[0];
  inputs.height = static_cast<int>(data.shape[2]);
  inputs.width = static_cast<int>(data.shape[3]);
  inputs.rois = (*in)[first + kRois].data<float>();
  inputs.num_rois = (*in)[first + kRois].shape[0];
  inputs.trans = options.no_trans ? nullptr : (*in)[first + kTrans].data<float>();
  inputs.classes = options.no_trans ? 1 : static_cast<int>((*in)[first + kTrans].shape[1] / 2);
  return inputs;
}

MXReturnValue forward(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                      const OpResource& resource) {
  return guarded(kName, [&] {
    const PoolingOptions options = read_options(values);
    const PoolingInputs inputs = pooling_inputs(in, 0, options);
    check_roi_images(inputs);
    Workspace workspace(resource, psroi_workspace(inputs, options));
    psroi_forward_cpu(inputs, options, workspace.data(), (*out)[0].data<float>());
  });
}

// in: gradient of the output, the inputs, the output; out: gradients of the inputs.
MXReturnValue backward(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                       const OpResource& resource) {
  return guarded(kName, [&] {
    const PoolingOptions options = read_options(values);
    const PoolingInputs inputs = pooling_inputs(in, 1, options);
    check_roi_images(inputs);
    Workspace workspace(resource, options.no_trans ? 0 : psroi_workspace(inputs, options));
    psroi_backward_cpu(inputs, options, (*in)[0].data<float>(), workspace.data(), (*out)[kData].data<float>(),
                       options.no_trans ? nullptr : (*out)[kTrans].data<float>());
    std::vector<MXTensor> none = {(*out)[kRois]};
    fill_zero(&none);
  });
}

#if SNIPER_WITH_CUDA

MXReturnValue forward_gpu(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                          const OpResource& resource) {
  return guarded(kName, [&] {
    const PoolingOptions options = read_options(values);
    psroi_forward_cuda(pooling_inputs(in, 0, options), options, cuda_context(resource), (*out)[0].data<float>());
  });
}

MXReturnValue backward_gpu(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                           const OpResource& resource) {
  return guarded(kName, [&] {
    const PoolingOptions options = read_options(values);
    const CudaContext context = cuda_context(resource);
    psroi_backward_cuda(pooling_inputs(in, 1, options), options, context, (*in)[0].data<float>(),
                        (*out)[kData].data<float>(), options.no_trans ? nullptr : (*out)[kTrans].data<float>());
    std::vector<MXTensor> none = {(*out)[kRois]};
    fill_zero_gpu(context, &none);
  });
}

#endif

}  // namespace

REGISTER_OP(DeformablePSROIPooling)
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
