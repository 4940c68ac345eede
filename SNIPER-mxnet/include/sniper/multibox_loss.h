// The loss of single-shot detectors: SSD (Liu et al., ECCV 2016), as M2Det has it (reference/m2det.md, section 7).
//
// Letters: B images, P priors, C classes with background (0). Maths of a row; the loops are in src/cpu and src/cuda.
#ifndef SNIPER_MULTIBOX_LOSS_H_
#define SNIPER_MULTIBOX_LOSS_H_

#include <cmath>
#include <cstdint>
#include <cstring>

#include "sniper/common.h"

namespace sniper {

struct MultiBoxOptions {
  float negatives_per_positive = 3.0f;
};

struct MultiBoxInputs {
  const float* cls_pred;    // (B, P, C) logits
  const float* loc_pred;    // (B, P, 4) offsets
  const float* cls_target;  // (B, P) class, 0 for background, -1 for a prior that is not used
  const float* loc_target;  // (B, P, 4) offsets; read where the class is above 0
  int64_t images, priors;
  int classes;

  SNIPER_HD int64_t rows() const { return images * priors; }
};

struct MultiBoxOutputs {
  float* cls_loss;  // (1,)
  float* loc_loss;  // (1,)
  float* used;      // (B, P): 1 for positives and the negatives that were mined, else 0
};

// A prior that is neither positive nor ever mined.
SNIPER_HD bool is_unused(float target) { return target == -1.0f; }

// A class of a target, or -1 for what is none.
SNIPER_HD int target_class(float value, int classes) {
  return value >= 0.0f && value < static_cast<float>(classes) && value == floorf(value) ? static_cast<int>(value) : -1;
}

SNIPER_HD float smooth_l1(float difference) {
  const float size = fabsf(difference);
  return size < 1.0f ? 0.5f * difference * difference : size - 0.5f;
}

SNIPER_HD float smooth_l1_slope(float difference) {
  return difference > 1.0f ? 1.0f : difference < -1.0f ? -1.0f : difference;
}

// A number that sorts as losses do, downwards: the largest loss has the smallest. Losses are not below 0 but for
// rounding; NaN comes first.
SNIPER_HD uint32_t mining_order(float loss) {
  const float value = loss > 0.0f ? loss : loss == loss ? 0.0f : INFINITY;
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return ~bits;
}

// How many negatives an image with so many positives contributes: the original leaves one prior out at least.
SNIPER_HD int64_t num_negatives(int64_t positives, int64_t priors, const MultiBoxOptions& options) {
  const double wanted = static_cast<double>(options.negatives_per_positive) * static_cast<double>(positives);
  return wanted < static_cast<double>(priors - 1) ? static_cast<int64_t>(wanted) : priors - 1;
}

}  // namespace sniper

#endif  // SNIPER_MULTIBOX_LOSS_H_
