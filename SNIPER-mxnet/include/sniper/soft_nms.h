// Soft-NMS (Bodla et al., ICCV 2017): overlapping detections lose score instead of being dropped.
// Host code on plain float32 rows; no tensor type.
#ifndef SNIPER_SOFT_NMS_H_
#define SNIPER_SOFT_NMS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace sniper {

enum class SoftNmsMethod { kHard = 0, kLinear = 1, kGaussian = 2 };

struct SoftNmsParam {
  float sigma;         // width of the Gaussian
  float iou_thresh;    // overlap above which the hard and linear forms act
  float score_thresh;  // a touched row whose score falls below it is dropped
  SoftNmsMethod method;
};

inline float SoftNmsWeight(float overlap, const SoftNmsParam& param) {
  switch (param.method) {
    case SoftNmsMethod::kHard: return overlap > param.iou_thresh ? 0.f : 1.f;
    case SoftNmsMethod::kLinear: return overlap > param.iou_thresh ? 1.f - overlap : 1.f;
    default: return static_cast<float>(std::exp(-static_cast<double>(overlap * overlap) / param.sigma));
  }
}

// rows: count x 5 (x1, y1, x2, y2, score), reordered and rescored in place. origin (may be null) follows the
// swaps. Returns how many rows, counted from the first, are left. Rows that overlap nothing are never dropped.
inline std::size_t SoftNms(float* rows, std::size_t count, const SoftNmsParam& param, int* origin) {
  const auto swap_rows = [&](std::size_t a, std::size_t b) {
    if (a == b) return;
    std::swap_ranges(rows + 5 * a, rows + 5 * a + 5, rows + 5 * b);
    if (origin) std::swap(origin[a], origin[b]);
  };
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t best = i;
    for (std::size_t j = i + 1; j < count; ++j)
      if (rows[5 * j + 4] > rows[5 * best + 4]) best = j;
    swap_rows(i, best);
    const float* top = rows + 5 * i;
    const float top_area = (top[2] - top[0] + 1) * (top[3] - top[1] + 1);
    for (std::size_t j = i + 1; j < count;) {
      float* row = rows + 5 * j;
      const float iw = std::min(top[2], row[2]) - std::max(top[0], row[0]) + 1;
      const float ih = std::min(top[3], row[3]) - std::max(top[1], row[1]) + 1;
      if (iw > 0 && ih > 0) {
        const float area = (row[2] - row[0] + 1) * (row[3] - row[1] + 1);
        row[4] *= SoftNmsWeight(iw * ih / (top_area + area - iw * ih), param);
        if (row[4] < param.score_thresh) {
          swap_rows(j, --count);  // the last live row is examined next, in this place
          continue;
        }
      }
      ++j;
    }
  }
  return count;
}

}  // namespace sniper

#endif  // SNIPER_SOFT_NMS_H_
