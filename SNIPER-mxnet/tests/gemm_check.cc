// Runs every matrix kernel that this machine has against a plain loop in double precision; test_gemm.py compiles it.
#include "cpu/gemm.h"

#include <cmath>
#include <cstdio>
#include <vector>

namespace {

using sniper::Panel;
using sniper::kPanel;
using sniper::gemm::Kernel;

// Reproducible numbers from -1 to 1.
float next_value() {
  static unsigned int state = 1;
  state = state * 1664525u + 1013904223u;
  return (state >> 8) / 8388608.0f - 1.0f;
}

std::vector<float> values(size_t count) {
  std::vector<float> result(count);
  for (float& value : result) value = next_value();
  return result;
}

// A sum of `depth` products of numbers up to 1 may be off by depth roundings of sums that stay below depth.
bool check(const char* name, Kernel* kernel, int depth, int count, int columns, bool accumulate) {
  const int row_stride = depth + 3, out_stride = kPanel + 5;
  const std::vector<float> panel = values(depth * columns + kPanel), rows = values(count * row_stride);
  const std::vector<float> before = values(count * out_stride);
  std::vector<float> out = before;
  kernel(Panel{panel.data(), columns, depth, panel.data()}, rows.data(), row_stride, count, out.data(), out_stride,
         accumulate);
  for (int n = 0; n < count; ++n) {
    for (int j = 0; j < out_stride; ++j) {
      const float actual = out[n * out_stride + j];
      double expected = j >= kPanel || accumulate ? before[n * out_stride + j] : 0.0;
      for (int r = 0; j < columns && r < depth; ++r) {
        expected += static_cast<double>(rows[n * row_stride + r]) * panel[r * columns + j];
      }
      if ((j >= columns && j < kPanel) || std::fabs(actual - expected) <= 1e-7 * (1 + depth)) continue;
      std::printf("%s: depth %d, %d rows, %d columns: [%d][%d] is %g, not %g\n", name, depth, count, columns, n, j,
                  actual, expected);
      return false;
    }
  }
  return true;
}

bool check_all(const char* name, Kernel* kernel) {
  for (const int depth : {1, 2, 7, 64, 513}) {
    for (int count = 1; count <= 33; ++count) {
      for (const int columns : {1, 20, 32}) {
        for (const bool accumulate : {false, true}) {
          if (!check(name, kernel, depth, count, columns, accumulate)) return false;
        }
      }
    }
  }
  std::printf("%s\n", name);
  return true;
}

}  // namespace

int main() {
  bool good = check_all("portable", sniper::gemm::multiply_portable);
#ifdef SNIPER_GEMM_X86
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    good = check_all("avx2", sniper::gemm::multiply_avx2) && good;
  }
  if (__builtin_cpu_supports("avx512f")) good = check_all("avx512f", sniper::gemm::multiply_avx512) && good;
#endif
  good = check_all(sniper::gemm_kernel_name(), sniper::multiply_panel) && good;
  return good ? 0 : 1;
}
