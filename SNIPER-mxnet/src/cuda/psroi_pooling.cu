// A block computes a tile: up to kTileBins bins of one roi and class, for up to kTileChannels of the class's channels.
//
// The map is first made channel-last, and neighbouring threads take neighbouring channels of one bin: all lanes of a warp
// then read (or add to) neighbouring floats of the same cells with the same weights, whatever the roi's shape, where one
// thread an output element would touch 32 planes at scattered places. What a bin samples is the product of two lists of
// taps (sniper/psroi_pooling.h); one thread a list finds them for the whole tile, so that a warp's channels share
// them. Outputs pass through shared memory and leave in the order of the output.
#include "cuda/psroi_pooling.h"

#include "cuda/channel_last.h"
#include "cuda/launch.h"

namespace sniper {
namespace {

const int kThreads = 256;
const int kTileBins = 64;
const int kTileChannels = 32;
const int kPiece = 4;  // samples of an axis whose taps are held at a time
const int kMaxBlocks = 1 << 30;

enum Axis { kRow = 0, kColumn = 1 };

// How the outputs of a call divide into tiles.
struct Tiling {
  int channels;           // of one class
  int channel_tiles;      // of one class
  int bins, bin_tiles;    // pooled_size^2; tiles of nearly equal size
  int64_t total;

  Tiling(const PoolingInputs& in, const PoolingOptions& options)
      : channels(options.output_dim / in.classes),
        channel_tiles((channels + kTileChannels - 1) / kTileChannels),
        bins(options.pooled_size * options.pooled_size),
        bin_tiles((bins + kTileBins - 1) / kTileBins),
        total(in.num_rois * in.classes * channel_tiles * bin_tiles) {}

  unsigned int blocks() const { return static_cast<unsigned int>(total < kMaxBlocks ? total : kMaxBlocks); }
};

struct Tile {
  int64_t roi;
  int k, first_channel, channels, first_bin, bins;
};

__device__ inline Tile tile_at(const Tiling& tiling, int classes, int64_t index) {
  Tile tile;
  const int width = (tiling.bins + tiling.bin_tiles - 1) / tiling.bin_tiles;
  tile.first_bin = static_cast<int>(index % tiling.bin_tiles) * width;
  tile.bins = tiling.bins - tile.first_bin < width ? tiling.bins - tile.first_bin : width;
  index /= tiling.bin_tiles;
  tile.first_channel = static_cast<int>(index % tiling.channel_tiles) * kTileChannels;
  tile.channels = tiling.channels - tile.first_channel;
  tile.channels = tile.channels < kTileChannels ? tile.channels : kTileChannels;
  index /= tiling.channel_tiles;
  tile.k = static_cast<int>(index % classes);
  tile.roi = index / classes;
  return tile;
}

// Where the bins of a tile sample, in shared memory. List 2 * bin holds the rows of a bin, 2 * bin + 1 its columns.
struct Sampling {
  float start[2 * kTileBins], step[2 * kTileBins];
  int valid[2 * kTileBins];  // samples on the map
  int num_taps[2 * kTileBins];
  Tap taps[2 * kTileBins][2 * kPiece];

  __device__ float scale(int bin) const {
    const int count = valid[2 * bin + kRow] * valid[2 * bin + kColumn];
    return count > 0 ? 1.0f / count : 0.0f;
  }
};

// Where the x offset of the bin lies in trans; the y offset is one part_size x part_size plane further.
__device__ inline int64_t offset_place(const PoolingInputs& in, const PoolingOptions& options, const Tile& tile, int bin) {
  const int size = options.part_size, pooled = options.pooled_size;
  const int row = part_of_bin((tile.first_bin + bin) / pooled, pooled, size);
  const int column = part_of_bin((tile.first_bin + bin) % pooled, pooled, size);
  return ((tile.roi * in.classes + tile.k) * 2 * size + row) * size + column;
}

// The image of the roi, or -1 if the batch has no such image.
__device__ inline int64_t image_of(const PoolingInputs& in, int64_t roi) {
  const float image = in.rois[5 * roi];
  return image >= 0.0f && image < static_cast<float>(in.images) ? static_cast<int64_t>(image) : -1;
}

// Every thread takes lists; a barrier has to follow.
__device__ inline void place_samples(const PoolingInputs& in, const PoolingOptions& options, const Tile& tile,
                                     Sampling* sampling) {
  const RoiFrame frame = roi_frame(in.rois + 5 * tile.roi, options.spatial_scale);
  const int pooled = options.pooled_size, samples = options.sample_per_part;
  for (int list = threadIdx.x; list < 2 * tile.bins; list += kThreads) {
    const int bin = list / 2, at = tile.first_bin + bin;
    const bool is_row = list % 2 == kRow;
    float shift = 0.0f;
    if (in.trans != nullptr) {
      const int64_t plane = is_row ? static_cast<int64_t>(options.part_size) * options.part_size : 0;
      shift = in.trans[offset_place(in, options, tile, bin) + plane] * options.trans_std;
    }
    const float side = is_row ? frame.height : frame.width, origin = is_row ? frame.start_y : frame.start_x;
    const float bin_side = side / pooled;
    const float start = (is_row ? at / pooled : at % pooled) * bin_side + origin + shift * side;
    const float step = bin_side / samples;
    int valid = 0;
    for (int i = 0; i < samples; ++i) valid += is_on_axis(start + i * step, is_row ? in.height : in.width) ? 1 : 0;
    sampling->start[list] = start;
    sampling->step[list] = step;
    sampling->valid[list] = valid;
  }
}

// The taps of one piece of each axis' samples; barriers have to stand before and after.
__device__ inline void find_taps(const PoolingInputs& in, int samples, const Tile& tile, int first_row,
                                 int first_column, Sampling* sampling) {
  for (int list = threadIdx.x; list < 2 * tile.bins; list += kThreads) {
    const bool is_row = list % 2 == kRow;
    const int first = is_row ? first_row : first_column;
    const int last = first + kPiece < samples ? first + kPiece : samples;
    int valid;
    sampling->num_taps[list] = axis_taps(sampling->start[list], sampling->step[list], first, last,
                                         is_row ? in.height : in.width, sampling->taps[list], &valid);
  }
}

// First float of the tile's channels in the group that a bin reads, on a channel-last map.
__device__ inline int64_t map_place(const PoolingInputs& in, const PoolingOptions& options, const Tile& tile,
                                    int64_t image, int bin) {
  const int size = options.group_size, pooled = options.pooled_size, at = tile.first_bin + bin;
  const int group = group_of_bin(at / pooled, pooled, size) * size + group_of_bin(at % pooled, pooled, size);
  const int64_t cells = static_cast<int64_t>(in.height) * in.width;
  return (image * size * size + group) * cells * options.output_dim + tile.k * (options.output_dim / in.classes) +
         tile.first_channel;
}

// An element of the tile: a bin and a channel. Neighbouring threads take neighbouring channels.
struct Item {
  int bin, channel;
  __device__ Item(const Tile& tile, int index) : bin(index / tile.channels), channel(index % tile.channels) {}
};

// Calls visit(place, row tap, column tap) for every cell of the bin; place counts floats of a channel-last map.
template <typename Visit>
__device__ inline void for_each_cell(const Sampling& sampling, int bin, int width, int stride, const Visit& visit) {
  const Tap* rows = sampling.taps[2 * bin + kRow];
  const Tap* columns = sampling.taps[2 * bin + kColumn];
  const int num_rows = sampling.num_taps[2 * bin + kRow], num_columns = sampling.num_taps[2 * bin + kColumn];
  for (int i = 0; i < num_rows; ++i) {
    for (int j = 0; j < num_columns; ++j) {
      visit((static_cast<int64_t>(rows[i].index) * width + columns[j].index) * stride, rows[i], columns[j]);
    }
  }
}

// Place of the tile's element in the output: contiguous over the tile if it holds all bins.
__device__ inline int64_t output_place(const PoolingInputs& in, const PoolingOptions& options, const Tiling& tiling,
                                       const Tile& tile, int index) {
  const int64_t channel = tile.k * tiling.channels + tile.first_channel + index / tile.bins;
  return (tile.roi * options.output_dim + channel) * tiling.bins + tile.first_bin + index % tile.bins;
}

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
  Maps(Carver* carver, int64_t map_floats, int64_t grad_floats)
      : map(map_floats > 0 ? carver->take<float>(map_floats) : nullptr),
        grad(grad_floats > 0 ? carver->take<float>(grad_floats) : nullptr) {}
};

}  // namespace

void psroi_forward_cuda(const PoolingInputs& in, const PoolingOptions& options, const CudaContext& context, float* out) {
  const MapShape shape = map_shape(in, options);
  const Tiling tiling(in, options);
  if (tiling.total == 0) return;
  const Maps maps = scratch<Maps>(context, shape.count(), int64_t{0});
  to_channel_last_cuda(context, shape, in.data, maps.map);
  launch(forward_kernel, dim3(tiling.blocks()), dim3(kThreads), 0, context, in, options, tiling, maps.map, out);
}

void psroi_backward_cuda(const PoolingInputs& in, const PoolingOptions& options, const CudaContext& context,
                         const float* out_grad, float* data_grad, float* trans_grad) {
  const MapShape shape = map_shape(in, options);
  const Tiling tiling(in, options);
  const bool with_offsets = trans_grad != nullptr;
  const Maps maps = scratch<Maps>(context, with_offsets ? shape.count() : int64_t{0}, shape.count());
  if (with_offsets) {
    to_channel_last_cuda(context, shape, in.data, maps.map);
    const int64_t offsets = in.num_rois * in.classes * 2 * options.part_size * options.part_size;
    fill_zero_cuda(context, trans_grad, offsets * sizeof(float));
  }
  fill_zero_cuda(context, maps.grad, shape.count() * sizeof(float));
  launch(backward_kernel, dim3(tiling.blocks()), dim3(kThreads), 0, context, in, options, tiling, maps.map, out_grad,
         maps.grad, trans_grad);
  from_channel_last_cuda(context, shape, maps.grad, data_grad);
}

}  // namespace sniper
