// A block pools one roi for kThreads channels, a thread each. The map is made channel-last first, so that the threads
// of a warp read neighbouring floats wherever the roi lies; its bins are found once a block.
#include "cuda/roi_mean_pooling.h"

#include "cuda/channel_last.h"
#include "cuda/launch.h"
#include "sniper/roi_images.h"

namespace sniper {
namespace {

const int kThreads = 128;

struct ForwardMemory {
  float* map;  // data channel-last

  ForwardMemory(Arena* arena, int64_t floats) { map = arena->take<float>(floats); }
};

struct BackwardMemory {
  float *map, *grad;

  BackwardMemory(Arena* arena, int64_t floats) {
    map = arena->take<float>(floats);
    grad = arena->take<float>(floats);
  }
};

// Where a bin's largest value lies, counted in cells; -1 if there is none.
struct Largest {
  float value;
  int cell;
};

// `channel`: the thread's channel of the cell 0, 0; cells are `stride` floats apart.
__device__ inline Largest largest_of(const float* __restrict__ channel, const BinSpan& rows, const BinSpan& columns,
                                     int width, int stride) {
  Largest best = {kLeastValue, -1};
  for (int y = rows.first; y < rows.last; ++y) {
    for (int x = columns.first; x < columns.last; ++x) {
      const int cell = y * width + x;
      const float value = __ldg(channel + static_cast<int64_t>(cell) * stride);
      if (value > best.value) best = Largest{value, cell};
    }
  }
  return best;
}

// The bins of the block's roi, in shared memory: first the rows, then the columns.
__device__ inline void find_bins(const RoiMeanInputs& in, const RoiMeanOptions& options, const float* roi,
                                 BinSpan* spans) {
  for (int i = threadIdx.x; i < options.bin_rows + options.bin_columns; i += kThreads) {
    spans[i] = i < options.bin_rows ? bin_rows(roi, options, i, in.height)
                                    : bin_columns(roi, options, i - options.bin_rows, in.width);
  }
  __syncthreads();
}

__global__ void __launch_bounds__(kThreads)
    forward_kernel(RoiMeanInputs in, RoiMeanOptions options, const float* __restrict__ map, float* out) {
  SNIPER_DYNAMIC_SHARED(BinSpan, spans);
  const int64_t roi = blockIdx.x;
  const int channel = static_cast<int>(blockIdx.y) * kThreads + static_cast<int>(threadIdx.x);
  find_bins(in, options, in.rois + 5 * roi, spans);
  if (channel >= in.channels) return;
  const int64_t image = image_of_roi(in.rois + 5 * roi, in.images);
  const float* values = map + (image < 0 ? 0 : image) * in.cells() * in.channels + channel;
  float sum = 0.0f;
  for (int i = 0; image >= 0 && i < options.bin_rows; ++i) {
    for (int j = 0; j < options.bin_columns; ++j) {
      const BinSpan rows = spans[i], columns = spans[options.bin_rows + j];
      if (rows.first >= rows.last || columns.first >= columns.last) continue;
      sum += largest_of(values, rows, columns, in.width, in.channels).value;
    }
  }
  out[roi * in.channels + channel] = sum / static_cast<float>(options.bins());
}

// map_grad: channel-last, zero before.
__global__ void __launch_bounds__(kThreads)
    backward_kernel(RoiMeanInputs in, RoiMeanOptions options, const float* __restrict__ map,
                    const float* __restrict__ out_grad, float* map_grad) {
  SNIPER_DYNAMIC_SHARED(BinSpan, spans);
  const int64_t roi = blockIdx.x;
  const int channel = static_cast<int>(blockIdx.y) * kThreads + static_cast<int>(threadIdx.x);
  find_bins(in, options, in.rois + 5 * roi, spans);
  const int64_t image = image_of_roi(in.rois + 5 * roi, in.images);
  if (channel >= in.channels || image < 0) return;
  const float share = out_grad[roi * in.channels + channel] / static_cast<float>(options.bins());
  if (share == 0.0f) return;
  const int64_t first = image * in.cells() * in.channels + channel;
  for (int i = 0; i < options.bin_rows; ++i) {
    for (int j = 0; j < options.bin_columns; ++j) {
      const Largest found = largest_of(map + first, spans[i], spans[options.bin_rows + j], in.width, in.channels);
      if (found.cell < 0) continue;
      atomicAdd(map_grad + first + static_cast<int64_t>(found.cell) * in.channels, share);
    }
  }
}

MapShape map_shape(const RoiMeanInputs& in) { return MapShape{in.images, 1, in.channels, in.cells()}; }

dim3 grid_of(const RoiMeanInputs& in) {
  return dim3(blocks_for(in.num_rois, 1), blocks_for(in.channels, kThreads));
}

size_t shared_bytes(const RoiMeanOptions& options) {
  return static_cast<size_t>(options.bin_rows + options.bin_columns) * sizeof(BinSpan);
}

}  // namespace

void roi_mean_forward_cuda(const CudaContext& context, const RoiMeanInputs& in, const RoiMeanOptions& options,
                           float* out) {
  if (in.num_rois == 0 || in.channels == 0) return;
  const MapShape shape = map_shape(in);
  const ForwardMemory memory = scratch<ForwardMemory>(context, shape.count());
  to_channel_last_cuda(context, shape, in.data, memory.map);
  launch(forward_kernel, grid_of(in), dim3(kThreads), shared_bytes(options), context, in, options, memory.map, out);
}

void roi_mean_backward_cuda(const CudaContext& context, const RoiMeanInputs& in, const RoiMeanOptions& options,
                            const float* out_grad, float* data_grad) {
  const MapShape shape = map_shape(in);
  if (shape.count() == 0) return;
  const BackwardMemory memory = scratch<BackwardMemory>(context, shape.count());
  to_channel_last_cuda(context, shape, in.data, memory.map);
  fill_zero_cuda(context, memory.grad, shape.count() * sizeof(float));
  launch(backward_kernel, grid_of(in), dim3(kThreads), shared_bytes(options), context, in, options, memory.map,
         out_grad, memory.grad);
  from_channel_last_cuda(context, shape, memory.grad, data_grad);
}

}  // namespace sniper
