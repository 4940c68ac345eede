// Sums over the threads of a block. Included by .cu files only.
#ifndef SNIPER_CUDA_SCAN_H_
#define SNIPER_CUDA_SCAN_H_

#include "cuda/launch.h"

namespace sniper {

// For a block of kThreads (a multiple of 32): how many threads with a smaller index have `flag` set, and in `total` how
// many have it in all. All threads of the block must call it.
template <int kThreads>
__device__ inline int count_before(bool flag, int* total) {
  __shared__ int warp_counts[kThreads / kWarpSize];
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize, lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const unsigned int votes = __ballot_sync(kFullWarp, flag);
  if (lane == 0) warp_counts[warp] = __popc(votes);
  __syncthreads();
  int before = __popc(votes & ((1u << lane) - 1u)), sum = 0;
  for (int i = 0; i < kThreads / kWarpSize; ++i) {
    if (i < warp) before += warp_counts[i];
    sum += warp_counts[i];
  }
  __syncthreads();  // the counts may be overwritten by the next call
  *total = sum;
  return before;
}

}  // namespace sniper

#endif  // SNIPER_CUDA_SCAN_H_
