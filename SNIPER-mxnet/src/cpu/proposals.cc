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

ImageOutputs image_outputs(const BatchOutputs& batch, int num_anchors, int64_t image) {
  const int64_t plane = static_cast<int64_t>(num_anchors) * batch.height * batch.width;
  ImageOutputs outputs;
  outputs.scores = batch.cls_prob + (2 * image + 1) * plane;
  outputs.deltas = batch.bbox_pred + 4 * image * plane;
  outputs.height = batch.height;
  outputs.width = batch.width;
  outputs.image_height = batch.im_info[3 * image];
  outputs.image_width = batch.im_info[3 * image + 1];
  return outputs;
}

void write_roi(int64_t image, const Box& box, float* roi) {
  roi[0] = static_cast<float>(image);
  roi[1] = box.x1;
  roi[2] = box.y1;
  roi[3] = box.x2;
  roi[4] = box.y2;
}

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
    Box whole = clip(Box{0.0f, 0.0f, image.image_width, image.image_height}, image.image_height, image.image_width);
    if (!is_finite(whole)) whole = Box{0.0f, 0.0f, 0.0f, 0.0f};
    for (int row = 0; row < rows; ++row) {
      const bool padding = row >= kept;
      write_roi(n, padding ? whole : scratch->boxes[row], rois + 5 * (n * rows + row));
      scores[n * rows + row] = padding ? 0.0f : image.scores[scratch->indices[row]];
    }
  });
}

}  // namespace sniper
