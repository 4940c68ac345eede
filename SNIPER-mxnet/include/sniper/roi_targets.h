// Ground truth for the proposals of one training image (reference/operators.md 5.2, steps 3 to 7, and 7.2).
#ifndef SNIPER_ROI_TARGETS_H_
#define SNIPER_ROI_TARGETS_H_

#include <cmath>
#include <cstdint>

#include "sniper/boxes.h"

namespace sniper {

struct GroundTruth {
  Box box;
  float label;
  int row;  // its row among the image's ground truth, unused rows counted
};

// Where the original's two training operators differ once proposals are chosen.
enum class TargetRules {
  kPlain,  // MultiProposalTarget
  kMask,   // MultiProposalTargetMask
};

struct TargetOptions {
  float stds[4] = {0.1f, 0.1f, 0.2f, 0.2f};  // targets are divided by these
  // The original puts a ground-truth centre half a pixel right of and below where it puts a roi's, and released
  // box regressors have learnt that. True uses the same centre for both, which decoding undoes exactly.
  bool aligned = false;
  bool one_class = false;  // R-FCN-3000: the label of every matched roi is 1
  TargetRules rules = TargetRules::kPlain;
};

struct RoiTarget {
  float label, target[4], weight;
  int match;  // index of the ground truth taken, -1 for background
};

// The class of a row that is no object but a region of which nothing is learnt.
const float kRegion = -2.0f;
const float kCovered = 0.5f;  // share of a roi in a region, from which on it is not used (lib/bbox/boxes.py too)

// A row x1, y1, x2, y2, class of ground truth that is in use: its class is neither -1 nor kRegion and every number is
// finite.
SNIPER_HD bool is_used(const float* row) {
  return row[4] != -1.0f && row[4] != kRegion && row[4] - row[4] == 0.0f &&
         is_finite(Box{row[0], row[1], row[2], row[3]});
}

// Whether a roi lies in one of the regions among the `max_gt` rows by kCovered of its area or more.
SNIPER_HD bool is_covered(const Box& roi, const float* rows, int64_t max_gt) {
  const float least = kCovered * (roi.x2 - roi.x1) * (roi.y2 - roi.y1);
  for (int64_t i = 0; i < max_gt; ++i) {
    const float* row = rows + 5 * i;
    if (row[4] != kRegion) continue;
    const float width = smaller(roi.x2, row[2]) - larger(roi.x1, row[0]);
    const float height = smaller(roi.y2, row[3]) - larger(roi.y1, row[1]);
    if (width > 0.0f && height > 0.0f && width * height >= least) return true;
  }
  return false;
}

// The box that fills row `row` of an image with too few proposals: 200 pixel boxes along a diagonal. They take part
// in matching and may leave the image; with plain rules they depend on its place in the batch, as in the original.
SNIPER_HD Box padding_box(TargetRules rules, int64_t image, int64_t anchors_per_image, int64_t row) {
  const int64_t place = rules == TargetRules::kMask ? row : image * anchors_per_image + row;
  const float corner = static_cast<float>(place % 100);
  return Box{corner, corner, corner + 200.0f, corner + 200.0f};
}

// Index of the ground truth that claims row `row` of P = `rows` in its image, or -1. The last rows are claimed: by
// plain rules the last object has the last row, by mask rules the first object. What does not fit goes without.
SNIPER_HD int64_t truth_of_row(TargetRules rules, int64_t row, int64_t rows, int64_t num_truths) {
  const int64_t truth = rules == TargetRules::kMask ? rows - 1 - row : row - (rows - num_truths);
  return truth >= 0 && truth < num_truths ? truth : -1;
}

// A claim holds if the object's area (no +1) lies in the valid range: lo included, hi by plain rules only.
SNIPER_HD bool in_range(TargetRules rules, const GroundTruth& truth, const AreaRange& range) {
  const float size = area<Arithmetic::kTrain>(truth.box);
  return size >= range.lo && (size < range.hi || (rules == TargetRules::kPlain && size == range.hi));
}

// The box of row `row` of an image's P = `rows`: ground truth that claims it, else the proposal of that rank (of
// `num_proposals`), else padding.
SNIPER_HD Box training_roi(TargetRules rules, int64_t image, int64_t anchors_per_image, int64_t row, int64_t rows,
                           const Box* proposals, int64_t num_proposals, const GroundTruth* truths,
                           int64_t num_truths, const AreaRange& range) {
  const int64_t truth = truth_of_row(rules, row, rows, num_truths);
  if (truth >= 0 && in_range(rules, truths[truth], range)) return truths[truth].box;
  if (row < num_proposals) return proposals[row];
  return padding_box(rules, image, anchors_per_image, row);
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
// Unmatched rois are background: label 0, weight 0, targets 1 (which the weight removes from the loss); those that a
// region among the `max_gt` rows covers are not used: label -1.
SNIPER_HD RoiTarget roi_target(const Box& roi, const GroundTruth* truths, int64_t num_truths, const float* rows,
                               int64_t max_gt, const TargetOptions& options) {
  const float roi_area = area<Arithmetic::kTrain>(roi);
  float best = 0.5f;
  int match = -1;
  for (int64_t i = 0; i < num_truths; ++i) {
    const float value = overlap(roi, roi_area, truths[i].box, area<Arithmetic::kTrain>(truths[i].box));
    if (value > best) {
      best = value;
      match = static_cast<int>(i);
    }
  }
  RoiTarget result = {0.0f, {1.0f, 1.0f, 1.0f, 1.0f}, 0.0f, match};
  if (match >= 0) {
    result.label = options.one_class ? 1.0f : truths[match].label;
    result.weight = 1.0f;
    encode(roi, truths[match].box, options, result.target);
  } else if (is_covered(roi, rows, max_gt)) {
    result.label = -1.0f;
  }
  return result;
}

// Mask rows are filled by the rois of label > 0 of all images in order. Row `row` of those left over, counted over
// the whole output, holds this roi (image index, x1, y1, x2, y2), with the id and the label -1.
SNIPER_HD void spare_mask_roi(int64_t row, int64_t num_images, float* roi) {
  const float corner = static_cast<float>(row % 200);
  roi[0] = static_cast<float>(row % num_images);
  roi[1] = corner;
  roi[2] = corner;
  roi[3] = corner + 100.0f;
  roi[4] = corner + 100.0f;
}

}  // namespace sniper

#endif  // SNIPER_ROI_TARGETS_H_
