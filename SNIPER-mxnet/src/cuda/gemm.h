// Matrix products on the device: cuBLAS where the process has it, a kernel of our own elsewhere.
#ifndef SNIPER_CUDA_GEMM_H_
#define SNIPER_CUDA_GEMM_H_

#include <cstdint>

#include "cuda/context.h"

namespace sniper {

// C = alpha * op(A) op(B) + beta * C, row-major, for `batch` problems whose matrices lie a stride (in floats) apart.
// op(A) is rows x inner, op(B) inner x columns, C rows x columns; a transposed operand is stored the other way round.
// With beta 0 what C held does not matter, NaN included. A stride of 0 reuses one matrix (not for C).
struct Gemm {
  bool transpose_a, transpose_b;
  int rows, columns, inner;
  float alpha, beta;
  int lda, ldb, ldc;  // floats from a row, as stored, to the next
  int64_t stride_a, stride_b, stride_c;
  int batch;
};

// Plain full matrices: row lengths as stored, no batch.
inline Gemm plain_gemm(bool transpose_a, bool transpose_b, int rows, int columns, int inner, float beta) {
  return Gemm{transpose_a, transpose_b, rows, columns, inner, 1.0f, beta, transpose_a ? rows : inner,
              transpose_b ? inner : columns, columns, 0, 0, 0, 1};
}

void gemm_cuda(const CudaContext& context, const Gemm& problem, const float* a, const float* b, float* c);

// The own kernel, whether or not there is cuBLAS; for tests.
void tiled_gemm_cuda(const CudaContext& context, const Gemm& problem, const float* a, const float* b, float* c);

// True if products go to cuBLAS.
bool has_cublas();

}  // namespace sniper

#endif  // SNIPER_CUDA_GEMM_H_
