#include "ops/target_options.h"

#include <cmath>

namespace sniper {

Names target_input_names() { return {"cls_prob", "bbox_pred", "im_info", "gt_boxes", "valid_ranges"}; }

Names target_output_names() { return {"rois", "label", "bbox_target", "bbox_weight"}; }

Names target_attribute_names() {
  Names names = proposal_attribute_names();
  for (const char* name : {"workspace", "bbox_stds", "aligned_targets"}) names.push_back(name);
  return names;
}

TargetOptions read_target_options(const Attributes& attributes, TargetRules rules) {
  const char* const kStds = "four numbers above 0 (dx, dy, dw, dh)";
  TargetOptions options;
  options.rules = rules;
  const std::vector<float> stds = attributes.numbers("bbox_stds", {0.1f, 0.1f, 0.2f, 0.2f});
  attributes.require(stds.size() == 4, "bbox_stds", kStds);
  for (int k = 0; k < 4; ++k) {
    attributes.require(stds[k] > 0.0f && !std::isinf(stds[k]), "bbox_stds", kStds);
    options.stds[k] = stds[k];
  }
  options.aligned = attributes.boolean("aligned_targets", false);
  attributes.number("workspace", 128);  // unused, as in the original
  return options;
}

std::vector<Shape> target_shapes(const ProposalOptions& options, const std::vector<Shape>& in) {
  const FeatureShape feature = check_bbox_pred(in[kBBoxPred], options);
  const unsigned int anchors = options.num_anchors();
  check_shape("cls_prob", in[kClsProb], {feature.images, 2, anchors * feature.height, feature.width},
              "(N, 2, A*H, W)");
  check_shape("im_info", in[kImInfo], {feature.images, 3}, "(N, 3)");
  check_rank("gt_boxes", in[kGtBoxes], 3, "(N, objects, 5)");
  check_shape("gt_boxes", in[kGtBoxes], {feature.images, in[kGtBoxes][1], 5}, "(N, objects, 5)");
  check_shape("valid_ranges", in[kValidRanges], {feature.images, 2}, "(N, 2)");
  const unsigned int rows = num_rows(feature.images, options.post_nms_top_n);
  return {{rows, 5}, {rows, 1}, {rows, 4}, {rows, 4}};
}

BatchTruth ground_truth(const Tensors& in) {
  return BatchTruth{in.data(kGtBoxes), in.data(kValidRanges), in.size(kGtBoxes, 1), nullptr, 0};
}

TargetArrays target_arrays(const Tensors& out) {
  return TargetArrays{out.data(kRois), out.data(kLabel), out.data(kBBoxTarget), out.data(kBBoxWeight), nullptr};
}

}  // namespace sniper
