// MinedAnchorTarget: labels and box targets of anchors, mined by the network's own probabilities
// (reference/other_detectors.md, part C). No gradient.
#include <cmath>
#include <stdexcept>

#include "cpu/mined_anchors.h"
#include "cuda/mined_anchors.h"
#include "ops/operator.h"
#include "ops/proposal_options.h"

namespace sniper {
namespace {

struct MinedAnchorTarget : NoGradient {
  typedef MinedAnchorOptions Options;
  enum Input { kProb, kGtBoxes, kImInfo };
  enum Output { kLabel, kBBoxTarget, kBBoxWeight };

  static Signature signature() {
    return Signature("MinedAnchorTarget")
        .inputs({"prob", "gt_boxes", "im_info"})
        .outputs({"label", "bbox_target", "bbox_weight"})
        .attributes({"feat_stride", "base_size", "scales", "ratios", "allowed_border", "positive_overlap",
                     "negative_overlap", "ignore_overlap", "batch_size", "positive_fraction", "force_best"});
  }

  // A number in [low, high].
  static double within(const Attributes& attributes, const char* name, double fallback, double low, double high,
                       const char* expected) {
    const double value = attributes.number(name, fallback);
    attributes.require(value >= low && value <= high, name, expected);
    return value;
  }

  static Options read_options(const Attributes& attributes) {
    Options options;
    MiningRules& rules = options.rules;
    rules.stride = static_cast<int>(attributes.positive("feat_stride", rules.stride));
    options.base_size = static_cast<int>(attributes.positive("base_size", options.base_size));
    options.scales = {1, 2};
    options.ratios = {1};
    read_anchor_shapes(attributes, &options.scales, &options.ratios);
    rules.border = within(attributes, "allowed_border", rules.border, 0, 1e9, "from 0 to 1000000000");
    rules.positive = within(attributes, "positive_overlap", rules.positive, 1e-3, 1, "from 0.001 to 1");
    rules.negative = within(attributes, "negative_overlap", rules.negative, 1e-3, 1, "from 0.001 to 1");
    attributes.require(rules.negative <= rules.positive, "negative_overlap", "at most positive_overlap");
    rules.ignore = within(attributes, "ignore_overlap", rules.ignore, 0, 1, "from 0 to 1");
    rules.force_best = attributes.boolean("force_best", rules.force_best);
    rules.batch_size = attributes.positive("batch_size", rules.batch_size);
    const double fraction = within(attributes, "positive_fraction", 0.25, 0, 1, "from 0 to 1");
    rules.most_positives = static_cast<int64_t>(static_cast<double>(rules.batch_size) * fraction);
    return options;
  }

  static std::vector<Shape> output_shapes(const Attributes&, const Options& options, const std::vector<Shape>& in) {
    const unsigned int anchors = static_cast<unsigned int>(options.num_anchors());
    const Shape& prob = in[kProb];
    check_rank("prob", prob, 4, "(B, A, H, W)");
    check_shape("prob", prob, {prob[0], anchors, prob[2], prob[3]},
                "(B, A, H, W) with A = " + anchor_counts(options.scales, options.ratios));
    const unsigned int labels = checked_size("label", {anchors, prob[2], prob[3]});
    checked_size("bbox_target", {4, anchors, prob[2], prob[3]});
    check_rank("gt_boxes", in[kGtBoxes], 3, "(B, G, 5)");
    check_shape("gt_boxes", in[kGtBoxes], {prob[0], in[kGtBoxes][1], 5}, "(B, G, 5)");
    check_shape("im_info", in[kImInfo], {prob[0], 3}, "(B, 3)");
    const Shape targets = {prob[0], 4 * anchors, prob[2], prob[3]};
    return {{prob[0], labels}, targets, targets};
  }

  static MinedAnchorInputs inputs(const Tensors& in) {
    return MinedAnchorInputs{in.data(kProb),
                             in.data(kGtBoxes),
                             in.data(kImInfo),
                             in.size(kProb, 0),
                             in.size(kGtBoxes, 1),
                             static_cast<int>(in.size(kProb, 1)),
                             static_cast<int>(in.size(kProb, 2)),
                             static_cast<int>(in.size(kProb, 3))};
  }

  static MinedAnchorOutputs outputs(const Tensors& out) {
    return MinedAnchorOutputs{out.data(kLabel), out.data(kBBoxTarget), out.data(kBBoxWeight)};
  }

  static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace*) {
    mined_anchors_cpu(inputs(in), options, outputs(out));
  }

  static void forward_gpu(const Options& options, const Tensors& in, const Tensors& out, const CudaContext& context) {
    mined_anchors_cuda(context, inputs(in), options, outputs(out));
  }
};

const Operator<MinedAnchorTarget> registration = Operator<MinedAnchorTarget>().on_cpu().on_gpu();

}  // namespace
}  // namespace sniper
