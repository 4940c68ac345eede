// The loop of multiply_panel, included once an instruction set by a file that first defines, in this namespace,
//   SNIPER_GEMM_TARGET  the attribute that compiles a function for the instruction set,
//   Vector              a vector of floats (GCC's vector extension, unaligned),
//   broadcast(place), a vector of copies of *place; multiply_add(a, b, c) = a * b + c on vectors,
//   kVectors, kRows     vectors across the product and rows that the registers hold at a time.
// It is included several times on purpose and has no guard. Code here must not call inline functions of other headers:
// the linker keeps one copy of such a function for the whole library, which could be one for an instruction set that
// the machine lacks.

enum { kWidth = sizeof(Vector) / sizeof(float) };  // floats of a vector

// Rows [0, row_count) of the product, columns [0, kVectors * kWidth). Fetches depth * next_step floats from `next` on,
// little by little: many cache lines at once would keep the multipliers waiting.
template <int row_count>
SNIPER_GEMM_TARGET void multiply_rows(const float* panel, int64_t panel_stride, int depth, const float* next,
                                      int64_t next_step, const float* rows, int64_t row_stride, float* out,
                                      int64_t out_stride, bool accumulate) {
  Vector sum[row_count][kVectors];
  for (int n = 0; n < row_count; ++n) {
    for (int v = 0; v < kVectors; ++v) sum[n][v] = Vector{};
  }
  for (int r = 0; r < depth; ++r) {
    __builtin_prefetch(next + r * next_step, 0, 2);  // into the L2 cache
    Vector values[kVectors];
    for (int v = 0; v < kVectors; ++v) values[v] = *reinterpret_cast<const Vector*>(panel + v * kWidth);
    for (int n = 0; n < row_count; ++n) {
      const Vector factor = broadcast(rows + n * row_stride + r);
      for (int v = 0; v < kVectors; ++v) sum[n][v] = multiply_add(factor, values[v], sum[n][v]);
    }
    panel += panel_stride;
  }
  for (int n = 0; n < row_count; ++n) {
    for (int v = 0; v < kVectors; ++v) {
      Vector* target = reinterpret_cast<Vector*>(out + n * out_stride + v * kWidth);
      *target = accumulate ? *target + sum[n][v] : sum[n][v];
    }
  }
}

// Calls multiply_rows<row_count> for a row_count that is known only at run time.
template <int most>
SNIPER_GEMM_TARGET void multiply_some(int row_count, const float* panel, int64_t panel_stride, int depth,
                                      const float* next, int64_t next_step, const float* rows, int64_t row_stride,
                                      float* out, int64_t out_stride, bool accumulate) {
  if (row_count == most) {
    multiply_rows<most>(panel, panel_stride, depth, next, next_step, rows, row_stride, out, out_stride, accumulate);
  } else {
    multiply_some<most - 1>(row_count, panel, panel_stride, depth, next, next_step, rows, row_stride, out, out_stride,
                            accumulate);
  }
}

template <>
SNIPER_GEMM_TARGET void multiply_some<0>(int, const float*, int64_t, int, const float*, int64_t, const float*, int64_t,
                                         float*, int64_t, bool) {}

// Rows come in blocks of almost equal size: a small block at the end would leave the multipliers waiting.
SNIPER_GEMM_TARGET static void multiply_blocks(const Panel& panel, const float* rows, int64_t row_stride, int count,
                                               float* out, int64_t out_stride, bool accumulate) {
  const int blocks = (count + kRows - 1) / kRows, turns = blocks * (kPanel / (kVectors * kWidth));
  // Without a next panel it fetches its own values, which cost nothing since they are in the cache already.
  const float* next = panel.next == nullptr ? panel.values : panel.next;
  const int64_t next_step = panel.next == nullptr ? 0 : (panel.stride + turns - 1) / turns;
  for (int block = 0; block < blocks; ++block) {
    const int begin = static_cast<int>(static_cast<int64_t>(count) * block / blocks);
    const int end = static_cast<int>(static_cast<int64_t>(count) * (block + 1) / blocks);
    for (int column = 0; column < kPanel; column += kVectors * kWidth) {
      multiply_some<kRows>(end - begin, panel.values + column, panel.stride, panel.depth, next, next_step,
                           rows + begin * row_stride, row_stride, out + begin * out_stride + column, out_stride,
                           accumulate);
      next += panel.depth * next_step;
    }
  }
}
