// Macros shared by the maths headers: host/device functions and run-time dispatch to wider vectors.
#ifndef SNIPER_COMMON_H_
#define SNIPER_COMMON_H_

#if defined(__CUDACC__)
#define SNIPER_HD __host__ __device__ inline
#else
#define SNIPER_HD inline
#endif

// A function marked SNIPER_CLONES is compiled once a vector width and picked when the library loads, so that
// one binary runs on any x86-64 machine. It needs ifunc, that is GNU libc; elsewhere it means nothing (aarch64
// has its 128-bit vectors anyway). The build turns FMA contraction off, so every clone gives the same bits.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__)
#define SNIPER_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SNIPER_CLONES
#endif

// The body of a cloned function has to be inlined into each clone to be compiled for its width.
#define SNIPER_INLINE inline __attribute__((always_inline))

#endif  // SNIPER_COMMON_H_
