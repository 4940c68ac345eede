// Ground truth for the proposals of one training image (reference/operators.md 5.2, steps 3 to 7).
#ifndef SNIPER_ROI_TARGETS_H_
#define SNIPER_ROI_TARGETS_H_

#include <cmath>
#include <cstdint>

#include "sniper/boxes.h"

namespace sniper {

struct GroundTruth {
  Box box;
  float label;
};

struct TargetOptions {
  float stds[4] = {0.1f, 0.1f, 0.2f, 0.2f};  // targets are divided by these
  // The original puts a ground-truth centre half a pixel right of and below where it puts a roi's, and released
  // box regressors have learnt that. True uses the same centre for both, which decoding undoes exactly.
  bool aligned = false;
};

struct RoiTarget {
  float label, target[4], weight;
};

// The box that fills row `row` of an image with too few proposals: 200 pixel boxes along a diagonal. They take
// part in matching, may leave the image, and depend on the image's place in the batch, as in the original.
SNIPER_HD Box padding_box(int64_t image, int64_t anchors_per_image, int64_t row) {
  const float corner = static_cast<float>((image * anchors_per_image + row) % 100);
  return Box{corner, corner, corner + 200.0f, corner + 200.0f};
}

// Ground truth replaces a proposal row only if its area (no +1) lies in the valid range, both ends included.
SNIPER_HD bool in_range(const GroundTruth& truth, float lo_squared, float hi_squared) {
  const float size = area<Arithmetic::kTrain>(truth.box);
  return size >= lo_squared && size <= hi_squared;
}

SNIPER_HD void encode(const Box& roi, const Box& truth, const TargetOptions& options, float* target) {
  const double roi_width = static_cast<double>(roi.x2) - roi.x1 + 1.0;
  const double roi_height = static_cast<double>(roi.y2) - roi.y1 + 1.0;
  const double width = static_cast<double>(truth.x2) - truth.x1 + 1.0;
  const double height = static_cast<double>(truth.y2) - truth.y1 + 1.0;
  const double offset = options.aligned ? 0.5 : 0.0;
  const double dx = truth.x1 + 0.5 * width - offset - (roi.x1 + 0.5 * (roi_width - 1.0));
  const double dy = truth.y1 + 0.5 * height - offset - (roi.y1 + 0.5 * (roi_height - 1.0));
  const double tiny = 1e-7;
  target[0] = static_cast<float>(dx / (roi_width + tiny) / options.stds[0]);
  target[1] = static_cast<float>(dy / (roi_height + tiny) / options.stds[1]);
  target[2] = static_cast<float>(log(width / (roi_width + tiny)) / options.stds[2]);
  target[3] = static_cast<float>(log(height / (roi_height + tiny)) / options.stds[3]);
}

// The roi takes the ground truth of largest overlap above 0.5, the first one on a tie, in or out of range.
// Unmatched rois are background: label 0, weight 0, targets 1 (which the weight removes from the loss).
SNIPER_HD RoiTarget roi_target(const Box& roi, const GroundTruth* truths, int num_truths,
                               const TargetOptions& options) {
  const float roi_area = area<Arithmetic::kTrain>(roi);
  float best = 0.5f;
  int match = -1;
  for (int i = 0; i < num_truths; ++i) {
    const float value = overlap(roi, roi_area, truths[i].box, area<Arithmetic::kTrain>(truths[i].box));
    if (value > best) {
      best = value;
      match = i;
    }
  }
  RoiTarget result = {0.0f, {1.0f, 1.0f, 1.0f, 1.0f}, 0.0f};
  if (match >= 0) {
    result.label = truths[match].label;
    result.weight = 1.0f;
    encode(roi, truths[match].box, options, result.target);
  }
  return result;
}

}  // namespace sniper

#endif  // SNIPER_ROI_TARGETS_H_
