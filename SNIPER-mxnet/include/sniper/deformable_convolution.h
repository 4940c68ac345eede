// Where deformable convolution samples the feature map (reference/operators.md, section 9).
//
// Kernel position (tap) t of output cell (oy, ox) reads the point (oy * stride - pad + row(t) * dilate + offset), taps
// row by row. Offset channel (g * taps + t) * 2 holds the row shift, the next one the column shift, of deformable group
// g; the channels are split evenly over these groups, and again, independently, over the groups of the convolution.
#ifndef SNIPER_DEFORMABLE_CONVOLUTION_H_
#define SNIPER_DEFORMABLE_CONVOLUTION_H_

#include <cstdint>

#include "sniper/common.h"

namespace sniper {

struct DeformableConvolutionOptions {
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int dilate_h = 1, dilate_w = 1;
  int pad_h = 0, pad_w = 0;
  int num_filter = 1;
  int num_group = 1;             // of the convolution
  int num_deformable_group = 1;  // of the offsets
  bool no_bias = false;

  SNIPER_HD int taps() const { return kernel_h * kernel_w; }
};

// The arrays of one call, in host or in device memory.
struct DeformableConvolutionInputs {
  const float* data;    // (images, channels, height, width)
  const float* offset;  // (images, num_deformable_group * taps * 2, out_height, out_width), row then column shifts
  const float* weight;  // (num_filter, channels / num_group, kernel_h, kernel_w)
  const float* bias;    // (num_filter,); null without bias
  int64_t images;
  int channels, height, width, out_height, out_width;

  SNIPER_HD int64_t cells() const { return static_cast<int64_t>(height) * width; }
  SNIPER_HD int64_t out_cells() const { return static_cast<int64_t>(out_height) * out_width; }
};

// Where gradients go; null where none is wanted.
struct DeformableConvolutionGradients {
  float* data;
  float* offset;
  float* weight;
  float* bias;
};

// Cells of the output along one axis; below 1 if the map is smaller than the dilated kernel.
SNIPER_HD int64_t convolution_output(int64_t size, int64_t kernel, int64_t stride, int64_t dilate, int64_t pad) {
  const int64_t room = size + 2 * pad - dilate * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

// A point between four cells: the value there is
//   (1 - down) * ((1 - across) * [top, left] + across * [top, right])
//     + down * ((1 - across) * [bottom, left] + across * [bottom, right]).
struct BilinearPoint {
  int top, bottom, left, right;
  float down, across;
};

// True if the point lies on the map, 0 <= y < height and 0 <= x < width; elsewhere (NaN and infinity included) the
// operator reads 0. Beyond the last row or column that row or column is repeated: top == bottom or left == right, with
// fraction 0, so that the value does not change along that axis.
SNIPER_HD bool bilinear_point(float y, float x, int height, int width, BilinearPoint* point) {
  if (!(y >= 0.0f && x >= 0.0f && y < height && x < width)) return false;
  const int top = static_cast<int>(y), left = static_cast<int>(x);
  const bool last_row = top >= height - 1, last_column = left >= width - 1;
  point->top = top;
  point->bottom = last_row ? top : top + 1;
  point->down = last_row ? 0.0f : y - top;
  point->left = left;
  point->right = last_column ? left : left + 1;
  point->across = last_column ? 0.0f : x - left;
  return true;
}

}  // namespace sniper

#endif  // SNIPER_DEFORMABLE_CONVOLUTION_H_
