// A thread an anchor matches it with all rows of its image, a radix sort puts the anchors of every image into the order
// in which they are kept (faces, background, the rest), and a thread a place of that order writes the outputs.
#include "cuda/mined_anchors.h"

#include "cuda/anchors.h"
#include "cuda/launch.h"
#include "cuda/sort.h"

namespace sniper {
namespace {

const int kThreads = 128;
const int kWarps = kThreads / kWarpSize;

// Upper part of a sort key: image, then kind; the rank is below.
enum Kind : uint64_t { kFace, kBackground, kNotUsed };
const int kKindBits = 2, kRankBits = 32;

// Of every image.
struct Counters {
  int32_t* inside;  // whether an anchor lies inside the picture
  int32_t* faces;
  int32_t* background;
};

struct MinedMemory {
  Box* anchors;         // (A,) of cell (0, 0)
  int32_t* counters;    // (3, B)
  int32_t* match;       // (B, K) row of the object that an anchor belongs to
  double* best_of_row;  // (B, G) largest overlap of an object with an anchor; null unless best anchors are forced
  SortBuffers pairs;    // (B * K)

  MinedMemory(Arena* arena, const MinedAnchorInputs& in, bool force_best) {
    const int64_t total = in.images * in.per_image();
    anchors = arena->take<Box>(in.anchors);
    counters = arena->take<int32_t>(3 * in.images);
    match = arena->take<int32_t>(total);
    best_of_row = force_best ? arena->take<double>(in.images * in.rows) : nullptr;
    for (int i = 0; i < 2; ++i) {
      pairs.keys[i] = arena->take<uint64_t>(total);
      pairs.values[i] = arena->take<uint32_t>(total);
    }
    pairs.workspace = arena->take<char>(static_cast<int64_t>(sort_workspace(total)));
  }
};

// What all kernels take; the image is blockIdx.y.
struct Task {
  MinedAnchorInputs in;
  MiningRules rules;
  const Box* anchors;
  Counters counters;
};

// A row of ground truth, as the threads of a block share it.
struct Truth {
  Side x, y;
  double area;
  RowKind kind;
};

__device__ inline Truth truth_of(const float* row) {
  const Box box = box_of_row(row);
  return Truth{x_side(box), y_side(box), area_of(box), row_kind(row)};
}

struct Placed {
  Side x, y;
  double area;
  bool inside;
};

__device__ inline Placed placed_anchor(const Task& task, int64_t k) {
  const int64_t cell = k % task.in.cells();
  const Box& base = task.anchors[k / task.in.cells()];
  const double stride = task.rules.stride;
  Placed placed;
  placed.x = x_side(base).moved(static_cast<double>(cell % task.in.width) * stride);
  placed.y = y_side(base).moved(static_cast<double>(cell / task.in.width) * stride);
  placed.area = area_of(base);
  const float* info = task.in.im_info + 3 * static_cast<int64_t>(blockIdx.y);
  placed.inside = is_inside(placed.x, info[1], task.rules.border) && is_inside(placed.y, info[0], task.rules.border);
  return placed;
}

__device__ inline bool takes_part(const Task& task, const Placed& anchor) {
  return anchor.inside || task.counters.inside[blockIdx.y] == 0;
}

// Shared area, 0 where they do not touch.
__device__ inline double shared_area(const Placed& anchor, const Truth& truth) {
  const double width = shared_length(anchor.x, truth.x), height = shared_length(anchor.y, truth.y);
  return width > 0 && height > 0 ? width * height : 0.0;
}

__device__ inline int64_t item_of_thread() { return static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; }

__global__ void __launch_bounds__(kThreads) inside_kernel(Task task) {
  const int64_t k = item_of_thread();
  if (k >= task.in.per_image()) return;
  if (placed_anchor(task, k).inside) atomicOr(task.counters.inside + blockIdx.y, 1);
}

// A block a row: the largest overlap of its object with an anchor.
__global__ void __launch_bounds__(kThreads) best_of_row_kernel(Task task, double* best_of_row) {
  __shared__ double parts[kWarps];
  const int64_t row = static_cast<int64_t>(blockIdx.y) * task.in.rows + blockIdx.x;
  const Truth truth = truth_of(task.in.gt_boxes + 5 * row);
  double best = 0.0;
  for (int64_t k = threadIdx.x; k < task.in.per_image() && truth.kind == RowKind::kObject; k += kThreads) {
    const Placed anchor = placed_anchor(task, k);
    const double shared = takes_part(task, anchor) ? shared_area(anchor, truth) : 0.0;
    if (shared == 0.0) continue;
    const double overlap = overlap_of(shared, anchor.area + truth.area);
    best = overlap > best ? overlap : best;
  }
  for (int delta = kWarpSize / 2; delta > 0; delta /= 2) {
    const double other = __shfl_xor_sync(kFullWarp, best, delta);
    best = other > best ? other : best;
  }
  if (threadIdx.x % kWarpSize == 0) parts[threadIdx.x / kWarpSize] = best;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int i = 0; i < kWarps; ++i) best = parts[i] > best ? parts[i] : best;
  best_of_row[row] = best;
}

// What the rows seen so far say of an anchor.
struct Findings {
  double best = 0.0;
  int32_t match = 0;
  bool forced = false, ignored = false, covered = false;
};

__device__ inline void add_row(const MiningRules& rules, const Placed& anchor, const Truth& truth, int64_t row,
                               const double* best_of_row, Findings* found) {
  if (truth.kind == RowKind::kNone) return;
  const double shared = shared_area(anchor, truth);
  if (shared == 0.0) return;
  const double overlap = overlap_of(shared, anchor.area + truth.area);
  if (truth.kind != RowKind::kObject) {
    found->ignored = found->ignored || overlap > rules.ignore;
    found->covered = found->covered || (truth.kind == RowKind::kRegion && covers(shared, anchor.area));
    return;
  }
  if (overlap > found->best) {
    found->best = overlap;
    found->match = static_cast<int32_t>(row);
  }
  found->forced = found->forced || (best_of_row != nullptr && overlap > 0.0 && overlap == best_of_row[row]);
}

__device__ inline Kind kind_of(const MiningRules& rules, const Findings& found) {
  if (found.ignored) return kNotUsed;
  const float label = found.forced ? 1.0f : overlap_label(found.best, rules);
  if (label == 1.0f) return kFace;
  return label == 0.0f && !found.covered ? kBackground : kNotUsed;
}

// One thread an anchor: its object and its sort key.
__global__ void __launch_bounds__(kThreads)
    match_kernel(Task task, const double* best_of_row, int32_t* match, uint64_t* keys, uint32_t* indices) {
  __shared__ Truth truths[kThreads];
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarpSize;
  const int64_t image = blockIdx.y, k = item_of_thread();
  const bool present = k < task.in.per_image();
  const Placed anchor = placed_anchor(task, present ? k : 0);
  const float* rows = task.in.gt_boxes + 5 * image * task.in.rows;
  const double* best = best_of_row != nullptr ? best_of_row + image * task.in.rows : nullptr;
  Findings found;
  for (int64_t begin = 0; begin < task.in.rows; begin += kThreads) {
    if (begin + thread < task.in.rows) truths[thread] = truth_of(rows + 5 * (begin + thread));
    __syncthreads();
    const int count = static_cast<int>(task.in.rows - begin < kThreads ? task.in.rows - begin : kThreads);
    for (int i = 0; i < count; ++i) add_row(task.rules, anchor, truths[i], begin + i, best, &found);
    __syncthreads();
  }
  const Kind kind = present && takes_part(task, anchor) ? kind_of(task.rules, found) : kNotUsed;
  const unsigned int faces = __ballot_sync(kFullWarp, kind == kFace);
  const unsigned int background = __ballot_sync(kFullWarp, kind == kBackground);
  if (lane == 0 && faces != 0) atomicAdd(task.counters.faces + image, __popc(faces));
  if (lane == 0 && background != 0) atomicAdd(task.counters.background + image, __popc(background));
  if (!present) return;
  const int64_t place = image * task.in.per_image() + k;
  const uint32_t rank = kind == kNotUsed ? 0 : mining_rank(task.in.prob[place], kind == kFace);
  match[place] = found.match;
  keys[place] = (static_cast<uint64_t>(image) << kKindBits | kind) << kRankBits | rank;
  indices[place] = static_cast<uint32_t>(k);
}

// One thread a place of the order of an image: the anchor that stands there.
__global__ void __launch_bounds__(kThreads)
    write_kernel(Task task, const uint32_t* order, const int32_t* match, MinedAnchorOutputs out) {
  const int64_t place = item_of_thread(), count = task.in.per_image(), image = blockIdx.y;
  if (place >= count) return;
  const int64_t faces = task.counters.faces[image], background = task.counters.background[image];
  const int64_t kept = kept_positives(faces, task.rules);
  const int64_t kept_background = kept_negatives(background, kept, task.rules);
  const int64_t k = order[image * count + place], cells = task.in.cells(), cell = k % cells, a = k / cells;
  const bool face = place < kept;
  float target[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  if (face) {
    const int64_t row = image * task.in.rows + match[image * count + k];
    mined_target(task.anchors[a], static_cast<int>(cell % task.in.width), static_cast<int>(cell / task.in.width),
                 task.rules.stride, task.in.gt_boxes + 5 * row, target);
  }
  const float weight = face ? static_cast<float>(1.0 / static_cast<double>(kept + kept_background)) : 0.0f;
  out.label[image * count + k] = face ? 1.0f : place >= faces && place - faces < kept_background ? 0.0f : -1.0f;
  for (int c = 0; c < 4; ++c) {
    const int64_t i = 4 * image * count + (4 * a + c) * cells + cell;
    out.bbox_target[i] = target[c];
    out.bbox_weight[i] = weight;
  }
}

}  // namespace

void mined_anchors_cuda(const CudaContext& context, const MinedAnchorInputs& in, const MinedAnchorOptions& options,
                        const MinedAnchorOutputs& out) {
  if (in.images * in.per_image() == 0) return;
  const MinedMemory memory = scratch<MinedMemory>(context, in, options.rules.force_best);
  const Counters counters = {memory.counters, memory.counters + in.images, memory.counters + 2 * in.images};
  const Task task = {in, options.rules, memory.anchors, counters};
  const unsigned int images = static_cast<unsigned int>(in.images);
  const dim3 threads(kThreads), anchors(blocks_for(in.per_image(), kThreads), images);
  place_anchors_cuda(context, options.anchors(), memory.anchors);
  fill_zero_cuda(context, memory.counters, 3 * static_cast<size_t>(in.images) * sizeof(int32_t));
  launch(inside_kernel, anchors, threads, 0, context, task);
  if (options.rules.force_best) {
    launch(best_of_row_kernel, dim3(blocks_for(in.rows, 1), images), threads, 0, context, task, memory.best_of_row);
  }
  launch(match_kernel, anchors, threads, 0, context, task, memory.best_of_row, memory.match, memory.pairs.keys[0],
         memory.pairs.values[0]);
  const int bits = kRankBits + kKindBits + bits_of(in.images);
  const SortedPairs sorted = sort_pairs(context, memory.pairs, in.images * in.per_image(), bits);
  launch(write_kernel, anchors, threads, 0, context, task, sorted.values, memory.match, out);
}

}  // namespace sniper
