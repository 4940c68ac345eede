#include "cpu/winograd_transforms.h"

#include "cpu/channel_last.h"
#include "sniper/common.h"

namespace sniper {
namespace {

// One AVX-512 register, or as many narrower ones as the clone's machine needs.
typedef float Vector __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));

const float kRoot = 1.41421356237309505f;  // sqrt(2); the points are 0, +-kRoot / 2, +-kRoot and infinity

// The transposed B of Lavin and Gray for these points, times six values.
SNIPER_INLINE void data_points(const Vector* d, Vector* out) {
  const Vector near_even = d[4] - 2.0f * d[2], far_even = d[4] - 0.5f * d[2];
  const Vector near_odd = kRoot * (0.5f * d[3] - d[1]), far_odd = kRoot * (d[3] - 0.5f * d[1]);
  out[0] = d[0] - 2.5f * d[2] + d[4];
  out[1] = near_even + near_odd;
  out[2] = near_even - near_odd;
  out[3] = far_even + far_odd;
  out[4] = far_even - far_odd;
  out[5] = d[1] - 2.5f * d[3] + d[5];
}

// The transposed A, times six values.
SNIPER_INLINE void output_values(const Vector* m, Vector* out) {
  const Vector near_sum = m[1] + m[2], near_difference = m[1] - m[2];
  const Vector far_sum = m[3] + m[4], far_difference = m[3] - m[4];
  out[0] = m[0] + near_sum + far_sum;
  out[1] = kRoot * (0.5f * near_difference + far_difference);
  out[2] = 0.5f * near_sum + 2.0f * far_sum;
  out[3] = kRoot * (0.25f * near_difference + 2.0f * far_difference) + m[5];
}

}  // namespace

SNIPER_CLONES void winograd_data_transform(const float* cells, int64_t cell_columns, int tiles, float* out,
                                           int64_t point_stride, int64_t tile_stride) {
  for (int tile = 0; tile < tiles; ++tile) {
    const Vector* first = reinterpret_cast<const Vector*>(cells) + tile * kWinogradTile;
    Vector half[kWinogradPatch][kWinogradPatch];  // column by column
    for (int x = 0; x < kWinogradPatch; ++x) {
      Vector column[kWinogradPatch];
      for (int y = 0; y < kWinogradPatch; ++y) column[y] = first[y * cell_columns + x];
      data_points(column, half[x]);
    }
    for (int y = 0; y < kWinogradPatch; ++y) {
      Vector row[kWinogradPatch], points[kWinogradPatch];
      for (int x = 0; x < kWinogradPatch; ++x) row[x] = half[x][y];
      data_points(row, points);
      float* target = out + y * kWinogradPatch * point_stride + tile * tile_stride;
      for (int x = 0; x < kWinogradPatch; ++x) *reinterpret_cast<Vector*>(target + x * point_stride) = points[x];
    }
  }
}

SNIPER_CLONES void winograd_output_transform(const float* in, int64_t point_stride, int64_t tile_stride, int tiles,
                                             const float* bias, bool relu, float* cells) {
  const Vector shift = *reinterpret_cast<const Vector*>(bias);
  for (int tile = 0; tile < tiles; ++tile) {
    Vector half[kWinogradPatch][kWinogradTile];  // column by column
    for (int x = 0; x < kWinogradPatch; ++x) {
      Vector column[kWinogradPatch];
      for (int y = 0; y < kWinogradPatch; ++y) {
        const int64_t point = y * kWinogradPatch + x;
        column[y] = *reinterpret_cast<const Vector*>(in + point * point_stride + tile * tile_stride);
      }
      output_values(column, half[x]);
    }
    for (int y = 0; y < kWinogradTile; ++y) {
      Vector row[kWinogradPatch], values[kWinogradTile];
      for (int x = 0; x < kWinogradPatch; ++x) row[x] = half[x][y];
      output_values(row, values);
      Vector* target = reinterpret_cast<Vector*>(cells) + (y * tiles + tile) * kWinogradTile;
      for (int x = 0; x < kWinogradTile; ++x) {
        const Vector value = values[x] + shift, none = {};
        target[x] = relu ? (value < none ? none : value) : value;  // NaN stays NaN
      }
    }
  }
}

}  // namespace sniper
