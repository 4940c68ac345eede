// CUB's radix sort of pairs as src/cuda/sort.cu calls it, by the standard library's stable sort.
#ifndef SNIPER_TESTS_CUDA_DEVICE_RADIX_SORT_CUH_
#define SNIPER_TESTS_CUDA_DEVICE_RADIX_SORT_CUH_

#include <algorithm>
#include <vector>

#include "cuda_runtime.h"

namespace cub {

// Two buffers, of which `selector` holds the values and the other is room.
template <typename T>
struct DoubleBuffer {
  T* d_buffers[2];
  int selector;

  DoubleBuffer(T* current, T* alternate) : d_buffers{current, alternate}, selector(0) {}
  T* Current() const { return d_buffers[selector]; }
  T* Alternate() const { return d_buffers[1 - selector]; }
};

struct DeviceRadixSort {
  // Sorts by the bits from `begin_bit` up to `end_bit` of the keys; without a workspace it only says how large one is.
  template <typename Key, typename Value>
  static cudaError_t SortPairs(void* workspace, size_t& bytes, DoubleBuffer<Key>& keys, DoubleBuffer<Value>& values,
                               int count, int begin_bit = 0, int end_bit = sizeof(Key) * 8, cudaStream_t = nullptr) {
    bytes = 1;
    if (workspace == nullptr) return cudaSuccess;
    const Key bits = end_bit - begin_bit >= static_cast<int>(sizeof(Key) * 8) ? ~Key{0}
                                                                              : (Key{1} << (end_bit - begin_bit)) - 1;
    const Key* unsorted = keys.Current();
    std::vector<int> order(count);
    for (int i = 0; i < count; ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [=](int a, int b) {
      return (unsorted[a] >> begin_bit & bits) < (unsorted[b] >> begin_bit & bits);
    });
    for (int i = 0; i < count; ++i) {
      keys.Alternate()[i] = unsorted[order[i]];
      values.Alternate()[i] = values.Current()[order[i]];
    }
    keys.selector ^= 1;
    values.selector ^= 1;
    return cudaSuccess;
  }
};

}  // namespace cub

#endif  // SNIPER_TESTS_CUDA_DEVICE_RADIX_SORT_CUH_
