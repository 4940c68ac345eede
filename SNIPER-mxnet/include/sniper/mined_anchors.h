// Anchor targets of a single-shot face detector with hard example mining: SSH (Najibi et al., ICCV 2017),
// reference/other_detectors.md part C and more_ssh.md. Maths of a box and an anchor; loops are in src/cpu and src/cuda.
//
// Letters: B images, A anchors a cell, K = A * height * width anchors of an image, numbered (a, y, x), G rows of ground
// truth. Of every image:
//   1. Anchors take part that reach at most `border` pixels out of the picture; if there is none, all do.
//   2. An anchor is a face where its best overlap with an object is `positive` or more, background below `negative`,
//      not used between. Its object is that of the largest overlap, the first on a tie. With `force_best` the anchors
//      that overlap an object most are faces too.
//   3. Not used are anchors that overlap an object out of range or a region by more than `ignore`, and background that
//      lies in a region by kCovered of its area or more.
//   4. Of the faces those of the smallest probability are kept, most_positives at most, and so much background that
//      they are `batch_size` together, of the largest probability; the first on a tie, NaN last. The rest is not used.
// Corners are inclusive. Overlaps are computed in double, in the order of lib/targets and lib/bbox.
#ifndef SNIPER_MINED_ANCHORS_H_
#define SNIPER_MINED_ANCHORS_H_

#include <cstdint>
#include <vector>

#include "sniper/anchors.h"
#include "sniper/ranking.h"
#include "sniper/roi_targets.h"

namespace sniper {

// What matching and mining go by.
struct MiningRules {
  int stride = 16;
  double border = 0, positive = 0.5, negative = 0.3, ignore = 0.3;
  bool force_best = false;
  int64_t batch_size = 256, most_positives = 64;
};

struct MinedAnchorOptions {
  MiningRules rules;
  int base_size = 16;
  std::vector<float> scales, ratios;

  int num_anchors() const { return static_cast<int>(scales.size() * ratios.size()); }

  std::vector<Box> anchors() const {
    std::vector<Box> boxes(static_cast<size_t>(num_anchors()));
    base_anchors(base_size, ratios.data(), static_cast<int>(ratios.size()), scales.data(),
                 static_cast<int>(scales.size()), boxes.data());
    return boxes;
  }
};

struct MinedAnchorInputs {
  const float* prob;      // (B, A, height, width)
  const float* gt_boxes;  // (B, G, 5)
  const float* im_info;   // (B, 3): height and width of the picture, scale
  int64_t images, rows;
  int anchors, height, width;

  SNIPER_HD int64_t cells() const { return static_cast<int64_t>(height) * width; }
  SNIPER_HD int64_t per_image() const { return anchors * cells(); }
};

struct MinedAnchorOutputs {
  float* label;        // (B, K): 1, 0 or -1
  float* bbox_target;  // (B, 4A, height, width): dx, dy, dw, dh of faces, else 0
  float* bbox_weight;  // (B, 4A, height, width): 1 / number of kept anchors of the image at faces, else 0
};

const float kOutOfRange = -3.0f;  // the class of an object that is there and not trained

enum class RowKind { kNone, kObject, kOutOfRange, kRegion };

// Rows without a size, with a number that is not finite, or of another class say nothing.
SNIPER_HD RowKind row_kind(const float* row) {
  const bool has_size = row[2] > row[0] && row[3] > row[1];
  if (!has_size || !is_finite(Box{row[0], row[1], row[2], row[3]}) || row[4] - row[4] != 0.0f) return RowKind::kNone;
  if (row[4] >= 1.0f) return RowKind::kObject;
  return row[4] == kRegion ? RowKind::kRegion : row[4] == kOutOfRange ? RowKind::kOutOfRange : RowKind::kNone;
}

// One side of a box and of an anchor.
struct Side {
  double low, high;

  SNIPER_HD double length() const { return high - low + 1.0; }
  SNIPER_HD Side moved(double by) const { return Side{low + by, high + by}; }
};

SNIPER_HD Side x_side(const Box& box) { return Side{box.x1, box.x2}; }
SNIPER_HD Side y_side(const Box& box) { return Side{box.y1, box.y2}; }
SNIPER_HD Box box_of_row(const float* row) { return Box{row[0], row[1], row[2], row[3]}; }

// Length that both sides share; 0 or less where they do not touch.
SNIPER_HD double shared_length(const Side& a, const Side& b) {
  const double high = a.high < b.high ? a.high : b.high, low = a.low > b.low ? a.low : b.low;
  return high - low + 1.0;
}

SNIPER_HD double area_of(const Box& box) { return x_side(box).length() * y_side(box).length(); }

// `areas`: the sum of both.
SNIPER_HD double overlap_of(double shared, double areas) { return shared / (areas - shared); }

// Whether a region that shares so much with an anchor covers it.
SNIPER_HD bool covers(double shared, double anchor_area) {
  return shared / anchor_area >= static_cast<double>(kCovered);
}

// Whether a side of an anchor reaches at most `border` out of a picture of `size` pixels; never for NaN.
SNIPER_HD bool is_inside(const Side& side, float size, double border) {
  return side.low >= -border && side.high < size + border;
}

// 1, 0 or -1 by the best overlap with an object.
SNIPER_HD float overlap_label(double best, const MiningRules& rules) {
  return best >= rules.positive ? 1.0f : best < rules.negative ? 0.0f : -1.0f;
}

// Numbers that sort faces and background as they are to be kept, the first ones first; NaN comes last.
SNIPER_HD uint32_t mining_rank(float prob, bool face) {
  if (prob != prob) return 0xffffffffu;
  return face ? ordered_bits(prob) : ~ordered_bits(prob);
}

SNIPER_HD int64_t kept_positives(int64_t positives, const MiningRules& rules) {
  return positives < rules.most_positives ? positives : rules.most_positives;
}

SNIPER_HD int64_t kept_negatives(int64_t negatives, int64_t positives_kept, const MiningRules& rules) {
  const int64_t room = rules.batch_size - positives_kept;
  return negatives < room ? negatives : room;
}

// Deltas from anchor `a` of a cell to an object, not normalised.
SNIPER_HD void mined_target(const Box& base, int x, int y, int stride, const float* row, float* target) {
  TargetOptions plain;
  plain.aligned = true;
  for (int i = 0; i < 4; ++i) plain.stds[i] = 1.0f;
  encode(shifted(base, x, y, stride), box_of_row(row), plain, target);
}

}  // namespace sniper

#endif  // SNIPER_MINED_ANCHORS_H_
