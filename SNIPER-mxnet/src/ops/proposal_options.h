// Attributes, shapes and inputs that MultiProposal and the two training operators share.
//
// NaN and infinity in the inputs drop what they touch and nothing else: a score or a delta its box (no box has a place
// by them), a number of a row of gt_boxes that object, a NaN in valid_ranges all boxes and objects of its image (an
// infinite upper end is no bound). An infinite image size clips nothing on its side; a NaN counts as an empty image,
// whose boxes are the point 0, 0. Outputs are finite whatever the inputs.
#ifndef SNIPER_OPS_PROPOSAL_OPTIONS_H_
#define SNIPER_OPS_PROPOSAL_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cpu/proposals.h"
#include "ops/attributes.h"
#include "ops/shapes.h"
#include "ops/tensors.h"
#include "sniper/proposals.h"

namespace sniper {

// Names of the attributes that `read_proposal_options` reads or accepts for the original's sake.
std::vector<std::string> proposal_attribute_names();

// The attributes `scales` and `ratios`, whose defaults are what the vectors hold.
void read_anchor_shapes(const Attributes& attributes, std::vector<float>* scales, std::vector<float>* ratios);

// "21 anchors (3 ratios, 7 scales)"
std::string anchor_counts(const std::vector<float>& scales, const std::vector<float>& ratios);

// `pre_nms_top_n` is the operator's default; the others are shared.
ProposalOptions read_proposal_options(const Attributes& attributes, int64_t pre_nms_top_n);

struct FeatureShape {
  unsigned int images, height, width;
};
// Checks bbox_pred (N, 4A, H, W) against the number of anchors.
FeatureShape check_bbox_pred(const Shape& bbox_pred, const ProposalOptions& options);

// The first three inputs of both: cls_prob, bbox_pred, im_info.
BatchOutputs network_outputs(const Tensors& in);

}  // namespace sniper

#endif  // SNIPER_OPS_PROPOSAL_OPTIONS_H_
