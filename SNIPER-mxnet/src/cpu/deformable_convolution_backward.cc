// Gradients of deformable convolution.
//
// Data and offsets: the gradient of the columns, weights^T x gradient of the output, is made for one tap and a run of
// at most kPanel channels at a time, and goes at once back to the cells and shifts it came from. A task owns its run's
// part of the data gradient. What the runs of a deformable group give to their common shifts is kept apart and added in
// order at the end.
// Weights: a task owns the gradient of a block of channels, and makes the columns for it again.
#include "cpu/deformable_convolution.h"

#include <algorithm>
#include <vector>

#include "cpu/aligned_buffer.h"
#include "cpu/channel_last.h"
#include "cpu/deformable_convolution_sampling.h"
#include "cpu/gemm.h"
#include "cpu/parallel.h"
#include "sniper/common.h"

namespace sniper {
namespace {

// Output cells of a tile. Their gradients go back to the data one tap after the other, so that the part of the data
// gradient around them stays in the caches.
const int kTileCells = 128;

// Output cells that one product sums over for the gradient of the weights.
const int kChunkCells = 256;

// Floats between the rows of a tile, so that they do not compete for the same sets of the L1 cache.
const int kRowPad = 16;

// The fewest filters of a task where tasks are divided so that every thread gets some.
const int kLeastFilters = 64;

struct NoScratch {};

// Channels that share a group of the convolution and a deformable group: at most kPanel of them.
struct Block {
  int begin, count, group;
};

// Consecutive blocks, at most kPanel channels in all, of one deformable group.
struct Run {
  int begin, count, deformable_group;
  std::vector<Block> blocks;
};

std::vector<Run> runs_of(int channels, const DeformableConvolutionOptions& options) {
  const int shared = channels / options.num_deformable_group, grouped = channels / options.num_group;
  std::vector<Run> runs;
  for (int begin = 0; begin < channels;) {
    Run run;
    run.begin = begin;
    run.deformable_group = begin / shared;
    const int end = std::min(begin + kPanel, (run.deformable_group + 1) * shared);
    run.count = end - begin;
    while (begin < end) {
      const int group = begin / grouped, block_end = std::min(end, (group + 1) * grouped);
      run.blocks.push_back(Block{begin, block_end - begin, group});
      begin = block_end;
    }
    runs.push_back(run);
  }
  return runs;
}

struct Scratch {
  std::vector<TilePoint> points;
  std::vector<int> places;  // of the points
  AlignedBuffer product;  // gradient of one tap's columns: (cells of the tile, kPanel)
  AlignedBuffer columns;  // (cells of the chunk, channels of the block)
  AlignedBuffer map;      // channel-last gradient of one run: (cells, channels of the run)
  AlignedBuffer sums;     // gradient of the weights: (taps, filters, kPanel)
};

int64_t grad_stride(const DeformableConvolutionOptions& options) { return options.num_filter + kRowPad; }

// Sizes of the parts of the working memory, in floats.
struct Parts {
  size_t maps;         // data: (images, runs, cells, channels of the run)
  size_t packed;       // weights: (blocks, taps, filters of a group, channels of the block)
  size_t last_grad;    // gradient of the output: (images, cells of the output, grad_stride)
  size_t shift_grads;  // (images, runs, taps, 2, cells of the output)
};

Parts parts_of(const DeformableConvolutionInputs& in, const DeformableConvolutionOptions& options, size_t runs) {
  Parts parts;
  const size_t filters = options.num_filter / options.num_group, taps = options.taps();
  parts.maps = whole_lines(in.images * in.cells() * in.channels);
  parts.packed = whole_lines(in.channels * filters * taps + kPanel);
  parts.last_grad = whole_lines(in.images * in.out_cells() * grad_stride(options));
  parts.shift_grads = in.images * runs * 2 * taps * in.out_cells();
  return parts;
}

class Backward {
 public:
  Backward(const DeformableConvolutionInputs& in, const DeformableConvolutionOptions& options, const float* out_grad,
           float* workspace, const DeformableConvolutionGradients& grads)
      : in_(in), options_(options), out_grad_(out_grad), grads_(grads),
        filters_(options.num_filter / options.num_group), taps_(options.taps()), cells_(in.out_cells()),
        runs_(runs_of(in.channels, options)) {
    const Parts parts = parts_of(in, options, runs_.size());
    maps_ = workspace;
    packed_ = maps_ + parts.maps;
    last_grad_ = packed_ + parts.packed;
    shift_grads_ = last_grad_ + parts.last_grad;
    packed_end_ = packed_ + parts.packed - kPanel;
  }

  void run() {
    rearrange_data();
    cells_first(out_grad_, in_.images, options_.num_filter, cells_, last_grad_, grad_stride(options_));
    if (grads_.data != nullptr || grads_.offset != nullptr) {
      pack_weights();
      const int64_t runs = runs_.size();
      parallel_for<Scratch>(in_.images * runs, [&](int64_t task, Scratch* scratch) {
        data_task(task / runs, task % runs, scratch);
      });
    }
    if (grads_.offset != nullptr) add_shift_grads();
    if (grads_.weight != nullptr) weight_tasks();
    if (grads_.bias != nullptr) bias_gradient();
  }

 private:
  void rearrange_data() {
    const int64_t runs = runs_.size();
    parallel_for<NoScratch>(in_.images * runs, [&](int64_t task, NoScratch*) {
      const Run& run = runs_[task % runs];
      const int64_t first = (task / runs * in_.channels + run.begin) * in_.cells();
      transpose(in_.data + first, run.count, static_cast<int>(in_.cells()), in_.cells(), maps_ + first, run.count);
    });
  }

  MapSize map_size(const Run& run) const { return MapSize{in_.height, in_.width, run.count}; }

  // The data of a block of the run, channel-last.
  const float* map(int64_t image, const Run& run, const Block& block) const {
    return maps_ + (image * in_.channels + run.begin) * in_.cells() + block.begin - run.begin;
  }

  // Gradients of all filters for an output cell; those of the next cell follow after grad_stride floats.
  const float* out_grad(int64_t image, int64_t cell) const {
    return last_grad_ + (image * cells_ + cell) * grad_stride(options_);
  }

  // Rows are the filters of the block's group, columns its channels.
  Panel panel(const Block& block, int tap) const {
    const int64_t size = static_cast<int64_t>(filters_) * block.count;
    const float* values = packed_ + static_cast<int64_t>(block.begin) * filters_ * taps_ + tap * size;
    return Panel{values, block.count, filters_, tap + 1 < taps_ ? values + size : nullptr};
  }

  // Weights of filter f of the block's group, of which the block has `count` x taps values.
  int64_t weight_place(const Block& block, int f) const {
    const int grouped = in_.channels / options_.num_group;
    const int64_t filter = static_cast<int64_t>(block.group) * filters_ + f;
    return (filter * grouped + block.begin % grouped) * taps_;
  }

  void pack_weights() {
    parallel_for<NoScratch>(runs_.size(), [&](int64_t r, NoScratch*) {
      for (const Block& block : runs_[r].blocks) {
        float* values = packed_ + (panel(block, 0).values - packed_);
        for (int f = 0; f < filters_; ++f) {
          transpose(in_.weight + weight_place(block, f), block.count, taps_, taps_, values + f * block.count,
                    static_cast<int64_t>(filters_) * block.count);
        }
      }
    });
    std::fill(packed_end_, packed_end_ + kPanel, 0.0f);
  }

  // Makes the points of the tile's cells that are on the map, and their places. Returns their number.
  int find_points(int64_t image, const Run& run, int tap, const CellTile& tile, Scratch* scratch) const {
    scratch->points.resize(std::max<size_t>(scratch->points.size(), tile.count));
    scratch->places.resize(scratch->points.size());
    const float* shifts =
        in_.offset + ((image * options_.num_deformable_group + run.deformable_group) * taps_ + tap) * 2 * cells_;
    return tile_points(options_, tile, tap, shifts, shifts + cells_, map_size(run), false, scratch->points.data(),
                       scratch->places.data());
  }

  void data_task(int64_t image, int64_t run_number, Scratch* scratch) {
    const Run& run = runs_[run_number];
    float* map_grad = scratch->map.reserve(in_.cells() * run.count);
    std::fill(map_grad, map_grad + in_.cells() * run.count, 0.0f);
    float* shift_grad = shift_grads_ + (image * runs_.size() + run_number) * 2 * taps_ * cells_;
    std::fill(shift_grad, shift_grad + 2 * taps_ * cells_, 0.0f);
    for (int64_t begin = 0; begin < cells_; begin += kTileCells) {
      const CellTile tile = {begin, static_cast<int>(std::min<int64_t>(kTileCells, cells_ - begin)), in_.out_width};
      for (int tap = 0; tap < taps_; ++tap) {
        data_tile(image, run, tile, tap, scratch, map_grad, shift_grad + 2 * tap * cells_ + begin);
      }
    }
    if (grads_.data == nullptr) return;
    float* target = grads_.data + (image * in_.channels + run.begin) * in_.cells();
    for (int64_t cell = 0; cell < in_.cells(); cell += kTileCells) {
      const int count = static_cast<int>(std::min<int64_t>(kTileCells, in_.cells() - cell));
      transpose(map_grad + cell * run.count, count, run.count, run.count, target + cell, in_.cells());
    }
  }

  // Adds what the tile gives to the run's part of the data gradient and to the shifts of the tap.
  void data_tile(int64_t image, const Run& run, const CellTile& tile, int tap, Scratch* scratch, float* map_grad,
                 float* shift_grad) {
    const int count = find_points(image, run, tap, tile, scratch);
    const TilePoint* points = scratch->points.data();
    const int* places = scratch->places.data();
    float* product = scratch->product.reserve(kTileCells * kPanel);
    for (const Block& block : run.blocks) {
      const float* rows = out_grad(image, tile.begin) + static_cast<int64_t>(block.group) * filters_;
      multiply_panel(panel(block, tap), Rows{rows, grad_stride(options_), count, places, false},
                     Product{product, kPanel, nullptr, false});
      scatter_tile(product, kPanel, points, count, block.count, map_grad + block.begin - run.begin, run.count);
      slopes_tile(map(image, run, block), map_size(run), points, count, block.count, product, kPanel, places,
                  shift_grad, shift_grad + cells_);
    }
  }

  void add_shift_grads() {
    const int64_t runs = runs_.size(), size = 2 * taps_ * cells_;
    parallel_for<NoScratch>(in_.images * options_.num_deformable_group, [&](int64_t task, NoScratch*) {
      float* target = grads_.offset + task * size;
      bool first = true;
      for (int64_t r = 0; r < runs; ++r) {
        if (runs_[r].deformable_group != task % options_.num_deformable_group) continue;
        const float* source = shift_grads_ + (task / options_.num_deformable_group * runs + r) * size;
        for (int64_t i = 0; i < size; ++i) target[i] = first ? source[i] : target[i] + source[i];
        first = false;
      }
    });
  }

  void weight_tasks() {
    struct Task {
      const Run* run;
      const Block* block;
    };
    std::vector<Task> tasks;
    for (const Run& run : runs_) {
      for (const Block& block : run.blocks) tasks.push_back(Task{&run, &block});
    }
    // More tasks where there are many threads: each then has a part of the filters. The sums are the same.
    const int blocks = static_cast<int>(tasks.size());
    const int parts = std::max(1, std::min((4 * max_threads() + blocks - 1) / blocks, filters_ / kLeastFilters));
    parallel_for<Scratch>(static_cast<int64_t>(blocks) * parts, [&](int64_t i, Scratch* scratch) {
      const Task& task = tasks[i / parts];
      const int part = static_cast<int>(i % parts);
      weight_task(*task.run, *task.block, static_cast<int64_t>(filters_) * part / parts,
                  static_cast<int64_t>(filters_) * (part + 1) / parts, scratch);
    });
  }

  // Filters [first, last) of the block's group.
  void weight_task(const Run& run, const Block& block, int first, int last, Scratch* scratch) {
    const int filters = last - first;
    float* columns = scratch->columns.reserve(std::min<int64_t>(kChunkCells, cells_) * block.count + kPanel);
    float* sums = scratch->sums.reserve(static_cast<size_t>(taps_) * filters * kPanel);
    for (int64_t image = 0; image < in_.images; ++image) {
      for (int64_t begin = 0; begin < cells_; begin += kChunkCells) {
        const CellTile tile = {begin, static_cast<int>(std::min<int64_t>(kChunkCells, cells_ - begin)), in_.out_width};
        const float* grads = out_grad(image, begin) + static_cast<int64_t>(block.group) * filters_ + first;
        for (int tap = 0; tap < taps_; ++tap) {
          const int count = find_points(image, run, tap, tile, scratch);
          sample_tile(map(image, run, block), map_size(run), scratch->points.data(), count, block.count, columns,
                      block.count);
          multiply_panel(Panel{columns, block.count, count, nullptr},
                         Rows{grads, grad_stride(options_), filters, scratch->places.data(), true},
                         Product{sums + static_cast<int64_t>(tap) * filters * kPanel, kPanel, nullptr,
                                 image + begin > 0});
        }
      }
    }
    for (int f = 0; f < filters; ++f) {
      transpose(sums + f * kPanel, taps_, block.count, static_cast<int64_t>(filters) * kPanel,
                grads_.weight + weight_place(block, first + f), taps_);
    }
  }

  void bias_gradient() {
    parallel_for<NoScratch>(options_.num_filter, [&](int64_t f, NoScratch*) {
      double sum = 0.0;
      for (int64_t image = 0; image < in_.images; ++image) {
        const float* values = out_grad_ + (image * options_.num_filter + f) * cells_;
        for (int64_t i = 0; i < cells_; ++i) sum += values[i];
      }
      grads_.bias[f] = static_cast<float>(sum);
    });
  }

  const DeformableConvolutionInputs& in_;
  const DeformableConvolutionOptions& options_;
  const float* out_grad_;
  const DeformableConvolutionGradients& grads_;
  const int filters_;  // of one group
  const int taps_;
  const int64_t cells_;  // of the output
  const std::vector<Run> runs_;
  float* maps_;         // the parts of the working memory
  float* packed_;
  float* packed_end_;
  float* last_grad_;
  float* shift_grads_;
};

}  // namespace

size_t deformable_convolution_backward_workspace(const DeformableConvolutionInputs& in,
                                                 const DeformableConvolutionOptions& options) {
  const Parts parts = parts_of(in, options, runs_of(in.channels, options).size());
  return parts.maps + parts.packed + parts.last_grad + parts.shift_grads;
}

void deformable_convolution_backward_cpu(const DeformableConvolutionInputs& in,
                                         const DeformableConvolutionOptions& options, const float* out_grad,
                                         float* workspace, const DeformableConvolutionGradients& grads) {
  Backward(in, options, out_grad, workspace, grads).run();
}

}  // namespace sniper
