#include "cuda/sort.h"

#include <cub/device/device_radix_sort.cuh>

#include "cuda/launch.h"

namespace sniper {
namespace {

int checked_count(int64_t count) {
  if (count > 0x7fffffff) throw std::runtime_error("too many values to sort: " + std::to_string(count));
  return static_cast<int>(count);
}

}  // namespace

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

}  // namespace sniper
