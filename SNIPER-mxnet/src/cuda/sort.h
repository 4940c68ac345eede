// Sorting on the device, by CUB's radix sort.
#ifndef SNIPER_CUDA_SORT_H_
#define SNIPER_CUDA_SORT_H_

#include <cstddef>
#include <cstdint>

#include "cuda/context.h"

namespace sniper {

// Two arrays of `count` for each, in device memory: the pairs stand in keys[0] and values[0], the others are room.
struct SortBuffers {
  uint64_t* keys[2];
  uint32_t* values[2];
  void* workspace;  // sort_workspace(count) bytes
};

struct SortedPairs {
  const uint64_t* keys;
  const uint32_t* values;
};

// How many bits tell `count` numbers from 0 on apart.
inline int bits_of(int64_t count) {
  int bits = 0;
  while (count > static_cast<int64_t>(1) << bits) ++bits;
  return bits;
}

// Bytes of working memory for sorting so many pairs. It does not wait for the device: only the device's properties
// matter.
size_t sort_workspace(int64_t count);

// Sorts by the lowest `bits` bits of the keys, ascending; equal keys keep their order. Returns the arrays that hold the
// result, known without waiting for it. At most 2^31 - 1 pairs.
SortedPairs sort_pairs(const CudaContext& context, const SortBuffers& buffers, int64_t count, int bits);

}  // namespace sniper

#endif  // SNIPER_CUDA_SORT_H_
