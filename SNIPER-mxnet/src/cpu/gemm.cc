#include "cpu/gemm.h"

namespace sniper {
namespace gemm {
namespace {

// Vectors of 128 bits: every x86-64 machine has them.
#define SNIPER_GEMM_TARGET

typedef float Vector __attribute__((vector_size(16), aligned(4), may_alias));

enum { kVectors = 2, kRows = 6 };  // 12 sums, 2 vectors of the panel and a factor: 15 of 16 registers

inline Vector broadcast(const float* place) { return Vector{*place, *place, *place, *place}; }

inline Vector multiply_add(Vector a, Vector b, Vector c) { return a * b + c; }

#include "cpu/gemm_kernel.h"

struct Choice {
  Kernel* kernel;
  const char* name;
};

Choice choose() {
#ifdef SNIPER_GEMM_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return Choice{multiply_avx512, "avx512f"};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Choice{multiply_avx2, "avx2"};
#endif
#ifdef SNIPER_GEMM_NEON
  return Choice{multiply_neon, "neon"};
#else
  return Choice{multiply_portable, "portable"};
#endif
}

const Choice& chosen() {
  static const Choice choice = choose();
  return choice;
}

}  // namespace

void multiply_portable(const Panel& panel, const Rows& rows, const Product& product) {
  multiply_blocks(panel, rows, product);
}

}  // namespace gemm

void multiply_panel(const Panel& panel, const Rows& rows, const Product& product) {
  gemm::chosen().kernel(panel, rows, product);
}

const char* gemm_kernel_name() { return gemm::chosen().name; }

}  // namespace sniper
