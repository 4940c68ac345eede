#include "cuda/channel_last.h"

#include <algorithm>

#include "cuda/launch.h"

namespace sniper {
namespace {

const int kTile = 32, kRows = 8;  // a block moves kTile x kTile floats, kRows rows of threads at a time
const int64_t kMaxGrid = 65535;   // blocks along y and z

// Through shared memory, so that both the read and the write are of neighbouring floats; its rows are one float longer
// than the tile to spread a column over all banks. Blocks go on where the grid is too small.
__global__ void __launch_bounds__(kTile* kRows)
    transpose_kernel(MapShape shape, bool to_channel_last, const float* in, float* out) {
  __shared__ float tile[kTile][kTile + 1];
  const int64_t cell0 = static_cast<int64_t>(blockIdx.x) * kTile, plane_step = shape.groups * shape.cells;
  const int x = static_cast<int>(threadIdx.x), y0 = static_cast<int>(threadIdx.y);
  for (int64_t map = blockIdx.z; map < shape.images * shape.groups; map += gridDim.z) {
    const int64_t planes = (map / shape.groups * shape.channels * shape.groups + map % shape.groups) * shape.cells;
    const int64_t lists = map * shape.cells * shape.channels;
    for (int channel0 = blockIdx.y * kTile; channel0 < shape.channels; channel0 += gridDim.y * kTile) {
      // Neighbouring threads take neighbouring cells on the side of the planes, channels on the other side.
      for (int y = y0; y < kTile; y += kRows) {
        const int64_t cell = cell0 + (to_channel_last ? x : y), channel = channel0 + (to_channel_last ? y : x);
        if (cell >= shape.cells || channel >= shape.channels) continue;
        const int64_t in_plane = planes + channel * plane_step + cell;
        const int64_t in_list = lists + cell * shape.channels + channel;
        tile[y][x] = in[to_channel_last ? in_plane : in_list];
      }
      __syncthreads();
      for (int y = y0; y < kTile; y += kRows) {
        const int64_t cell = cell0 + (to_channel_last ? y : x), channel = channel0 + (to_channel_last ? x : y);
        if (cell >= shape.cells || channel >= shape.channels) continue;
        const int64_t in_plane = planes + channel * plane_step + cell;
        const int64_t in_list = lists + cell * shape.channels + channel;
        out[to_channel_last ? in_list : in_plane] = tile[x][y];
      }
      __syncthreads();
    }
  }
}

void transpose(const CudaContext& context, const MapShape& shape, bool to_channel_last, const float* in, float* out) {
  const dim3 grid(blocks_for(shape.cells, kTile),
                  static_cast<unsigned int>(std::min<int64_t>((shape.channels + kTile - 1) / kTile, kMaxGrid)),
                  static_cast<unsigned int>(std::min<int64_t>(shape.images * shape.groups, kMaxGrid)));
  launch(transpose_kernel, grid, dim3(kTile, kRows), 0, context, shape, to_channel_last, in, out);
}

}  // namespace

void to_channel_last_cuda(const CudaContext& context, const MapShape& shape, const float* maps, float* out) {
  transpose(context, shape, true, maps, out);
}

void from_channel_last_cuda(const CudaContext& context, const MapShape& shape, const float* in, float* maps) {
  transpose(context, shape, false, in, maps);
}

}  // namespace sniper
