// Interleaved 8-bit pixels -> the float planes that a network reads. Host code, no tensor type.
#ifndef SNIPER_IMAGE_PLANES_H_
#define SNIPER_IMAGE_PLANES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "sniper/common.h"

namespace sniper {

// One row: `pixels` holds `width` times B, G, R; red, green and blue receive level minus mean.
SNIPER_CLONES inline void SplitRow(const std::uint8_t* pixels, int width, float blue_mean, float green_mean,
                                   float red_mean, float* __restrict red, float* __restrict green,
                                   float* __restrict blue) {
  for (int x = 0; x < width; ++x) {
    blue[x] = static_cast<float>(pixels[3 * x]) - blue_mean;
    green[x] = static_cast<float>(pixels[3 * x + 1]) - green_mean;
    red[x] = static_cast<float>(pixels[3 * x + 2]) - red_mean;
  }
}

// `pixels`: height rows of width B, G, R bytes, rows `stride` bytes apart. means: B, G, R.
// out: planes R, G, B of out_height x out_width floats; the picture fills their top left, zeros the rest.
// height <= out_height and width <= out_width.
inline void WritePlanes(const std::uint8_t* pixels, std::ptrdiff_t stride, int height, int width, const float* means,
                        float* out, int out_height, int out_width) {
  const std::size_t plane = static_cast<std::size_t>(out_height) * out_width;
  for (int y = 0; y < out_height; ++y) {
    float* row = out + static_cast<std::size_t>(y) * out_width;
    const int filled = y < height ? width : 0;
    if (filled > 0)
      SplitRow(pixels + y * stride, filled, means[0], means[1], means[2], row, row + plane, row + 2 * plane);
    for (int channel = 0; channel < 3; ++channel)
      std::fill(row + channel * plane + filled, row + channel * plane + out_width, 0.0f);
  }
}

}  // namespace sniper

#endif  // SNIPER_IMAGE_PLANES_H_
