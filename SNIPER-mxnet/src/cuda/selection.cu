#include "cuda/selection.h"

#include "cuda/anchors.h"
#include "cuda/launch.h"
#include "sniper/ranking.h"

namespace sniper {
namespace {

const int kThreads = 128;

// Images with more anchors than this go through NMS in larger chunks. That takes fewer launches, and the masks of a
// chunk (2 MB) still take less memory than the image's inputs and sort keys.
const int64_t kManyAnchors = 65536;

// A sort key has the image's number in its upper 32 bits and a number that ascends as scores descend in its lower 32.
// Boxes that never enter NMS have this value as their lower half, which no score gives: they end up behind all others.
const uint32_t kDropped = 0xffffffffu;

// The inputs and options that all kernels of this file take.
struct Task {
  BatchOutputs batch;
  const Box* anchors;
  int num_anchors, stride;
  int64_t anchors_per_image;
  float min_size;
  const float* valid_ranges;
};

// One thread an anchor of the batch: its sort key and its flat index within its image.
template <Arithmetic kind>
__global__ void keys_kernel(Task task, uint64_t* keys, uint32_t* indices) {
  const int64_t place = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (place >= task.batch.num_images * task.anchors_per_image) return;
  const int64_t image = place / task.anchors_per_image, index = place % task.anchors_per_image;
  const ImageOutputs outputs = image_outputs(task.batch, task.num_anchors, image);
  const float score = outputs.scores[index];
  uint32_t key = kDropped;
  if (is_ranked(score)) {
    const Box box = proposal_box(task.anchors, outputs, task.stride, index);
    AreaRange range;
    if (task.valid_ranges != nullptr) range = area_range(task.valid_ranges, image);
    if (enters_nms<kind>(box, task.min_size, task.valid_ranges != nullptr ? &range : nullptr)) {
      key = ~ordered_bits(score);
    }
  }
  keys[place] = static_cast<uint64_t>(image) << 32 | key;
  indices[place] = static_cast<uint32_t>(index);
}

// One thread a box of the chunk of image y that begins at rank `first` and ends before `limit`: decodes it and tests
// it against the boxes kept so far.
template <Arithmetic kind>
__global__ void chunk_kernel(Task task, SortedPairs sorted, int64_t first, int64_t limit, float threshold,
                             NmsChunk chunk, KeptBoxesCuda kept) {
  __shared__ Box kept_boxes[kThreads];
  __shared__ float kept_areas[kThreads];
  const int64_t image = blockIdx.y;
  const int count = kept.counts[image];
  if (count >= kept.capacity) return;
  const int thread = static_cast<int>(threadIdx.x), i = static_cast<int>(blockIdx.x) * kThreads + thread;
  const int64_t place = image * task.anchors_per_image + first + i;
  const bool present = i < chunk.chunk && first + i < limit && static_cast<uint32_t>(sorted.keys[place]) != kDropped;
  Box box = {0.0f, 0.0f, 0.0f, 0.0f};
  uint32_t index = 0;
  if (present) {
    index = sorted.values[place];
    box = proposal_box(task.anchors, image_outputs(task.batch, task.num_anchors, image), task.stride, index);
  }
  const float box_area = area<kind>(box);
  bool removed = !present;
  for (int begin = 0; begin < count; begin += kThreads) {
    if (begin + thread < count) {
      kept_boxes[thread] = kept.boxes[image * kept.capacity + begin + thread];
      kept_areas[thread] = area<kind>(kept_boxes[thread]);
    }
    __syncthreads();
    const int end = count - begin < kThreads ? count - begin : kThreads;
    for (int k = 0; k < end && !removed; ++k) {
      removed = overlap(kept_boxes[k], kept_areas[k], box, box_area) > threshold;
    }
    __syncthreads();
  }
  const unsigned int votes = __ballot_sync(kFullWarp, removed);
  if (i >= chunk.chunk) return;
  chunk.boxes[image * chunk.chunk + i] = box;
  chunk.indices[image * chunk.chunk + i] = index;
  if (i % kWarpSize == 0) chunk.removed[(image * chunk.chunk + i) / kWarpSize] = votes;
}

int64_t anchors_per_image(const BatchOutputs& batch, const ProposalOptions& options) {
  return static_cast<int64_t>(options.num_anchors()) * batch.height * batch.width;
}

// How many boxes of an image may enter NMS.
int64_t nms_limit(int64_t per_image, const ProposalOptions& options) {
  return options.pre_nms_top_n < 0 || options.pre_nms_top_n > per_image ? per_image : options.pre_nms_top_n;
}

int chunk_size(int64_t per_image, int64_t limit) {
  const int64_t most = per_image < kManyAnchors ? 2048 : 4096;
  const int64_t size = limit < most ? (limit + kMaskBits - 1) / kMaskBits * kMaskBits : most;
  return static_cast<int>(size > 0 ? size : kMaskBits);
}

}  // namespace

SelectionMemory::SelectionMemory(Arena* arena, const BatchOutputs& batch, const ProposalOptions& options) {
  const int64_t images = batch.num_images, per_image = anchors_per_image(batch, options);
  const int64_t total = images * per_image;
  anchors = arena->take<Box>(options.num_anchors());
  for (int i = 0; i < 2; ++i) {
    sort.keys[i] = arena->take<uint64_t>(total);
    sort.values[i] = arena->take<uint32_t>(total);
  }
  sort.workspace = arena->take<char>(static_cast<int64_t>(sort_workspace(total)));
  chunk.chunk = chunk_size(per_image, nms_limit(per_image, options));
  chunk.boxes = arena->take<Box>(images * chunk.chunk);
  chunk.indices = arena->take<uint32_t>(images * chunk.chunk);
  chunk.removed = arena->take<uint32_t>(images * chunk.chunk / 32);
  chunk.masks = arena->take<uint64_t>(images * chunk.chunk * (chunk.chunk / kMaskBits));
  kept.capacity = options.post_nms_top_n;
  kept.boxes = arena->take<Box>(images * kept.capacity);
  kept.indices = arena->take<uint32_t>(images * kept.capacity);
  kept.counts = arena->take<int>(images);
}

template <Arithmetic kind>
KeptBoxesCuda select_proposals_cuda(const CudaContext& context, const BatchOutputs& batch,
                                    const ProposalOptions& options, const float* valid_ranges,
                                    const SelectionMemory& memory) {
  const int64_t images = batch.num_images, per_image = anchors_per_image(batch, options);
  const Task task = {batch,     memory.anchors,   options.num_anchors(), options.feature_stride,
                     per_image, options.min_size, valid_ranges};
  place_anchors_cuda(context, options.anchors(), memory.anchors);
  fill_zero_cuda(context, memory.kept.counts, images * sizeof(int));
  launch(keys_kernel<kind>, dim3(blocks_for(images * per_image, kThreads)), dim3(kThreads), 0, context, task,
         memory.sort.keys[0], memory.sort.values[0]);
  const SortedPairs sorted = sort_pairs(context, memory.sort, images * per_image, 32 + bits_of(images));
  // Only the device knows how many boxes each image has kept so far, so all chunks are launched; a chunk of an image
  // that has its P boxes already does nothing.
  const int64_t limit = nms_limit(per_image, options);
  const NmsChunk& chunk = memory.chunk;
  for (int64_t first = 0; first < limit; first += chunk.chunk) {
    launch(chunk_kernel<kind>, dim3(blocks_for(chunk.chunk, kThreads), static_cast<unsigned int>(images)),
           dim3(kThreads), 0, context, task, sorted, first, limit, options.threshold, chunk, memory.kept);
    reduce_chunk_cuda<kind>(context, chunk, images, options.threshold, memory.kept);
  }
  return memory.kept;
}

template KeptBoxesCuda select_proposals_cuda<Arithmetic::kTest>(const CudaContext&, const BatchOutputs&,
                                                                const ProposalOptions&, const float*,
                                                                const SelectionMemory&);
template KeptBoxesCuda select_proposals_cuda<Arithmetic::kTrain>(const CudaContext&, const BatchOutputs&,
                                                                 const ProposalOptions&, const float*,
                                                                 const SelectionMemory&);

}  // namespace sniper
