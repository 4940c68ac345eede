// A task is a few channels of one image: its part of the map, channel-last, stays in the cache while all rois of the
// image are pooled.
#include "cpu/roi_mean_pooling.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "cpu/aligned_buffer.h"
#include "cpu/channel_last.h"
#include "cpu/parallel.h"
#include "cpu/roi_images.h"

namespace sniper {
namespace {

const int kTaskChannels = 64;
const int kWide = 2;  // vectors of channels that are pooled at a time, in registers

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef int Places __attribute__((vector_size(kLanes * sizeof(int)), aligned(sizeof(int)), may_alias));

struct Task {
  int64_t image;
  int first, channels;
};

// Enough for all threads. The split cannot change a result: every element is computed by one task, in the order of the
// rois.
std::vector<Task> tasks_of(const RoiMeanInputs& in) {
  const int64_t pieces = std::max<int64_t>(1, (max_threads() + in.images - 1) / std::max<int64_t>(in.images, 1));
  const int share = padded_to_lanes(static_cast<int>((in.channels + pieces - 1) / pieces));
  const int width = std::max(std::min(share, int(kTaskChannels)), int(kLanes));
  std::vector<Task> tasks;
  for (int64_t image = 0; image < in.images; ++image) {
    for (int first = 0; first < in.channels; first += width) {
      tasks.push_back(Task{image, first, std::min(width, in.channels - first)});
    }
  }
  return tasks;
}

struct Scratch {
  AlignedBuffer map_buffer, grad_buffer, row_buffer;
  float* map;   // (cells, padded channels)
  float* grad;  // the same of its gradient
  float* row;   // of the output or its gradient, (padded channels,)
  std::vector<BinSpan> rows, columns;
};

// A channel-last map of a task: channel c of cell i is at i * stride + c.
void load_map(const RoiMeanInputs& in, const Task& task, int stride, float* map) {
  const int cells = static_cast<int>(in.cells());
  if (stride > task.channels) std::fill(map, map + in.cells() * stride, 0.0f);
  transpose(in.data + (task.image * in.channels + task.first) * in.cells(), task.channels, cells, in.cells(), map,
            stride);
}

void find_bins(const RoiMeanInputs& in, const RoiMeanOptions& options, int64_t roi, Scratch* scratch) {
  scratch->rows.resize(options.bin_rows);
  scratch->columns.resize(options.bin_columns);
  for (int i = 0; i < options.bin_rows; ++i) scratch->rows[i] = bin_rows(in.rois + 5 * roi, options, i, in.height);
  for (int i = 0; i < options.bin_columns; ++i) {
    scratch->columns[i] = bin_columns(in.rois + 5 * roi, options, i, in.width);
  }
}

// The bins of one roi on a map.
struct RoiBins {
  const BinSpan *rows, *columns;
  int num_rows, num_columns, width, stride;
};

template <int vectors>
SNIPER_INLINE void pool(const float* map, const RoiBins& bins, float* out) {
  Vector sum[vectors] = {};
  for (int i = 0; i < bins.num_rows; ++i) {
    const BinSpan rows = bins.rows[i];
    for (int j = 0; j < bins.num_columns; ++j) {
      const BinSpan columns = bins.columns[j];
      if (rows.first >= rows.last || columns.first >= columns.last) continue;
      Vector best[vectors];
      for (int v = 0; v < vectors; ++v) best[v] = Vector{} + kLeastValue;
      for (int y = rows.first; y < rows.last; ++y) {
        const float* cell = map + (static_cast<int64_t>(y) * bins.width + columns.first) * bins.stride;
        for (int x = columns.first; x < columns.last; ++x, cell += bins.stride) {
          const Vector* values = reinterpret_cast<const Vector*>(cell);
          for (int v = 0; v < vectors; ++v) best[v] = values[v] > best[v] ? values[v] : best[v];
        }
      }
      for (int v = 0; v < vectors; ++v) sum[v] += best[v];
    }
  }
  const float count = static_cast<float>(bins.num_rows * bins.num_columns);
  for (int v = 0; v < vectors; ++v) reinterpret_cast<Vector*>(out)[v] = sum[v] / count;
}

SNIPER_CLONES void pool_channels(const float* map, const RoiBins& bins, int channels, float* out) {
  int c = 0;
  for (; c + kWide * kLanes <= channels; c += kWide * kLanes) pool<kWide>(map + c, bins, out + c);
  for (; c < channels; c += kLanes) pool<1>(map + c, bins, out + c);
}

// Adds out_grad / bins to the place of each bin's largest value, for kLanes channels.
SNIPER_INLINE void spread(const float* map, const RoiBins& bins, const float* out_grad, float* grad) {
  const float count = static_cast<float>(bins.num_rows * bins.num_columns);
  float share[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) share[lane] = out_grad[lane] / count;
  for (int i = 0; i < bins.num_rows; ++i) {
    const BinSpan rows = bins.rows[i];
    for (int j = 0; j < bins.num_columns; ++j) {
      const BinSpan columns = bins.columns[j];
      Vector best = Vector{} + kLeastValue;
      Places places = Places{} - 1;
      for (int y = rows.first; y < rows.last; ++y) {
        for (int x = columns.first; x < columns.last; ++x) {
          const int cell = y * bins.width + x;
          const Vector value = *reinterpret_cast<const Vector*>(map + static_cast<int64_t>(cell) * bins.stride);
          const Places larger = value > best;
          best = larger ? value : best;
          places = larger ? Places{} + cell : places;
        }
      }
      int found[kLanes];
      std::memcpy(found, &places, sizeof found);
      for (int lane = 0; lane < kLanes; ++lane) {
        if (found[lane] >= 0) grad[static_cast<int64_t>(found[lane]) * bins.stride + lane] += share[lane];
      }
    }
  }
}

SNIPER_CLONES void spread_channels(const float* map, const RoiBins& bins, int channels, const float* out_grad,
                                   float* grad) {
  for (int c = 0; c < channels; c += kLanes) spread(map + c, bins, out_grad + c, grad + c);
}

// body(task, rois of its image, scratch with the task's map, channels padded) for all tasks.
template <typename Body>
void for_each_task(const RoiMeanInputs& in, const Body& body) {
  check_roi_images(in.rois, in.num_rois, in.images);
  const std::vector<std::vector<int64_t>> rois = rois_by_image(in.rois, in.num_rois, in.images);
  const std::vector<Task> tasks = tasks_of(in);
  parallel_for<Scratch>(static_cast<int64_t>(tasks.size()), [&](int64_t number, Scratch* scratch) {
    const Task& task = tasks[number];
    const int padded = padded_to_lanes(task.channels);
    scratch->map = scratch->map_buffer.reserve(in.cells() * padded);
    load_map(in, task, padded, scratch->map);
    scratch->row = scratch->row_buffer.reserve(padded);
    std::fill(scratch->row, scratch->row + padded, 0.0f);
    body(task, rois[task.image], scratch, padded);
  });
}

RoiBins bins_of(const RoiMeanInputs& in, const RoiMeanOptions& options, int64_t roi, int stride, Scratch* scratch) {
  find_bins(in, options, roi, scratch);
  return RoiBins{scratch->rows.data(), scratch->columns.data(), options.bin_rows, options.bin_columns, in.width,
                 stride};
}

}  // namespace

void roi_mean_forward_cpu(const RoiMeanInputs& in, const RoiMeanOptions& options, float* out) {
  for_each_task(in, [&](const Task& task, const std::vector<int64_t>& rois, Scratch* scratch, int padded) {
    for (const int64_t roi : rois) {
      pool_channels(scratch->map, bins_of(in, options, roi, padded, scratch), padded, scratch->row);
      std::copy(scratch->row, scratch->row + task.channels, out + roi * in.channels + task.first);
    }
  });
}

void roi_mean_backward_cpu(const RoiMeanInputs& in, const RoiMeanOptions& options, const float* out_grad,
                           float* data_grad) {
  for_each_task(in, [&](const Task& task, const std::vector<int64_t>& rois, Scratch* scratch, int padded) {
    scratch->grad = scratch->grad_buffer.reserve(in.cells() * padded);
    std::fill(scratch->grad, scratch->grad + in.cells() * padded, 0.0f);
    for (const int64_t roi : rois) {
      const float* row = out_grad + roi * in.channels + task.first;
      const auto is_zero = [](float value) { return value == 0.0f; };
      if (std::all_of(row, row + task.channels, is_zero)) continue;  // as of rois whose label is ignored
      std::copy(row, row + task.channels, scratch->row);
      spread_channels(scratch->map, bins_of(in, options, roi, padded, scratch), padded, scratch->row, scratch->grad);
    }
    const int64_t cells = in.cells();
    float* target = data_grad + (task.image * in.channels + task.first) * cells;
    for (int c = 0; c < task.channels; ++c) {
      for (int64_t cell = 0; cell < cells; ++cell) target[c * cells + cell] = scratch->grad[cell * padded + c];
    }
  });
}

}  // namespace sniper
