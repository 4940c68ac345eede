#include "cuda/sort.h"

#include "cuda/launch.h"

#if defined(SNIPER_CUDA_EMULATION)
#include <algorithm>
#include <vector>
#else
#include <cub/device/device_radix_sort.cuh>
#endif

namespace sniper {
namespace {

int checked_count(int64_t count) {
  if (count > 0x7fffffff) throw std::runtime_error("too many values to sort: " + std::to_string(count));
  return static_cast<int>(count);
}

}  // namespace

#if defined(SNIPER_CUDA_EMULATION)

size_t sort_workspace(int64_t) { return 1; }

SortedPairs sort_pairs(const CudaContext&, const SortBuffers& buffers, int64_t count, int bits) {
  const uint64_t mask = bits >= 64 ? ~0ull : (1ull << bits) - 1;
  std::vector<uint32_t> order(checked_count(count));
  for (int64_t i = 0; i < count; ++i) order[i] = static_cast<uint32_t>(i);
  const uint64_t* keys = buffers.keys[0];
  std::stable_sort(order.begin(), order.end(),
                   [=](uint32_t a, uint32_t b) { return (keys[a] & mask) < (keys[b] & mask); });
  for (int64_t i = 0; i < count; ++i) {
    buffers.keys[1][i] = keys[order[i]];
    buffers.values[1][i] = buffers.values[0][order[i]];
  }
  return SortedPairs{buffers.keys[1], buffers.values[1]};
}

#else

size_t sort_workspace(int64_t count) {
  cub::DoubleBuffer<uint64_t> keys(nullptr, nullptr);
  cub::DoubleBuffer<uint32_t> values(nullptr, nullptr);
  size_t bytes = 0;
  check_cuda(cub::DeviceRadixSort::SortPairs(nullptr, bytes, keys, values, checked_count(count)), "sizing a sort");
  return bytes > 0 ? bytes : 1;
}

SortedPairs sort_pairs(const CudaContext& context, const SortBuffers& buffers, int64_t count, int bits) {
  cub::DoubleBuffer<uint64_t> keys(buffers.keys[0], buffers.keys[1]);
  cub::DoubleBuffer<uint32_t> values(buffers.values[0], buffers.values[1]);
  if (count > 0) {
    size_t bytes = sort_workspace(count);
    check_cuda(cub::DeviceRadixSort::SortPairs(buffers.workspace, bytes, keys, values, checked_count(count), 0, bits,
                                               static_cast<cudaStream_t>(context.stream())),
               "sorting on the GPU");
  }
  return SortedPairs{keys.Current(), values.Current()};
}

#endif

}  // namespace sniper
