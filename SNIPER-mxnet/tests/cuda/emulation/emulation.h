// Runs the grids of CUDA kernels on the CPU. CUDA's own vocabulary, which kernels use, is in cuda_runtime.h beside this
// file and made of the functions here.
//
// Blocks run one after the other. The threads of a block are fibers: each runs until it waits at a barrier or ends, and
// a warp goes as far as it can before the next one moves.
//
// A barrier that not all threads of the block reach, or that they reach on different lines, is an error here, where a
// GPU would hang or go on with damaged data. `set_reverse(true)` runs blocks and threads in descending order: a result
// that changes with the order has a race, such as a missing barrier. Shared memory is filled with garbage before each
// block.
#ifndef SNIPER_TESTS_CUDA_EMULATION_H_
#define SNIPER_TESTS_CUDA_EMULATION_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

struct dim3 {
  unsigned int x, y, z;
  dim3(unsigned int x_ = 1, unsigned int y_ = 1, unsigned int z_ = 1) : x(x_), y(y_), z(z_) {}
};

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace sniper {
namespace emulation {

// Runs `body` once for every thread of every block. Throws what a thread throws, and std::runtime_error for a barrier
// that cannot open, shared memory or block sizes beyond a GPU's.
void run_grid(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& body);

void set_reverse(bool reverse);

void* dynamic_shared();

void block_barrier(int line);

// Waits for all lanes of the warp; the values they brought, by lane. Those of lanes outside the mask `present`, which
// ended or do not exist, mean nothing. The array is good until the lane's next exchange.
struct WarpValues {
  const uint64_t* values;
  unsigned int present;
};
WarpValues warp_exchange(uint64_t value);

int lane();

template <typename T>
uint64_t to_bits(T value) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "warps exchange values of at most 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

template <typename T>
T from_bits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// The value of lane `source`; the own one where that lane is outside the warp.
template <typename T>
T shuffle(T value, int source) {
  const WarpValues warp = warp_exchange(to_bits(value));
  const bool valid = source >= 0 && source < 32 && (warp.present >> source & 1u);
  return valid ? from_bits<T>(warp.values[source]) : value;
}

inline unsigned int ballot(bool predicate) {
  const WarpValues warp = warp_exchange(predicate ? 1 : 0);
  unsigned int votes = 0;
  for (int i = 0; i < 32; ++i) votes |= static_cast<unsigned int>(warp.values[i] & 1u) << i;
  return votes & warp.present;
}

inline bool all(bool predicate) { return ballot(!predicate) == 0; }

// The value before, after writing `result` in its place.
template <typename T>
T replace(T* place, T result) {
  const T before = *place;
  *place = result;
  return before;
}

// A parameter of this type takes no part in finding T: atomicAdd(&count_of_int64, 1) is one of int64_t, as in CUDA.
template <typename T>
struct Same {
  typedef T Type;
};

}  // namespace emulation
}  // namespace sniper

#endif  // SNIPER_TESTS_CUDA_EMULATION_H_
