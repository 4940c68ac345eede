// The transforms of Winograd's F(4x4, 3x3) for a row of tiles, kLanes channels side by side.
#ifndef SNIPER_CPU_WINOGRAD_TRANSFORMS_H_
#define SNIPER_CPU_WINOGRAD_TRANSFORMS_H_

#include <cstdint>

namespace sniper {

enum { kWinogradTile = 4, kWinogradPatch = 6 };  // cells of an output tile and of the data it needs, along an axis

// cells (kWinogradPatch rows, cell_columns, kLanes) -> number p of tile t at out + p * point_stride + t * tile_stride,
// kLanes floats each. Tile t needs columns [4 t, 4 t + 6).
void winograd_data_transform(const float* cells, int64_t cell_columns, int tiles, float* out, int64_t point_stride,
                             int64_t tile_stride);

// Number p of tile t at in + p * point_stride + t * tile_stride -> cells (kWinogradTile rows, 4 * tiles, kLanes), plus
// bias (kLanes floats), negative ones 0 with relu.
void winograd_output_transform(const float* in, int64_t point_stride, int64_t tile_stride, int tiles,
                               const float* bias, bool relu, float* cells);

}  // namespace sniper

#endif  // SNIPER_CPU_WINOGRAD_TRANSFORMS_H_
