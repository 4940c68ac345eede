// A warp a prior computes the cross entropies, a radix sort ranks them image by image, and a block an image sums.
#include "cuda/multibox_loss.h"

#include "cuda/launch.h"
#include "cuda/sort.h"

namespace sniper {
namespace {

const int kThreads = 256;
const int kWarps = kThreads / kWarpSize;

struct ForwardMemory {
  float* losses;         // (B, P)
  SortBuffers pairs;     // (B * P): image, then rank of the loss; prior
  int32_t* positives;    // (B,)
  double* sums;          // (B, 2)

  ForwardMemory(Arena* arena, const MultiBoxInputs& in) {
    losses = arena->take<float>(in.rows());
    for (int i = 0; i < 2; ++i) {
      pairs.keys[i] = arena->take<uint64_t>(in.rows());
      pairs.values[i] = arena->take<uint32_t>(in.rows());
    }
    pairs.workspace = arena->take<char>(static_cast<int64_t>(sort_workspace(in.rows())));
    positives = arena->take<int32_t>(in.images);
    sums = arena->take<double>(2 * in.images);
  }
};

struct BackwardMemory {
  int32_t* positives;  // (B,)

  BackwardMemory(Arena* arena, const MultiBoxInputs& in) { positives = arena->take<int32_t>(in.images); }
};

template <typename T>
__device__ inline T warp_sum(T value) {
  for (int delta = kWarpSize / 2; delta > 0; delta /= 2) value += __shfl_xor_sync(kFullWarp, value, delta);
  return value;
}

// log(sum(exp)) of a row, the same for all lanes of the warp.
__device__ inline float log_sum(const float* logits, int classes) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  float largest = -INFINITY, odd = 0.0f;
  for (int c = lane; c < classes; c += kWarpSize) {
    largest = logits[c] > largest ? logits[c] : largest;
    odd += logits[c] - logits[c];
  }
  for (int delta = kWarpSize / 2; delta > 0; delta /= 2) {
    const float other = __shfl_xor_sync(kFullWarp, largest, delta);
    largest = other > largest ? other : largest;
  }
  float sum = 0.0f;
  for (int c = lane; c < classes; c += kWarpSize) sum += expf(logits[c] - largest);
  return logf(warp_sum(sum)) + largest + warp_sum(odd);
}

__device__ inline int64_t row_of_warp() {
  return static_cast<int64_t>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / kWarpSize;
}

__global__ void __launch_bounds__(kThreads) losses_kernel(MultiBoxInputs in, ForwardMemory memory) {
  const int64_t row = row_of_warp();
  if (row >= in.rows()) return;  // a warp leaves as a whole
  const float* logits = in.cls_pred + row * in.classes;
  const float sum = log_sum(logits, in.classes);
  if (threadIdx.x % kWarpSize != 0) return;
  const int target = target_class(in.cls_target[row], in.classes);
  const float loss = target >= 0 ? sum - logits[target] : is_unused(in.cls_target[row]) ? 0.0f : NAN;
  const int64_t image = row / in.priors;
  memory.losses[row] = loss;
  memory.pairs.keys[0][row] =
      static_cast<uint64_t>(image) << 32 | mining_order(in.cls_target[row] > 0 ? 0.0f : loss);
  memory.pairs.values[0][row] = static_cast<uint32_t>(row - image * in.priors);
}

__global__ void __launch_bounds__(kThreads) count_kernel(MultiBoxInputs in, int32_t* positives) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (row < in.rows() && in.cls_target[row] > 0) atomicAdd(positives + row / in.priors, 1);
}

// Place i of the sorted pairs is rank i % P of image i / P, because every image has as many.
__global__ void __launch_bounds__(kThreads)
    mark_kernel(MultiBoxInputs in, MultiBoxOptions options, SortedPairs pairs, const int32_t* positives, float* used) {
  const int64_t place = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (place >= in.rows()) return;
  const int64_t image = place / in.priors, row = image * in.priors + pairs.values[place];
  const bool mined = place % in.priors < num_negatives(positives[image], in.priors, options);
  used[row] = (mined && !is_unused(in.cls_target[row])) || in.cls_target[row] > 0 ? 1.0f : 0.0f;
}

// Sum over the threads of a block, in an order that is always the same; thread 0 gets it.
__device__ inline double block_sum(double value) {
  __shared__ double parts[kWarps];
  value = warp_sum(value);
  if (threadIdx.x % kWarpSize == 0) parts[threadIdx.x / kWarpSize] = value;
  __syncthreads();
  double sum = 0;
  for (int i = 0; i < kWarps; ++i) sum += parts[i];
  __syncthreads();
  return sum;
}

__global__ void __launch_bounds__(kThreads) sum_kernel(MultiBoxInputs in, ForwardMemory memory, const float* used) {
  const int64_t first = blockIdx.x * in.priors;
  double cls = 0, loc = 0;
  for (int64_t row = first + threadIdx.x; row < first + in.priors; row += kThreads) {
    if (used[row] == 0.0f) continue;
    cls += memory.losses[row];
    if (!(in.cls_target[row] > 0)) continue;
    for (int64_t i = 4 * row; i < 4 * row + 4; ++i) loc += smooth_l1(in.loc_pred[i] - in.loc_target[i]);
  }
  cls = block_sum(cls);
  loc = block_sum(loc);
  if (threadIdx.x != 0) return;
  memory.sums[2 * blockIdx.x] = cls;
  memory.sums[2 * blockIdx.x + 1] = loc;
}

__device__ inline int64_t positives_of_batch(const int32_t* positives, int64_t images) {
  int64_t total = 0;
  for (int64_t image = 0; image < images; ++image) total += positives[image];
  return total > 1 ? total : 1;
}

__global__ void total_kernel(MultiBoxInputs in, ForwardMemory memory, MultiBoxOutputs out) {
  const double count = static_cast<double>(positives_of_batch(memory.positives, in.images));
  double cls = 0, loc = 0;
  for (int64_t image = 0; image < in.images; ++image) {
    cls += memory.sums[2 * image];
    loc += memory.sums[2 * image + 1];
  }
  *out.cls_loss = static_cast<float>(cls / count);
  *out.loc_loss = static_cast<float>(loc / count);
}

__global__ void __launch_bounds__(kThreads)
    gradients_kernel(MultiBoxInputs in, const float* used, const int32_t* positives, const float* cls_grad,
                     const float* loc_grad, float* cls_pred_grad, float* loc_pred_grad) {
  const int64_t row = row_of_warp();
  if (row >= in.rows()) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const float count = static_cast<float>(positives_of_batch(positives, in.images));
  const float* logits = in.cls_pred + row * in.classes;
  const bool counts = used[row] != 0.0f, positive = in.cls_target[row] > 0;
  const float sum = counts ? log_sum(logits, in.classes) : 0.0f;
  const int target = target_class(in.cls_target[row], in.classes);
  for (int c = lane; c < in.classes; c += kWarpSize) {
    const float share = counts ? expf(logits[c] - sum) - (c == target ? 1.0f : 0.0f) : 0.0f;
    cls_pred_grad[row * in.classes + c] = counts ? *cls_grad / count * share : 0.0f;
  }
  if (lane >= 4) return;
  const int64_t i = 4 * row + lane;
  loc_pred_grad[i] = positive ? *loc_grad / count * smooth_l1_slope(in.loc_pred[i] - in.loc_target[i]) : 0.0f;
}

void count_positives(const CudaContext& context, const MultiBoxInputs& in, int32_t* positives) {
  fill_zero_cuda(context, positives, static_cast<size_t>(in.images) * sizeof(int32_t));
  launch(count_kernel, dim3(blocks_for(in.rows(), kThreads)), dim3(kThreads), 0, context, in, positives);
}

}  // namespace

void multibox_loss_cuda(const CudaContext& context, const MultiBoxInputs& in, const MultiBoxOptions& options,
                        const MultiBoxOutputs& out) {
  const ForwardMemory memory = scratch<ForwardMemory>(context, in);
  const dim3 threads(kThreads), rows(blocks_for(in.rows(), kThreads));
  count_positives(context, in, memory.positives);
  launch(losses_kernel, dim3(blocks_for(in.rows(), kWarps)), threads, 0, context, in, memory);
  const SortedPairs pairs = sort_pairs(context, memory.pairs, in.rows(), 32 + bits_of(in.images));
  launch(mark_kernel, rows, threads, 0, context, in, options, pairs, memory.positives, out.used);
  launch(sum_kernel, dim3(blocks_for(in.images, 1)), threads, 0, context, in, memory, out.used);
  launch(total_kernel, dim3(1), dim3(1), 0, context, in, memory, out);
}

void multibox_loss_backward_cuda(const CudaContext& context, const MultiBoxInputs& in, const float* used,
                                 const float* cls_grad, const float* loc_grad, float* cls_pred_grad,
                                 float* loc_pred_grad) {
  const BackwardMemory memory = scratch<BackwardMemory>(context, in);
  count_positives(context, in, memory.positives);
  launch(gradients_kernel, dim3(blocks_for(in.rows(), kWarps)), dim3(kThreads), 0, context, in, used, memory.positives,
         cls_grad, loc_grad, cls_pred_grad, loc_pred_grad);
}

}  // namespace sniper
