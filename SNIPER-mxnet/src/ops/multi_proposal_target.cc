// MultiProposalTarget: rois of the training graphs with their labels and box targets (reference/operators.md,
// section 5, training arithmetic). No gradient.
#include <vector>

#include "cpu/proposals.h"
#include "ops/proposal_options.h"

namespace sniper {
namespace {

const char kName[] = "MultiProposalTarget";
enum Input { kClsProb, kBBoxPred, kImInfo, kGtBoxes, kValidRanges, kNumInputs };
enum Output { kRois, kLabel, kBBoxTarget, kBBoxWeight, kNumOutputs };

// All boxes enter NMS unless the graph says otherwise.
const int64_t kPreNmsTopN = -1;

ProposalOptions read_options(const AttributeMap& values) {
  const Attributes attributes(kName, values);
  std::vector<std::string> names = proposal_attribute_names();
  for (const char* name : {"workspace", "bbox_stds", "aligned_targets"}) names.push_back(name);
  attributes.check_names(names);
  attributes.number("workspace", 128);  // unused, as in the original
  return read_proposal_options(attributes, kPreNmsTopN);
}

TargetOptions read_target_options(const AttributeMap& values) {
  const Attributes attributes(kName, values);
  TargetOptions options;
  const std::vector<float> stds = attributes.numbers("bbox_stds", {0.1f, 0.1f, 0.2f, 0.2f});
  attributes.require(stds.size() == 4, "bbox_stds", "four numbers above 0 (dx, dy, dw, dh)");
  for (int k = 0; k < 4; ++k) {
    attributes.require(stds[k] > 0.0f, "bbox_stds", "four numbers above 0 (dx, dy, dw, dh)");
    options.stds[k] = stds[k];
  }
  options.aligned = attributes.boolean("aligned_targets", false);
  return options;
}

MXReturnValue parse_attributes(const AttributeMap& values, int* num_inputs, int* num_outputs) {
  return guarded(kName, [&] {
    read_options(values);
    read_target_options(values);
    *num_inputs = kNumInputs;
    *num_outputs = kNumOutputs;
  });
}

MXReturnValue infer_type(const AttributeMap&, std::vector<int>* in_types, std::vector<int>* out_types) {
  return guarded(kName, [&] {
    infer_float32({"cls_prob", "bbox_pred", "im_info", "gt_boxes", "valid_ranges"}, in_types, out_types);
  });
}

MXReturnValue infer_shape(const AttributeMap& values, std::vector<Shape>* in, std::vector<Shape>* out) {
  return guarded(kName, [&] {
    const ProposalOptions options = read_options(values);
    const FeatureShape feature = check_bbox_pred((*in)[kBBoxPred], options);
    const unsigned int anchors = options.num_anchors();
    check_shape("cls_prob", (*in)[kClsProb], {feature.images, 2, anchors * feature.height, feature.width},
                "(N, 2, A*H, W)");
    check_shape("im_info", (*in)[kImInfo], {feature.images, 3}, "(N, 3)");
    check_rank("gt_boxes", (*in)[kGtBoxes], 3, "(N, objects, 5)");
    check_shape("gt_boxes", (*in)[kGtBoxes], {feature.images, (*in)[kGtBoxes][1], 5}, "(N, objects, 5)");
    check_shape("valid_ranges", (*in)[kValidRanges], {feature.images, 2}, "(N, 2)");
    const unsigned int rows = num_rows(feature.images, options.post_nms_top_n);
    (*out)[kRois] = {rows, 5};
    (*out)[kLabel] = {rows, 1};
    (*out)[kBBoxTarget] = {rows, 4};
    (*out)[kBBoxWeight] = {rows, 4};
  });
}

MXReturnValue forward(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                      const OpResource&) {
  return guarded(kName, [&] {
    BatchTruth truth;
    truth.gt_boxes = (*in)[kGtBoxes].data<float>();
    truth.valid_ranges = (*in)[kValidRanges].data<float>();
    truth.max_gt = (*in)[kGtBoxes].shape[1];
    const TargetArrays targets = {(*out)[kRois].data<float>(), (*out)[kLabel].data<float>(),
                                  (*out)[kBBoxTarget].data<float>(), (*out)[kBBoxWeight].data<float>()};
    multi_proposal_target_cpu(network_outputs(in), truth, read_options(values), read_target_options(values), targets);
  });
}

MXReturnValue backward(const AttributeMap&, std::vector<MXTensor>*, std::vector<MXTensor>* out, const OpResource&) {
  return guarded(kName, [&] { fill_zero(out); });
}

}  // namespace

REGISTER_OP(MultiProposalTarget)
    .setParseAttrs(parse_attributes)
    .setInferType(infer_type)
    .setInferShape(infer_shape)
    .setForward(forward, "cpu")
    .setBackward(backward, "cpu");

}  // namespace sniper
