// What operators build on, called by itself: barriers, warps and atomics of a small kernel, the sort, matrix products.
// In the two libraries of kernels only.
#include "interface.h"

#include "cuda/gemm.h"
#include "cuda/launch.h"
#include "cuda/sort.h"

namespace sniper {
namespace {

const int kThreads = 128;

// sums[0] += all values, sums[1] += the number of positive ones; result of a block by shuffles, shared memory, atomics.
__global__ void sum_kernel(const float* values, int64_t count, float* sums) {
  __shared__ float warp_sums[kThreads / kWarpSize];
  SNIPER_DYNAMIC_SHARED(int, positive);
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  float value = i < count ? values[i] : 0.0f;
  const unsigned int votes = __ballot_sync(kFullWarp, value > 0.0f);
  for (int delta = kWarpSize / 2; delta > 0; delta /= 2) value += __shfl_down_sync(kFullWarp, value, delta);
  if (threadIdx.x % kWarpSize == 0) {
    warp_sums[threadIdx.x / kWarpSize] = value;
    positive[threadIdx.x / kWarpSize] = __popc(votes);
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int warp = 1; warp < kThreads / kWarpSize; ++warp) {
    value += warp_sums[warp];
    positive[0] += positive[warp];
  }
  atomicAdd(sums, value);
  atomicAdd(sums + 1, static_cast<float>(positive[0]));
}

// Half of the block leaves before a barrier: the emulation has to say so.
__global__ void wrong_barrier_kernel(float* sums) {
  if (threadIdx.x % 2 == 0) return;
  __syncthreads();
  sums[0] = 1.0f;
}

struct SortScratch {
  SortBuffers buffers;
  SortScratch(Arena* arena, int64_t count) {
    for (int i = 0; i < 2; ++i) {
      buffers.keys[i] = arena->take<uint64_t>(count);
      buffers.values[i] = arena->take<uint32_t>(count);
    }
    buffers.workspace = arena->take<char>(static_cast<int64_t>(sort_workspace(count)));
  }
};

__global__ void copy_pairs_kernel(const uint64_t* keys, const uint32_t* values, int64_t count, uint64_t* to_keys,
                                  uint32_t* to_values) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  to_keys[i] = keys[i];
  to_values[i] = values[i];
}

}  // namespace
}  // namespace sniper

using namespace sniper;

SNIPER_FUNCTION(test_sum, (const float* values, int64_t count, float* sums)) {
  return guarded([&] {
    const CudaContext context = test_context();
    fill_zero_cuda(context, sums, 2 * sizeof(float));
    launch(sum_kernel, dim3(blocks_for(count, kThreads)), dim3(kThreads), kThreads / kWarpSize * sizeof(int), context,
           values, count, sums);
  });
}

SNIPER_FUNCTION(test_wrong_barrier, (float* sums)) {
  return guarded([&] { launch(wrong_barrier_kernel, dim3(2), dim3(64), 0, test_context(), sums); });
}

// In place.
SNIPER_FUNCTION(test_sort, (uint64_t* keys, uint32_t* values, int64_t count, int64_t bits)) {
  return guarded([&] {
    const CudaContext context = test_context();
    const SortScratch memory = scratch<SortScratch>(context, count);
    const dim3 grid(blocks_for(count, kThreads));
    launch(copy_pairs_kernel, grid, dim3(kThreads), 0, context, keys, values, count, memory.buffers.keys[0],
           memory.buffers.values[0]);
    const SortedPairs sorted = sort_pairs(context, memory.buffers, count, static_cast<int>(bits));
    launch(copy_pairs_kernel, grid, dim3(kThreads), 0, context, sorted.keys, sorted.values, count, keys, values);
  });
}

// `sizes`: rows, columns, inner, batch; matrices one after the other. tiled: the own kernel even where cuBLAS is.
SNIPER_FUNCTION(test_gemm, (const float* a, const float* b, float* c, const int* sizes, int64_t transpose_a,
                            int64_t transpose_b, double beta, int64_t tiled)) {
  return guarded([&] {
    Gemm problem = plain_gemm(transpose_a != 0, transpose_b != 0, sizes[0], sizes[1], sizes[2],
                              static_cast<float>(beta));
    problem.batch = sizes[3];
    problem.stride_a = static_cast<int64_t>(sizes[0]) * sizes[2];
    problem.stride_b = static_cast<int64_t>(sizes[2]) * sizes[1];
    problem.stride_c = static_cast<int64_t>(sizes[0]) * sizes[1];
    if (tiled) {
      tiled_gemm_cuda(test_context(), problem, a, b, c);
    } else {
      gemm_cuda(test_context(), problem, a, b, c);
    }
  });
}
