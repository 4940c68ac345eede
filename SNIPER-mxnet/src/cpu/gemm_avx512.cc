// multiply_panel for machines with AVX-512.
#include "cpu/gemm.h"

#ifdef SNIPER_GEMM_X86
#include <immintrin.h>

namespace sniper {
namespace gemm {
namespace {

#define SNIPER_GEMM_TARGET __attribute__((target("avx512f")))

typedef float Vector __attribute__((vector_size(64), aligned(4), may_alias));

enum { kVectors = 2, kRows = 14 };  // 28 sums, 2 vectors of the panel and a factor: 31 of 32 registers

SNIPER_GEMM_TARGET inline __attribute__((always_inline)) Vector broadcast(const float* place) {
  return (Vector)_mm512_set1_ps(*place);
}

SNIPER_GEMM_TARGET inline __attribute__((always_inline)) Vector multiply_add(Vector a, Vector b, Vector c) {
  return (Vector)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

#include "cpu/gemm_kernel.h"

}  // namespace

void multiply_avx512(const Panel& panel, const Rows& rows, const Product& product) {
  multiply_blocks(panel, rows, product);
}

}  // namespace gemm
}  // namespace sniper
#endif
