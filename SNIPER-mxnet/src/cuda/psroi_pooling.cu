// A block computes a tile: up to kTileBins bins of one roi and class, for up to kTileChannels of the class's channels.
//
// The map is first made channel-last, and neighbouring threads take neighbouring channels of one bin: the lanes of a
// warp then read (or add to) neighbouring floats of the same cells with the same weights, whatever the roi's shape.
// One thread an output element in the output's order would touch other cells in every lane. What a bin samples is the
// product of two lists of taps (sniper/psroi_pooling.h); one thread a list finds them for the whole tile, so that
// channels share them. Outputs pass through shared memory and leave in the order of the output.
#include "cuda/psroi_pooling.h"

#include "cuda/channel_last.h"
#include "cuda/launch.h"
#include "cuda/psroi_tiles.h"

namespace sniper {
namespace psroi {
namespace {

typedef float TileValues[kTileChannels][kTileBins + 1];  // an odd row length spreads channels over the banks

__global__ void __launch_bounds__(kThreads)
    forward_kernel(PoolingInputs in, PoolingOptions options, Tiling tiling, const float* __restrict__ map, float* out) {
  __shared__ Sampling sampling;
  __shared__ TileValues sums;
  const int samples = options.sample_per_part;
  for (int64_t index = blockIdx.x; index < tiling.total; index += gridDim.x) {
    const Tile tile = tile_at(tiling, in.classes, index);
    const int64_t image = image_of(in, tile.roi);
    const int items = tile.bins * tile.channels;
    place_samples(in, options, tile, &sampling);
    for (int i = threadIdx.x; i < items; i += kThreads) sums[i % tile.channels][i / tile.channels] = 0.0f;
    for (int piece_row = 0; image >= 0 && piece_row < samples; piece_row += kPiece) {
      for (int piece_column = 0; piece_column < samples; piece_column += kPiece) {
        __syncthreads();
        find_taps(in, samples, tile, piece_row, piece_column, &sampling);
        __syncthreads();
        for (int i = threadIdx.x; i < items; i += kThreads) {
          const Item item(tile, i);
          const float* channel = map + map_place(in, options, tile, image, item.bin) + item.channel;
          float sum = 0.0f;
          for_each_cell(sampling, item.bin, in.width, options.output_dim,
                        [&](int64_t place, const Tap& row, const Tap& column) {
                          sum = fmaf(row.weight * column.weight, __ldg(channel + place), sum);
                        });
          sums[item.channel][item.bin] += sum;
        }
      }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < items; i += kThreads) {
      const int bin = i % tile.bins;
      out[output_place(in, options, tiling, tile, i)] = sums[i / tile.bins][bin] * sampling.scale(bin);
    }
    __syncthreads();
  }
}

// Adds the tile's slopes, summed over its channels, to the gradient of the offsets.
__device__ inline void add_trans_gradient(const PoolingInputs& in, const PoolingOptions& options, const Tile& tile,
                                          const TileValues& along_x, const TileValues& along_y, float* trans_grad) {
  const RoiFrame frame = roi_frame(in.rois + 5 * tile.roi, options.spatial_scale);
  for (int list = threadIdx.x; list < 2 * tile.bins; list += kThreads) {
    const int bin = list / 2;
    const bool is_row = list % 2 == kRow;
    float sum = 0.0f;
    for (int channel = 0; channel < tile.channels; ++channel) sum += (is_row ? along_y : along_x)[channel][bin];
    const int64_t plane = is_row ? static_cast<int64_t>(options.part_size) * options.part_size : 0;
    atomicAdd(trans_grad + offset_place(in, options, tile, bin) + plane,
              sum * options.trans_std * (is_row ? frame.height : frame.width));
  }
}

// map_grad: channel-last, zero before. map and trans_grad (zero before) are null without offsets. An element of the
// tile belongs to one thread throughout, which keeps its sums in the place of its own output gradient.
__global__ void __launch_bounds__(kThreads)
    backward_kernel(PoolingInputs in, PoolingOptions options, Tiling tiling, const float* __restrict__ map,
                    const float* __restrict__ out_grad, float* map_grad, float* trans_grad) {
  __shared__ Sampling sampling;
  __shared__ TileValues grads, along_x, along_y;
  const int samples = options.sample_per_part;
  for (int64_t index = blockIdx.x; index < tiling.total; index += gridDim.x) {
    const Tile tile = tile_at(tiling, in.classes, index);
    const int64_t image = image_of(in, tile.roi);
    if (image < 0) continue;
    const int items = tile.bins * tile.channels;
    place_samples(in, options, tile, &sampling);
    __syncthreads();
    for (int i = threadIdx.x; i < items; i += kThreads) {
      const int channel = i / tile.bins, bin = i % tile.bins;
      grads[channel][bin] = out_grad[output_place(in, options, tiling, tile, i)] * sampling.scale(bin);
      along_x[channel][bin] = along_y[channel][bin] = 0.0f;
    }
    for (int piece_row = 0; piece_row < samples; piece_row += kPiece) {
      for (int piece_column = 0; piece_column < samples; piece_column += kPiece) {
        __syncthreads();
        find_taps(in, samples, tile, piece_row, piece_column, &sampling);
        __syncthreads();
        for (int i = threadIdx.x; i < items; i += kThreads) {
          const Item item(tile, i);
          const int64_t first = map_place(in, options, tile, image, item.bin) + item.channel;
          const float grad = grads[item.channel][item.bin];
          float x = 0.0f, y = 0.0f;
          for_each_cell(sampling, item.bin, in.width, options.output_dim,
                        [&](int64_t place, const Tap& row, const Tap& column) {
                          atomicAdd(map_grad + first + place, grad * (row.weight * column.weight));
                          if (trans_grad == nullptr) return;
                          const float value = __ldg(map + first + place);
                          x = fmaf(row.weight * column.slope, value, x);
                          y = fmaf(row.slope * column.weight, value, y);
                        });
          along_x[item.channel][item.bin] += x * grad;
          along_y[item.channel][item.bin] += y * grad;
        }
      }
    }
    __syncthreads();
    if (trans_grad != nullptr) add_trans_gradient(in, options, tile, along_x, along_y, trans_grad);
    __syncthreads();
  }
}

MapShape map_shape(const PoolingInputs& in, const PoolingOptions& options) {
  return MapShape{in.images, options.group_size * options.group_size, options.output_dim,
                  static_cast<int64_t>(in.height) * in.width};
}

struct Maps {
  float* map;  // data channel-last; null if not wanted
  float* grad;
  Maps(Arena* arena, int64_t map_floats, int64_t grad_floats)
      : map(map_floats > 0 ? arena->take<float>(map_floats) : nullptr),
        grad(grad_floats > 0 ? arena->take<float>(grad_floats) : nullptr) {}
};

}  // namespace
}  // namespace psroi

void psroi_forward_cuda(const PoolingInputs& in, const PoolingOptions& options, const CudaContext& context,
                        float* out) {
  const MapShape shape = psroi::map_shape(in, options);
  const psroi::Tiling tiling(in, options);
  if (tiling.total == 0) return;
  const psroi::Maps maps = scratch<psroi::Maps>(context, shape.count(), int64_t{0});
  to_channel_last_cuda(context, shape, in.data, maps.map);
  launch(psroi::forward_kernel, dim3(tiling.blocks()), dim3(psroi::kThreads), 0, context, in, options, tiling, maps.map,
         out);
}

void psroi_backward_cuda(const PoolingInputs& in, const PoolingOptions& options, const CudaContext& context,
                         const float* out_grad, float* data_grad, float* trans_grad) {
  const MapShape shape = psroi::map_shape(in, options);
  const psroi::Tiling tiling(in, options);
  const bool with_offsets = trans_grad != nullptr;
  const psroi::Maps maps = scratch<psroi::Maps>(context, with_offsets ? shape.count() : int64_t{0}, shape.count());
  if (with_offsets) {
    to_channel_last_cuda(context, shape, in.data, maps.map);
    const int64_t offsets = in.num_rois * in.classes * 2 * options.part_size * options.part_size;
    fill_zero_cuda(context, trans_grad, offsets * sizeof(float));
  }
  fill_zero_cuda(context, maps.grad, shape.count() * sizeof(float));
  launch(psroi::backward_kernel, dim3(tiling.blocks()), dim3(psroi::kThreads), 0, context, in, options, tiling,
         maps.map, out_grad, maps.grad, trans_grad);
  from_channel_last_cuda(context, shape, maps.grad, data_grad);
}

}  // namespace sniper
