// One block a set. Its rows lie column by column in shared memory, or in working memory if there are too many. Every
// step of the definition (sniper/soft_nms.h) is done by all threads: the best score by a reduction, the decay row by
// row, and the closing of gaps from prefix sums instead of one row after the other.
#include "cuda/soft_nms.h"

#include <stdexcept>

#include "cuda/launch.h"
#include "cuda/scan.h"
#include "sniper/ranking.h"

namespace sniper {
namespace {

const int kThreads = 256;
const int kWarps = kThreads / kWarpSize;
// Shared memory for the rows of a set. Every GPU gives a block 48 KB without being asked; the rest is for the kernel's
// own variables.
const size_t kSharedBytes = 40 * 1024;

enum Column { kX1, kY1, kX2, kY2, kScore, kArea, kNumColumns };

// The rows of a set. A NaN score marks a row that was dropped in this step: live rows have none.
struct Rows {
  float* columns;  // kNumColumns of `capacity`
  int* gaps;       // capacity
  int capacity;

  __device__ float& at(int column, int row) const { return columns[static_cast<int64_t>(column) * capacity + row]; }
};

int64_t bytes_of_set(int64_t rows) { return rows * (kNumColumns * sizeof(float) + sizeof(int)); }

// What the threads of a block tell each other.
struct Shared {
  unsigned long long best[kWarps];
  int dropped;
};

// Takes the usable rows in their order; returns how many.
__device__ inline int load(const float* dets, int num_rows, float min_score, const Rows& rows) {
  int count = 0;
  for (int first = 0; first < num_rows; first += kThreads) {
    const int i = first + static_cast<int>(threadIdx.x);
    const float* row = dets + static_cast<int64_t>(5) * i;
    const bool usable = i < num_rows && SoftNmsUsable(row, min_score);
    int total;
    const int place = count + count_before<kThreads>(usable, &total);
    if (usable) {
      for (int c = 0; c < 5; ++c) rows.at(c, place) = row[c];
      rows.at(kArea, place) = SoftNmsArea(row);
    }
    count += total;
  }
  return count;
}

// Row of the largest score in [begin, end), the first among equals. Every thread gets it.
__device__ inline int best_row(const Rows& rows, int begin, int end, Shared* shared) {
  unsigned long long best = 0;
  for (int i = begin + threadIdx.x; i < end; i += kThreads) {
    const uint32_t first_wins = 0xffffffffu - static_cast<uint32_t>(i);
    const unsigned long long key =
        static_cast<unsigned long long>(ordered_bits(rows.at(kScore, i))) << 32 | first_wins;
    best = key > best ? key : best;
  }
  for (int delta = kWarpSize / 2; delta > 0; delta /= 2) {
    const unsigned long long other = __shfl_xor_sync(kFullWarp, best, delta);
    best = other > best ? other : best;
  }
  if (threadIdx.x % kWarpSize == 0) shared->best[threadIdx.x / kWarpSize] = best;
  __syncthreads();
  for (int i = 0; i < kWarps; ++i) best = shared->best[i] > best ? shared->best[i] : best;
  return static_cast<int>(0xffffffffu - static_cast<uint32_t>(best));
}

// Step 2 for the rows [begin, end) behind the chosen one, whose scores it lowers; dropped ones become NaN and are
// counted in shared->dropped.
__device__ inline void decay(const Rows& rows, int begin, int end, const SoftNmsParam& param, Shared* shared) {
  const int chosen = begin - 1;
  const Box top = {rows.at(kX1, chosen), rows.at(kY1, chosen), rows.at(kX2, chosen), rows.at(kY2, chosen)};
  const float top_area = rows.at(kArea, chosen);
  int dropped = 0;
  for (int i = begin + threadIdx.x; i < end; i += kThreads) {
    const Box box = {rows.at(kX1, i), rows.at(kY1, i), rows.at(kX2, i), rows.at(kY2, i)};
    const float overlap = SoftNmsOverlap(top, top_area, box, rows.at(kArea, i));
    if (!(overlap >= 0.0f)) continue;
    const float score = rows.at(kScore, i) * SoftNmsWeight(overlap, param);
    const bool keep = !(score < param.score_thresh);
    rows.at(kScore, i) = keep ? score : NAN;
    dropped += keep ? 0 : 1;
  }
  if (dropped > 0) atomicAdd(&shared->dropped, dropped);
}

// Step 3: of the rows [begin, end) the dropped ones go; the n-th gap from the front takes the n-th survivor from the
// back. `live` is the new end.
__device__ inline void close_gaps(const Rows& rows, int begin, int live, int end) {
  int gaps = 0;
  for (int first = begin; first < live; first += kThreads) {
    const int i = first + static_cast<int>(threadIdx.x);
    const bool gap = i < live && rows.at(kScore, i) != rows.at(kScore, i);
    int total;
    const int place = gaps + count_before<kThreads>(gap, &total);
    if (gap) rows.gaps[place] = i;
    gaps += total;
  }
  int survivors = 0;  // as many as gaps
  for (int first = live > begin ? live : begin; first < end; first += kThreads) {
    const int i = first + static_cast<int>(threadIdx.x);
    const bool survivor = i < end && rows.at(kScore, i) == rows.at(kScore, i);
    int total;
    const int place = survivors + count_before<kThreads>(survivor, &total);
    if (survivor) {
      const int gap = rows.gaps[gaps - 1 - place];
      for (int c = 0; c < kNumColumns; ++c) rows.at(c, gap) = rows.at(c, i);
    }
    survivors += total;
  }
}

// `memory` has bytes_of_set for each set if their rows do not fit into shared memory; otherwise it is null.
__global__ void __launch_bounds__(kThreads)
    soft_nms_kernel(const float* dets, int num_rows, SoftNmsParam param, char* memory, float* out, float* counts) {
  SNIPER_DYNAMIC_SHARED(char, dynamic);
  __shared__ Shared shared;
  const int64_t set = blockIdx.x, set_floats = static_cast<int64_t>(num_rows) * 5;
  Rows rows;
  rows.columns = reinterpret_cast<float*>(
      memory == nullptr ? dynamic : memory + set * num_rows * (kNumColumns * sizeof(float) + sizeof(int)));
  rows.gaps = reinterpret_cast<int*>(rows.columns + static_cast<int64_t>(kNumColumns) * num_rows);
  rows.capacity = num_rows;
  int count = load(dets + set * set_floats, num_rows, param.min_score, rows);
  for (int i = 0; i < count; ++i) {
    if (threadIdx.x == 0) shared.dropped = 0;
    __syncthreads();
    const int best = best_row(rows, i, count, &shared);
    if (threadIdx.x < kNumColumns && best != i) {
      const float value = rows.at(threadIdx.x, i);
      rows.at(threadIdx.x, i) = rows.at(threadIdx.x, best);
      rows.at(threadIdx.x, best) = value;
    }
    __syncthreads();
    decay(rows, i + 1, count, param, &shared);
    __syncthreads();
    const int live = count - shared.dropped;
    if (live < count) close_gaps(rows, i + 1, live, count);
    count = live;
    __syncthreads();
  }
  __syncthreads();
  for (int64_t i = threadIdx.x; i < set_floats; i += kThreads) {
    const int row = static_cast<int>(i / 5);
    out[set * set_floats + i] = row < count ? rows.at(static_cast<int>(i % 5), row) : -1.0f;
  }
  if (threadIdx.x == 0) counts[set] = static_cast<float>(count);
}

struct Memory {
  char* sets;
  Memory(Arena* arena, int64_t bytes) : sets(arena->take<char>(bytes)) {}
};

}  // namespace

void soft_nms_cuda(const float* dets, int64_t sets, int64_t rows, const SoftNmsParam& param,
                   const CudaContext& context, float* out, float* counts) {
  if (rows > 0x7fffffff / 5) throw std::runtime_error("too many rows for one set: " + std::to_string(rows));
  const size_t bytes = static_cast<size_t>(bytes_of_set(rows));
  char* memory = nullptr;
  if (bytes > kSharedBytes) memory = scratch<Memory>(context, static_cast<int64_t>(bytes) * sets).sets;
  launch(soft_nms_kernel, dim3(blocks_for(sets, 1)), dim3(kThreads), memory == nullptr ? bytes : 0, context, dets,
         static_cast<int>(rows), param, memory, out, counts);
}

}  // namespace sniper
