// cuBLAS is looked up when the first product is wanted, not linked: its file name changes with every major version of
// CUDA, MXNet's GPU builds bring their own, and a build for the tests does without.
#include "cuda/gemm.h"

#include "cuda/launch.h"

#if !defined(SNIPER_CUDA_EMULATION)
#include <dlfcn.h>

#include <map>
#endif

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

#if defined(SNIPER_CUDA_EMULATION)

bool has_cublas() { return false; }

void gemm_cuda(const CudaContext&, const Gemm& problem, const float* a, const float* b, float* c) {
  for (int n = 0; n < problem.batch; ++n) {
    const float* ma = a + n * problem.stride_a;
    const float* mb = b + n * problem.stride_b;
    for (int y = 0; y < problem.rows; ++y) {
      float* row = c + n * problem.stride_c + static_cast<int64_t>(y) * problem.ldc;
      for (int x = 0; x < problem.columns; ++x) row[x] = problem.beta == 0.0f ? 0.0f : problem.beta * row[x];
      for (int k = 0; k < problem.inner; ++k) {
        const float factor =
            problem.alpha * element(ma, problem.lda, problem.transpose_a, y, k, problem.rows, problem.inner);
        if (problem.transpose_b) {
          for (int x = 0; x < problem.columns; ++x) row[x] += factor * mb[static_cast<int64_t>(x) * problem.ldb + k];
        } else {
          for (int x = 0; x < problem.columns; ++x) row[x] += factor * mb[static_cast<int64_t>(k) * problem.ldb + x];
        }
      }
    }
  }
}

#else

namespace {

// The part of cuBLAS's C interface that is used; unchanged from CUDA 8 to 13.
struct Cublas {
  int (*create)(void** handle) = nullptr;
  int (*set_stream)(void* handle, cudaStream_t stream) = nullptr;
  int (*sgemm)(void* handle, int transpose_a, int transpose_b, int m, int n, int k, const float* alpha, const float* a,
               int lda, long long stride_a, const float* b, int ldb, long long stride_b, const float* beta, float* c,
               int ldc, long long stride_c, int batch) = nullptr;

  bool loaded() const { return create != nullptr && set_stream != nullptr && sgemm != nullptr; }
};

template <typename Function>
void look_up(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
}

Cublas load_cublas() {
  const std::string major = "libcublas.so." + std::to_string(CUDART_VERSION / 1000);
  Cublas found;
  // The process's own first, then that of the toolkit this was built with.
  for (void* library : {dlopen(nullptr, RTLD_LAZY), dlopen(major.c_str(), RTLD_LAZY | RTLD_LOCAL)}) {
    if (library == nullptr || found.loaded()) continue;
    look_up(library, "cublasCreate_v2", &found.create);
    look_up(library, "cublasSetStream_v2", &found.set_stream);
    look_up(library, "cublasSgemmStridedBatched", &found.sgemm);
  }
  return found;
}

const Cublas& cublas() {
  static const Cublas library = load_cublas();
  return library;
}

void check_cublas(int status, const char* what) {
  if (status != 0) throw std::runtime_error(std::string(what) + ": cuBLAS status " + std::to_string(status));
}

// A thread's handle for the current device, kept for the life of the process as MXNet's threads live as long.
void* cublas_handle() {
  static thread_local std::map<int, void*> handles;
  int device = 0;
  check_cuda(cudaGetDevice(&device), "asking for the current GPU");
  void*& handle = handles[device];
  if (handle == nullptr) check_cublas(cublas().create(&handle), "starting cuBLAS");
  return handle;
}

}  // namespace

bool has_cublas() { return cublas().loaded(); }

void gemm_cuda(const CudaContext& context, const Gemm& problem, const float* a, const float* b, float* c) {
  if (problem.rows == 0 || problem.columns == 0 || problem.batch == 0) return;
  if (!has_cublas()) {
    tiled_gemm_cuda(context, problem, a, b, c);
    return;
  }
  void* handle = cublas_handle();
  check_cublas(cublas().set_stream(handle, static_cast<cudaStream_t>(context.stream())), "setting cuBLAS's stream");
  // cuBLAS counts by columns: what it takes for A^T is a row-major A, so C^T = op(B)^T op(A)^T.
  check_cublas(cublas().sgemm(handle, problem.transpose_b, problem.transpose_a, problem.columns, problem.rows,
                              problem.inner, &problem.alpha, b, problem.ldb, problem.stride_b, a, problem.lda,
                              problem.stride_a, &problem.beta, c, problem.ldc, problem.stride_c, problem.batch),
               "a matrix product on the GPU");
}

#endif

}  // namespace sniper
