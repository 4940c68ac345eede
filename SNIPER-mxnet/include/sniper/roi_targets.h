// Ground truth for the proposals of one training image (reference/operators.md 5.2, steps 3 to 7, 6 and 7.2).
#ifndef SNIPER_ROI_TARGETS_H_
#define SNIPER_ROI_TARGETS_H_

#include <cmath>
#include <cstdint>

#include "sniper/batch.h"
#include "sniper/boxes.h"
#include "sniper/soft_sampling.h"

namespace sniper {

struct GroundTruth {
  Box box;
  float label;
  int row;  // its row among the image's ground truth, unused rows counted
};

// What is known about one image.
struct ImageTruth {
  const GroundTruth* objects;  // those in use, in order
  int64_t num_objects;
  const float* rows;  // all of its gt_boxes, (max_gt, 5)
  int64_t max_gt;
  const float* groups;  // its crowd_boxes, (max_groups, 5): x1, y1, x2, y2, flag
  int64_t max_groups;
  AreaRange range;
};

// `objects`: the image's rows in use.
SNIPER_HD ImageTruth image_truth(const BatchTruth& truth, int64_t image, const GroundTruth* objects,
                                 int64_t num_objects) {
  const int64_t groups = truth.crowd_boxes != nullptr ? truth.max_groups : 0;
  return ImageTruth{objects,
                    num_objects,
                    truth.gt_boxes + 5 * truth.max_gt * image,
                    truth.max_gt,
                    groups > 0 ? truth.crowd_boxes + 5 * groups * image : nullptr,
                    groups,
                    area_range(truth.valid_ranges, image)};
}

// Where the original's training operators differ once proposals are chosen.
enum class TargetRules {
  kPlain,   // MultiProposalTarget
  kMask,    // MultiProposalTargetMask
  kGroups,  // MultiProposalTarget with group boxes, the variant for OpenImages
};

struct TargetOptions {
  float stds[4] = {0.1f, 0.1f, 0.2f, 0.2f};  // targets are divided by these
  // The original puts a ground-truth centre half a pixel right of and below where it puts a roi's, and released
  // box regressors have learnt that. True uses the same centre for both, which decoding undoes exactly.
  bool aligned = false;
  bool one_class = false;  // R-FCN-3000: the label of every matched roi is 1
  TargetRules rules = TargetRules::kPlain;
  SoftSampling soft_sampling;
};

struct RoiTarget {
  float label, target[4], weight;
  int match;      // index of the object taken, -1 for background
  float overlap;  // the largest with any object, matched or not
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

// Whether a roi lies in one of the image's regions by kCovered of its area or more.
SNIPER_HD bool is_covered(const Box& roi, const ImageTruth& truth) {
  const float least = kCovered * (roi.x2 - roi.x1) * (roi.y2 - roi.y1);
  for (int64_t i = 0; i < truth.max_gt; ++i) {
    const float* row = truth.rows + 5 * i;
    if (row[4] != kRegion) continue;
    const float width = smaller(roi.x2, row[2]) - larger(roi.x1, row[0]);
    const float height = smaller(roi.y2, row[3]) - larger(roi.y1, row[1]);
    if (width > 0.0f && height > 0.0f && width * height >= least) return true;
  }
  return false;
}

// Share of a roi in a group box above which it is not used.
const float kGrouped = 0.9f;

// Whether a roi lies in one of the image's group boxes by more than kGrouped. A row is one if its flag is 0 or above
// and every number is finite, wherever it stands. As in the original the intersection counts both end pixels and the
// roi's area none of them but 1 in all, so that the share of a roi within a group box is above 1.
SNIPER_HD bool is_grouped(const Box& roi, const ImageTruth& truth) {
  const float roi_area = area<Arithmetic::kTrain>(roi) + 1.0f;
  for (int64_t i = 0; i < truth.max_groups; ++i) {
    const float* row = truth.groups + 5 * i;
    const Box group = {row[0], row[1], row[2], row[3]};
    if (row[4] >= 0.0f && is_finite(group) && intersection(roi, group) / roi_area > kGrouped) return true;
  }
  return false;
}

// The box that fills row `row` of an image with too few proposals: 200 pixel boxes along a diagonal. They take part
// in matching and may leave the image; by plain rules they depend on its place in the batch, as in the original.
SNIPER_HD Box padding_box(TargetRules rules, int64_t image, int64_t anchors_per_image, int64_t row) {
  const int64_t place = rules == TargetRules::kPlain ? image * anchors_per_image + row : row;
  const float corner = static_cast<float>(place % 100);
  return Box{corner, corner, corner + 200.0f, corner + 200.0f};
}

// Index of the ground truth that claims row `row` of P = `rows` in its image, or -1. The last rows are claimed: by
// plain rules the last object has the last row, by the others the first object. What does not fit goes without.
SNIPER_HD int64_t truth_of_row(TargetRules rules, int64_t row, int64_t rows, int64_t num_truths) {
  const int64_t truth = rules == TargetRules::kPlain ? row - (rows - num_truths) : rows - 1 - row;
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
                           const Box* proposals, int64_t num_proposals, const ImageTruth& truth) {
  const int64_t object = truth_of_row(rules, row, rows, truth.num_objects);
  if (object >= 0 && in_range(rules, truth.objects[object], truth.range)) return truth.objects[object].box;
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

// The roi takes the object of largest overlap, the first one on a tie, in or out of range, if that is above 0.5; with
// group boxes, 0.5 or above. (There the original takes object 0 at exactly 0.5.)
// Unmatched rois are background: label 0, weight 0, targets 1 (with group boxes 0), which the weight removes from the
// loss; those that a region covers, or that lie in a group box, are not used: label -1.
SNIPER_HD RoiTarget roi_target(const Box& roi, const ImageTruth& truth, const TargetOptions& options) {
  const bool groups = options.rules == TargetRules::kGroups;
  const float roi_area = area<Arithmetic::kTrain>(roi);
  float best = 0.0f;
  int match = -1;
  for (int64_t i = 0; i < truth.num_objects; ++i) {
    const Box& object = truth.objects[i].box;
    const float value = overlap(roi, roi_area, object, area<Arithmetic::kTrain>(object));
    if (value > best) {
      best = value;
      match = static_cast<int>(i);
    }
  }
  if (groups ? best < kObjectOverlap : best <= kObjectOverlap) match = -1;
  const float unmatched = groups ? 0.0f : 1.0f;
  RoiTarget result = {0.0f, {unmatched, unmatched, unmatched, unmatched}, 0.0f, match, best};
  if (match >= 0) {
    result.label = options.one_class ? 1.0f : truth.objects[match].label;
    result.weight = 1.0f;
    encode(roi, truth.objects[match].box, options, result.target);
  } else if (is_covered(roi, truth) || is_grouped(roi, truth)) {
    result.label = -1.0f;
  }
  return result;
}

// Writes what one roi is to become to its place in the output.
SNIPER_HD void write_target(const RoiTarget& target, const TargetOptions& options, int64_t place,
                            const TargetArrays& out) {
  out.label[place] = target.label;
  for (int k = 0; k < 4; ++k) {
    out.bbox_target[4 * place + k] = target.target[k];
    out.bbox_weight[4 * place + k] = target.weight;
  }
  if (out.label_weight != nullptr) {
    out.label_weight[place] = soft_sampling_weight(target.overlap, options.soft_sampling);
  }
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
