#include "cpu/proposals.h"

#include <vector>

#include "cpu/parallel.h"

namespace sniper {
namespace {

struct Scratch {
  ProposalScratch<Arithmetic::kTest> proposals;
  std::vector<Box> boxes;
  std::vector<int64_t> indices;
};

}  // namespace

void multi_proposal_cpu(const BatchOutputs& batch, const ProposalOptions& options, float* rois, float* scores) {
  const std::vector<Box> anchors = options.anchors();
  const int rows = options.post_nms_top_n;
  parallel_for<Scratch>(batch.num_images, [&](int64_t n, Scratch* scratch) {
    const ImageOutputs image = image_outputs(batch, options.num_anchors(), n);
    scratch->boxes.resize(rows);
    scratch->indices.resize(rows);
    const int kept = select_proposals<Arithmetic::kTest>(image, anchors.data(), options, nullptr,
                                                         &scratch->proposals, scratch->boxes.data(),
                                                         scratch->indices.data());
    const Box whole = whole_image(image);
    for (int row = 0; row < rows; ++row) {
      const bool padding = row >= kept;
      write_roi(n, padding ? whole : scratch->boxes[row], rois + 5 * (n * rows + row));
      scores[n * rows + row] = padding ? 0.0f : image.scores[scratch->indices[row]];
    }
  });
}

}  // namespace sniper
