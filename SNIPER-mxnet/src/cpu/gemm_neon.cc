// multiply_panel for aarch64, all of whose machines have NEON with fused multiply-add.
#include "cpu/gemm.h"

#ifdef SNIPER_GEMM_NEON
#include <arm_neon.h>

namespace sniper {
namespace gemm {
namespace {

#define SNIPER_GEMM_TARGET

typedef float Vector __attribute__((vector_size(16), aligned(4), may_alias));

enum { kVectors = 4, kRows = 6 };  // 24 sums, 4 vectors of the panel and a factor: 29 of 32 registers

inline __attribute__((always_inline)) Vector broadcast(const float* place) { return (Vector)vld1q_dup_f32(place); }

inline __attribute__((always_inline)) Vector multiply_add(Vector a, Vector b, Vector c) {
  return (Vector)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}

#include "cpu/gemm_kernel.h"

}  // namespace

void multiply_neon(const Panel& panel, const Rows& rows, const Product& product) {
  multiply_blocks(panel, rows, product);
}

}  // namespace gemm
}  // namespace sniper
#endif
