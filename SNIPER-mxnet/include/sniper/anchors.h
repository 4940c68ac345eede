// Anchors of the proposal operators (reference/operators.md 3.1).
#ifndef SNIPER_ANCHORS_H_
#define SNIPER_ANCHORS_H_

#include <cmath>
#include <cstdint>

#include "sniper/boxes.h"

namespace sniper {

// The anchor of one ratio (height / width) and scale at cell (0, 0); centre (stride - 1) / 2 in both axes.
// Halves round up (22.5 -> 23 at stride 32), unlike NumPy's rounding: released weights depend on it.
SNIPER_HD Box base_anchor(int stride, float ratio, float scale) {
  const double area = static_cast<double>(stride) * stride;
  const double base_width = floor(sqrt(floor(area / ratio)) + 0.5);
  const double base_height = floor(base_width * ratio + 0.5);
  const double centre = 0.5 * (stride - 1.0);
  const double half_width = 0.5 * (base_width * scale - 1.0);
  const double half_height = 0.5 * (base_height * scale - 1.0);
  return Box{static_cast<float>(centre - half_width), static_cast<float>(centre - half_height),
             static_cast<float>(centre + half_width), static_cast<float>(centre + half_height)};
}

SNIPER_HD Box shifted(const Box& anchor, int cell_x, int cell_y, int stride) {
  const float dx = static_cast<float>(static_cast<int64_t>(cell_x) * stride);
  const float dy = static_cast<float>(static_cast<int64_t>(cell_y) * stride);
  return Box{anchor.x1 + dx, anchor.y1 + dy, anchor.x2 + dx, anchor.y2 + dy};
}

// All anchors of cell (0, 0), ratios outer and scales inner: index ratio_index * num_scales + scale_index.
// `anchors` has room for num_ratios * num_scales boxes.
inline void base_anchors(int stride, const float* ratios, int num_ratios, const float* scales, int num_scales,
                         Box* anchors) {
  for (int r = 0; r < num_ratios; ++r) {
    for (int s = 0; s < num_scales; ++s) anchors[r * num_scales + s] = base_anchor(stride, ratios[r], scales[s]);
  }
}

}  // namespace sniper

#endif  // SNIPER_ANCHORS_H_
