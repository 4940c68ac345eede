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
      Overlaps(truths + 4 * t);
      own[t] = static_cast<int>(std::max_element(overlap_.begin(), overlap_.end()) - overlap_.begin());
      for (int p = 0; p < count_; ++p) {
        const bool better = overlap_[p] > best[p];
        best[p] = better ? overlap_[p] : best[p];
        truth[p] = better ? t : truth[p];
      }
    }
    for (int p = 0; p < count_; ++p) {
      if (best[p] < threshold) truth[p] = kNoTruth;
    }
    for (int t = 0; t < num && count_ > 0; ++t) truth[own[t]] = t;
  }

 private:
  // Intersection over union of one truth with all priors; -1 where it is not a number.
  void Overlaps(const float* box) {
    const float x1 = box[0], y1 = box[1], x2 = box[2], y2 = box[3], area = (x2 - x1) * (y2 - y1);
    for (int p = 0; p < count_; ++p) {
      const float width = std::max(std::min(x2, corner_[2][p]) - std::max(x1, corner_[0][p]), 0.0f);
      const float height = std::max(std::min(y2, corner_[3][p]) - std::max(y1, corner_[1][p]), 0.0f);
      const float shared = width * height;
      const float overlap = shared / (area + area_[p] - shared);
      overlap_[p] = overlap == overlap ? overlap : -1.0f;
    }
  }

  int count_;
  std::vector<float> corner_[4], area_, overlap_;
};

}  // namespace sniper

#endif  // SNIPER_PRIOR_MATCHING_H_
