// Soft Sampling: how much a roi counts in a classification loss whose objects are not all annotated
// (reference/other_detectors.md, part B). Backgrounds near an object count in full, those far from all of them, among
// which objects without a box hide, little.
#ifndef SNIPER_SOFT_SAMPLING_H_
#define SNIPER_SOFT_SAMPLING_H_

#include <cstdint>

#include "sniper/boxes.h"
#include "sniper/exponential.h"
#include "sniper/roi_images.h"

namespace sniper {

// The numbers of w(o) = a + (1 - a) * exp(-b * exp(-c * o)), a Gompertz curve.
struct SoftSampling {
  float a = 0.25f;  // weight of a roi that overlaps nothing, nearly
  float b = 50.0f;  // how late the curve rises
  float c = 20.0f;  // how steeply
};

// A roi of this overlap is an object's and counts in full.
const float kObjectOverlap = 0.5f;

// w(o) of the overlap of a roi with the object nearest to it. Negative overlaps, as boxes smaller than a pixel may
// have, count as 0.
SNIPER_HD float soft_sampling_weight(float overlap, const SoftSampling& options) {
  if (overlap >= kObjectOverlap) return 1.0f;
  const double a = options.a, nearness = bounded_exp(-static_cast<double>(options.c) * larger(overlap, 0.0f));
  return static_cast<float>(a + (1.0 - a) * bounded_exp(-options.b * nearness));
}

// The largest overlap of a roi with the objects among `num_rows` rows x1, y1, x2, y2, class: those whose class is above
// 0 and whose numbers are all finite; 0 if there is none. Overlaps are those by which the training operators match
// rois (intersection with both end pixels, areas without), so that weights and labels agree.
SNIPER_HD float largest_overlap(const Box& roi, const float* rows, int64_t num_rows) {
  const float roi_area = area<Arithmetic::kTrain>(roi);
  float largest = 0.0f;
  for (int64_t i = 0; i < num_rows; ++i) {
    const float* row = rows + 5 * i;
    const Box object = {row[0], row[1], row[2], row[3]};
    if (!(row[4] > 0.0f) || row[4] - row[4] != 0.0f || !is_finite(object)) continue;
    const float value = overlap(roi, roi_area, object, area<Arithmetic::kTrain>(object));
    if (value > largest) largest = value;
  }
  return largest;
}

// The arrays of SoftSamplingWeight, in host or in device memory.
struct SoftSamplingInputs {
  const float* rois;      // (R, 5): image index, x1, y1, x2, y2
  const float* gt_boxes;  // (N, G, 5): x1, y1, x2, y2, class
  int64_t num_rois, num_images, max_gt;
};

// The weight of one roi; that of no overlap if its numbers are not all finite or it has no image.
SNIPER_HD float weight_of_roi(const SoftSamplingInputs& in, int64_t roi, const SoftSampling& options) {
  const float* row = in.rois + 5 * roi;
  const Box box = {row[1], row[2], row[3], row[4]};
  const int64_t image = image_of_roi(row, in.num_images);
  if (image < 0 || !is_finite(box)) return soft_sampling_weight(0.0f, options);
  const float* rows = in.gt_boxes + 5 * in.max_gt * image;
  return soft_sampling_weight(largest_overlap(box, rows, in.max_gt), options);
}

}  // namespace sniper

#endif  // SNIPER_SOFT_SAMPLING_H_
