#include "cpu/proposals.h"

#include <vector>

#include "cpu/parallel.h"
#include "cpu/selection.h"

namespace sniper {

void multi_proposal_cpu(const BatchOutputs& batch, const ProposalOptions& options, float* rois, float* scores) {
  const std::vector<Box> anchors = options.anchors();
  const int rows = options.post_nms_top_n;
  parallel_for<Selection<Arithmetic::kTest>>(batch.num_images, [&](int64_t n, Selection<Arithmetic::kTest>* proposals) {
    const ImageOutputs image = image_outputs(batch, options.num_anchors(), n);
    select_proposals(image, anchors, options, nullptr, proposals);
    const Box whole = whole_image(image);
    for (int row = 0; row < rows; ++row) {
      const bool padding = row >= proposals->count;
      write_roi(n, padding ? whole : proposals->boxes[row], rois + 5 * (n * rows + row));
      scores[n * rows + row] = padding ? 0.0f : image.scores[proposals->indices[row]];
    }
  });
}

}  // namespace sniper
