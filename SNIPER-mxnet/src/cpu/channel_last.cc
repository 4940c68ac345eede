#include "cpu/channel_last.h"

#include <algorithm>

#include "cpu/parallel.h"
#include "sniper/common.h"

namespace sniper {
namespace {

const int64_t kCellsATask = 256;
// Rows and columns that are transposed at a time, in registers.
const int kBlock = 4;

// Columns that are finished before the next rows are read, so that a cache line of each row is used up at once.
const int kBlockColumns = 16;

// Vectors of 128 bits, which every machine has.
typedef float Quad __attribute__((vector_size(kBlock * sizeof(float)), aligned(sizeof(float)), may_alias));

struct NoScratch {};

#if defined(__clang__)
#define SNIPER_SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int QuadPlaces __attribute__((vector_size(kBlock * sizeof(int))));
#define SNIPER_SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, QuadPlaces{i, j, k, l})
#endif

SNIPER_INLINE void transpose_block(const float* in, int64_t in_stride, float* out, int64_t out_stride) {
  Quad rows[kBlock];
  for (int r = 0; r < kBlock; ++r) rows[r] = *reinterpret_cast<const Quad*>(in + r * in_stride);
  const Quad low01 = SNIPER_SHUFFLE(rows[0], rows[1], 0, 4, 1, 5);
  const Quad low23 = SNIPER_SHUFFLE(rows[2], rows[3], 0, 4, 1, 5);
  const Quad high01 = SNIPER_SHUFFLE(rows[0], rows[1], 2, 6, 3, 7);
  const Quad high23 = SNIPER_SHUFFLE(rows[2], rows[3], 2, 6, 3, 7);
  *reinterpret_cast<Quad*>(out) = SNIPER_SHUFFLE(low01, low23, 0, 1, 4, 5);
  *reinterpret_cast<Quad*>(out + out_stride) = SNIPER_SHUFFLE(low01, low23, 2, 3, 6, 7);
  *reinterpret_cast<Quad*>(out + 2 * out_stride) = SNIPER_SHUFFLE(high01, high23, 0, 1, 4, 5);
  *reinterpret_cast<Quad*>(out + 3 * out_stride) = SNIPER_SHUFFLE(high01, high23, 2, 3, 6, 7);
}

}  // namespace

void transpose(const float* in, int rows, int columns, int64_t in_stride, float* out, int64_t out_stride) {
  const int whole_rows = rows / kBlock * kBlock, whole_columns = columns / kBlock * kBlock;
  for (int begin = 0; begin < whole_columns; begin += kBlockColumns) {
    const int end = std::min(begin + kBlockColumns, whole_columns);
    for (int row = 0; row < whole_rows; row += kBlock) {
      for (int column = begin; column < end; column += kBlock) {
        transpose_block(in + row * in_stride + column, in_stride, out + column * out_stride + row, out_stride);
      }
    }
  }
  for (int column = 0; column < columns; ++column) {
    const int first = column < whole_columns ? whole_rows : 0;
    for (int row = first; row < rows; ++row) out[column * out_stride + row] = in[row * in_stride + column];
  }
}

void to_channel_last(const float* data, int64_t images, int64_t cells, const ChannelSplit& split, float* out) {
  const int64_t chunks = (cells + kCellsATask - 1) / kCellsATask;
  parallel_for<NoScratch>(images * split.groups * chunks, [&](int64_t task, NoScratch*) {
    const int64_t begin = task % chunks * kCellsATask;
    const int64_t count = std::min(kCellsATask, cells - begin);
    const int group = static_cast<int>(task / chunks % split.groups);
    const int64_t image = task / chunks / split.groups;
    const float* source = data + image * split.total() * cells + begin;
    float* target = out + ((image * split.groups + group) * cells + begin) * split.width();
    for (int k = 0; k < split.classes; ++k) {
      float* columns = target + k * split.padded();
      transpose(source + split.source(k, 0, group) * cells, split.channels, static_cast<int>(count),
                split.groups * cells, columns, split.width());
      for (int64_t cell = 0; cell < count; ++cell) {
        std::fill(columns + cell * split.width() + split.channels, columns + cell * split.width() + split.padded(),
                  0.0f);
      }
    }
  });
}

}  // namespace sniper
