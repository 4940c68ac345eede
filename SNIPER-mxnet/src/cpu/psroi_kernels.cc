#include "cpu/psroi_kernels.h"

#include "cpu/channel_last.h"
#include "sniper/common.h"

namespace sniper {
namespace {

// One AVX-512 register, or as many narrower ones as the clone's machine needs.
typedef float Vector __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));

const int kWide = 4;  // vectors kept in registers at a time

SNIPER_INLINE const Vector* cell(const float* map, const MapLayout& layout, const Tap& row, const Tap& column) {
  const int64_t place = static_cast<int64_t>(row.index) * layout.width + column.index;
  return reinterpret_cast<const Vector*>(map + place * layout.stride);
}

template <int vectors>
SNIPER_INLINE void gather(const float* map, const MapLayout& layout, const BinTaps& taps, float* out) {
  Vector sum[vectors] = {};
  for (int i = 0; i < taps.num_rows; ++i) {
    const float row_weight = taps.rows[i].weight * taps.scale;
    for (int j = 0; j < taps.num_columns; ++j) {
      const Vector* values = cell(map, layout, taps.rows[i], taps.columns[j]);
      const float weight = row_weight * taps.columns[j].weight;
      for (int v = 0; v < vectors; ++v) sum[v] += weight * values[v];
    }
  }
  for (int v = 0; v < vectors; ++v) reinterpret_cast<Vector*>(out)[v] = sum[v];
}

template <int vectors>
SNIPER_INLINE void scatter(const float* grad, const MapLayout& layout, const BinTaps& taps, float* map) {
  Vector value[vectors];
  for (int v = 0; v < vectors; ++v) value[v] = reinterpret_cast<const Vector*>(grad)[v];
  for (int i = 0; i < taps.num_rows; ++i) {
    const float row_weight = taps.rows[i].weight * taps.scale;
    for (int j = 0; j < taps.num_columns; ++j) {
      Vector* target = const_cast<Vector*>(cell(map, layout, taps.rows[i], taps.columns[j]));
      const float weight = row_weight * taps.columns[j].weight;
      for (int v = 0; v < vectors; ++v) target[v] += weight * value[v];
    }
  }
}

template <int vectors>
SNIPER_INLINE void slopes_of(const float* map, const float* grad, const MapLayout& layout, const BinTaps& taps,
                             Vector* total_x, Vector* total_y) {
  Vector along_x[vectors] = {}, along_y[vectors] = {};
  for (int i = 0; i < taps.num_rows; ++i) {
    const Tap& row = taps.rows[i];
    for (int j = 0; j < taps.num_columns; ++j) {
      const Tap& column = taps.columns[j];
      const Vector* values = cell(map, layout, row, column);
      const float weight_x = row.weight * column.slope, weight_y = row.slope * column.weight;
      for (int v = 0; v < vectors; ++v) {
        along_x[v] += weight_x * values[v];
        along_y[v] += weight_y * values[v];
      }
    }
  }
  for (int v = 0; v < vectors; ++v) {
    const Vector factor = reinterpret_cast<const Vector*>(grad)[v] * taps.scale;
    *total_x += along_x[v] * factor;
    *total_y += along_y[v] * factor;
  }
}

}  // namespace

SNIPER_CLONES void gather_bin(const float* map, const MapLayout& layout, const BinTaps& taps, int channels,
                              float* out) {
  int c = 0;
  for (; c + kWide * kLanes <= channels; c += kWide * kLanes) gather<kWide>(map + c, layout, taps, out + c);
  for (; c < channels; c += kLanes) gather<1>(map + c, layout, taps, out + c);
}

SNIPER_CLONES void scatter_bin(const float* grad, const MapLayout& layout, const BinTaps& taps, int channels,
                               float* map) {
  int c = 0;
  for (; c + kWide * kLanes <= channels; c += kWide * kLanes) scatter<kWide>(grad + c, layout, taps, map + c);
  for (; c < channels; c += kLanes) scatter<1>(grad + c, layout, taps, map + c);
}

SNIPER_CLONES void bin_slopes(const float* map, const float* grad, const MapLayout& layout, const BinTaps& taps,
                              int channels, float* slopes) {
  Vector total_x = {}, total_y = {};
  int c = 0;
  for (; c + kWide * kLanes <= channels; c += kWide * kLanes) {
    slopes_of<kWide>(map + c, grad + c, layout, taps, &total_x, &total_y);
  }
  for (; c < channels; c += kLanes) slopes_of<1>(map + c, grad + c, layout, taps, &total_x, &total_y);
  slopes[0] = slopes[1] = 0.0f;
  for (int lane = 0; lane < kLanes; ++lane) {
    slopes[0] += total_x[lane];
    slopes[1] += total_y[lane];
  }
}

}  // namespace sniper
