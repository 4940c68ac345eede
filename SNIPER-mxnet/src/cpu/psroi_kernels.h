// Vector kernels of RoI pooling over the channels of one bin. Channel counts are multiples of kLanes.
#ifndef SNIPER_CPU_PSROI_KERNELS_H_
#define SNIPER_CPU_PSROI_KERNELS_H_

#include <cstdint>

#include "sniper/psroi_pooling.h"

namespace sniper {

// The taps of one bin: rows x columns of a channel-last map, each weight the product of a row's and a column's.
struct BinTaps {
  const Tap* rows;
  const Tap* columns;
  int num_rows, num_columns;
  float scale;  // 1 / number of samples, 0 if there are none
};

// A channel-last map: channel c of cell (y, x) is at (y * width + x) * stride + c.
struct MapLayout {
  int width;
  int64_t stride;
};

// out[c] = the bin's average of channel c.
void gather_bin(const float* map, const MapLayout& layout, const BinTaps& taps, int channels, float* out);

// Adds the bin's share of grad[c] to every cell it reads: the adjoint of gather_bin.
void scatter_bin(const float* grad, const MapLayout& layout, const BinTaps& taps, int channels, float* map);

// slopes[0], slopes[1] = derivative of sum_c grad[c] * out[c] with respect to moving the bin along x and along y.
void bin_slopes(const float* map, const float* grad, const MapLayout& layout, const BinTaps& taps, int channels,
                float* slopes);

}  // namespace sniper

#endif  // SNIPER_CPU_PSROI_KERNELS_H_
