// Greedy non-maximum suppression of boxes that come in descending order of score (reference/operators.md 3.4).
#ifndef SNIPER_NMS_H_
#define SNIPER_NMS_H_

#include <cstddef>
#include <limits>
#include <vector>

#include "sniper/boxes.h"

namespace sniper {

// True if a box of `num_blocks` * kNmsBlock boxes, coordinates and areas as separate arrays, overlaps `box` by more
// than `threshold`. Written over whole blocks without a branch, so that it becomes vector code.
enum { kNmsBlock = 32 };

SNIPER_CLONES inline bool overlaps_any(const float* x1, const float* y1, const float* x2, const float* y2,
                                       const float* areas, size_t num_blocks, Box box, float box_area,
                                       float threshold) {
  for (size_t block = 0; block < num_blocks; ++block) {
    const size_t begin = block * kNmsBlock;
    int hits = 0;
    for (size_t i = begin; i < begin + kNmsBlock; ++i) {
      const float width = smaller(x2[i], box.x2) - larger(x1[i], box.x1) + 1.0f;
      const float height = smaller(y2[i], box.y2) - larger(y1[i], box.y1) + 1.0f;
      const float inter = larger(width, 0.0f) * larger(height, 0.0f);
      hits |= inter / (areas[i] + box_area - inter) > threshold;
    }
    if (hits) return true;
  }
  return false;
}

// The boxes kept so far. A box that comes later is suppressed if a kept one overlaps it by more than the
// threshold, which is the same as marking all later boxes when one is kept, but looks at no box it need not.
template <Arithmetic kind>
class KeptBoxes {
 public:
  void reset(size_t capacity) {
    const size_t padded = (capacity + kNmsBlock - 1) / kNmsBlock * kNmsBlock;
    const float far = std::numeric_limits<float>::max();  // unused places overlap nothing
    x1_.assign(padded, far);
    y1_.assign(padded, far);
    x2_.assign(padded, -far);
    y2_.assign(padded, -far);
    areas_.assign(padded, 1.0f);
    count_ = 0;
  }

  size_t count() const { return count_; }

  // Keeps `box` unless a kept box suppresses it; says whether it was kept. Never call beyond the capacity.
  bool offer(const Box& box, float threshold) {
    const float box_area = area<kind>(box);
    const size_t blocks = (count_ + kNmsBlock - 1) / kNmsBlock;
    if (overlaps_any(x1_.data(), y1_.data(), x2_.data(), y2_.data(), areas_.data(), blocks, box, box_area,
                     threshold)) {
      return false;
    }
    x1_[count_] = box.x1;
    y1_[count_] = box.y1;
    x2_[count_] = box.x2;
    y2_[count_] = box.y2;
    areas_[count_] = box_area;
    ++count_;
    return true;
  }

 private:
  std::vector<float> x1_, y1_, x2_, y2_, areas_;
  size_t count_ = 0;
};

}  // namespace sniper

#endif  // SNIPER_NMS_H_
