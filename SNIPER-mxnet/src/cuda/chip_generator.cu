// The cover that sniper/chip_grid.h defines, in parallel: the trials of an image are blocks of their own, each over all
// groups at once, since no candidate covers boxes of two groups. A greedy step is one pass over the candidates' bits
// and a reduction; the random order makes equal candidates distinct, so slots may come in any order.
#include "cuda/chip_generator.h"

#include <algorithm>

#include "cuda/chip_candidates.h"
#include "cuda/launch.h"

namespace sniper {
namespace {

const int kThreads = 512;
const int64_t kMaxBytes = int64_t{1} << 28;
const int64_t kMaxImages = 65535;  // blocks along y

// Results of the trials. A trial's chips are slots in the order of choice, -1 for those found needless.
struct Trials {
  int* chips;    // (images, kChipTrials, boxes_per_image)
  int* lengths;  // (images, kChipTrials)
  int* sizes;    // (images, kChipTrials, boxes_per_image) chips of a group
  int* holders;  // (images, kChipTrials, boxes_per_image) chips that cover a box

  Trials(Arena* arena, const ChipBatch& batch, int images) {
    const int64_t trials = int64_t{kChipTrials} * images, boxes = trials * batch.boxes_per_image;
    chips = arena->take<int>(boxes);
    lengths = arena->take<int>(trials);
    sizes = arena->take<int>(boxes);
    holders = arena->take<int>(boxes);
  }
};

struct Memory {
  ChipCandidates candidates;
  Trials trials;
  Memory(Arena* arena, const ChipBatch& batch, const ChipOptions& options, int images)
      : candidates(arena, batch, options, images), trials(arena, batch, images) {}
};

// The candidates of one image.
struct ImageCandidates {
  const int* numbers;
  const uint32_t* covers;
  const int* groups;
  int64_t room;
  int count, words, boxes;

  __device__ ImageCandidates(const ChipCandidates& all, int image)
      : numbers(all.numbers + image * all.room),
        covers(all.covers + image * all.words * all.room),
        groups(all.groups + static_cast<int64_t>(image) * all.boxes_per_image),
        room(all.room),
        count(all.counts[image]),
        words(all.words),
        boxes(all.boxes_per_image) {}

  __device__ uint32_t word(int slot, int w) const { return covers[w * room + slot]; }
  __device__ bool holds(int slot, int box) const { return word(slot, box / 32) >> (box % 32) & 1u; }

  __device__ int gain(int slot, const uint32_t* covered) const {
    int boxes_left = 0;
    for (int w = 0; w < words; ++w) boxes_left += __popc(word(slot, w) & ~covered[w]);
    return boxes_left;
  }

  // The group that all boxes of the slot belong to: no candidate covers boxes of two.
  __device__ int group(int slot) const {
    int w = 0;
    while (word(slot, w) == 0) ++w;
    return groups[32 * w + __ffs(static_cast<int>(word(slot, w))) - 1];
  }
};

struct Choice {
  int gain, slot;
  unsigned long long rank;
};

__device__ inline bool is_better(const Choice& a, const Choice& b) {
  return a.gain != b.gain ? a.gain > b.gain : a.rank < b.rank;
}

// Gives every thread the best of all threads' choices; a choice without gain loses to all others. There is a barrier
// between writing and reading `shared`; the caller has to place another one before it calls this again.
__device__ inline Choice best_of_block(Choice choice, Choice* shared) {
  for (int delta = kWarpSize / 2; delta > 0; delta /= 2) {
    Choice other;
    other.gain = __shfl_xor_sync(kFullWarp, choice.gain, delta);
    other.slot = __shfl_xor_sync(kFullWarp, choice.slot, delta);
    other.rank = __shfl_xor_sync(kFullWarp, choice.rank, delta);
    if (is_better(other, choice)) choice = other;
  }
  if (threadIdx.x % kWarpSize == 0) shared[threadIdx.x / kWarpSize] = choice;
  __syncthreads();
  for (int i = 0; i < kThreads / kWarpSize; ++i) {
    if (is_better(shared[i], choice)) choice = shared[i];
  }
  return choice;
}

// The best of the first `count` slots, or of the `count` slots in `list` if that is not null. Its gain is 0 if none of
// them covers a box that is not covered yet.
__device__ inline Choice best_slot(const ImageCandidates& image, const int* list, int count, const uint32_t* covered,
                                   uint64_t mixed_seed, Choice* shared) {
  Choice best = {0, -1, ~0ull};
  for (int i = threadIdx.x; i < count; i += kThreads) {
    const int slot = list == nullptr ? i : list[i];
    Choice choice = {image.gain(slot, covered), slot, 0};
    if (choice.gain == 0 || choice.gain < best.gain) continue;
    choice.rank = TieRank(mixed_seed, image.numbers[slot]);
    if (is_better(choice, best)) best = choice;
  }
  return best_of_block(best, shared);
}

// Marks the slot's boxes as covered. The caller has to place a barrier before and one after.
__device__ inline void cover(const ImageCandidates& image, int slot, uint32_t* covered) {
  for (int w = threadIdx.x; w < image.words; w += kThreads) covered[w] |= image.word(slot, w);
}

// From the last chip on, takes out those whose boxes the others hold too, and counts what is left by groups.
__device__ inline void drop_needless(const ImageCandidates& image, int length, int* chips, int* holders, int* sizes) {
  __shared__ int needed;
  for (int box = threadIdx.x; box < image.boxes; box += kThreads) {
    int count = 0;
    for (int i = 0; i < length; ++i) count += image.holds(chips[i], box) ? 1 : 0;
    holders[box] = count;
    sizes[box] = 0;
  }
  for (int i = length - 1; i >= 0; --i) {
    const int slot = chips[i];
    __syncthreads();
    if (threadIdx.x == 0) needed = 0;
    __syncthreads();
    for (int box = threadIdx.x; box < image.boxes; box += kThreads) {
      if (image.holds(slot, box) && holders[box] == 1) needed = 1;
    }
    __syncthreads();
    const bool keep = needed != 0;
    for (int box = threadIdx.x; box < image.boxes && !keep; box += kThreads) {
      if (image.holds(slot, box)) --holders[box];
    }
    if (threadIdx.x != 0) continue;
    if (keep) {
      ++sizes[image.group(slot)];
    } else {
      chips[i] = -1;
    }
  }
}

// Shared memory: a bit for every box.
__global__ void __launch_bounds__(kThreads) trial_kernel(ChipCandidates candidates, Trials trials) {
  SNIPER_DYNAMIC_SHARED(uint32_t, covered);
  __shared__ Choice choices[kThreads / kWarpSize];
  const int trial = static_cast<int>(blockIdx.x);
  const ImageCandidates image(candidates, static_cast<int>(blockIdx.y));
  const int64_t place = static_cast<int64_t>(blockIdx.y) * kChipTrials + trial, first = place * image.boxes;
  const uint64_t mixed_seed = MixBits(candidates.options.seed + static_cast<uint64_t>(trial));
  for (int w = threadIdx.x; w < image.words; w += kThreads) covered[w] = 0;
  int length = 0;
  for (;;) {
    __syncthreads();
    const Choice best = best_slot(image, nullptr, image.count, covered, mixed_seed, choices);
    if (best.gain == 0) break;
    if (threadIdx.x == 0) trials.chips[first + length] = best.slot;
    ++length;  // at most the number of boxes, each chip covers a new one
    cover(image, best.slot, covered);
  }
  __syncthreads();
  drop_needless(image, length, trials.chips + first, trials.holders + first, trials.sizes + first);
  if (threadIdx.x == 0) trials.lengths[place] = length;
}

// The trial that a group's chips come from: the smallest, the first among equals.
__device__ inline int best_trial(const int* sizes, int boxes, int group) {
  int best = 0;
  for (int trial = 1; trial < kChipTrials; ++trial) {
    if (sizes[trial * boxes + group] < sizes[best * boxes + group]) best = trial;
  }
  return best;
}

// One block an image: gathers every group's chips (over those of trial 0's holders, no longer needed) and writes them
// in the order of a last greedy pass. Shared memory as above.
__global__ void __launch_bounds__(kThreads)
    write_kernel(ChipCandidates candidates, Trials trials, float* chips, float* num_chips) {
  SNIPER_DYNAMIC_SHARED(uint32_t, covered);
  __shared__ Choice choices[kThreads / kWarpSize];
  __shared__ int count;
  const ImageCandidates image(candidates, static_cast<int>(blockIdx.x));
  const int64_t first_trial = static_cast<int64_t>(blockIdx.x) * kChipTrials, first = first_trial * image.boxes;
  const int64_t out_image = candidates.first_image + blockIdx.x, max_chips = candidates.options.max_chips;
  bool too_many;
  const ChipGrid grid = GridOfImage(candidates.batch.im_info + 3 * out_image, candidates.options, &too_many);
  int* list = trials.holders + first;
  if (threadIdx.x == 0) count = 0;
  for (int w = threadIdx.x; w < image.words; w += kThreads) covered[w] = 0;
  __syncthreads();
  for (int trial = 0; trial < kChipTrials; ++trial) {
    for (int i = threadIdx.x; i < trials.lengths[first_trial + trial]; i += kThreads) {
      const int slot = trials.chips[first + static_cast<int64_t>(trial) * image.boxes + i];
      if (slot < 0 || best_trial(trials.sizes + first, image.boxes, image.group(slot)) != trial) continue;
      list[atomicAdd(&count, 1)] = slot;
    }
  }
  __syncthreads();
  float* out = chips + 4 * out_image * max_chips;
  for (int i = 0; i < count; ++i) {
    const Choice best = best_slot(image, list, count, covered, MixBits(candidates.options.seed), choices);
    if (threadIdx.x == 0 && i < max_chips) {
      const ChipWindow window = grid.Window(image.numbers[best.slot]);
      const int corners[4] = {window.x1, window.y1, window.x2, window.y2};
      for (int c = 0; c < 4; ++c) out[4 * i + c] = static_cast<float>(corners[c]);
    }
    cover(image, best.slot, covered);
    __syncthreads();
  }
  const int64_t written = Least<int64_t>(count, max_chips);
  for (int64_t i = 4 * written + threadIdx.x; i < 4 * max_chips; i += kThreads) out[i] = -1.0f;
  if (threadIdx.x == 0) num_chips[out_image] = too_many ? -1.0f : static_cast<float>(count);
}

int images_at_a_time(const ChipBatch& batch, const ChipOptions& options) {
  Arena one_image(nullptr);
  const Memory measured(&one_image, batch, options, 1);
  static_cast<void>(measured);
  const int64_t fitting = std::max<int64_t>(kMaxBytes / static_cast<int64_t>(one_image.bytes()), 1);
  return static_cast<int>(std::min(std::min(batch.num_images, fitting), kMaxImages));
}

}  // namespace

void chip_generator_cuda(const ChipBatch& batch, const ChipOptions& options, const CudaContext& context, float* chips,
                         float* num_chips) {
  if (batch.num_images == 0) return;
  if (batch.boxes_per_image > 0x7fffffff / most_candidates_of_box(options)) {
    throw std::runtime_error(std::to_string(batch.boxes_per_image) + " boxes an image and a stride of " +
                             std::to_string(options.stride) + " make too many candidate chips for the GPU");
  }
  Memory memory = scratch<Memory>(context, batch, options, images_at_a_time(batch, options));
  const int part = memory.candidates.images;
  const size_t shared_bytes = memory.candidates.words * sizeof(uint32_t);
  for (int64_t first = 0; first < batch.num_images; first += part) {
    memory.candidates.first_image = first;
    memory.candidates.images = static_cast<int>(std::min<int64_t>(part, batch.num_images - first));
    const unsigned int images = static_cast<unsigned int>(memory.candidates.images);
    find_chip_candidates_cuda(context, memory.candidates);
    launch(trial_kernel, dim3(kChipTrials, images), dim3(kThreads), shared_bytes, context, memory.candidates,
           memory.trials);
    launch(write_kernel, dim3(images), dim3(kThreads), shared_bytes, context, memory.candidates, memory.trials, chips,
           num_chips);
  }
}

}  // namespace sniper
