// Where deformable position-sensitive RoI pooling samples the feature map (reference/operators.md, section 9).
//
// A bin averages sample_per_part x sample_per_part bilinear samples on a grid. Sample positions, validity and bilinear
// weights of the two axes are independent of each other, so a bin is the product of two short lists of taps: a feature
// row (or column) with the sum of the weights that all samples give it. Neighbouring samples share most of their taps,
// which saves most of the reads.
#ifndef SNIPER_PSROI_POOLING_H_
#define SNIPER_PSROI_POOLING_H_

#include <cmath>
#include <cstdint>

#include "sniper/common.h"

namespace sniper {

struct PoolingOptions {
  float spatial_scale = 1.0f;  // feature cells a pixel
  int output_dim = 1;
  int group_size = 1;  // output bin (ph, pw) reads input channel (c * group_size + gh) * group_size + gw
  int pooled_size = 1;
  int part_size = 1;  // offsets come on a part_size x part_size grid
  int sample_per_part = 1;
  float trans_std = 0.0f;  // offsets are multiplied by this and the roi's size
  bool no_trans = false;
};

// The arrays of one call, in host or in device memory.
struct PoolingInputs {
  const float* data;   // (images, output_dim * group_size^2, height, width)
  const float* rois;   // (num_rois, 5): image index, x1, y1, x2, y2 in input pixels
  const float* trans;  // (num_rois, 2 * classes, part_size, part_size), x then y offsets; null without offsets
  int64_t images, num_rois;
  int height, width, classes;
};

// A roi in feature cells; cell i covers i - 0.5 to i + 0.5.
struct RoiFrame {
  float start_x, start_y, width, height;
};

// `roi` is image index, x1, y1, x2, y2 in input pixels.
SNIPER_HD RoiFrame roi_frame(const float* roi, float spatial_scale) {
  const float start_x = roundf(roi[1]) * spatial_scale - 0.5f;
  const float start_y = roundf(roi[2]) * spatial_scale - 0.5f;
  const float width = (roundf(roi[3]) + 1.0f) * spatial_scale - 0.5f - start_x;
  const float height = (roundf(roi[4]) + 1.0f) * spatial_scale - 0.5f - start_y;
  // Written so that NaN gives 0.1 too; a roi with NaN then has no valid sample.
  return RoiFrame{start_x, start_y, width > 0.1f ? width : 0.1f, height > 0.1f ? height : 0.1f};
}

// A feature row or column that a bin reads.
struct Tap {
  int index;
  float weight;  // sum of the samples' bilinear weights
  float slope;   // its derivative with respect to moving all samples along the axis
};

// Whether a sample counts: positions outside the map's cells, and NaN, do not.
SNIPER_HD bool is_on_axis(float position, int size) { return position >= -0.5f && position <= size - 0.5f; }

// The taps of samples [first, last) of one bin along one axis, ascending: at most two a sample. Samples off the map are
// left out, the others clamped to it. Returns the number of taps and sets the number of samples used.
SNIPER_HD int axis_taps(float start, float step, int first, int last, int size, Tap* taps, int* num_valid) {
  int count = 0, valid = 0;
  for (int i = first; i < last; ++i) {
    float position = start + i * step;
    if (!is_on_axis(position, size)) continue;
    ++valid;
    position = position < 0.0f ? 0.0f : position;
    position = position > size - 1.0f ? size - 1.0f : position;
    const int low = static_cast<int>(position);
    const float fraction = position - low;
    // Positions ascend, so only the last two taps can be met again.
    int at = count;
    if (count > 0 && taps[count - 1].index == low) at = count - 1;
    if (count > 1 && taps[count - 2].index == low) at = count - 2;
    if (at == count) taps[count++] = Tap{low, 0.0f, 0.0f};
    taps[at].weight += 1.0f - fraction;
    if (fraction == 0.0f) continue;  // on a cell's centre, or clamped: the original gives it no slope
    taps[at].slope -= 1.0f;
    if (at + 1 == count) taps[count++] = Tap{low + 1, 0.0f, 0.0f};
    taps[at + 1].weight += fraction;
    taps[at + 1].slope += 1.0f;
  }
  *num_valid = valid;
  return count;
}

// Which group of input channels a bin reads, along one axis.
SNIPER_HD int group_of_bin(int bin, int pooled_size, int group_size) {
  const int group = static_cast<int>(floorf(static_cast<float>(bin) * group_size / pooled_size));
  return group < group_size ? group : group_size - 1;
}

// Which offset moves a bin, along one axis. Division before multiplication, as the stock operator has it: with 22
// bins and 22 parts bin 13 takes part 12.
SNIPER_HD int part_of_bin(int bin, int pooled_size, int part_size) {
  const int part = static_cast<int>(floorf(static_cast<float>(bin) / pooled_size * part_size));
  return part < part_size ? part : part_size - 1;
}

}  // namespace sniper

#endif  // SNIPER_PSROI_POOLING_H_
