// Products of small matrices from packed panels, the inner loop of the convolutions here.
//
// We have a kernel of our own because the libraries in MXNet's wheel cannot be used: oneDNN's functions are hidden, and
// OpenBLAS 0.3.13 falls back to code for processors of 2004 on any that is newer than itself. On a core with AVX-512 a
// product of 512 x 4608 by 4608 x 1024 took 117 ms by OpenBLAS (47 ms when OPENBLAS_CORETYPE tells it of AVX-512) and
// 26 to 29 ms here.
#ifndef SNIPER_CPU_GEMM_H_
#define SNIPER_CPU_GEMM_H_

#include <cstdint>

namespace sniper {

enum { kPanel = 32 };  // columns of a panel, and of the product

// A panel: row r, `depth` of them, holds its kPanel floats at values + r * stride. With fewer columns in use the stride
// may be smaller, so that rows overlap and the last one needs up to kPanel readable floats; what the surplus columns
// give is to be ignored.
struct Panel {
  const float* values;
  int64_t stride;
  int depth;
  const float* next;  // depth * stride floats that come after these, to be fetched into the cache meanwhile, or null
};

// The other factor: `count` rows, whose value at depth r is
//   values[place(n) * stride + r], or values[place(r) * stride + n] where it is turned;
// place(i) is places[i], or i where places is null; turned rows need places.
struct Rows {
  const float* values;
  int64_t stride;
  int count;
  const int* places;
  bool turned;
};

// Where the product goes: row n at values + place(n) * stride, added to what is there or instead of it.
struct Product {
  float* values;
  int64_t stride;
  const int* places;
  bool accumulate;
};

// product[n][j] (+)= sum over r of rows[n][r] * panel[r][j] for n < rows.count, j < kPanel.
// Every sum runs over r in order, whatever the number of rows is; how it is rounded (with or without fused
// multiply-add) depends on the machine.
void multiply_panel(const Panel& panel, const Rows& rows, const Product& product);

// Which of the kernels below this machine runs: "avx512f", "avx2", "neon" or "portable".
const char* gemm_kernel_name();

namespace gemm {

// One signature a kernel; each is compiled for its own instruction set and must only be called where that exists.
typedef void Kernel(const Panel& panel, const Rows& rows, const Product& product);
Kernel multiply_portable;
#if defined(__x86_64__) && defined(__GNUC__)
#define SNIPER_GEMM_X86 1
Kernel multiply_avx512, multiply_avx2;
#endif
#if defined(__aarch64__) && defined(__GNUC__)
#define SNIPER_GEMM_NEON 1
Kernel multiply_neon;
#endif

}  // namespace gemm
}  // namespace sniper

#endif  // SNIPER_CPU_GEMM_H_
