// Boxes of the proposal operators: decoding, clipping, sizes, overlaps (reference/operators.md, section 3).
//
// A box is x1, y1, x2, y2 in pixels of the network's input, corners inclusive: width = x2 - x1 + 1.
#ifndef SNIPER_BOXES_H_
#define SNIPER_BOXES_H_

#include <cmath>

#include "sniper/common.h"
#include "sniper/exponential.h"

namespace sniper {

struct Box {
  float x1, y1, x2, y2;
};

// The two arithmetics of the original, "H" and "D" in reference/operators.md. Released checkpoints were trained with
// one and tested with the other.
enum class Arithmetic {
  kTest,   // H: sizes, areas and intersections all count both end pixels (+1)
  kTrain,  // D: intersections do, areas and sizes do not
};

// Bounds on the area of training boxes, in square pixels: lo is included, hi is not. For objects `in_range` says
// whether hi is.
struct AreaRange {
  float lo, hi;
};

SNIPER_HD float smaller(float a, float b) { return a < b ? a : b; }
SNIPER_HD float larger(float a, float b) { return a > b ? a : b; }

// Decodes one axis of a box. The deltas `shift` and `growth` are not normalised: the anchor's side is moved by `shift`
// times its length and scaled by e^`growth` (bounded where the bound cannot show in float32). It is then clipped to an
// image of `size` pixels, first down to the last pixel, then up to 0. If a delta is NaN or infinite, or the side comes
// out so, `first` becomes NaN: clipping alone would put such a side on the border. There is no branch, so that loops
// over this become vector code.
SNIPER_HD void decode_side(float anchor_first, float anchor_last, float shift, float growth, float size, float* first,
                           float* last) {
  const double length = static_cast<double>(anchor_last) - anchor_first + 1.0;
  const double centre = shift * length + anchor_first + 0.5 * (length - 1.0);
  const double half = 0.5 * (bounded_exp(growth) * length - 1.0);
  const float low = static_cast<float>(centre - half), high = static_cast<float>(centre + half);
  const float end = size - 1.0f;
  const float odd = (shift - shift) + (growth - growth) + ((low == low) & (high == high) ? 0.0f : NAN);
  *first = larger(smaller(low, end), 0.0f) + odd;
  *last = larger(smaller(high, end), 0.0f);
}

// First down to the last pixel of the image, then up to 0: an image that is empty, or whose size is NaN, gives the
// box 0, 0, 0, 0.
SNIPER_HD Box clip(const Box& box, float image_height, float image_width) {
  const float right = image_width - 1.0f, bottom = image_height - 1.0f;
  return Box{larger(smaller(box.x1, right), 0.0f), larger(smaller(box.y1, bottom), 0.0f),
             larger(smaller(box.x2, right), 0.0f), larger(smaller(box.y2, bottom), 0.0f)};
}

// False for NaN and infinity: x - x is 0 for finite numbers only.
SNIPER_HD bool is_finite(const Box& box) {
  const float sum = (box.x1 - box.x1) + (box.y1 - box.y1) + (box.x2 - box.x2) + (box.y2 - box.y2);
  return sum == 0.0f;
}

template <Arithmetic kind>
SNIPER_HD float area(const Box& box) {
  const float one = kind == Arithmetic::kTest ? 1.0f : 0.0f;
  return (box.x2 - box.x1 + one) * (box.y2 - box.y1 + one);
}

// In training arithmetic only a box that is short in both directions is too small: lines stay.
template <Arithmetic kind>
SNIPER_HD bool too_small(const Box& box, float min_size) {
  const float width = box.x2 - box.x1, height = box.y2 - box.y1;
  if (kind == Arithmetic::kTest) return (width + 1.0f < min_size) | (height + 1.0f < min_size);
  return (width < min_size) & (height < min_size);
}

// Area that two boxes share; both end pixels count (+1).
SNIPER_HD float intersection(const Box& a, const Box& b) {
  const float width = smaller(a.x2, b.x2) - larger(a.x1, b.x1) + 1.0f;
  const float height = smaller(a.y2, b.y2) - larger(a.y1, b.y1) + 1.0f;
  return larger(width, 0.0f) * larger(height, 0.0f);
}

// Intersection (+1) over union of a box with areas as `area` counts them. With training areas the denominator
// of two tiny boxes may be zero or negative: the quotient is then infinite, negative or NaN, as in the original.
SNIPER_HD float overlap(const Box& a, float area_a, const Box& b, float area_b) {
  const float inter = intersection(a, b);
  return inter / (area_a + area_b - inter);
}

}  // namespace sniper

#endif  // SNIPER_BOXES_H_
