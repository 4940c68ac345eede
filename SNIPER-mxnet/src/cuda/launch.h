// Launching kernels, and what kernels may use. Included by .cu files only.
//
// The same .cu files are compiled by nvcc and, for tests on machines without a GPU, by a plain C++ compiler against the
// cuda_runtime.h of tests/cuda/emulation, where the threads of a block are fibers of one CPU thread. That file knows as
// much of CUDA as the kernels use, and not more. A kernel therefore keeps to:
//
//   - threadIdx, blockIdx, blockDim, gridDim; __global__, __device__, __launch_bounds__, __restrict__
//   - static __shared__ arrays, and SNIPER_DYNAMIC_SHARED(type, name) for the launch's shared_bytes
//   - __syncthreads(), reached by all threads of the block on the same line, none having left the kernel before
//   - __syncwarp, __shfl_sync, __shfl_down_sync, __shfl_up_sync, __shfl_xor_sync, __ballot_sync, __any_sync,
//     __all_sync, with kFullWarp as the mask and all 32 lanes there; a block of fewer threads takes part with those
//   - atomicAdd, atomicSub, atomicMax, atomicMin, atomicOr, atomicAnd, atomicXor, atomicExch, atomicCAS on global or
//     shared memory
//   - __popc, __popcll, __ffs, __ffsll, __clz, __clzll, __ldg, __float_as_uint, __float_as_int, __uint_as_float,
//     __int_as_float; <cmath>; SNIPER_HD functions of include/sniper
//   - float2, float4, int2, int4, uint2 with make_*
//
// Not offered: __constant__ and __device__ variables, textures, cooperative groups, device-side launches, inline PTX,
// half precision, launch_bounds-dependent tricks, asynchronous copies. Multiply-adds are not contracted (nvcc runs with
// -fmad=false, to give the CPU's bits): write fmaf where speed matters more than bits.
#ifndef SNIPER_CUDA_LAUNCH_H_
#define SNIPER_CUDA_LAUNCH_H_

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include <cuda_runtime.h>

#include "cuda/context.h"

// The two things that only nvcc can say; another cuda_runtime.h brings its own.
#ifndef SNIPER_START_KERNEL
#define SNIPER_START_KERNEL(kernel, grid, block, shared_bytes, stream, ...) \
  kernel<<<grid, block, shared_bytes, stream>>>(__VA_ARGS__)
#endif
#ifndef SNIPER_DYNAMIC_SHARED
#define SNIPER_DYNAMIC_SHARED(type, name)                                \
  extern __shared__ __align__(16) unsigned char sniper_dynamic_shared[]; \
  type* name = reinterpret_cast<type*>(sniper_dynamic_shared)
#endif

namespace sniper {

const unsigned int kFullWarp = 0xffffffffu;
const int kWarpSize = 32;

// Blocks of `block` threads that cover `count` items, one thread an item.
inline unsigned int blocks_for(int64_t count, int block) {
  const int64_t blocks = (count + block - 1) / block;
  if (blocks > 0x7fffffff) throw std::runtime_error("too many items for one launch: " + std::to_string(count));
  return static_cast<unsigned int>(blocks);
}

// Throws std::runtime_error "<what>: <CUDA's message>" unless the call succeeded.
inline void check_cuda(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // an error of a launch is kept until it is asked for: not to be found by the next one
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
}

// Starts the kernel on the context's stream. A grid without blocks does nothing.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, const CudaContext& context,
            Arguments... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  const size_t kDefaultLimit = 48 * 1024;
  if (shared_bytes > kDefaultLimit) {
    check_cuda(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                    cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)),
               "shared memory of a CUDA kernel");
  }
  SNIPER_START_KERNEL(kernel, grid, block, shared_bytes, static_cast<cudaStream_t>(context.stream()),
                      static_cast<Parameters>(arguments)...);
  check_cuda(cudaGetLastError(), "starting a CUDA kernel");
}

}  // namespace sniper

#endif  // SNIPER_CUDA_LAUNCH_H_
