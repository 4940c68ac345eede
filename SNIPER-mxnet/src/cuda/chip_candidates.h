// The first half of ChipGenerator on the device: which candidates cover which boxes, and which boxes belong together.
#ifndef SNIPER_CUDA_CHIP_CANDIDATES_H_
#define SNIPER_CUDA_CHIP_CANDIDATES_H_

#include <cstdint>

#include "cuda/context.h"
#include "sniper/chip_grid.h"

namespace sniper {

// The candidates that can cover one box, at most: places along both axes of the grid (PossibleSpan), the two edges and
// the corners.
inline int64_t most_candidates_of_box(const ChipOptions& options) {
  const int64_t places = (options.chip_size - 1) / options.stride + 3;
  return places * places + 2 * places + ChipGrid::kCorners;
}

// Working memory for some images, from `first_image` of the batch on. A candidate has a slot, in no particular order.
struct ChipCandidates {
  ChipBatch batch;
  ChipOptions options;
  int64_t first_image;
  int images, boxes_per_image;
  int words;    // of 32 boxes
  int64_t room;  // slots an image

  float* boxes;      // (images, boxes_per_image, 4) clipped; NaN first where the row is not in use
  int* groups;       // (images, boxes_per_image) the smallest index in the box's group; -1 if no candidate covers it
  int* counts;       // (images) slots in use
  int* numbers;      // (images, room) candidate numbers, each once
  uint32_t* covers;  // (images, words, room) bit i of word w: the candidate covers box 32 * w + i

  ChipCandidates(Arena* arena, const ChipBatch& all, const ChipOptions& chip_options, int num_images);
};

// Fills all of the above from the batch.
void find_chip_candidates_cuda(const CudaContext& context, const ChipCandidates& candidates);

}  // namespace sniper

#endif  // SNIPER_CUDA_CHIP_CANDIDATES_H_
