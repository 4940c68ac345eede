// MinedAnchorTarget.
#include "interface.h"

#include "cpu/mined_anchors.h"
#include "cuda/mined_anchors.h"

using namespace sniper;

namespace {

// rules: stride, base size, border, positive, negative and ignore overlap, forced best anchors, batch size, positives.
MinedAnchorOptions options_of(const double* rules, const float* shapes, const int64_t* counts) {
  MinedAnchorOptions options;
  options.scales.assign(shapes, shapes + counts[0]);
  options.ratios.assign(shapes + counts[0], shapes + counts[0] + counts[1]);
  options.base_size = static_cast<int>(rules[1]);
  options.rules.stride = static_cast<int>(rules[0]);
  options.rules.border = rules[2];
  options.rules.positive = rules[3];
  options.rules.negative = rules[4];
  options.rules.ignore = rules[5];
  options.rules.force_best = rules[6] != 0;
  options.rules.batch_size = static_cast<int64_t>(rules[7]);
  options.rules.most_positives = static_cast<int64_t>(rules[8]);
  return options;
}

}  // namespace

// sizes: B, G, height, width; shapes: the scales, then the ratios, counts of both in `counts`.
SNIPER_FUNCTION(mined_anchors,
                (const float* prob, const float* gt_boxes, const float* im_info, float* label, float* bbox_target,
                 float* bbox_weight, const int64_t* sizes, const double* rules, const float* shapes,
                 const int64_t* counts)) {
  return guarded([&] {
    const MinedAnchorOptions options = options_of(rules, shapes, counts);
    const MinedAnchorInputs in = {prob,     gt_boxes, im_info, sizes[0], sizes[1], options.num_anchors(),
                                  static_cast<int>(sizes[2]), static_cast<int>(sizes[3])};
    const MinedAnchorOutputs out = {label, bbox_target, bbox_weight};
#if defined(SNIPER_INTERFACE_CPU)
    mined_anchors_cpu(in, options, out);
#else
    mined_anchors_cuda(test_context(), in, options, out);
#endif
  });
}
