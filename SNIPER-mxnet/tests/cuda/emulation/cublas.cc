// Takes the place of src/cuda/cublas.cu: an emulated device has no cuBLAS, and fibers would be slow at large products.
#include "cuda/gemm.h"

namespace sniper {
namespace {

// The element of a stored matrix or of its transpose.
float element(const float* matrix, int ld, bool transpose, int row, int column) {
  return transpose ? matrix[static_cast<int64_t>(column) * ld + row] : matrix[static_cast<int64_t>(row) * ld + column];
}

}  // namespace

bool has_cublas() { return false; }

void gemm_cuda(const CudaContext&, const Gemm& problem, const float* a, const float* b, float* c) {
  for (int n = 0; n < problem.batch; ++n) {
    const float* ma = a + n * problem.stride_a;
    const float* mb = b + n * problem.stride_b;
    for (int y = 0; y < problem.rows; ++y) {
      float* row = c + n * problem.stride_c + static_cast<int64_t>(y) * problem.ldc;
      for (int x = 0; x < problem.columns; ++x) row[x] = problem.beta == 0.0f ? 0.0f : problem.beta * row[x];
      for (int k = 0; k < problem.inner; ++k) {
        const float factor = problem.alpha * element(ma, problem.lda, problem.transpose_a, y, k);
        if (problem.transpose_b) {
          for (int x = 0; x < problem.columns; ++x) row[x] += factor * mb[static_cast<int64_t>(x) * problem.ldb + k];
        } else {
          for (int x = 0; x < problem.columns; ++x) row[x] += factor * mb[static_cast<int64_t>(k) * problem.ldb + x];
        }
      }
    }
  }
}

}  // namespace sniper
