// Soft-NMS (Bodla et al., ICCV 2017): overlapping detections lose score instead of being dropped.
//
// What every version of it, on whatever device, computes for one set of rows x1, y1, x2, y2, score:
//   1. Rows for which SoftNmsUsable is false are left out; the others close up in their order.
//   2. For i = 0, 1, ...: of the live rows from i on, the one with the largest score, the first among equals, trades
//      places with row i. The scores of the rows behind it are multiplied by SoftNmsWeight(SoftNmsOverlap(...));
//      rows that do not touch it stay as they are.
//   3. Touched rows whose score is then below score_thresh are dropped: from the front on, the last live row takes
//      the place of a dropped one and is itself examined there. So the n-th gap from the front is filled by the n-th
//      survivor from the back, which is how rows can be moved in parallel.
// Rows that touch nothing are never dropped in step 3. Scores and overlaps are float32 without fused operations, the
// exponential is rounded from double.
#ifndef SNIPER_SOFT_NMS_H_
#define SNIPER_SOFT_NMS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "sniper/boxes.h"
#include "sniper/common.h"

namespace sniper {

enum class SoftNmsMethod { kHard = 0, kLinear = 1, kGaussian = 2 };

struct SoftNmsParam {
  float sigma;         // width of the Gaussian
  float iou_thresh;    // overlap above which the hard and linear forms act
  float score_thresh;  // a touched row whose score falls below it is dropped
  SoftNmsMethod method;
  float min_score;     // rows that start below it are left out
};

SNIPER_HD float SoftNmsArea(const float* row) { return (row[2] - row[0] + 1) * (row[3] - row[1] + 1); }

// False for rows with NaN, with infinity (also as area) and with a score below min_score.
SNIPER_HD bool SoftNmsUsable(const float* row, float min_score) {
  const float area = SoftNmsArea(row);
  return is_finite(Box{row[0], row[1], row[2], row[3]}) && area - area == 0 && row[4] - row[4] == 0 &&
         row[4] >= min_score;
}

// Intersection over union with +1 in widths and heights; -1 for boxes that do not touch.
SNIPER_HD float SoftNmsOverlap(const Box& top, float top_area, const Box& box, float box_area) {
  const float width = smaller(top.x2, box.x2) - larger(top.x1, box.x1) + 1;
  const float height = smaller(top.y2, box.y2) - larger(top.y1, box.y1) + 1;
  const float overlap = width * height / (top_area + box_area - width * height);
  return (width > 0) & (height > 0) ? overlap : -1.0f;
}

// What the score of a box is multiplied by; overlap as above, not negative.
SNIPER_HD float SoftNmsWeight(float overlap, const SoftNmsParam& param) {
  switch (param.method) {
    case SoftNmsMethod::kHard: return overlap > param.iou_thresh ? 0.0f : 1.0f;
    case SoftNmsMethod::kLinear: return overlap > param.iou_thresh ? 1.0f - overlap : 1.0f;
    default: return static_cast<float>(exp(-static_cast<double>(overlap * overlap) / param.sigma));
  }
}

// The rest is host code: the rows column by column, so that the loops over them become vector code.

SNIPER_CLONES inline void SoftNmsOverlapsOf(const float* x1, const float* y1, const float* x2, const float* y2,
                                            const float* areas, std::size_t begin, std::size_t end, Box top,
                                            float top_area, float* overlaps) {
  for (std::size_t i = begin; i < end; ++i) {
    overlaps[i] = SoftNmsOverlap(top, top_area, Box{x1[i], y1[i], x2[i], y2[i]}, areas[i]);
  }
}

SNIPER_CLONES inline float LargestScore(const float* scores, std::size_t begin, std::size_t end) {
  enum { kLanes = 16 };
  float lanes[kLanes];
  for (int k = 0; k < kLanes; ++k) lanes[k] = scores[begin];
  std::size_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
    for (int k = 0; k < kLanes; ++k) lanes[k] = larger(lanes[k], scores[i + k]);
  }
  for (; i < end; ++i) lanes[0] = larger(lanes[0], scores[i]);
  for (int k = 1; k < kLanes; ++k) lanes[0] = larger(lanes[0], lanes[k]);
  return lanes[0];
}

// One object serves any number of sets, one after the other; its memory grows with the largest.
class SoftNmsSet {
 public:
  // rows: count x 5, rewritten in place. origin (may be null) is moved along with the rows. Returns how many rows,
  // counted from the first, are left; what stands behind them has no meaning. It ends once `most` rows are chosen,
  // because nothing that happens later changes these.
  std::size_t Run(float* rows, std::size_t count, const SoftNmsParam& param, int* origin,
                  std::size_t most = std::numeric_limits<std::size_t>::max()) {
    Load(rows, count, param.min_score, origin);
    for (std::size_t i = 0; i < count_ && i < most; ++i) {
      const float best = LargestScore(Column(kScore), i, count_);
      std::size_t place = i;
      while (Column(kScore)[place] != best) ++place;
      SwapRows(i, place, origin);
      const Box top = {Column(kX1)[i], Column(kY1)[i], Column(kX2)[i], Column(kY2)[i]};
      SoftNmsOverlapsOf(Column(kX1), Column(kY1), Column(kX2), Column(kY2), Column(kArea), i + 1, count_, top,
                        Column(kArea)[i], Column(kOverlap));
      Decay(i + 1, param, origin);
    }
    count_ = std::min(count_, most);
    for (std::size_t i = 0; i < count_; ++i) {
      for (int c = 0; c < 5; ++c) rows[5 * i + c] = Column(c)[i];
    }
    return count_;
  }

 private:
  enum { kX1, kY1, kX2, kY2, kScore, kArea, kOverlap, kNumColumns };

  float* Column(int column) { return columns_.data() + static_cast<std::size_t>(column) * capacity_; }

  void Load(const float* rows, std::size_t count, float min_score, int* origin) {
    if (count > capacity_) {
      columns_.resize(kNumColumns * count);
      capacity_ = count;
    }
    count_ = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const float* row = rows + 5 * i;
      if (!SoftNmsUsable(row, min_score)) continue;
      for (int c = 0; c < 5; ++c) Column(c)[count_] = row[c];
      Column(kArea)[count_] = SoftNmsArea(row);
      if (origin) origin[count_] = origin[i];
      ++count_;
    }
  }

  void SwapRows(std::size_t a, std::size_t b, int* origin) {
    if (a == b) return;
    for (int c = 0; c < kNumColumns; ++c) std::swap(Column(c)[a], Column(c)[b]);
    if (origin) std::swap(origin[a], origin[b]);
  }

  void Decay(std::size_t first, const SoftNmsParam& param, int* origin) {
    const float* overlaps = Column(kOverlap);
    float* scores = Column(kScore);
    for (std::size_t j = first; j < count_;) {
      if (overlaps[j] >= 0) {
        scores[j] *= SoftNmsWeight(overlaps[j], param);
        if (scores[j] < param.score_thresh) {
          SwapRows(j, --count_, origin);  // the last live row is examined next, in this place
          continue;
        }
      }
      ++j;
    }
  }

  std::vector<float> columns_;
  std::size_t capacity_ = 0, count_ = 0;
};

}  // namespace sniper

#endif  // SNIPER_SOFT_NMS_H_
