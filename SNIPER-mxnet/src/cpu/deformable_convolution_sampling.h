// Reading a channel-last map at the points of one tap, and the adjoints: loops over a tile of output cells.
#ifndef SNIPER_CPU_DEFORMABLE_CONVOLUTION_SAMPLING_H_
#define SNIPER_CPU_DEFORMABLE_CONVOLUTION_SAMPLING_H_

#include <cstdint>
#include <vector>

#include "sniper/deformable_convolution.h"

namespace sniper {

// A channel-last map: channel c of cell i is at i * channels + c.
struct MapSize {
  int height, width, channels;
};

// Output cells [begin, begin + count) of one image, row by row.
struct CellTile {
  int64_t begin;
  int count;
  int out_width;
};

// Where one tap reads, for every cell of a tile.
struct TilePoint {
  int cells[4];      // top left, top right, bottom left, bottom right; cells[0] is -1 where the point is off the map
  float weights[4];  // of the values there
  float down, across;
};

// The points of tap `tap`, moved by the offset planes `rows` and `columns` of its deformable group (whole planes of the
// image's output), for the cells of the tile whose point lies on the map, or for all. Point i belongs to cell places[i]
// of the tile. Returns their number.
int tile_points(const DeformableConvolutionOptions& options, const CellTile& tile, int tap, const float* rows,
                const float* columns, const MapSize& size, bool all, TilePoint* points, int* places);

// out[i * out_stride + c] = value of channel c at point i, for `channels` channels from `map` on.
void sample_tile(const float* map, const MapSize& size, const TilePoint* points, int count, int channels, float* out,
                 int64_t out_stride);

// Adds weight * grad[i * grad_stride + c] to the four cells of point i: the adjoint of sample_tile. Channel c of cell j
// of the map is at map[j * map_stride + c].
void scatter_tile(const float* grad, int64_t grad_stride, const TilePoint* points, int count, int channels, float* map,
                  int64_t map_stride);

// down[places[i]], across[places[i]] += derivative of sum over c of grad[i * grad_stride + c] * value(i, c) with
// respect to moving point i down and across.
void slopes_tile(const float* map, const MapSize& size, const TilePoint* points, int count, int channels,
                 const float* grad, int64_t grad_stride, const int* places, float* down, float* across);

}  // namespace sniper

#endif  // SNIPER_CPU_DEFORMABLE_CONVOLUTION_SAMPLING_H_
