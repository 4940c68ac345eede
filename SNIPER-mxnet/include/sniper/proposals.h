// Anchors and network outputs of one image -> its proposals (reference/operators.md, sections 3 to 5).
#ifndef SNIPER_PROPOSALS_H_
#define SNIPER_PROPOSALS_H_

#include <cstdint>
#include <vector>

#include "sniper/anchors.h"
#include "sniper/batch.h"
#include "sniper/boxes.h"

namespace sniper {

struct ProposalOptions {
  int feature_stride = 16;
  std::vector<float> scales, ratios;
  int64_t pre_nms_top_n = -1;  // this many boxes of those that pass the tests enter NMS, the best ones; -1 for all
  int post_nms_top_n = 300;    // P, the rows of the output an image
  float threshold = 0.7f;      // NMS drops a box that overlaps a kept one by more
  float min_size = 3.0f;       // of a side, in pixels of the network's input

  int num_anchors() const { return static_cast<int>(scales.size() * ratios.size()); }

  std::vector<Box> anchors() const {
    std::vector<Box> boxes(num_anchors());
    base_anchors(feature_stride, ratios.data(), static_cast<int>(ratios.size()), scales.data(),
                 static_cast<int>(scales.size()), boxes.data());
    return boxes;
  }
};

// The box of a flat index (anchor * height + y) * width + x, decoded and clipped; NaN in x1 or y1 if its deltas give
// none.
SNIPER_HD Box proposal_box(const Box* anchors, const ImageOutputs& image, int stride, int64_t index) {
  const int64_t cells = static_cast<int64_t>(image.height) * image.width;
  const int64_t anchor = index / cells, cell = index % cells;
  const float* deltas = image.deltas + anchor * 4 * cells + cell;
  const Box placed = shifted(anchors[anchor], static_cast<int>(cell % image.width),
                             static_cast<int>(cell / image.width), stride);
  Box box;
  decode_side(placed.x1, placed.x2, deltas[0], deltas[2 * cells], image.image_width, &box.x1, &box.x2);
  decode_side(placed.y1, placed.y2, deltas[cells], deltas[3 * cells], image.image_height, &box.y1, &box.y2);
  return box;
}

// False for boxes that never enter NMS: not finite, too small, or of an area outside `range` (null: any area). No
// area lies in a range with a NaN end.
template <Arithmetic kind>
SNIPER_HD bool enters_nms(const Box& box, float min_size, const AreaRange* range) {
  const bool large = is_finite(box) & !too_small<kind>(box, min_size);
  if (range == nullptr) return large;
  const float size = area<kind>(box);
  return large & (size >= range->lo) & (size < range->hi);
}

}  // namespace sniper

#endif  // SNIPER_PROPOSALS_H_
