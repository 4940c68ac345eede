// What DeformablePSROIPooling's two kernels share: how outputs divide into tiles, and where a tile's bins sample.
// Included by psroi_pooling.cu only.
#ifndef SNIPER_CUDA_PSROI_TILES_H_
#define SNIPER_CUDA_PSROI_TILES_H_

#include "cuda/launch.h"
#include "sniper/psroi_pooling.h"
#include "sniper/roi_images.h"

namespace sniper {
namespace psroi {

const int kThreads = 256;
const int kTileBins = 64;
const int kTileChannels = 32;
const int kPiece = 4;  // samples of an axis whose taps are held at a time
const int kMaxBlocks = 1 << 30;

enum Axis { kRow = 0, kColumn = 1 };

// How the outputs of a call divide into tiles.
struct Tiling {
  int channels, channel_tiles;  // of one class
  int bins, bin_tiles;          // pooled_size^2; tiles of nearly equal size
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
__device__ inline int64_t offset_place(const PoolingInputs& in, const PoolingOptions& options, const Tile& tile,
                                       int bin) {
  const int size = options.part_size, pooled = options.pooled_size;
  const int row = part_of_bin((tile.first_bin + bin) / pooled, pooled, size);
  const int column = part_of_bin((tile.first_bin + bin) % pooled, pooled, size);
  return ((tile.roi * in.classes + tile.k) * 2 * size + row) * size + column;
}

// The image of the roi, or -1 if the batch has no such image.
__device__ inline int64_t image_of(const PoolingInputs& in, int64_t roi) {
  return image_of_roi(in.rois + 5 * roi, in.images);
}

// The threads share out the lists among them. The caller has to place a barrier after this.
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

// The taps of one piece of each axis' samples. The caller has to place a barrier before and one after.
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

// An element of the tile; neighbouring threads take neighbouring channels.
struct Item {
  int bin, channel;
  __device__ Item(const Tile& tile, int i) : bin(i / tile.channels), channel(i % tile.channels) {}
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

}  // namespace psroi
}  // namespace sniper

#endif  // SNIPER_CUDA_PSROI_TILES_H_
