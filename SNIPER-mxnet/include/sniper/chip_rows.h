// Which rows of an image's boxes seed chips at a scale, and which chip each row belongs to.
// SNIPER (Singh, Najibi, Davis, NeurIPS 2018), section 3. Host code without any tensor type.
//
// Boxes are float x1, y1, x2, y2 in pixels of the original image; chips are double in the same frame.
#ifndef SNIPER_CHIP_ROWS_H_
#define SNIPER_CHIP_ROWS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace sniper {

enum ScalePlace { kFinestScale = 0, kMiddleScale = 1, kCoarsestScale = 2 };

// The valid range of one scale (square root of area). limit: a side that is too long for the chips of a scale; at the
// coarsest scale, one from which on objects belong there whatever the range. share: 0, or a row belongs to every chip
// that shows a larger share of it, within the range (a negative chip still has those that it shows most of); then both
// ends of the range hold at all scales, for seeds too.
struct ScaleRule {
  double low, high, limit;
  int place;  // ScalePlace
  double share;
};

// Sides truncated to integers, no +1, and the square root of their product. NaN (of which every comparison is
// false) for boxes with NaN or infinite sides.
struct BoxExtent {
  double width, height, side, longer;

  explicit BoxExtent(const float* box) {
    const float w = box[2] - box[0], h = box[3] - box[1];
    if (std::fabs(w) < 2147483648.f && std::fabs(h) < 2147483648.f) {
      width = static_cast<std::int32_t>(w);
      height = static_cast<std::int32_t>(h);
    } else {
      width = height = std::numeric_limits<double>::quiet_NaN();
    }
    side = std::sqrt(width * height);
    longer = std::max(width, height);
  }
};

inline bool SeedsChip(const float* box, const ScaleRule& rule) {
  const BoxExtent extent(box);
  if (rule.share > 0) {
    if (!(extent.side >= rule.low && extent.side < rule.high)) return false;
    if (rule.place != kCoarsestScale && !(extent.longer < rule.limit)) return false;
    return rule.place != kFinestScale || (extent.width >= 2 && extent.height >= 2);
  }
  if (rule.place == kCoarsestScale) return extent.side >= rule.low || extent.longer >= rule.limit;
  if (!(extent.side < rule.high && extent.longer < rule.limit)) return false;
  return rule.place == kFinestScale ? extent.width >= 2 && extent.height >= 2 : extent.side >= rule.low;
}

// Rows that may belong to a chip: unlike seeds, without a lower bound at the middle scales.
inline bool MayBelong(const float* box, const ScaleRule& rule) {
  const BoxExtent extent(box);
  if (rule.share > 0) return extent.side >= rule.low && extent.side < rule.high;
  if (rule.place == kCoarsestScale) return extent.side >= rule.low || extent.longer >= rule.limit;
  return extent.side < rule.high && extent.longer < rule.limit && extent.width >= 2 && extent.height >= 2;
}

inline double IntersectionSide(const double* chip, const float* box, int axis) {
  return std::min(chip[axis + 2], static_cast<double>(box[axis + 2])) -
         std::max(chip[axis], static_cast<double>(box[axis]));
}

// Share of the box inside the chip, +1 convention.
inline double ShareInside(const double* chip, const float* box) {
  const double iw = IntersectionSide(chip, box, 0) + 1, ih = IntersectionSide(chip, box, 1) + 1;
  if (!(iw > 0 && ih > 0)) return 0;
  return iw * ih / ((double{box[2]} - box[0] + 1) * (double{box[3]} - box[1] + 1));
}

// The chip that holds the largest share of the box, the first among equals, or -1 if the box may not belong to
// any or what that chip shows of it is out of range. `negative`: the chips are negative ones, for which the high end
// of the range itself is out (pipeline.md 8.3).
inline int ChipOf(const float* box, const double* chips, int num_chips, const ScaleRule& rule, bool negative = false) {
  if (num_chips == 0 || !MayBelong(box, rule)) return -1;
  int best = 0;
  double best_share = 0;
  for (int m = 0; m < num_chips; ++m) {
    const double share = ShareInside(chips + 4 * m, box);
    if (share > best_share) {
      best = m;
      best_share = share;
    }
  }
  const double width = IntersectionSide(chips + 4 * best, box, 0), height = IntersectionSide(chips + 4 * best, box, 1);
  if (!(width >= 1 && height >= 1)) return -1;
  const double side = std::sqrt(width * height);
  if (rule.share > 0) return side >= rule.low && side < rule.high ? best : -1;
  if (rule.place == kCoarsestScale) return side >= rule.low || std::max(width, height) >= rule.limit ? best : -1;
  return (negative ? side < rule.high : side <= rule.high) ? best : -1;
}

// With a share: whether the row belongs to the chip.
inline bool BelongsTo(const double* chip, const float* box, const ScaleRule& rule) {
  if (!(ShareInside(chip, box) > rule.share)) return false;
  const double width = IntersectionSide(chip, box, 0), height = IntersectionSide(chip, box, 1);
  if (!(width >= 1 && height >= 1)) return false;
  const double side = std::sqrt(width * height);
  return side >= rule.low && side <= rule.high;
}

}  // namespace sniper

#endif  // SNIPER_CHIP_ROWS_H_
