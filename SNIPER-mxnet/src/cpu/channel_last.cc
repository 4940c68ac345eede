#include "cpu/channel_last.h"

#include <algorithm>

#include "cpu/parallel.h"
#include "sniper/common.h"

namespace sniper {
namespace {

const int kTile = 16;
const int64_t kCellsATask = 256;

struct NoScratch {};

}  // namespace

SNIPER_CLONES void transpose(const float* in, int rows, int columns, int64_t in_stride, float* out,
                             int64_t out_stride) {
  for (int row = 0; row < rows; row += kTile) {
    const int row_end = std::min(row + kTile, rows);
    for (int column = 0; column < columns; ++column) {
      for (int r = row; r < row_end; ++r) out[column * out_stride + r] = in[r * in_stride + column];
    }
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
