// Anchors and network outputs of a batch -> its proposals, on the device; the twin of `select_proposals`.
#ifndef SNIPER_CUDA_SELECTION_H_
#define SNIPER_CUDA_SELECTION_H_

#include <cstdint>

#include "cuda/context.h"
#include "cuda/nms.h"
#include "cuda/sort.h"
#include "sniper/batch.h"
#include "sniper/proposals.h"

namespace sniper {

// Working memory: 24 bytes an anchor for the sort, and per image the masks of one chunk (0.5 or 2 MB) and P boxes.
struct SelectionMemory {
  SelectionMemory(Arena* arena, const BatchOutputs& batch, const ProposalOptions& options);

  Box* anchors;  // (A,) of cell (0, 0)
  SortBuffers sort;
  NmsChunk chunk;
  KeptBoxesCuda kept;
};

// Launches the selection of at most P proposals an image, best first, and returns the arrays they will be in: boxes,
// flat indices (anchor * height + y) * width + x, numbers. `valid_ranges` (N, 2) null: boxes of any area.
template <Arithmetic kind>
KeptBoxesCuda select_proposals_cuda(const CudaContext& context, const BatchOutputs& batch,
                                    const ProposalOptions& options, const float* valid_ranges,
                                    const SelectionMemory& memory);

}  // namespace sniper

#endif  // SNIPER_CUDA_SELECTION_H_
