#include "cuda/proposals.h"

#include "cuda/launch.h"
#include "cuda/selection.h"

namespace sniper {
namespace {

const int kThreads = 128;

// One thread a row of the output.
__global__ void rois_kernel(BatchOutputs batch, int num_anchors, KeptBoxesCuda kept, float* rois, float* scores) {
  const int64_t place = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (place >= batch.num_images * kept.capacity) return;
  const int64_t image = place / kept.capacity, row = place % kept.capacity;
  const ImageOutputs outputs = image_outputs(batch, num_anchors, image);
  const bool padding = row >= kept.counts[image];
  write_roi(image, padding ? whole_image(outputs) : kept.boxes[place], rois + 5 * place);
  scores[place] = padding ? 0.0f : outputs.scores[kept.indices[place]];
}

}  // namespace

void multi_proposal_cuda(const CudaContext& context, const BatchOutputs& batch, const ProposalOptions& options,
                         float* rois, float* scores) {
  if (batch.num_images == 0) return;
  const SelectionMemory memory = scratch<SelectionMemory>(context, batch, options);
  const KeptBoxesCuda kept = select_proposals_cuda<Arithmetic::kTest>(context, batch, options, nullptr, memory);
  launch(rois_kernel, dim3(blocks_for(batch.num_images * kept.capacity, kThreads)), dim3(kThreads), 0, context, batch,
         options.num_anchors(), kept, rois, scores);
}

}  // namespace sniper
