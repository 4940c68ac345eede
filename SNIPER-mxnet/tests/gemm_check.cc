// Runs every matrix kernel that this machine has against a plain loop in double precision, with up to as many rows as
// the argument says; test_gemm.py compiles it.
#include "cpu/gemm.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using sniper::Panel;
using sniper::Product;
using sniper::Rows;
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

// Distinct places, out of order: 0, 2, 4, ... downwards from the last one.
std::vector<int> places_of(int count) {
  std::vector<int> places(count);
  for (int i = 0; i < count; ++i) places[i] = 2 * (count - 1 - i);
  return places;
}

enum Layout { kInOrder, kPlaced, kTurned };

// A sum of `depth` products of numbers up to 1 may be off by depth roundings of sums that stay below depth.
bool check(const char* name, Kernel* kernel, int depth, int count, int columns, Layout layout, bool accumulate) {
  const bool turned = layout == kTurned, scattered = layout == kInOrder;
  const int stride = (turned ? count : depth) + 3, out_stride = kPanel + 5;
  const std::vector<int> row_places = places_of(count), depth_places = places_of(depth);
  const std::vector<float> panel = values(depth * columns + kPanel);
  const std::vector<float> rows = values(2 * (turned ? depth : count) * stride);
  const std::vector<float> before = values(2 * count * out_stride);
  std::vector<float> out = before;
  kernel(Panel{panel.data(), columns, depth, panel.data()},
         Rows{rows.data(), stride, count,
              layout == kInOrder ? nullptr : turned ? depth_places.data() : row_places.data(), turned},
         Product{out.data(), out_stride, scattered ? row_places.data() : nullptr, accumulate});
  std::vector<double> expected(before.begin(), before.end());
  for (int n = 0; n < count; ++n) {
    for (int j = 0; j < columns; ++j) {
      double sum = 0.0;
      for (int r = 0; r < depth; ++r) {
        const int place = turned ? depth_places[r] * stride + n : (layout == kPlaced ? row_places[n] : n) * stride + r;
        sum += static_cast<double>(rows[place]) * panel[r * columns + j];
      }
      double* target = &expected[(scattered ? row_places[n] : n) * out_stride + j];
      *target = accumulate ? *target + sum : sum;
    }
  }
  for (size_t i = 0; i < out.size(); ++i) {
    const int n = static_cast<int>(i) / out_stride, j = static_cast<int>(i) % out_stride;
    const bool written = scattered ? n % 2 == 0 : n < count;
    if ((written && j >= columns && j < kPanel) || std::fabs(out[i] - expected[i]) <= 1e-7 * (1 + depth)) continue;
    std::printf("%s: depth %d, %d rows, %d columns, layout %d: [%d][%d] is %g, not %g\n", name, depth, count, columns,
                layout, n, j, out[i], expected[i]);
    return false;
  }
  return true;
}

bool check_all(const char* name, Kernel* kernel, int most_rows) {
  for (const int depth : {0, 1, 2, 7, 64, 513}) {
    for (int count = 0; count <= most_rows; ++count) {
      for (const int columns : {1, 20, 32}) {
        for (const Layout layout : {kInOrder, kPlaced, kTurned}) {
          for (const bool accumulate : {false, true}) {
            if (!check(name, kernel, depth, count, columns, layout, accumulate)) return false;
          }
        }
      }
    }
  }
  std::printf("%s\n", name);
  return true;
}

}  // namespace

int main(int, char** arguments) {
  const int most_rows = std::atoi(arguments[1]);
  bool good = check_all("portable", sniper::gemm::multiply_portable, most_rows);
#ifdef SNIPER_GEMM_X86
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    good = check_all("avx2", sniper::gemm::multiply_avx2, most_rows) && good;
  }
  if (__builtin_cpu_supports("avx512f")) good = check_all("avx512f", sniper::gemm::multiply_avx512, most_rows) && good;
#endif
#ifdef SNIPER_GEMM_NEON
  good = check_all("neon", sniper::gemm::multiply_neon, most_rows) && good;
#endif
  good = check_all(sniper::gemm_kernel_name(), sniper::multiply_panel, most_rows) && good;
  return good ? 0 : 1;
}
