#include "cpu/deformable_convolution.h"

#include <algorithm>
#include <vector>

#include "cpu/aligned_buffer.h"
#include "cpu/channel_last.h"
#include "cpu/deformable_convolution_sampling.h"
#include "cpu/gemm.h"
#include "cpu/parallel.h"

namespace sniper {
namespace {

// Cells of the data that a task rearranges channel-last.
const int64_t kCellsATask = 256;

// The most output cells of a tile and the most of its columns that are made at a time: together they fill a part of the
// L2 cache.
const int kMostCells = 256;
const int kMostDepth = 512;

// The fewest channels that move together for which it pays to leave out the cells whose point is off the map.
const int kLeastDepth = 32;

// The fewest output cells of a tile where tiles are made small so that every thread gets some.
const int kLeastCells = 28;

// Channels whose weights are packed at a time, so that they stay in the L1 cache meanwhile.
const int kPackedChannels = 16;

// Floats between the rows of a tile, so that they do not compete for the same sets of the L1 cache.
const int kRowPad = 16;

struct NoScratch {};

struct Scratch {
  std::vector<TilePoint> points;
  std::vector<int> places;  // of the points
  AlignedBuffer columns;    // (cells of the tile, depth of the chunk)
  AlignedBuffer product;    // (panels of the group's filters, cells of the tile, kPanel)
};

// The columns that are made at a time: taps [first_tap, first_tap + taps) of the channels [channel, channel + channels)
// of a group. `together`: one tap, of channels that move together. Cells whose point is off the map are then left out.
struct Chunk {
  int first_tap, taps, channel, channels;
  bool together;

  int depth() const { return taps * channels; }
};

// Chunks of whole taps, or of all parts of one after the other, so that what they read of the data stays in the cache.
// `shared` channels move together.
std::vector<Chunk> chunks_of(int taps, int channels, int shared) {
  std::vector<Chunk> chunks;
  const int common = std::min(shared, channels);
  const bool together = common >= kLeastDepth && channels % common == 0 && shared % common == 0;
  const int unit = together ? common : channels;
  const int parts = (unit + kMostDepth - 1) / kMostDepth * (channels / unit);
  const int step = together ? 1 : std::max(1, kMostDepth / channels);
  for (int part = 0; part < parts; ++part) {
    for (int tap = 0; tap < taps; tap += step) {
      const int begin = static_cast<int64_t>(channels) * part / parts;
      const int end = static_cast<int64_t>(channels) * (part + 1) / parts;
      chunks.push_back(Chunk{tap, std::min(step, taps - tap), begin, end - begin, together});
    }
  }
  return chunks;
}

// Tiles of an image: small enough for the caches, enough of them for the threads.
int64_t tiles_of(const DeformableConvolutionInputs& in, int64_t groups) {
  const int64_t cells = in.out_cells(), others = std::max<int64_t>(in.images * groups, 1);
  const int64_t for_threads = (2 * max_threads() + others - 1) / others, most = (cells + kLeastCells - 1) / kLeastCells;
  return std::max((cells + kMostCells - 1) / kMostCells, std::min(for_threads, most));
}

size_t maps_size(const DeformableConvolutionInputs& in) {
  return whole_lines(in.images * in.cells() * in.channels);
}

class Forward {
 public:
  Forward(const DeformableConvolutionInputs& in, const DeformableConvolutionOptions& options, float* workspace)
      : in_(in), options_(options), groups_(options.num_group), channels_(in.channels / options.num_group),
        filters_(options.num_filter / options.num_group), shared_(in.channels / options.num_deformable_group),
        rows_(options.taps() * channels_), chunks_(chunks_of(options.taps(), channels_, shared_)),
        tiles_(tiles_of(in, options.num_group)),
        maps_(workspace), packed_(workspace + maps_size(in)) {}

  void run(float* out) {
    const int deformable_groups = options_.num_deformable_group;
    cells_first(in_.data, in_.images * deformable_groups, shared_, in_.cells(), maps_, shared_);
    pack_weights();
    parallel_for<Scratch>(in_.images * groups_ * tiles_, [&](int64_t task, Scratch* scratch) {
      compute_tile(task / tiles_ / groups_, static_cast<int>(task / tiles_ % groups_), task % tiles_, scratch, out);
    });
  }

 private:
  int64_t first_row(const Chunk& chunk) const {  // of a panel: its rows are (tap, channel)
    return static_cast<int64_t>(chunk.first_tap) * channels_ + chunk.channel;
  }

  int panels() const { return (filters_ + kPanel - 1) / kPanel; }

  // Panel of filters [kPanel * panel, ...) of a group, rows (tap, channel); a last, narrower panel is stored so.
  Panel panel(int group, int panel) const {
    const int64_t first = static_cast<int64_t>(group) * filters_ + panel * kPanel;
    const int filters = std::min<int>(kPanel, filters_ - panel * kPanel);
    return Panel{packed_ + first * rows_, filters, static_cast<int>(rows_), nullptr};
  }

  // The rows of a panel that belong to chunk `number`. The next ones are those of the panel after it, or of the first
  // panel for the chunk after it.
  Panel chunk_panel(int group, size_t number, int panel_number) const {
    const Chunk& chunk = chunks_[number];
    Panel part = panel(group, panel_number);
    part.values += first_row(chunk) * part.stride;
    part.depth = chunk.depth();
    if (panel_number + 1 < panels()) {
      part.next = part.values + rows_ * part.stride;
    } else if (number + 1 < chunks_.size() && chunks_[number + 1].depth() >= part.depth) {
      part.next = panel(group, 0).values + first_row(chunks_[number + 1]) * part.stride;
    }
    return part;
  }

  void pack_weights() {
    const int taps = options_.taps();
    parallel_for<Scratch>(static_cast<int64_t>(groups_) * panels(), [&](int64_t task, Scratch* scratch) {
      const Panel target = panel(static_cast<int>(task / panels()), static_cast<int>(task % panels()));
      float* values = packed_ + (target.values - packed_);
      const float* weights = in_.weight + (target.values - packed_);
      float* turned = scratch->columns.reserve(kPackedChannels * taps * kPanel);  // (channels, taps, filters)
      for (int begin = 0; begin < channels_; begin += kPackedChannels) {
        const int count = std::min<int>(kPackedChannels, channels_ - begin);
        transpose(weights + begin * taps, static_cast<int>(target.stride), count * taps, rows_, turned, target.stride);
        const float* source = turned;
        for (int c = begin; c < begin + count; ++c) {
          for (int tap = 0; tap < taps; ++tap, source += target.stride) {
            std::copy(source, source + target.stride, values + (tap * channels_ + c) * target.stride);
          }
        }
      }
    });
    std::fill(packed_ + static_cast<int64_t>(options_.num_filter) * rows_,
              packed_ + static_cast<int64_t>(options_.num_filter) * rows_ + kPanel, 0.0f);
  }

  void compute_tile(int64_t image, int group, int64_t tile_number, Scratch* scratch, float* out) const {
    const int64_t cells = in_.out_cells();
    CellTile tile;
    tile.begin = cells * tile_number / tiles_;
    tile.count = static_cast<int>(cells * (tile_number + 1) / tiles_ - tile.begin);
    tile.out_width = in_.out_width;
    scratch->points.resize(tile.count);
    scratch->places.resize(tile.count);
    float* product = scratch->product.reserve(static_cast<size_t>(panels()) * tile.count * kPanel);
    start_product(group, tile.count, product);
    for (size_t c = 0; c < chunks_.size(); ++c) {
      const Chunk& chunk = chunks_[c];
      const int64_t stride = chunk.depth() + kRowPad;
      float* columns = scratch->columns.reserve(tile.count * stride);
      const int count = make_columns(image, group, tile, chunk, scratch, columns);
      const Rows rows = {columns, stride, count, nullptr, false};
      for (int p = 0; p < panels(); ++p) {
        float* target = product + static_cast<int64_t>(p) * tile.count * kPanel;
        multiply_panel(chunk_panel(group, c, p), rows, Product{target, kPanel, scratch->places.data(), true});
      }
    }
    const int64_t filter = image * options_.num_filter + static_cast<int64_t>(group) * filters_;
    for (int p = 0; p < panels(); ++p) {
      const int first = p * kPanel;
      transpose(product + static_cast<int64_t>(first) * tile.count, tile.count, std::min<int>(kPanel, filters_ - first),
                kPanel, out + (filter + first) * cells + tile.begin, cells);
    }
  }

  // Sets the product to the bias or to 0: chunks add to it, each to the cells that it has.
  void start_product(int group, int cells, float* product) const {
    std::fill(product, product + static_cast<size_t>(panels()) * cells * kPanel, 0.0f);
    if (in_.bias == nullptr) return;
    const float* bias = in_.bias + static_cast<int64_t>(group) * filters_;
    for (int f = 0; f < filters_; ++f) {
      float* column = product + static_cast<int64_t>(f / kPanel) * cells * kPanel + f % kPanel;
      for (int i = 0; i < cells; ++i) column[i * kPanel] = bias[f];
    }
  }

  // Rows of columns for the cells scratch->places of the tile. Returns their number.
  int make_columns(int64_t image, int group, const CellTile& tile, const Chunk& chunk, Scratch* scratch,
                   float* columns) const {
    const MapSize size = {in_.height, in_.width, shared_};
    const int64_t cells = in_.out_cells(), stride = chunk.depth() + kRowPad;
    const int first = group * channels_ + chunk.channel, last = first + chunk.channels;
    TilePoint* points = scratch->points.data();
    int count = 0;
    for (int channel = first; channel < last;) {
      const int g = channel / shared_, end = std::min(last, (g + 1) * shared_);
      const int64_t map = image * options_.num_deformable_group + g;
      const float* values = maps_ + map * in_.cells() * shared_ + channel % shared_;
      for (int tap = chunk.first_tap; tap < chunk.first_tap + chunk.taps; ++tap) {
        const float* shifts = in_.offset + (map * options_.taps() + tap) * 2 * cells;
        count = tile_points(options_, tile, tap, shifts, shifts + cells, size, !chunk.together, points,
                            scratch->places.data());
        sample_tile(values, size, points, count, end - channel,
                    columns + (tap - chunk.first_tap) * chunk.channels + channel - first, stride);
      }
      channel = end;
    }
    return count;
  }

  const DeformableConvolutionInputs& in_;
  const DeformableConvolutionOptions& options_;
  const int groups_, channels_, filters_;  // channels and filters of one group
  const int shared_;                       // channels that move together: of one deformable group
  const int64_t rows_;                     // of its packed weights
  const std::vector<Chunk> chunks_;
  const int64_t tiles_;
  float* maps_;    // (images, deformable groups, cells, shared_): the caches hold what a tile reads of it
  float* packed_;  // (groups, panels, rows_, filters of the panel)
};

}  // namespace

void cells_first(const float* maps, int64_t images, int channels, int64_t cells, float* out, int64_t stride) {
  const int64_t chunks = (cells + kCellsATask - 1) / kCellsATask;
  parallel_for<NoScratch>(images * chunks, [&](int64_t task, NoScratch*) {
    const int64_t image = task / chunks, begin = task % chunks * kCellsATask;
    transpose(maps + image * channels * cells + begin, channels,
              static_cast<int>(std::min(kCellsATask, cells - begin)), cells, out + (image * cells + begin) * stride,
              stride);
  });
}

size_t deformable_convolution_forward_workspace(const DeformableConvolutionInputs& in,
                                                const DeformableConvolutionOptions& options) {
  const size_t weights = static_cast<size_t>(options.num_filter) * (in.channels / options.num_group) * options.taps();
  return maps_size(in) + weights + kPanel;
}

void deformable_convolution_forward_cpu(const DeformableConvolutionInputs& in,
                                        const DeformableConvolutionOptions& options, float* workspace, float* out) {
  Forward(in, options, workspace).run(out);
}

}  // namespace sniper
