#include "cpu/deformable_convolution_sampling.h"

#include "cpu/channel_last.h"
#include "sniper/common.h"

namespace sniper {
namespace {

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));

SNIPER_INLINE const Vector& load(const float* place) { return *reinterpret_cast<const Vector*>(place); }
SNIPER_INLINE Vector& target(float* place) { return *reinterpret_cast<Vector*>(place); }

}  // namespace

int tile_points(const DeformableConvolutionOptions& options, const CellTile& tile, int tap, const float* rows,
                const float* columns, const MapSize& size, bool all, TilePoint* points, int* places) {
  const int tap_row = tap / options.kernel_w * options.dilate_h - options.pad_h;
  const int tap_column = tap % options.kernel_w * options.dilate_w - options.pad_w;
  int row = static_cast<int>(tile.begin / tile.out_width), column = static_cast<int>(tile.begin % tile.out_width);
  int count = 0;
  for (int i = 0; i < tile.count; ++i) {
    const float y = row * options.stride_h + tap_row + rows[tile.begin + i];
    const float x = column * options.stride_w + tap_column + columns[tile.begin + i];
    if (++column == tile.out_width) {
      column = 0;
      ++row;
    }
    BilinearPoint corners;
    const bool on_map = bilinear_point(y, x, size.height, size.width, &corners);
    if (!on_map && !all) continue;
    TilePoint& point = points[count];
    places[count++] = i;
    point.cells[0] = -1;
    if (!on_map) continue;
    point.cells[0] = corners.top * size.width + corners.left;
    point.cells[1] = corners.top * size.width + corners.right;
    point.cells[2] = corners.bottom * size.width + corners.left;
    point.cells[3] = corners.bottom * size.width + corners.right;
    const float up = 1.0f - corners.down, back = 1.0f - corners.across;
    point.weights[0] = up * back;
    point.weights[1] = up * corners.across;
    point.weights[2] = corners.down * back;
    point.weights[3] = corners.down * corners.across;
    point.down = corners.down;
    point.across = corners.across;
  }
  return count;
}

SNIPER_CLONES void sample_tile(const float* map, const MapSize& size, const TilePoint* points, int count, int channels,
                               float* out, int64_t out_stride) {
  for (int i = 0; i < count; ++i, out += out_stride) {
    const TilePoint& point = points[i];
    int c = 0;
    if (point.cells[0] < 0) {
      for (; c + kLanes <= channels; c += kLanes) target(out + c) = Vector{};
      for (; c < channels; ++c) out[c] = 0.0f;
      continue;
    }
    const float* in[4];
    for (int k = 0; k < 4; ++k) in[k] = map + static_cast<int64_t>(point.cells[k]) * size.channels;
    const float* weights = point.weights;
    for (; c + kLanes <= channels; c += kLanes) {
      target(out + c) = weights[0] * load(in[0] + c) + weights[1] * load(in[1] + c) + weights[2] * load(in[2] + c) +
                        weights[3] * load(in[3] + c);
    }
    for (; c < channels; ++c) {
      out[c] = weights[0] * in[0][c] + weights[1] * in[1][c] + weights[2] * in[2][c] + weights[3] * in[3][c];
    }
  }
}

SNIPER_CLONES void scatter_tile(const float* grad, int64_t grad_stride, const TilePoint* points, int count,
                                int channels, float* map, int64_t map_stride) {
  for (int i = 0; i < count; ++i, grad += grad_stride) {
    const TilePoint& point = points[i];
    if (point.cells[0] < 0) continue;
    for (int k = 0; k < 4; ++k) {  // one corner after the other: at the map's edge two of them are the same cell
      float* out = map + point.cells[k] * map_stride;
      int c = 0;
      for (; c + kLanes <= channels; c += kLanes) target(out + c) += point.weights[k] * load(grad + c);
      for (; c < channels; ++c) out[c] += point.weights[k] * grad[c];
    }
  }
}

SNIPER_CLONES void slopes_tile(const float* map, const MapSize& size, const TilePoint* points, int count, int channels,
                               const float* grad, int64_t grad_stride, const int* places, float* down, float* across) {
  for (int i = 0; i < count; ++i, grad += grad_stride) {
    const TilePoint& point = points[i];
    if (point.cells[0] < 0) continue;
    const float* in[4];
    for (int k = 0; k < 4; ++k) in[k] = map + static_cast<int64_t>(point.cells[k]) * size.channels;
    // Sums of grad times the differences along the four sides of the square between the cells.
    Vector left = {}, right = {}, top = {}, bottom = {};
    int c = 0;
    for (; c + kLanes <= channels; c += kLanes) {
      const Vector factor = load(grad + c);
      left += factor * (load(in[2] + c) - load(in[0] + c));
      right += factor * (load(in[3] + c) - load(in[1] + c));
      top += factor * (load(in[1] + c) - load(in[0] + c));
      bottom += factor * (load(in[3] + c) - load(in[2] + c));
    }
    const Vector along_y = left * (1.0f - point.across) + right * point.across;
    const Vector along_x = top * (1.0f - point.down) + bottom * point.down;
    float sum_y = 0.0f, sum_x = 0.0f;
    for (int lane = 0; lane < kLanes; ++lane) {
      sum_y += along_y[lane];
      sum_x += along_x[lane];
    }
    for (; c < channels; ++c) {
      sum_y += grad[c] * ((in[2][c] - in[0][c]) * (1.0f - point.across) + (in[3][c] - in[1][c]) * point.across);
      sum_x += grad[c] * ((in[1][c] - in[0][c]) * (1.0f - point.down) + (in[3][c] - in[2][c]) * point.down);
    }
    down[places[i]] += sum_y;
    across[places[i]] += sum_x;
  }
}

}  // namespace sniper
