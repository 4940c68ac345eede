// MultiProposalTargetMask: rois of the training graphs with labels and box targets, and the foreground rois that the
// mask head trains on (reference/operators.md, section 7). No gradient.
#include "cuda/proposals.h"
#include "ops/device.h"
#include "ops/target_options.h"

namespace sniper {
namespace {

const char kName[] = "MultiProposalTargetMask";
enum Output { kMaskRois = kNumTargetOutputs, kMaskIds, kNumOutputs, kMaskLabels = kNumOutputs };

// Built into the original, whatever rpn_pre_nms_top_n said.
const int64_t kPreNmsTopN = 6000;

struct Options {
  ProposalOptions proposals;
  TargetOptions targets;
  int64_t max_masks;
  bool mask_labels;  // R-FCN-3000: a seventh output
};

Options read_options(const AttributeMap& values) {
  const Attributes attributes(kName, values);
  std::vector<std::string> names = target_attribute_names();
  for (const char* name : {"max_masks", "max_gts", "max_crowd", "rfcn_3k"}) names.push_back(name);
  attributes.check_names(names);
  Options options = {read_proposal_options(attributes, kPreNmsTopN),
                     read_target_options(attributes, TargetRules::kMask), attributes.integer("max_masks", 50),
                     attributes.boolean("rfcn_3k", false)};
  attributes.require(options.max_masks > 0, "max_masks", "above 0");
  attributes.require(attributes.integer("max_gts", 100) > 0, "max_gts", "above 0");
  attributes.integer("max_crowd", 10);  // unused, as in the original
  options.targets.one_class = options.mask_labels;
  return options;
}

MXReturnValue parse_attributes(const AttributeMap& values, int* num_inputs, int* num_outputs) {
  return guarded(kName, [&] {
    *num_inputs = kNumTargetInputs;
    *num_outputs = kNumOutputs + read_options(values).mask_labels;
  });
}

MXReturnValue infer_type(const AttributeMap&, std::vector<int>* in_types, std::vector<int>* out_types) {
  return guarded(kName, [&] { infer_float32(target_input_names(), in_types, out_types); });
}

MXReturnValue infer_shape(const AttributeMap& values, std::vector<Shape>* in, std::vector<Shape>* out) {
  return guarded(kName, [&] {
    const Options options = read_options(values);
    const FeatureShape feature = infer_target_shapes(options.proposals, *in, out);
    const Attributes attributes(kName, values);
    const unsigned int objects = (*in)[kGtBoxes][1];
    attributes.require(attributes.integer("max_gts", objects) == objects, "max_gts",
                       std::to_string(objects) + ", the rows of gt_boxes, or left out");
    const unsigned int rows = num_rows(feature.images, options.max_masks);
    (*out)[kMaskRois] = {rows, 5};
    (*out)[kMaskIds] = {rows, 1};
    if (options.mask_labels) (*out)[kMaskLabels] = {rows, 1};
  });
}

MaskArrays mask_arrays(std::vector<MXTensor>* out, const Options& options) {
  return MaskArrays{(*out)[kMaskRois].data<float>(), (*out)[kMaskIds].data<float>(),
                    options.mask_labels ? (*out)[kMaskLabels].data<float>() : nullptr, options.max_masks};
}

MXReturnValue forward(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                      const OpResource&) {
  return guarded(kName, [&] {
    const Options options = read_options(values);
    const MaskArrays masks = mask_arrays(out, options);
    proposal_targets_cpu(network_outputs(in), ground_truth(in), options.proposals, options.targets,
                         target_arrays(out), &masks);
  });
}

#if SNIPER_WITH_CUDA

MXReturnValue forward_gpu(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                          const OpResource& resource) {
  return guarded(kName, [&] {
    const Options options = read_options(values);
    const MaskArrays masks = mask_arrays(out, options);
    proposal_targets_cuda(cuda_context(resource), network_outputs(in), ground_truth(in), options.proposals,
                          options.targets, target_arrays(out), &masks);
  });
}

#endif

}  // namespace

REGISTER_OP(MultiProposalTargetMask)
    .setParseAttrs(parse_attributes)
    .setInferType(infer_type)
    .setInferShape(infer_shape)
    .setForward(forward, "cpu")
    .setBackward(zero_gradients, "cpu")
#if SNIPER_WITH_CUDA
    .setForward(forward_gpu, "gpu")
    .setBackward(zero_gradients_gpu, "gpu")
#endif
    ;

}  // namespace sniper
