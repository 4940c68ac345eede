#include "cuda/nms.h"

#include "cuda/launch.h"

namespace sniper {
namespace {

const int kReduceThreads = 256;

__device__ inline bool is_removed(const uint32_t* removed, int i) { return removed[i / 32] >> (i % 32) & 1u; }

// The removed bits of boxes word * 64 ... word * 64 + 63.
__device__ inline unsigned long long removed_word(const uint32_t* removed, int word) {
  return static_cast<unsigned long long>(removed[2 * word + 1]) << 32 | removed[2 * word];
}

// A block of 64 threads tests 64 boxes (block y) against 64 boxes (block x) of image z, one row a thread.
template <Arithmetic kind>
__global__ void __launch_bounds__(kMaskBits) mask_kernel(NmsChunk chunk, float threshold, KeptBoxesCuda kept) {
  __shared__ Box columns[kMaskBits];
  __shared__ float areas[kMaskBits];
  const int64_t image = blockIdx.z;
  const int words = chunk.chunk / kMaskBits, thread = static_cast<int>(threadIdx.x);
  const int row_word = static_cast<int>(blockIdx.y), column_word = static_cast<int>(blockIdx.x);
  const uint32_t* removed = chunk.removed + image * 2 * words;
  if (column_word < row_word || kept.counts[image] >= kept.capacity) return;
  if (~removed_word(removed, row_word) == 0 || ~removed_word(removed, column_word) == 0) {
    // No pair of this block needs a test, but the masks of boxes that are there will be read, so they have to be
    // cleared.
    chunk.masks[(image * chunk.chunk + row_word * kMaskBits + thread) * words + column_word] = 0;
    return;
  }
  const Box* boxes = chunk.boxes + image * chunk.chunk;
  columns[thread] = boxes[column_word * kMaskBits + thread];
  areas[thread] = area<kind>(columns[thread]);
  __syncthreads();
  const int row = row_word * kMaskBits + thread;
  if (is_removed(removed, row)) return;
  const Box box = boxes[row];
  const float box_area = area<kind>(box);
  unsigned long long bits = 0;
  for (int i = column_word == row_word ? thread + 1 : 0; i < kMaskBits; ++i) {
    if (overlap(box, box_area, columns[i], areas[i]) > threshold) bits |= 1ull << i;
  }
  chunk.masks[(image * chunk.chunk + row) * words + column_word] = bits;
}

// One block an image takes 64 boxes at a time: one thread settles them among each other by their own masks, then all
// threads spread the masks of those kept over the boxes that follow. Shared memory: one word for every 64 boxes.
__global__ void __launch_bounds__(kReduceThreads) reduce_kernel(NmsChunk chunk, KeptBoxesCuda kept) {
  SNIPER_DYNAMIC_SHARED(unsigned long long, removed);
  __shared__ unsigned long long own_masks[kMaskBits], survivors;
  __shared__ int count;
  const int64_t image = blockIdx.x;
  const int words = chunk.chunk / kMaskBits, thread = static_cast<int>(threadIdx.x);
  const uint64_t* masks = chunk.masks + image * chunk.chunk * words;
  if (thread == 0) count = kept.counts[image];
  for (int word = thread; word < words; word += kReduceThreads) {
    removed[word] = removed_word(chunk.removed + image * 2 * words, word);
  }
  __syncthreads();
  for (int word = 0; word < words; ++word) {
    const int begin = count;  // the same for all threads: changed between two barriers only
    if (begin >= kept.capacity) break;
    if (thread < kMaskBits && !(removed[word] >> thread & 1u)) {
      own_masks[thread] = masks[static_cast<int64_t>(word * kMaskBits + thread) * words + word];
    }
    __syncthreads();
    if (thread == 0) {
      unsigned long long alive = ~removed[word];
      survivors = 0;
      while (alive != 0 && count < kept.capacity) {
        const int best = __ffsll(static_cast<long long>(alive)) - 1;
        survivors |= 1ull << best;
        alive &= ~(1ull << best) & ~own_masks[best];
        ++count;
      }
    }
    __syncthreads();
    if (thread < kMaskBits && (survivors >> thread & 1u)) {
      const int64_t from = image * chunk.chunk + word * kMaskBits + thread;
      const int64_t to = image * kept.capacity + begin + __popcll(survivors & ((1ull << thread) - 1));
      kept.boxes[to] = chunk.boxes[from];
      kept.indices[to] = chunk.indices[from];
    }
    for (int i = thread; i < kMaskBits * words; i += kReduceThreads) {
      const int box = i / words, later = i % words;
      if (later <= word || !(survivors >> box & 1u)) continue;
      const unsigned long long bits = masks[static_cast<int64_t>(word * kMaskBits + box) * words + later];
      if (bits != 0) atomicOr(&removed[later], bits);
    }
    __syncthreads();
  }
  if (thread == 0) kept.counts[image] = count;
}

}  // namespace

template <Arithmetic kind>
void reduce_chunk_cuda(const CudaContext& context, const NmsChunk& chunk, int64_t num_images, float threshold,
                       const KeptBoxesCuda& kept) {
  const unsigned int words = static_cast<unsigned int>(chunk.chunk / kMaskBits);
  const unsigned int images = static_cast<unsigned int>(num_images);
  launch(mask_kernel<kind>, dim3(words, words, images), dim3(kMaskBits), 0, context, chunk, threshold, kept);
  launch(reduce_kernel, dim3(images), dim3(kReduceThreads), words * sizeof(unsigned long long), context, chunk, kept);
}

template void reduce_chunk_cuda<Arithmetic::kTest>(const CudaContext&, const NmsChunk&, int64_t, float,
                                                   const KeptBoxesCuda&);
template void reduce_chunk_cuda<Arithmetic::kTrain>(const CudaContext&, const NmsChunk&, int64_t, float,
                                                    const KeptBoxesCuda&);

}  // namespace sniper
