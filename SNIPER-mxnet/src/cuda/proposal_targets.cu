#include "cuda/launch.h"
#include "cuda/proposals.h"
#include "cuda/scan.h"
#include "cuda/selection.h"

namespace sniper {
namespace {

const int kThreads = 128;
const int kScanThreads = 256;

// Working memory: that of the selection, the ground truth in use, and for masks each roi's object.
struct TargetMemory {
  TargetMemory(Arena* arena, const BatchOutputs& batch, const ProposalOptions& options, const BatchTruth& truth,
               bool masks)
      : selection(arena, batch, options),
        truths(arena->take<GroundTruth>(batch.num_images * truth.max_gt)),
        num_truths(arena->take<int>(batch.num_images)),
        matches(arena->take<int>(masks ? batch.num_images * options.post_nms_top_n : 0)) {}

  SelectionMemory selection;
  GroundTruth* truths;  // (N, max_gt), those in use first
  int* num_truths;      // (N,)
  int* matches;         // (N*P,): gt row of each roi, or -1
};

// One block an image: the rows in use, wherever they stand, in order.
__global__ void __launch_bounds__(kScanThreads) truths_kernel(BatchTruth truth, GroundTruth* truths, int* num_truths) {
  const int64_t image = blockIdx.x;
  int count = 0;
  for (int64_t first = 0; first < truth.max_gt; first += kScanThreads) {
    const int64_t i = first + threadIdx.x;
    const float* row = truth.gt_boxes + 5 * (image * truth.max_gt + i);
    const bool used = i < truth.max_gt && is_used(row);
    int total;
    const int before = count_before<kScanThreads>(used, &total);
    if (used) {
      truths[image * truth.max_gt + count + before] =
          GroundTruth{Box{row[0], row[1], row[2], row[3]}, row[4], static_cast<int>(i)};
    }
    count += total;
  }
  if (threadIdx.x == 0) num_truths[image] = count;
}

struct TargetTask {
  BatchTruth truth;
  TargetOptions options;
  TargetArrays out;
  int64_t num_images, anchors_per_image;
  const GroundTruth* truths;
  const int* num_truths;
  int* matches;  // null where no masks are wanted
};

// One thread a roi.
__global__ void targets_kernel(TargetTask task, KeptBoxesCuda kept) {
  const int64_t place = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int64_t rows = kept.capacity;
  if (place >= task.num_images * rows) return;
  const int64_t image = place / rows, row = place % rows;
  const ImageTruth known = image_truth(task.truth, image, task.truths + image * task.truth.max_gt,
                                       task.num_truths[image]);
  const Box roi = training_roi(task.options.rules, image, task.anchors_per_image, row, rows, kept.boxes + image * rows,
                               kept.counts[image], known);
  const RoiTarget target = roi_target(roi, known, task.options);
  write_roi(image, roi, task.out.rois + 5 * place);
  write_target(target, task.options, place, task.out);
  if (task.matches != nullptr) task.matches[place] = target.match < 0 ? -1 : known.objects[target.match].row;
}

// One block for the batch, as mask rows are filled across images: foreground rois in order, then what is left over.
__global__ void __launch_bounds__(kScanThreads)
    masks_kernel(TargetTask task, int64_t num_rois, int64_t rows_per_image, MaskArrays masks) {
  const int64_t num_masks = task.num_images * masks.max_masks;
  int64_t filled = 0;
  for (int64_t first = 0; first < num_rois && filled < num_masks; first += kScanThreads) {
    const int64_t roi = first + threadIdx.x;
    const bool foreground = roi < num_rois && task.out.label[roi] > 0.0f;
    int total;
    const int64_t row = filled + count_before<kScanThreads>(foreground, &total);
    filled += total;
    if (!foreground || row >= num_masks) continue;
    for (int k = 0; k < 5; ++k) masks.rois[5 * row + k] = task.out.rois[5 * roi + k];
    masks.ids[row] = static_cast<float>(task.matches[roi]);
    if (masks.labels != nullptr) {
      const int64_t gt = roi / rows_per_image * task.truth.max_gt + task.matches[roi];
      masks.labels[row] = task.truth.gt_boxes[5 * gt + 4] - 1.0f;
    }
  }
  for (int64_t row = filled + threadIdx.x; row < num_masks; row += kScanThreads) {
    spare_mask_roi(row, task.num_images, masks.rois + 5 * row);
    masks.ids[row] = -1.0f;
    if (masks.labels != nullptr) masks.labels[row] = -1.0f;
  }
}

}  // namespace

void proposal_targets_cuda(const CudaContext& context, const BatchOutputs& batch, const BatchTruth& truth,
                           const ProposalOptions& options, const TargetOptions& target_options,
                           const TargetArrays& out, const MaskArrays* masks) {
  if (batch.num_images == 0) return;
  const TargetMemory memory = scratch<TargetMemory>(context, batch, options, truth, masks != nullptr);
  const KeptBoxesCuda kept = select_proposals_cuda<Arithmetic::kTrain>(context, batch, options, truth.valid_ranges,
                                                                       memory.selection);
  const int64_t anchors = static_cast<int64_t>(options.num_anchors()) * batch.height * batch.width;
  const int64_t num_rois = batch.num_images * kept.capacity;
  const TargetTask task = {truth, target_options, out, batch.num_images, anchors, memory.truths, memory.num_truths,
                           masks != nullptr ? memory.matches : nullptr};
  launch(truths_kernel, dim3(static_cast<unsigned int>(batch.num_images)), dim3(kScanThreads), 0, context, truth,
         memory.truths, memory.num_truths);
  launch(targets_kernel, dim3(blocks_for(num_rois, kThreads)), dim3(kThreads), 0, context, task, kept);
  if (masks == nullptr) return;
  launch(masks_kernel, dim3(1), dim3(kScanThreads), 0, context, task, num_rois, static_cast<int64_t>(kept.capacity),
         *masks);
}

}  // namespace sniper
