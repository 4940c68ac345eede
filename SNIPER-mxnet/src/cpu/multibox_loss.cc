#include "cpu/multibox_loss.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "cpu/log_sums.h"
#include "cpu/parallel.h"

namespace sniper {
namespace {

struct Nothing {};

const int64_t kRows = 512;  // priors that a thread takes at once

void check_class(const MultiBoxInputs& in, int64_t row) {
  if (target_class(in.cls_target[row], in.classes) >= 0) return;
  std::ostringstream message;
  message << "cls_target must be -1 or whole numbers from 0 to " << in.classes - 1 << ", got " << in.cls_target[row]
          << " in row " << row % in.priors << " of image " << row / in.priors;
  throw std::invalid_argument(message.str());
}

// Cross entropy of every prior.
void cross_entropies(const MultiBoxInputs& in, float* losses) {
  parallel_for<Nothing>((in.rows() + kRows - 1) / kRows, [&](int64_t block, Nothing*) {
    const int64_t first = block * kRows, end = std::min(first + kRows, in.rows());
    log_sums(in.cls_pred + first * in.classes, end - first, in.classes, losses + first);
    for (int64_t row = first; row < end; ++row) {
      if (is_unused(in.cls_target[row])) {
        losses[row] = 0.0f;
        continue;
      }
      check_class(in, row);
      losses[row] -= in.cls_pred[row * in.classes + static_cast<int>(in.cls_target[row])];
    }
  });
}

struct ImageLosses {
  double cls = 0, loc = 0;
  int64_t positives = 0;
};

struct Mining {
  std::vector<uint64_t> keys;
};

// Marks the positives and the mined negatives of one image, and sums their losses. The rank of a positive is that of a
// loss of 0: where there are few negatives it may take the place of one. So is that of a prior that is not used.
ImageLosses sum_image(const MultiBoxInputs& in, const MultiBoxOptions& options, int64_t image, const float* losses,
                      std::vector<uint64_t>* keys, float* used) {
  ImageLosses sums;
  keys->clear();
  for (int64_t p = 0; p < in.priors; ++p) {
    const bool positive = in.cls_target[image * in.priors + p] > 0;
    sums.positives += positive;
    used[p] = positive ? 1.0f : 0.0f;
    const float loss = positive ? 0.0f : losses[p];
    keys->push_back(static_cast<uint64_t>(mining_order(loss)) << 32 | static_cast<uint64_t>(p));
  }
  const int64_t count = num_negatives(sums.positives, in.priors, options);
  if (count > 0) {
    std::nth_element(keys->begin(), keys->begin() + (count - 1), keys->end());
    for (int64_t i = 0; i < count; ++i) {
      const uint32_t p = static_cast<uint32_t>((*keys)[i]);
      if (!is_unused(in.cls_target[image * in.priors + p])) used[p] = 1.0f;
    }
  }
  for (int64_t p = 0; p < in.priors; ++p) {
    if (used[p] == 0.0f) continue;
    sums.cls += losses[p];
    const int64_t row = image * in.priors + p;
    if (!(in.cls_target[row] > 0)) continue;
    for (int64_t i = 4 * row; i < 4 * row + 4; ++i) sums.loc += smooth_l1(in.loc_pred[i] - in.loc_target[i]);
  }
  return sums;
}

int64_t count_positives(const MultiBoxInputs& in) {
  int64_t positives = 0;
  for (int64_t row = 0; row < in.rows(); ++row) positives += in.cls_target[row] > 0;
  return std::max<int64_t>(positives, 1);
}

}  // namespace

size_t multibox_workspace(const MultiBoxInputs& in) { return static_cast<size_t>(in.rows()); }

void multibox_loss_cpu(const MultiBoxInputs& in, const MultiBoxOptions& options, float* workspace,
                       const MultiBoxOutputs& out) {
  cross_entropies(in, workspace);
  std::vector<ImageLosses> sums(static_cast<size_t>(in.images));
  parallel_for<Mining>(in.images, [&](int64_t image, Mining* mining) {
    const int64_t first = image * in.priors;
    sums[static_cast<size_t>(image)] =
        sum_image(in, options, image, workspace + first, &mining->keys, out.used + first);
  });
  ImageLosses total;
  for (const ImageLosses& of_image : sums) {
    total.cls += of_image.cls;
    total.loc += of_image.loc;
    total.positives += of_image.positives;
  }
  const double count = static_cast<double>(std::max<int64_t>(total.positives, 1));
  *out.cls_loss = static_cast<float>(total.cls / count);
  *out.loc_loss = static_cast<float>(total.loc / count);
}

void multibox_loss_backward_cpu(const MultiBoxInputs& in, const float* used, float cls_grad, float loc_grad,
                                float* cls_pred_grad, float* loc_pred_grad) {
  const float count = static_cast<float>(count_positives(in));
  const float cls_scale = cls_grad / count, loc_scale = loc_grad / count;
  parallel_for<Nothing>((in.rows() + kRows - 1) / kRows, [&](int64_t block, Nothing*) {
    const int64_t first = block * kRows, end = std::min(first + kRows, in.rows());
    std::fill(cls_pred_grad + first * in.classes, cls_pred_grad + end * in.classes, 0.0f);
    std::fill(loc_pred_grad + first * 4, loc_pred_grad + end * 4, 0.0f);
    for (int64_t row = first; row < end; ++row) {
      if (used[row] == 0.0f) continue;
      const float* logits = in.cls_pred + row * in.classes;
      float* grads = cls_pred_grad + row * in.classes;
      float log_sum;
      log_sums(logits, 1, in.classes, &log_sum);
      for (int c = 0; c < in.classes; ++c) grads[c] = cls_scale * std::exp(logits[c] - log_sum);
      // The forward pass refuses other classes; MXNet runs the backward pass all the same, with whatever is in `used`.
      const int target = target_class(in.cls_target[row], in.classes);
      if (target >= 0) grads[target] -= cls_scale;
      if (!(in.cls_target[row] > 0)) continue;
      for (int64_t i = 4 * row; i < 4 * row + 4; ++i) {
        loc_pred_grad[i] = loc_scale * smooth_l1_slope(in.loc_pred[i] - in.loc_target[i]);
      }
    }
  });
}

}  // namespace sniper
