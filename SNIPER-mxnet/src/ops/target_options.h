// Attributes, shapes and inputs that MultiProposalTarget and MultiProposalTargetMask share.
#ifndef SNIPER_OPS_TARGET_OPTIONS_H_
#define SNIPER_OPS_TARGET_OPTIONS_H_

#include <string>
#include <vector>

#include "cpu/proposal_targets.h"
#include "ops/proposal_options.h"

namespace sniper {

enum TargetInput { kClsProb, kBBoxPred, kImInfo, kGtBoxes, kValidRanges, kNumTargetInputs };
enum TargetOutput { kRois, kLabel, kBBoxTarget, kBBoxWeight, kNumTargetOutputs };

std::vector<std::string> target_input_names();

// Names of the attributes that `read_target_options` and `read_proposal_options` read or accept.
std::vector<std::string> target_attribute_names();

// `aligned`, `stds`; the rules are the operator's.
TargetOptions read_target_options(const Attributes& attributes, TargetRules rules);

// Checks the five inputs and writes the shapes of the first four outputs.
FeatureShape infer_target_shapes(const ProposalOptions& options, const std::vector<Shape>& in,
                                 std::vector<Shape>* out);

BatchTruth ground_truth(std::vector<MXTensor>* in);
TargetArrays target_arrays(std::vector<MXTensor>* out);

}  // namespace sniper

#endif  // SNIPER_OPS_TARGET_OPTIONS_H_
