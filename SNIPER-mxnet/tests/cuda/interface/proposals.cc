// The proposal operators as C functions.
#include "interface.h"
#include "soft_sampling.h"

#if defined(SNIPER_INTERFACE_CPU)
#include "cpu/proposal_targets.h"
#include "cpu/proposals.h"
#else
#include "cuda/proposals.h"
#endif

namespace sniper {
namespace {

// `sizes`: images, height, width of the map, number of scales, number of ratios.
BatchOutputs batch_outputs(const float* cls_prob, const float* bbox_pred, const float* im_info, const int64_t* sizes) {
  return BatchOutputs{cls_prob, bbox_pred, im_info, sizes[0], static_cast<int>(sizes[1]), static_cast<int>(sizes[2])};
}

// `numbers`: stride, boxes into NMS, boxes out of it, threshold, least size, then the scales, then the ratios.
ProposalOptions proposal_options(const double* numbers, const int64_t* sizes) {
  ProposalOptions options;
  options.feature_stride = static_cast<int>(numbers[0]);
  options.pre_nms_top_n = static_cast<int64_t>(numbers[1]);
  options.post_nms_top_n = static_cast<int>(numbers[2]);
  options.threshold = static_cast<float>(numbers[3]);
  options.min_size = static_cast<float>(numbers[4]);
  for (int64_t i = 0; i < sizes[3]; ++i) options.scales.push_back(static_cast<float>(numbers[5 + i]));
  for (int64_t i = 0; i < sizes[4]; ++i) options.ratios.push_back(static_cast<float>(numbers[5 + sizes[3] + i]));
  return options;
}

}  // namespace
}  // namespace sniper

using namespace sniper;

SNIPER_FUNCTION(multi_proposal, (const float* cls_prob, const float* bbox_pred, const float* im_info, float* rois,
                                 float* scores, const int64_t* sizes, const double* numbers)) {
  return guarded([&] {
    const BatchOutputs batch = batch_outputs(cls_prob, bbox_pred, im_info, sizes);
    const ProposalOptions options = proposal_options(numbers, sizes);
#if defined(SNIPER_INTERFACE_CPU)
    multi_proposal_cpu(batch, options, rois, scores);
#else
    multi_proposal_cuda(test_context(), batch, options, rois, scores);
#endif
  });
}

// `stds`: four divisors of the targets, whether centres are aligned, labels are of one class, rules are those of
// MultiProposalTargetMask; the three numbers of Soft Sampling. `sizes` go on with gt rows an image, mask rows an image
// (0: no masks), 1 for mask labels, group boxes an image (0: the rules are those without).
SNIPER_FUNCTION(proposal_targets, (const float* cls_prob, const float* bbox_pred, const float* im_info,
                                   const float* gt_boxes, const float* valid_ranges, const float* crowd_boxes,
                                   float* rois, float* label, float* bbox_target, float* bbox_weight,
                                   float* mask_rois, float* mask_ids, float* mask_labels, float* label_weight,
                                   const int64_t* sizes, const double* numbers, const double* stds)) {
  return guarded([&] {
    const BatchOutputs batch = batch_outputs(cls_prob, bbox_pred, im_info, sizes);
    const ProposalOptions options = proposal_options(numbers, sizes);
    const bool groups = sizes[8] > 0;
    const BatchTruth truth = {gt_boxes, valid_ranges, sizes[5], groups ? crowd_boxes : nullptr, sizes[8]};
    TargetOptions targets;
    for (int k = 0; k < 4; ++k) targets.stds[k] = static_cast<float>(stds[k]);
    targets.aligned = stds[4] != 0.0;
    targets.one_class = stds[5] != 0.0;
    targets.rules = groups ? TargetRules::kGroups : stds[6] != 0.0 ? TargetRules::kMask : TargetRules::kPlain;
    targets.soft_sampling = soft_sampling(stds + 7);
    const TargetArrays out = {rois, label, bbox_target, bbox_weight, groups ? label_weight : nullptr};
    const MaskArrays masks = {mask_rois, mask_ids, sizes[7] ? mask_labels : nullptr, sizes[6]};
    const MaskArrays* wanted = sizes[6] > 0 ? &masks : nullptr;
#if defined(SNIPER_INTERFACE_CPU)
    proposal_targets_cpu(batch, truth, options, targets, out, wanted);
#else
    proposal_targets_cuda(test_context(), batch, truth, options, targets, out, wanted);
#endif
  });
}
