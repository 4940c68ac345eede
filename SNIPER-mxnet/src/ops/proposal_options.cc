#include "ops/proposal_options.h"

#include <cmath>

namespace sniper {
namespace {

const size_t kMostAnchors = 65536;

bool all_positive(const std::vector<float>& values) {
  for (const float value : values) {
    if (!(value > 0.0f) || std::isinf(value)) return false;
  }
  return !values.empty();
}

}  // namespace

std::vector<std::string> proposal_attribute_names() {
  // batch_size only sized buffers in the original and bbox_scale changed nothing on CUDA: files name them.
  return {"feature_stride", "scales",        "ratios",     "rpn_pre_nms_top_n", "rpn_post_nms_top_n",
          "threshold",      "rpn_min_size",  "batch_size", "bbox_scale"};
}

void read_anchor_shapes(const Attributes& attributes, std::vector<float>* scales, std::vector<float>* ratios) {
  *scales = attributes.numbers("scales", *scales);
  attributes.require(all_positive(*scales), "scales", "at least one number above 0");
  *ratios = attributes.numbers("ratios", *ratios);
  attributes.require(all_positive(*ratios), "ratios", "at least one number above 0");
  attributes.require(scales->size() <= kMostAnchors / ratios->size(), "scales",
                     "few enough for " + std::to_string(kMostAnchors) + " anchors a cell with the ratios");
}

std::string anchor_counts(const std::vector<float>& scales, const std::vector<float>& ratios) {
  return std::to_string(scales.size() * ratios.size()) + " anchors (" + std::to_string(ratios.size()) + " ratios, " +
         std::to_string(scales.size()) + " scales)";
}

ProposalOptions read_proposal_options(const Attributes& attributes, int64_t pre_nms_top_n) {
  ProposalOptions options;
  options.feature_stride = static_cast<int>(attributes.positive("feature_stride", 16));
  options.scales = {2, 4, 7, 10, 13, 16, 24};
  options.ratios = {0.5f, 1, 2};
  read_anchor_shapes(attributes, &options.scales, &options.ratios);
  options.pre_nms_top_n = attributes.integer("rpn_pre_nms_top_n", pre_nms_top_n);
  attributes.require(options.pre_nms_top_n == -1 || options.pre_nms_top_n > 0, "rpn_pre_nms_top_n",
                     "above 0, or -1 for all");
  options.post_nms_top_n = static_cast<int>(attributes.positive("rpn_post_nms_top_n", 300));
  options.threshold = static_cast<float>(attributes.number("threshold", 0.7));
  attributes.require(options.threshold >= 0.0f && options.threshold <= 1.0f, "threshold", "from 0 to 1");
  options.min_size = static_cast<float>(attributes.number("rpn_min_size", 3));
  attributes.require(options.min_size >= 0.0f && !std::isinf(options.min_size), "rpn_min_size", "0 or above, finite");
  attributes.positive("batch_size", 16);
  attributes.number("bbox_scale", 1.0);
  return options;
}

FeatureShape check_bbox_pred(const Shape& bbox_pred, const ProposalOptions& options) {
  const unsigned int anchors = options.num_anchors();
  check_rank("bbox_pred", bbox_pred, 4, "(N, 4*A, H, W)");
  const FeatureShape shape = {bbox_pred[0], bbox_pred[2], bbox_pred[3]};
  check_shape("bbox_pred", bbox_pred, {shape.images, 4 * anchors, shape.height, shape.width},
              "(N, 4*A, H, W) with A = " + anchor_counts(options.scales, options.ratios));
  return shape;
}

BatchOutputs network_outputs(const Tensors& in) {
  BatchOutputs batch;
  batch.cls_prob = in.data(0);
  batch.bbox_pred = in.data(1);
  batch.im_info = in.data(2);
  batch.num_images = in.size(1, 0);
  batch.height = static_cast<int>(in.size(1, 2));
  batch.width = static_cast<int>(in.size(1, 3));
  return batch;
}

}  // namespace sniper
