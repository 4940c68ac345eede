// The loop of multiply_panel, included once an instruction set by a file that first defines, in this namespace,
//   SNIPER_GEMM_TARGET  the attribute that compiles a function for the instruction set,
//   Vector              a vector of floats (GCC's vector extension, unaligned),
//   broadcast(place), a vector of copies of *place; multiply_add(a, b, c) = a * b + c on vectors,
//   kVectors, kRows     vectors across the product and rows that the registers hold at a time.
// It is included several times on purpose and has no guard. Code here must not call inline functions of other headers:
// the linker keeps one copy of such a function for the whole library, which could be one for an instruction set that
// the machine lacks.

enum { kWidth = sizeof(Vector) / sizeof(float) };  // floats of a vector

// How the rows lie: one after the other, at places of their own, or turned.
enum Layout { kInOrder, kPlaced, kTurned };

// Rows [first, first + row_count) of the product, columns [column, column + kVectors * kWidth). Fetches
// panel.depth * next_step floats from `next` on, little by little: many cache lines at once would keep the multipliers
// waiting. The loops over rows are unrolled from the start, for only then do the sums stay in registers throughout.
template <Layout layout, int row_count>
SNIPER_GEMM_TARGET void multiply_rows(const Panel& panel, const Rows& rows, const Product& product, int first,
                                      int column, const float* next, int64_t next_step) {
  const int depth = panel.depth;
  const int64_t panel_stride = panel.stride, stride = rows.stride;
  const float* right = panel.values + column;
  const float* left = rows.values + (layout == kInOrder ? first * stride : layout == kTurned ? first : 0);
  const float* placed[row_count];
  Vector sum[row_count][kVectors];
#pragma GCC unroll 16
  for (int n = 0; n < row_count; ++n) {
    if (layout == kPlaced) placed[n] = left + rows.places[first + n] * stride;
    for (int v = 0; v < kVectors; ++v) sum[n][v] = Vector{};
  }
  for (int r = 0; r < depth; ++r) {
    __builtin_prefetch(next + r * next_step, 0, 2);  // into the L2 cache
    Vector values[kVectors];
    for (int v = 0; v < kVectors; ++v) values[v] = *reinterpret_cast<const Vector*>(right + v * kWidth);
    const float* turned = layout == kTurned ? left + rows.places[r] * stride : left;
#pragma GCC unroll 16
    for (int n = 0; n < row_count; ++n) {
      const float* place = layout == kTurned ? turned + n : (layout == kPlaced ? placed[n] : left + n * stride) + r;
      const Vector factor = broadcast(place);
      for (int v = 0; v < kVectors; ++v) sum[n][v] = multiply_add(factor, values[v], sum[n][v]);
    }
    right += panel_stride;
  }
  const int* places = product.places;
  const bool accumulate = product.accumulate;
#pragma GCC unroll 16
  for (int n = 0; n < row_count; ++n) {
    const int64_t place = places == nullptr ? first + n : places[first + n];
    for (int v = 0; v < kVectors; ++v) {
      Vector* target = reinterpret_cast<Vector*>(product.values + place * product.stride + column + v * kWidth);
      *target = accumulate ? *target + sum[n][v] : sum[n][v];
    }
  }
}

// Calls multiply_rows<layout, row_count> for a row_count that is known only at run time.
template <Layout layout, int most>
struct Some {
  SNIPER_GEMM_TARGET static void multiply(int row_count, const Panel& panel, const Rows& rows, const Product& product,
                                          int first, int column, const float* next, int64_t next_step) {
    if (row_count == most) {
      multiply_rows<layout, most>(panel, rows, product, first, column, next, next_step);
    } else {
      Some<layout, most - 1>::multiply(row_count, panel, rows, product, first, column, next, next_step);
    }
  }
};

template <Layout layout>
struct Some<layout, 0> {
  SNIPER_GEMM_TARGET static void multiply(int, const Panel&, const Rows&, const Product&, int, int, const float*,
                                          int64_t) {}
};

// Rows come in blocks of almost equal size: a small block at the end would leave the multipliers waiting.
SNIPER_GEMM_TARGET static void multiply_blocks(const Panel& panel, const Rows& rows, const Product& product) {
  const int blocks = (rows.count + kRows - 1) / kRows, turns = blocks * (kPanel / (kVectors * kWidth));
  if (blocks == 0) return;
  // Without a next panel it fetches its own values, which cost nothing since they are in the cache already.
  const float* next = panel.next == nullptr ? panel.values : panel.next;
  const int64_t next_step = panel.next == nullptr ? 0 : (panel.stride + turns - 1) / turns;
  for (int block = 0; block < blocks; ++block) {
    const int begin = static_cast<int>(static_cast<int64_t>(rows.count) * block / blocks);
    const int count = static_cast<int>(static_cast<int64_t>(rows.count) * (block + 1) / blocks) - begin;
    for (int column = 0; column < kPanel; column += kVectors * kWidth) {
      if (rows.turned) {
        Some<kTurned, kRows>::multiply(count, panel, rows, product, begin, column, next, next_step);
      } else if (rows.places != nullptr) {
        Some<kPlaced, kRows>::multiply(count, panel, rows, product, begin, column, next, next_step);
      } else {
        Some<kInOrder, kRows>::multiply(count, panel, rows, product, begin, column, next, next_step);
      }
      next += panel.depth * next_step;
    }
  }
}
