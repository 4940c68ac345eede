// CUDA's vocabulary for a plain C++ compiler, so that kernels run on the CPU in tests. Not part of the shipped library.
//
// Blocks run one after the other. The threads of a block are fibers: each runs until it waits at a barrier or ends, and
// a warp goes as far as it can before the next one moves.
// A barrier that not all threads of the block reach, or that they reach on different lines, is an error here, where a
// GPU would hang or go on with damaged data. `set_reverse(true)` runs blocks and threads in descending order: a result
// that changes with the order has a race, such as a missing barrier. Shared memory is filled with garbage before each
// block.
#ifndef SNIPER_CUDA_EMULATION_H_
#define SNIPER_CUDA_EMULATION_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

struct dim3 {
  unsigned int x, y, z;
  dim3(unsigned int x_ = 1, unsigned int y_ = 1, unsigned int z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct float2 { float x, y; };
struct float4 { float x, y, z, w; };
struct int2 { int x, y; };
struct int4 { int x, y, z, w; };
struct uint2 { unsigned int x, y; };
inline float2 make_float2(float x, float y) { return float2{x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return float4{x, y, z, w}; }
inline int2 make_int2(int x, int y) { return int2{x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return int4{x, y, z, w}; }
inline uint2 make_uint2(unsigned int x, unsigned int y) { return uint2{x, y}; }

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

// In C++, unlike CUDA, a literal of another type must not decide the type of an atomic operation.
template <typename T>
struct Same {
  typedef T Type;
};

}  // namespace emulation
}  // namespace sniper

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static

#define __syncthreads() ::sniper::emulation::block_barrier(__LINE__)
#define __syncwarp(...) static_cast<void>(::sniper::emulation::warp_exchange(0))
#define __shfl_sync(mask, value, source) ::sniper::emulation::shuffle(value, source)
#define __shfl_down_sync(mask, value, delta) \
  ::sniper::emulation::shuffle(value, ::sniper::emulation::lane() + static_cast<int>(delta))
#define __shfl_up_sync(mask, value, delta) \
  ::sniper::emulation::shuffle(value, ::sniper::emulation::lane() - static_cast<int>(delta))
#define __shfl_xor_sync(mask, value, lanes) \
  ::sniper::emulation::shuffle(value, ::sniper::emulation::lane() ^ static_cast<int>(lanes))
#define __ballot_sync(mask, predicate) ::sniper::emulation::ballot(predicate)
#define __any_sync(mask, predicate) (::sniper::emulation::ballot(predicate) != 0)
#define __all_sync(mask, predicate) ::sniper::emulation::all(predicate)

#define SNIPER_EMULATED_ATOMIC(name, expression)                                       \
  template <typename T>                                                                \
  T name(T* place, typename ::sniper::emulation::Same<T>::Type value) {                \
    return ::sniper::emulation::replace<T>(place, static_cast<T>(expression));         \
  }
SNIPER_EMULATED_ATOMIC(atomicAdd, *place + value)
SNIPER_EMULATED_ATOMIC(atomicSub, *place - value)
SNIPER_EMULATED_ATOMIC(atomicMax, *place < value ? value : *place)
SNIPER_EMULATED_ATOMIC(atomicMin, value < *place ? value : *place)
SNIPER_EMULATED_ATOMIC(atomicOr, *place | value)
SNIPER_EMULATED_ATOMIC(atomicAnd, *place & value)
SNIPER_EMULATED_ATOMIC(atomicXor, *place ^ value)
SNIPER_EMULATED_ATOMIC(atomicExch, value)
#undef SNIPER_EMULATED_ATOMIC
template <typename T>
T atomicCAS(T* place, typename ::sniper::emulation::Same<T>::Type expected,
            typename ::sniper::emulation::Same<T>::Type value) {
  return ::sniper::emulation::replace<T>(place, *place == expected ? value : *place);
}

inline int __popc(unsigned int bits) { return __builtin_popcount(bits); }
inline int __popcll(unsigned long long bits) { return __builtin_popcountll(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline int __ffsll(long long bits) { return __builtin_ffsll(bits); }
inline int __clz(int bits) { return bits == 0 ? 32 : __builtin_clz(static_cast<unsigned int>(bits)); }
inline int __clzll(long long bits) { return bits == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(bits)); }
inline unsigned int __float_as_uint(float value) {
  return static_cast<unsigned int>(::sniper::emulation::to_bits(value));
}
inline int __float_as_int(float value) { return static_cast<int>(__float_as_uint(value)); }
inline float __uint_as_float(unsigned int bits) { return ::sniper::emulation::from_bits<float>(bits); }
inline float __int_as_float(int bits) { return __uint_as_float(static_cast<unsigned int>(bits)); }
template <typename T>
inline T __ldg(const T* place) { return *place; }

#endif  // SNIPER_CUDA_EMULATION_H_
