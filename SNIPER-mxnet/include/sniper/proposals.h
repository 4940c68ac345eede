// Anchors and network outputs of one image -> its proposals (reference/operators.md, sections 3 to 5).
#ifndef SNIPER_PROPOSALS_H_
#define SNIPER_PROPOSALS_H_

#include <cstdint>
#include <vector>

#include "sniper/anchors.h"
#include "sniper/batch.h"
#include "sniper/boxes.h"
#include "sniper/nms.h"
#include "sniper/ranking.h"

namespace sniper {

struct ProposalOptions {
  int feature_stride = 16;
  std::vector<float> scales, ratios;
  int64_t pre_nms_top_n = -1;  // so many best live boxes enter NMS; below 0 all do
  int post_nms_top_n = 300;    // P
  float threshold = 0.7f;      // a box overlapping a kept one by more goes
  float min_size = 3.0f;       // pixels

  int num_anchors() const { return static_cast<int>(scales.size() * ratios.size()); }

  std::vector<Box> anchors() const {
    std::vector<Box> boxes(num_anchors());
    base_anchors(feature_stride, ratios.data(), static_cast<int>(ratios.size()), scales.data(),
                 static_cast<int>(scales.size()), boxes.data());
    return boxes;
  }
};

// Working memory of one thread, reused from image to image.
template <Arithmetic kind>
struct ProposalScratch {
  ScoreRanking ranking;
  KeptBoxes<kind> kept;
};

// The decoded, clipped box of a flat index (anchor * height + y) * width + x.
SNIPER_HD Box proposal_box(const Box* anchors, const ImageOutputs& image, int stride, int64_t index) {
  const int64_t cells = static_cast<int64_t>(image.height) * image.width;
  const int64_t anchor = index / cells, cell = index % cells;
  const float* deltas = image.deltas + anchor * 4 * cells + cell;
  const Box placed = shifted(anchors[anchor], static_cast<int>(cell % image.width),
                             static_cast<int>(cell / image.width), stride);
  const Box box = decode(placed, deltas[0], deltas[cells], deltas[2 * cells], deltas[3 * cells]);
  // Comparisons with NaN would turn it into a border box: hand it on for the caller to drop.
  if (!(box.x1 == box.x1 && box.y1 == box.y1 && box.x2 == box.x2 && box.y2 == box.y2)) return box;
  return clip(box, image.image_height, image.image_width);
}

// False for boxes that never enter NMS: not finite, too small, or of an area outside `range` (null: any area).
template <Arithmetic kind>
SNIPER_HD bool enters_nms(const Box& box, float min_size, const AreaRange* range) {
  if (!is_finite(box) || too_small<kind>(box, min_size)) return false;
  const float size = area<kind>(box);
  return range == nullptr || !(size < range->lo || size >= range->hi);
}

// Writes at most P boxes, best first, and their flat indices; returns how many. `range` null: boxes of any area.
// Boxes are decoded as NMS comes to them. The original decodes all and gives dropped ones the score -1, below any
// probability; hence the pre-NMS count is one of live boxes.
template <Arithmetic kind>
int select_proposals(const ImageOutputs& image, const Box* anchors, const ProposalOptions& options,
                     const AreaRange* range, ProposalScratch<kind>* scratch, Box* boxes, int64_t* indices) {
  const int64_t total = static_cast<int64_t>(options.num_anchors()) * image.height * image.width;
  scratch->ranking.reset(image.scores, total);
  scratch->kept.reset(options.post_nms_top_n);
  int64_t entered = 0;
  int count = 0;
  while (count < options.post_nms_top_n && (options.pre_nms_top_n < 0 || entered < options.pre_nms_top_n)) {
    const int64_t index = scratch->ranking.next();
    if (index < 0) break;
    const Box box = proposal_box(anchors, image, options.feature_stride, index);
    if (!enters_nms<kind>(box, options.min_size, range)) continue;
    ++entered;
    if (!scratch->kept.offer(box, options.threshold)) continue;
    boxes[count] = box;
    indices[count] = index;
    ++count;
  }
  return count;
}

}  // namespace sniper

#endif  // SNIPER_PROPOSALS_H_
