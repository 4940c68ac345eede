// A matrix product of our own, for processes that have no cuBLAS.
#include "cuda/gemm.h"

#include "cuda/launch.h"

namespace sniper {
namespace {

// A block computes kTile x kTile of C, each of its 16 x 16 threads kPart x kPart, over slices of kDepth.
const int kTile = 64, kDepth = 16, kPart = 4, kSide = kTile / kPart;

// The element of a stored matrix or of its transpose, 0 outside.
__device__ inline float element(const float* matrix, int ld, bool transpose, int row, int column, int rows,
                                int columns) {
  if (row >= rows || column >= columns) return 0.0f;
  return transpose ? matrix[static_cast<int64_t>(column) * ld + row] : matrix[static_cast<int64_t>(row) * ld + column];
}

__global__ void __launch_bounds__(kSide* kSide)
    tiled_gemm_kernel(Gemm problem, const float* a, const float* b, float* c) {
  __shared__ float slice_a[kDepth][kTile + 1], slice_b[kDepth][kTile + 1];
  a += blockIdx.z * problem.stride_a;
  b += blockIdx.z * problem.stride_b;
  c += blockIdx.z * problem.stride_c;
  const int thread = static_cast<int>(threadIdx.x), row = thread / kSide, column = thread % kSide;
  const int first_row = static_cast<int>(blockIdx.y) * kTile, first_column = static_cast<int>(blockIdx.x) * kTile;
  float sums[kPart][kPart] = {};
  for (int first = 0; first < problem.inner; first += kDepth) {
    // Neighbouring threads read neighbouring floats of a stored row.
    for (int i = thread; i < kTile * kDepth; i += kSide * kSide) {
      const int depth_a = problem.transpose_a ? i / kTile : i % kDepth;
      const int tile_a = problem.transpose_a ? i % kTile : i / kDepth;
      slice_a[depth_a][tile_a] = element(a, problem.lda, problem.transpose_a, first_row + tile_a, first + depth_a,
                                         problem.rows, problem.inner);
      const int depth_b = problem.transpose_b ? i % kDepth : i / kTile;
      const int tile_b = problem.transpose_b ? i / kDepth : i % kTile;
      slice_b[depth_b][tile_b] = element(b, problem.ldb, problem.transpose_b, first + depth_b, first_column + tile_b,
                                         problem.inner, problem.columns);
    }
    __syncthreads();
    for (int depth = 0; depth < kDepth; ++depth) {
      for (int i = 0; i < kPart; ++i) {
        for (int j = 0; j < kPart; ++j) {
          sums[i][j] = fmaf(slice_a[depth][row + i * kSide], slice_b[depth][column + j * kSide], sums[i][j]);
        }
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < kPart; ++i) {
    for (int j = 0; j < kPart; ++j) {
      const int y = first_row + row + i * kSide, x = first_column + column + j * kSide;
      if (y >= problem.rows || x >= problem.columns) continue;
      float* place = c + static_cast<int64_t>(y) * problem.ldc + x;
      *place = problem.alpha * sums[i][j] + (problem.beta == 0.0f ? 0.0f : problem.beta * *place);
    }
  }
}

}  // namespace

void tiled_gemm_cuda(const CudaContext& context, const Gemm& problem, const float* a, const float* b, float* c) {
  const dim3 grid(blocks_for(problem.columns, kTile), blocks_for(problem.rows, kTile), problem.batch);
  launch(tiled_gemm_kernel, grid, dim3(kSide * kSide), 0, context, problem, a, b, c);
}

}  // namespace sniper
