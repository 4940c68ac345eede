// Matching of objects with default boxes of single-shot detectors (reference/m2det.md, section 6; SSD, ECCV 2016).
//
// Corners are shares of the image without the +1 of pixel boxes. The order of float32 operations is that of the
// original, so that ties fall as there.
#ifndef SNIPER_PRIOR_MATCHING_H_
#define SNIPER_PRIOR_MATCHING_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "sniper/common.h"

namespace sniper {

constexpr int kNoTruth = -1;

class PriorMatcher {
 public:
  // priors: `count` rows cx, cy, w, h; kept by copy.
  PriorMatcher(const float* priors, int count) : count_(count), area_(count), overlap_(count) {
    for (int side = 0; side < 4; ++side) corner_[side].resize(count);
    for (int p = 0; p < count; ++p) {
      const float* prior = priors + 4 * p;
      const float half_width = prior[2] / 2, half_height = prior[3] / 2;
      corner_[0][p] = prior[0] - half_width;
      corner_[1][p] = prior[1] - half_height;
      corner_[2][p] = prior[0] + half_width;
      corner_[3][p] = prior[1] + half_height;
      area_[p] = (corner_[2][p] - corner_[0][p]) * (corner_[3][p] - corner_[1][p]);
    }
  }

  int Count() const { return count_; }

  // truths: `num` rows x1, y1, x2, y2. truth (count,): the truth of each prior, kNoTruth where its best overlap is
  // below `threshold`. Among equal truths, and equal priors of a truth, the first is the best. Every truth has its best
  // prior, whatever the overlap; of several truths with the same one, the last.
  void Match(const float* truths, int num, float threshold, int32_t* truth) {
    std::fill(truth, truth + count_, kNoTruth);
    std::vector<float> best(count_, -1.0f);
    std::vector<int> own(num, kNoTruth);
    for (int t = 0; t < num; ++t) {
      int own_block = 0;
      float largest = -2.0f;
      for (int block = 0; block < count_; block += kBlock) {
        const int size = count_ - block < kBlock ? count_ - block : kBlock;
        const float found = OverlapsOf(truths + 4 * t, block, size);
        KeepBetter(overlap_.data() + block, size, t, best.data() + block, truth + block);
        if (found > largest) largest = found, own_block = block;
      }
      const auto first = overlap_.begin() + own_block;
      own[t] = static_cast<int>(std::find(first, overlap_.end(), largest) - overlap_.begin());
    }
    for (int p = 0; p < count_; ++p) truth[p] = best[p] < threshold ? kNoTruth : truth[p];
    for (int t = 0; t < num && count_ > 0; ++t) truth[own[t]] = t;
  }

 private:
  static constexpr int kBlock = 256, kLanes = 16;  // priors at once; largest overlaps that are kept side by side

  float OverlapsOf(const float* box, int block, int size) {
    return Overlaps(box, corner_[0].data() + block, corner_[1].data() + block, corner_[2].data() + block,
                    corner_[3].data() + block, area_.data() + block, size, overlap_.data() + block);
  }

  // Intersection over union of one truth with priors; -1 where it is not a number. Returns the largest.
  SNIPER_CLONES static float Overlaps(const float* box, const float* prior_x1, const float* prior_y1,
                                      const float* prior_x2, const float* prior_y2, const float* prior_area, int size,
                                      float* __restrict overlaps) {
    const float x1 = box[0], y1 = box[1], x2 = box[2], y2 = box[3], area = (x2 - x1) * (y2 - y1);
    for (int p = 0; p < size; ++p) {
      const float width = std::max(std::min(x2, prior_x2[p]) - std::max(x1, prior_x1[p]), 0.0f);
      const float height = std::max(std::min(y2, prior_y2[p]) - std::max(y1, prior_y1[p]), 0.0f);
      const float shared = width * height;
      const float overlap = shared / (area + prior_area[p] - shared);
      overlaps[p] = overlap == overlap ? overlap : -1.0f;
    }
    float lanes[kLanes], largest = -1.0f;
    for (int i = 0; i < kLanes; ++i) lanes[i] = -1.0f;
    const int whole = size / kLanes * kLanes;
    for (int p = 0; p < whole; p += kLanes) {
      for (int i = 0; i < kLanes; ++i) lanes[i] = overlaps[p + i] > lanes[i] ? overlaps[p + i] : lanes[i];
    }
    for (int p = whole; p < size; ++p) largest = std::max(largest, overlaps[p]);
    for (int i = 0; i < kLanes; ++i) largest = std::max(largest, lanes[i]);
    return largest;
  }

  SNIPER_CLONES static void KeepBetter(const float* overlaps, int size, int truth_here, float* __restrict best,
                                       int32_t* __restrict truth) {
    for (int p = 0; p < size; ++p) {
      const bool better = overlaps[p] > best[p];
      best[p] = better ? overlaps[p] : best[p];
      truth[p] = better ? truth_here : truth[p];
    }
  }

  int count_;
  std::vector<float> corner_[4], area_, overlap_;
};

}  // namespace sniper

#endif  // SNIPER_PRIOR_MATCHING_H_
