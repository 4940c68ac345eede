#include "cpu/proposal_targets.h"

#include <algorithm>
#include <vector>

#include "cpu/parallel.h"
#include "cpu/selection.h"

namespace sniper {
namespace {

struct Scratch {
  Selection<Arithmetic::kTrain> proposals;
  std::vector<GroundTruth> truths;
};

// The rows in use, wherever they stand.
void collect_truths(const float* rows, int64_t max_gt, std::vector<GroundTruth>* truths) {
  truths->clear();
  for (int64_t i = 0; i < max_gt; ++i) {
    const float* row = rows + 5 * i;
    if (!is_used(row)) continue;
    truths->push_back(GroundTruth{Box{row[0], row[1], row[2], row[3]}, row[4], static_cast<int>(i)});
  }
}

// Takes foreground rois of all images in order until every row is full. `matches` (N*P,): gt row of each roi, or -1.
void fill_masks(const TargetArrays& rois, const BatchTruth& truth, const std::vector<int>& matches,
                int64_t num_images, int64_t rows_per_image, const MaskArrays& masks) {
  const int64_t num_masks = num_images * masks.max_masks;
  int64_t row = 0;
  for (int64_t roi = 0; roi < num_images * rows_per_image && row < num_masks; ++roi) {
    if (!(rois.label[roi] > 0.0f)) continue;
    std::copy(rois.rois + 5 * roi, rois.rois + 5 * roi + 5, masks.rois + 5 * row);
    masks.ids[row] = static_cast<float>(matches[roi]);
    if (masks.labels != nullptr) {
      const int64_t gt = roi / rows_per_image * truth.max_gt + matches[roi];
      masks.labels[row] = truth.gt_boxes[5 * gt + 4] - 1.0f;
    }
    ++row;
  }
  for (; row < num_masks; ++row) {
    spare_mask_roi(row, num_images, masks.rois + 5 * row);
    masks.ids[row] = -1.0f;
    if (masks.labels != nullptr) masks.labels[row] = -1.0f;
  }
}

}  // namespace

void proposal_targets_cpu(const BatchOutputs& batch, const BatchTruth& truth, const ProposalOptions& options,
                          const TargetOptions& target_options, const TargetArrays& out, const MaskArrays* masks) {
  const std::vector<Box> anchors = options.anchors();
  const int rows = options.post_nms_top_n;
  const int64_t anchors_per_image = static_cast<int64_t>(anchors.size()) * batch.height * batch.width;
  std::vector<int> matches(masks != nullptr ? batch.num_images * rows : 0);
  parallel_for<Scratch>(batch.num_images, [&](int64_t n, Scratch* scratch) {
    const ImageOutputs image = image_outputs(batch, options.num_anchors(), n);
    const Selection<Arithmetic::kTrain>& proposals = scratch->proposals;
    const AreaRange range = area_range(truth.valid_ranges, n);
    select_proposals(image, anchors, options, &range, &scratch->proposals);
    const float* gt_rows = truth.gt_boxes + 5 * truth.max_gt * n;
    collect_truths(gt_rows, truth.max_gt, &scratch->truths);
    const ImageTruth known = image_truth(truth, n, scratch->truths.data(),
                                         static_cast<int64_t>(scratch->truths.size()));
    for (int row = 0; row < rows; ++row) {
      const int64_t place = n * rows + row;
      const Box roi = training_roi(target_options.rules, n, anchors_per_image, row, rows, proposals.boxes.data(),
                                   proposals.count, known);
      const RoiTarget target = roi_target(roi, known, target_options);
      write_roi(n, roi, out.rois + 5 * place);
      write_target(target, target_options, place, out);
      if (masks != nullptr) matches[place] = target.match < 0 ? -1 : known.objects[target.match].row;
    }
  });
  if (masks != nullptr) fill_masks(out, truth, matches, batch.num_images, rows, *masks);
}

}  // namespace sniper
