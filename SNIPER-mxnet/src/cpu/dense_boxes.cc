#include "cpu/dense_boxes.h"

#include "cpu/parallel.h"

namespace sniper {
namespace {

// Cells that go through all loops together, so that each loop finds in the nearest cache what the last one wrote.
const int64_t kBlock = 1024;

// With fewer boxes than this, waking other threads takes longer than they save.
const int64_t kManyBoxes = 65536;

// One axis of one anchor over `count` cells: `steps` are the cells' distances from cell (0, 0) in pixels.
SNIPER_CLONES void decode_sides(float anchor_first, float anchor_last, const float* __restrict steps,
                                const float* __restrict shifts, const float* __restrict growths, float size,
                                int64_t count, float* __restrict first, float* __restrict last) {
  for (int64_t i = 0; i < count; ++i) {
    decode_side(anchor_first + steps[i], anchor_last + steps[i], shifts[i], growths[i], size, first + i, last + i);
  }
}

template <Arithmetic kind>
SNIPER_INLINE void mark_dropped(const float* __restrict x1, const float* __restrict y1, const float* __restrict x2,
                                const float* __restrict y2, const float* __restrict scores, float min_size,
                                const AreaRange* range, int64_t count, float* __restrict live_scores) {
  for (int64_t i = 0; i < count; ++i) {
    live_scores[i] = enters_nms<kind>(Box{x1[i], y1[i], x2[i], y2[i]}, min_size, range) ? scores[i] : -1.0f;
  }
}

SNIPER_CLONES void mark_dropped_test(const float* x1, const float* y1, const float* x2, const float* y2,
                                     const float* scores, float min_size, int64_t count, float* live_scores) {
  mark_dropped<Arithmetic::kTest>(x1, y1, x2, y2, scores, min_size, nullptr, count, live_scores);
}

SNIPER_CLONES void mark_dropped_train(const float* x1, const float* y1, const float* x2, const float* y2,
                                      const float* scores, float min_size, AreaRange range, int64_t count,
                                      float* live_scores) {
  mark_dropped<Arithmetic::kTrain>(x1, y1, x2, y2, scores, min_size, &range, count, live_scores);
}

struct NoScratch {};

}  // namespace

void DenseBoxes::decode(const ImageOutputs& image, const std::vector<Box>& anchors, const ProposalOptions& options,
                        const AreaRange* range) {
  const int64_t cells = static_cast<int64_t>(image.height) * image.width;
  const int64_t total = static_cast<int64_t>(anchors.size()) * cells, size = 5 * total + 2 * cells;
  if (size_ < size) {
    memory_.reset(new float[size]);
    size_ = size;
  }
  x1_ = memory_.get();
  y1_ = x1_ + total;
  x2_ = y1_ + total;
  y2_ = x2_ + total;
  scores_ = y2_ + total;
  float* columns = scores_ + total;
  float* rows = columns + cells;
  for (int64_t i = 0; i < cells; ++i) {
    const Box step = shifted(Box{0.0f, 0.0f, 0.0f, 0.0f}, static_cast<int>(i % image.width),
                             static_cast<int>(i / image.width), options.feature_stride);
    columns[i] = step.x1;
    rows[i] = step.y1;
  }
  const int64_t blocks = (cells + kBlock - 1) / kBlock;
  const auto decode_block = [&](int64_t task, NoScratch*) {
    const int64_t a = task / blocks, cell = task % blocks * kBlock, place = a * cells + cell;
    const int64_t count = cells - cell < kBlock ? cells - cell : kBlock;
    const Box& anchor = anchors[a];
    const float* deltas = image.deltas + 4 * a * cells + cell;
    float *x1 = x1_ + place, *y1 = y1_ + place, *x2 = x2_ + place, *y2 = y2_ + place;
    decode_sides(anchor.x1, anchor.x2, columns + cell, deltas, deltas + 2 * cells, image.image_width, count, x1, x2);
    decode_sides(anchor.y1, anchor.y2, rows + cell, deltas + cells, deltas + 3 * cells, image.image_height, count, y1,
                 y2);
    const float* scores = image.scores + place;
    if (range == nullptr) {
      mark_dropped_test(x1, y1, x2, y2, scores, options.min_size, count, scores_ + place);
    } else {
      mark_dropped_train(x1, y1, x2, y2, scores, options.min_size, *range, count, scores_ + place);
    }
  };
  const int64_t tasks = static_cast<int64_t>(anchors.size()) * blocks;
  if (total >= kManyBoxes) {
    parallel_for<NoScratch>(tasks, decode_block);
  } else {
    for (int64_t task = 0; task < tasks; ++task) decode_block(task, nullptr);
  }
}

}  // namespace sniper
