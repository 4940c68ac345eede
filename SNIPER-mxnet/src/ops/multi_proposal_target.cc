// MultiProposalTarget: rois of the training graphs with their labels and box targets (reference/operators.md,
// section 5, training arithmetic). With the attribute group_boxes it has a sixth input, crowd_boxes, and a fifth
// output, label_weight, and is the original's variant for OpenImages (section 6). No gradient.
#include "cuda/proposals.h"
#include "ops/operator.h"
#include "ops/soft_sampling_options.h"
#include "ops/target_options.h"

namespace sniper {
namespace {

// All boxes enter NMS unless the graph says otherwise; with group boxes as many as the original had built in.
const int64_t kPreNmsTopN = -1, kPreNmsTopNWithGroups = 6000;

struct MultiProposalTarget : NoGradient {
  struct Options {
    ProposalOptions proposals;
    TargetOptions targets;
  };
  enum { kCrowdBoxes = kNumTargetInputs, kLabelWeight = kNumTargetOutputs };

  static Signature signature() {
    Names inputs = target_input_names(), outputs = target_output_names(), attributes = target_attribute_names();
    inputs.push_back("crowd_boxes");
    outputs.push_back("label_weight");
    attributes.push_back("group_boxes");
    for (const std::string& name : soft_sampling_attribute_names()) attributes.push_back(name);
    return Signature("MultiProposalTarget")
        .inputs(inputs)
        .last_input_if("group_boxes")
        .outputs(outputs)
        .last_output_if("group_boxes")
        .attributes(attributes);
  }

  static Options read_options(const Attributes& attributes) {
    const bool groups = attributes.boolean("group_boxes", false);
    Options options = {read_proposal_options(attributes, groups ? kPreNmsTopNWithGroups : kPreNmsTopN),
                       read_target_options(attributes, groups ? TargetRules::kGroups : TargetRules::kPlain)};
    options.targets.soft_sampling = read_soft_sampling(attributes);
    return options;
  }

  static std::vector<Shape> output_shapes(const Attributes&, const Options& options, const std::vector<Shape>& in) {
    std::vector<Shape> out = target_shapes(options.proposals, in);
    if (options.targets.rules != TargetRules::kGroups) return out;
    const Shape& groups = in[kCrowdBoxes];
    check_rank("crowd_boxes", groups, 3, "(N, groups, 5)");
    check_shape("crowd_boxes", groups, {in[kGtBoxes][0], groups[1], 5}, "(N, groups, 5)");
    out.push_back({out[kLabel][0], 1});
    return out;
  }

  static BatchTruth truth(const Tensors& in) {
    BatchTruth truth = ground_truth(in);
    truth.crowd_boxes = in.data(kCrowdBoxes);
    truth.max_groups = in.count() > kCrowdBoxes ? in.size(kCrowdBoxes, 1) : 0;
    return truth;
  }

  static TargetArrays arrays(const Tensors& out) {
    TargetArrays arrays = target_arrays(out);
    arrays.label_weight = out.data(kLabelWeight);
    return arrays;
  }

  static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace*) {
    proposal_targets_cpu(network_outputs(in), truth(in), options.proposals, options.targets, arrays(out), nullptr);
  }

  static void forward_gpu(const Options& options, const Tensors& in, const Tensors& out, const CudaContext& context) {
    proposal_targets_cuda(context, network_outputs(in), truth(in), options.proposals, options.targets, arrays(out),
                          nullptr);
  }
};

const Operator<MultiProposalTarget> registration = Operator<MultiProposalTarget>().on_cpu().on_gpu();

}  // namespace
}  // namespace sniper
