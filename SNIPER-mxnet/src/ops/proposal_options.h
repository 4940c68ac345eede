// Attributes, shapes and inputs that MultiProposal and MultiProposalTarget share.
#ifndef SNIPER_OPS_PROPOSAL_OPTIONS_H_
#define SNIPER_OPS_PROPOSAL_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cpu/proposals.h"
#include "ops/attributes.h"
#include "ops/binding.h"
#include "sniper/proposals.h"

namespace sniper {

// Names of the attributes that `read_proposal_options` reads or accepts for the original's sake.
std::vector<std::string> proposal_attribute_names();

// `pre_nms_top_n` is the operator's default; the others are shared.
ProposalOptions read_proposal_options(const Attributes& attributes, int64_t pre_nms_top_n);

struct FeatureShape {
  unsigned int images, height, width;
};
// Checks bbox_pred (N, 4A, H, W) against the number of anchors.
FeatureShape check_bbox_pred(const Shape& bbox_pred, const ProposalOptions& options);

// The first three inputs of both: cls_prob, bbox_pred, im_info.
BatchOutputs network_outputs(std::vector<MXTensor>* in);

}  // namespace sniper

#endif  // SNIPER_OPS_PROPOSAL_OPTIONS_H_
