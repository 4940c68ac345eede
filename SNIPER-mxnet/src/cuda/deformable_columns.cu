// A block takes one tap (kernel position) of one deformable group for kCells neighbouring output cells. A thread works
// out where its cell reads once and then goes through every kSlices-th channel of the group: the lanes of a warp are
// neighbouring cells, so that offsets and columns are read and written in full lines, and the samples, which lie close
// together on the map, mostly from the cache.
#include "cuda/deformable_columns.h"

#include "cuda/launch.h"

namespace sniper {
namespace {

const int kCells = 32;   // of a block: one warp wide
const int kSlices = 8;   // threads that share a cell's channels

// What one thread works on.
struct Place {
  int64_t image;  // in the batch
  int64_t column;  // of the first channel, in columns
  int64_t offset;  // of the row shift, in offset; the column shift is a plane further
  int64_t map;     // of the first channel, in data
  int row, x, tap;
  bool valid;
};

__device__ inline Place place_of_thread(const DeformableConvolutionInputs& in,
                                        const DeformableConvolutionOptions& options, const ColumnTile& tile) {
  const int taps = options.taps(), groups = options.num_deformable_group;
  const int cell_blocks = (tile.cells + kCells - 1) / kCells;
  int64_t index = blockIdx.x;
  const int cell = static_cast<int>(index % cell_blocks) * kCells + static_cast<int>(threadIdx.x);
  index /= cell_blocks;
  Place place;
  place.tap = static_cast<int>(index % taps);
  index /= taps;
  const int group = static_cast<int>(index % groups);
  const int64_t image = index / groups, first_channel = static_cast<int64_t>(group) * (in.channels / groups);
  const int64_t out_cells = in.out_cells();
  place.valid = cell < tile.cells;
  place.image = tile.first_image + image;
  place.column = ((image * in.channels + first_channel) * taps + place.tap) * tile.cells + cell;
  place.offset = ((place.image * groups + group) * taps + place.tap) * 2 * out_cells + tile.first_cell + cell;
  place.map = (place.image * in.channels + first_channel) * in.height * in.width;
  place.row = (tile.first_cell + cell) / in.out_width;
  place.x = (tile.first_cell + cell) % in.out_width;
  return place;
}

// The four cells a point lies between, as places in a plane of the map, and their weights.
struct Corners {
  int places[4];  // top left, top right, bottom left, bottom right
  float weights[4];
  float down, across;
};

// False where the operator reads 0.
__device__ inline bool find_corners(const DeformableConvolutionInputs& in, const DeformableConvolutionOptions& options,
                                    const Place& place, Corners* corners) {
  const int64_t plane = in.out_cells();
  const int tap_row = place.tap / options.kernel_w * options.dilate_h - options.pad_h;
  const int tap_column = place.tap % options.kernel_w * options.dilate_w - options.pad_w;
  const float y = place.row * options.stride_h + tap_row + in.offset[place.offset];
  const float x = place.x * options.stride_w + tap_column + in.offset[place.offset + plane];
  BilinearPoint point;
  if (!bilinear_point(y, x, in.height, in.width, &point)) return false;
  const int rows[2] = {point.top * in.width, point.bottom * in.width}, columns[2] = {point.left, point.right};
  const float down[2] = {1.0f - point.down, point.down}, across[2] = {1.0f - point.across, point.across};
  for (int i = 0; i < 4; ++i) {
    corners->places[i] = rows[i / 2] + columns[i % 2];
    corners->weights[i] = down[i / 2] * across[i % 2];
  }
  corners->down = point.down;
  corners->across = point.across;
  return true;
}

__device__ inline float weighted(const Corners& corners, const float (&values)[4]) {
  float sum = corners.weights[0] * values[0];
  for (int i = 1; i < 4; ++i) sum = fmaf(corners.weights[i], values[i], sum);
  return sum;
}

__global__ void __launch_bounds__(kCells* kSlices)
    sample_kernel(DeformableConvolutionInputs in, DeformableConvolutionOptions options, ColumnTile tile,
                  float* columns) {
  const Place place = place_of_thread(in, options, tile);
  if (!place.valid) return;
  Corners corners;
  const bool on_map = find_corners(in, options, place, &corners);
  const int64_t plane = in.cells();
  const int64_t step = static_cast<int64_t>(options.taps()) * tile.cells;
  const int channels = in.channels / options.num_deformable_group;
  for (int c = threadIdx.y; c < channels; c += kSlices) {
    const float* map = in.data + place.map + c * plane;
    float value = 0.0f;
    if (on_map) {
      const float values[4] = {__ldg(map + corners.places[0]), __ldg(map + corners.places[1]),
                               __ldg(map + corners.places[2]), __ldg(map + corners.places[3])};
      value = weighted(corners, values);
    }
    columns[place.column + c * step] = value;
  }
}

__global__ void __launch_bounds__(kCells* kSlices)
    scatter_kernel(DeformableConvolutionInputs in, DeformableConvolutionOptions options, ColumnTile tile,
                   float* columns, float* data_grad, float* offset_grad) {
  __shared__ float down[kSlices][kCells], across[kSlices][kCells];
  const Place place = place_of_thread(in, options, tile);
  Corners corners;
  const bool on_map = place.valid && find_corners(in, options, place, &corners);
  const int64_t plane = in.cells();
  const int64_t step = static_cast<int64_t>(options.taps()) * tile.cells;
  const int channels = place.valid ? in.channels / options.num_deformable_group : 0;
  float sum_down = 0.0f, sum_across = 0.0f;
  for (int c = threadIdx.y; c < channels; c += kSlices) {
    float* column = columns + place.column + c * step;
    if (!on_map) {
      *column = 0.0f;
      continue;
    }
    const float* map = in.data + place.map + c * plane;
    float* target = data_grad + place.map + c * plane;
    const float grad = *column;
    float values[4];
    for (int i = 0; i < 4; ++i) {
      values[i] = __ldg(map + corners.places[i]);
      if (data_grad != nullptr) atomicAdd(target + corners.places[i], grad * corners.weights[i]);
    }
    *column = weighted(corners, values);
    const float right = values[1] - values[0], right_below = values[3] - values[2];
    const float below = values[2] - values[0], below_right = values[3] - values[1];
    sum_down = fmaf(grad, below + corners.across * (below_right - below), sum_down);
    sum_across = fmaf(grad, right + corners.down * (right_below - right), sum_across);
  }
  down[threadIdx.y][threadIdx.x] = sum_down;
  across[threadIdx.y][threadIdx.x] = sum_across;
  __syncthreads();
  if (!place.valid || threadIdx.y > 1 || offset_grad == nullptr) return;
  float sum = 0.0f;
  for (int slice = 0; slice < kSlices; ++slice) sum += (threadIdx.y == 0 ? down : across)[slice][threadIdx.x];
  const int64_t out_cells = in.out_cells();
  offset_grad[place.offset + threadIdx.y * out_cells] = sum;
}

dim3 grid_of(const DeformableConvolutionOptions& options, const ColumnTile& tile) {
  const int64_t cell_blocks = (tile.cells + kCells - 1) / kCells;
  return dim3(blocks_for(cell_blocks * options.taps() * options.num_deformable_group * tile.images, 1));
}

}  // namespace

void sample_columns_cuda(const CudaContext& context, const DeformableConvolutionInputs& in,
                         const DeformableConvolutionOptions& options, const ColumnTile& tile, float* columns) {
  launch(sample_kernel, grid_of(options, tile), dim3(kCells, kSlices), 0, context, in, options, tile, columns);
}

void scatter_columns_cuda(const CudaContext& context, const DeformableConvolutionInputs& in,
                          const DeformableConvolutionOptions& options, const ColumnTile& tile, float* columns,
                          float* data_grad, float* offset_grad) {
  launch(scatter_kernel, grid_of(options, tile), dim3(kCells, kSlices), 0, context, in, options, tile, columns,
         data_grad, offset_grad);
}

}  // namespace sniper
