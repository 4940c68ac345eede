#include "cuda/chip_candidates.h"

#include "cuda/launch.h"

namespace sniper {
namespace {

const int kThreads = 128;
const int kGroupThreads = 256;

__device__ inline ChipGrid grid_of(const ChipCandidates& candidates, int image, bool* too_many) {
  return GridOfImage(candidates.batch.im_info + 3 * (candidates.first_image + image), candidates.options, too_many);
}

// One thread a box: clips it to its image, or marks it as not in use.
__global__ void clip_kernel(ChipCandidates candidates) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= static_cast<int64_t>(candidates.images) * candidates.boxes_per_image) return;
  const int image = static_cast<int>(i / candidates.boxes_per_image);
  const float* box = candidates.batch.boxes + 4 * (candidates.first_image * candidates.boxes_per_image + i);
  float* clipped = candidates.boxes + 4 * i;
  bool too_many;
  const ChipGrid grid = grid_of(candidates, image, &too_many);
  candidates.groups[i] = -1;
  if (grid.width() < 1 || IsChipPadding(box) || !UsableForChips(box)) {
    clipped[0] = NAN;  // no window covers a box with a NaN
    return;
  }
  ClipForCover(box, grid.width(), grid.height(), clipped);
}

// The candidates that may cover one box, `count` of them: the corners, the windows of the grid at the box's places x,
// y, and those along both edges. `number(grid, i)` is the i-th one's number in the whole grid.
struct BoxCandidates {
  GridSpan x, y;
  int columns, rows, count;

  __device__ BoxCandidates(const ChipGrid& grid, const float* box)
      : x(PossibleSpan(box[0], box[2], grid.size(), grid.stride(), grid.columns())),
        y(PossibleSpan(box[1], box[3], grid.size(), grid.stride(), grid.rows())),
        columns(Largest(x.last - x.first + 1, 0)),
        rows(Largest(y.last - y.first + 1, 0)),
        count(ChipGrid::kCorners + columns * rows + rows + columns) {}

  __device__ int number(const ChipGrid& grid, int i) const {
    if (i < ChipGrid::kCorners) return i;
    i -= ChipGrid::kCorners;
    if (i < columns * rows) return grid.LineStart(1 + x.first + i / rows) + y.first + i % rows;
    i -= columns * rows;
    if (i < rows) return grid.LineStart(grid.columns() + 1) + y.first + i;
    return grid.LineStart(grid.columns() + 2) + x.first + i - rows;
  }
};

// One block a box (x) of an image (y), one thread a candidate that may cover it. Several boxes may meet the same
// candidate: only the first of the boxes that it covers gives it a slot, so that it gets one and not several.
__global__ void __launch_bounds__(kThreads) slots_kernel(ChipCandidates candidates) {
  const int image = static_cast<int>(blockIdx.y), own = static_cast<int>(blockIdx.x);
  const int64_t first_box = static_cast<int64_t>(image) * candidates.boxes_per_image;
  const float* boxes = candidates.boxes + 4 * first_box;
  if (boxes[4 * own] != boxes[4 * own]) return;
  bool too_many;
  const ChipGrid grid = grid_of(candidates, image, &too_many);
  const BoxCandidates list(grid, boxes + 4 * own);
  uint32_t* covers = candidates.covers + image * candidates.words * candidates.room;
  for (int i = threadIdx.x; i < list.count; i += kThreads) {
    const int number = list.number(grid, i);
    const ChipWindow window = grid.Window(number);
    const auto covered = [&](int box) {
      return ChipGrid::Covers(window, boxes[4 * box], boxes[4 * box + 1], boxes[4 * box + 2], boxes[4 * box + 3]);
    };
    if (!covered(own)) continue;
    candidates.groups[first_box + own] = own;
    bool first = true;
    for (int box = 0; box < own && first; ++box) first = !covered(box);
    if (!first) continue;
    const int slot = atomicAdd(&candidates.counts[image], 1);
    candidates.numbers[image * candidates.room + slot] = number;
    for (int word = 0; word < candidates.words; ++word) {
      uint32_t bits = 0;
      const int end = Least(32 * word + 32, candidates.boxes_per_image);
      for (int box = Largest(32 * word, own); box < end; ++box) bits |= (covered(box) ? 1u : 0u) << (box % 32);
      covers[word * candidates.room + slot] = bits;
    }
  }
}

// One block an image: every box takes the smallest group among the boxes that it may share a chip with, until nothing
// changes. Threads may read a group before or after another thread lowers it. Either way groups only get smaller, and
// the loop ends when each is the smallest index among the connected boxes.
__global__ void __launch_bounds__(kGroupThreads) groups_kernel(ChipCandidates candidates) {
  __shared__ int changed;
  const int64_t first_box = static_cast<int64_t>(blockIdx.x) * candidates.boxes_per_image;
  const float* boxes = candidates.boxes + 4 * first_box;
  int* groups = candidates.groups + first_box;
  do {
    __syncthreads();
    if (threadIdx.x == 0) changed = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < candidates.boxes_per_image; i += kGroupThreads) {
      const int before = groups[i];
      if (before < 0) continue;
      const float* a = boxes + 4 * i;
      int group = groups[before];
      for (int other = 0; other < candidates.boxes_per_image; ++other) {
        const int its = groups[other];
        if (its < 0 || its >= group) continue;
        const float* b = boxes + 4 * other;
        if (MayShareChip(a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3], candidates.options.chip_size)) group = its;
      }
      if (group == before) continue;
      groups[i] = group;
      changed = 1;
    }
    __syncthreads();
  } while (changed != 0);
}

}  // namespace

ChipCandidates::ChipCandidates(Arena* arena, const ChipBatch& all, const ChipOptions& chip_options, int num_images)
    : batch(all),
      options(chip_options),
      first_image(0),
      images(num_images),
      boxes_per_image(static_cast<int>(all.boxes_per_image)),
      words((boxes_per_image + 31) / 32),
      room(boxes_per_image * most_candidates_of_box(chip_options)) {
  boxes = arena->take<float>(int64_t{4} * images * boxes_per_image);
  groups = arena->take<int>(static_cast<int64_t>(images) * boxes_per_image);
  counts = arena->take<int>(images);
  numbers = arena->take<int>(images * room);
  covers = arena->take<uint32_t>(images * words * room);
}

void find_chip_candidates_cuda(const CudaContext& context, const ChipCandidates& candidates) {
  const int64_t boxes = static_cast<int64_t>(candidates.images) * candidates.boxes_per_image;
  fill_zero_cuda(context, candidates.counts, candidates.images * sizeof(int));
  launch(clip_kernel, dim3(blocks_for(boxes, kThreads)), dim3(kThreads), 0, context, candidates);
  launch(slots_kernel, dim3(candidates.boxes_per_image, candidates.images), dim3(kThreads), 0, context, candidates);
  launch(groups_kernel, dim3(candidates.images), dim3(kGroupThreads), 0, context, candidates);
}

}  // namespace sniper
