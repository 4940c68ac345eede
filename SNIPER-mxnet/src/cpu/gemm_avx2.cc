// multiply_panel for machines with AVX2 and fused multiply-add.
#include "cpu/gemm.h"

#ifdef SNIPER_GEMM_X86
#include <immintrin.h>

namespace sniper {
namespace gemm {
namespace {

#define SNIPER_GEMM_TARGET __attribute__((target("avx2,fma")))

typedef float Vector __attribute__((vector_size(32), aligned(4), may_alias));

enum { kVectors = 2, kRows = 6 };  // 12 sums, 2 vectors of the panel and a factor: 15 of 16 registers

SNIPER_GEMM_TARGET inline __attribute__((always_inline)) Vector broadcast(const float* place) {
  return (Vector)_mm256_set1_ps(*place);
}

SNIPER_GEMM_TARGET inline __attribute__((always_inline)) Vector multiply_add(Vector a, Vector b, Vector c) {
  return (Vector)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

#include "cpu/gemm_kernel.h"

}  // namespace

void multiply_avx2(const Panel& panel, const Rows& rows, const Product& product) {
  multiply_blocks(panel, rows, product);
}

}  // namespace gemm
}  // namespace sniper
#endif
