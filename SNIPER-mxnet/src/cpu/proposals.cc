#include "cpu/proposals.h"

#include <vector>

#include "cpu/parallel.h"

namespace sniper {
namespace {

template <Arithmetic kind>
struct Scratch {
  ProposalScratch<kind> proposals;
  std::vector<Box> boxes;
  std::vector<int64_t> indices;
  std::vector<GroundTruth> truths;
};

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

// The rows in use, wherever they stand. A class of NaN counts as unused.
void collect_truths(const float* rows, int64_t max_gt, std::vector<GroundTruth>* truths) {
  truths->clear();
  for (int64_t i = 0; i < max_gt; ++i) {
    const float* row = rows + 5 * i;
    if (row[4] != row[4] || row[4] == -1.0f) continue;
    truths->push_back(GroundTruth{Box{row[0], row[1], row[2], row[3]}, row[4]});
  }
}

// In-range ground truth takes the last rows, the last object the last one. Of more objects than rows, the first
// ones go without.
void place_truths(const std::vector<GroundTruth>& truths, float lo_squared, float hi_squared,
                  std::vector<Box>* boxes) {
  const int64_t first_row = static_cast<int64_t>(boxes->size()) - static_cast<int64_t>(truths.size());
  for (size_t i = 0; i < truths.size(); ++i) {
    const int64_t row = first_row + static_cast<int64_t>(i);
    if (row >= 0 && in_range(truths[i], lo_squared, hi_squared)) (*boxes)[row] = truths[i].box;
  }
}

}  // namespace

void multi_proposal_cpu(const BatchOutputs& batch, const ProposalOptions& options, float* rois, float* scores) {
  const std::vector<Box> anchors = options.anchors();
  const int rows = options.post_nms_top_n;
  parallel_for<Scratch<Arithmetic::kTest>>(batch.num_images, [&](int64_t n, Scratch<Arithmetic::kTest>* scratch) {
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

void multi_proposal_target_cpu(const BatchOutputs& batch, const BatchTruth& truth, const ProposalOptions& options,
                               const TargetOptions& target_options, const TargetArrays& out) {
  const std::vector<Box> anchors = options.anchors();
  const int rows = options.post_nms_top_n;
  const int64_t anchors_per_image = static_cast<int64_t>(anchors.size()) * batch.height * batch.width;
  parallel_for<Scratch<Arithmetic::kTrain>>(batch.num_images, [&](int64_t n, Scratch<Arithmetic::kTrain>* scratch) {
    const ImageOutputs image = image_outputs(batch, options.num_anchors(), n);
    const float lo = truth.valid_ranges[2 * n], hi = truth.valid_ranges[2 * n + 1];
    const AreaRange range = {lo * lo, hi * hi};
    scratch->boxes.resize(rows);
    scratch->indices.resize(rows);
    const int kept = select_proposals<Arithmetic::kTrain>(image, anchors.data(), options, &range,
                                                          &scratch->proposals, scratch->boxes.data(),
                                                          scratch->indices.data());
    for (int row = kept; row < rows; ++row) scratch->boxes[row] = padding_box(n, anchors_per_image, row);
    collect_truths(truth.gt_boxes + 5 * truth.max_gt * n, truth.max_gt, &scratch->truths);
    place_truths(scratch->truths, range.lo, range.hi, &scratch->boxes);
    for (int row = 0; row < rows; ++row) {
      const int64_t place = n * rows + row;
      const Box& box = scratch->boxes[row];
      const RoiTarget target = roi_target(box, scratch->truths.data(), static_cast<int>(scratch->truths.size()),
                                          target_options);
      write_roi(n, box, out.rois + 5 * place);
      out.label[place] = target.label;
      for (int k = 0; k < 4; ++k) {
        out.bbox_target[4 * place + k] = target.target[k];
        out.bbox_weight[4 * place + k] = target.weight;
      }
    }
  });
}

}  // namespace sniper
