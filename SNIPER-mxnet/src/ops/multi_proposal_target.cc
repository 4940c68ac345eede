// MultiProposalTarget: rois of the training graphs with their labels and box targets (reference/operators.md,
// section 5, training arithmetic). No gradient.
#include "cuda/proposals.h"
#include "ops/operator.h"
#include "ops/target_options.h"

namespace sniper {
namespace {

// All boxes enter NMS unless the graph says otherwise.
const int64_t kPreNmsTopN = -1;

struct MultiProposalTarget : NoGradient {
  struct Options {
    ProposalOptions proposals;
    TargetOptions targets;
  };

  static Signature signature() {
    return Signature("MultiProposalTarget")
        .inputs(target_input_names())
        .outputs(target_output_names())
        .attributes(target_attribute_names());
  }

  static Options read_options(const Attributes& attributes) {
    return Options{read_proposal_options(attributes, kPreNmsTopN),
                   read_target_options(attributes, TargetRules::kPlain)};
  }

  static std::vector<Shape> output_shapes(const Attributes&, const Options& options, const std::vector<Shape>& in) {
    return target_shapes(options.proposals, in);
  }

  static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace*) {
    proposal_targets_cpu(network_outputs(in), ground_truth(in), options.proposals, options.targets,
                         target_arrays(out), nullptr);
  }

  static void forward_gpu(const Options& options, const Tensors& in, const Tensors& out, const CudaContext& context) {
    proposal_targets_cuda(context, network_outputs(in), ground_truth(in), options.proposals, options.targets,
                          target_arrays(out), nullptr);
  }
};

const Operator<MultiProposalTarget> registration = Operator<MultiProposalTarget>().on_cpu().on_gpu();

}  // namespace
}  // namespace sniper
