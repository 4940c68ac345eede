// Matrix products by cuBLAS. It is looked up when the first product is wanted, not linked: its file name changes with
// every major version of CUDA, MXNet's GPU builds bring their own, and a process without it can do all else.
#include <dlfcn.h>

#include <map>

#include "cuda/gemm.h"
#include "cuda/launch.h"

namespace sniper {
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

}  // namespace sniper
