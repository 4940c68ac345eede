// CUDA's vocabulary for a plain C++ compiler, so that the kernels of src/cuda run on the CPU in tests. The emulated build
// finds this file before CUDA's own of the same name; the list of what a kernel may use stands in src/cuda/launch.h.
#ifndef SNIPER_TESTS_CUDA_RUNTIME_H_
#define SNIPER_TESTS_CUDA_RUNTIME_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "emulation.h"

// The host's side. Grids run at once and throw what their threads throw, so that calls always succeed.
typedef void* cudaStream_t;
enum cudaError_t { cudaSuccess };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t) { return "no error"; }
inline cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) { return cudaSuccess; }
inline cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t) {
  std::memset(data, value, bytes);
  return cudaSuccess;
}

// What launch.h leaves to the compiler of CUDA: the launch itself and the shared memory that comes with it.
#define SNIPER_START_KERNEL(kernel, grid, block, shared_bytes, stream, ...) \
  static_cast<void>(stream), ::sniper::emulation::run_grid(grid, block, shared_bytes, [=] { kernel(__VA_ARGS__); })
#define SNIPER_DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(::sniper::emulation::dynamic_shared())

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

#endif  // SNIPER_TESTS_CUDA_RUNTIME_H_
