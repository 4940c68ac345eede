// Attributes, shapes and inputs that MultiProposalTarget and MultiProposalTargetMask share.
#ifndef SNIPER_OPS_TARGET_OPTIONS_H_
#define SNIPER_OPS_TARGET_OPTIONS_H_

#include <vector>

#include "cpu/proposal_targets.h"
#include "ops/proposal_options.h"
#include "ops/signature.h"

namespace sniper {

enum TargetInput { kClsProb, kBBoxPred, kImInfo, kGtBoxes, kValidRanges, kNumTargetInputs };
enum TargetOutput { kRois, kLabel, kBBoxTarget, kBBoxWeight, kNumTargetOutputs };

// Names of the inputs, and of the outputs that both have.
Names target_input_names();
Names target_output_names();

// Names of the attributes that `read_target_options` and `read_proposal_options` read or accept.
Names target_attribute_names();

// `aligned`, `stds`; the rules are the operator's.
TargetOptions read_target_options(const Attributes& attributes, TargetRules rules);

// Checks the five inputs; the shapes of the four outputs that both have.
std::vector<Shape> target_shapes(const ProposalOptions& options, const std::vector<Shape>& in);

// Without what only one of them has: group boxes, weights of labels.
BatchTruth ground_truth(const Tensors& in);
TargetArrays target_arrays(const Tensors& out);

}  // namespace sniper

#endif  // SNIPER_OPS_TARGET_OPTIONS_H_
