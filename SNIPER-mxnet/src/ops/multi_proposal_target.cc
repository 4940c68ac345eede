// MultiProposalTarget: rois of the training graphs with their labels and box targets (reference/operators.md,
// section 5, training arithmetic). No gradient.
#include "cuda/proposals.h"
#include "ops/device.h"
#include "ops/target_options.h"

namespace sniper {
namespace {

const char kName[] = "MultiProposalTarget";

// All boxes enter NMS unless the graph says otherwise.
const int64_t kPreNmsTopN = -1;

struct Options {
  ProposalOptions proposals;
  TargetOptions targets;
};

Options read_options(const AttributeMap& values) {
  const Attributes attributes(kName, values);
  attributes.check_names(target_attribute_names());
  return Options{read_proposal_options(attributes, kPreNmsTopN), read_target_options(attributes, TargetRules::kPlain)};
}

MXReturnValue parse_attributes(const AttributeMap& values, int* num_inputs, int* num_outputs) {
  return guarded(kName, [&] {
    read_options(values);
    *num_inputs = kNumTargetInputs;
    *num_outputs = kNumTargetOutputs;
  });
}

MXReturnValue infer_type(const AttributeMap&, std::vector<int>* in_types, std::vector<int>* out_types) {
  return guarded(kName, [&] { infer_float32(target_input_names(), in_types, out_types); });
}

MXReturnValue infer_shape(const AttributeMap& values, std::vector<Shape>* in, std::vector<Shape>* out) {
  return guarded(kName, [&] { infer_target_shapes(read_options(values).proposals, *in, out); });
}

MXReturnValue forward(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                      const OpResource&) {
  return guarded(kName, [&] {
    const Options options = read_options(values);
    proposal_targets_cpu(network_outputs(in), ground_truth(in), options.proposals, options.targets,
                         target_arrays(out), nullptr);
  });
}

#if SNIPER_WITH_CUDA

MXReturnValue forward_gpu(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                          const OpResource& resource) {
  return guarded(kName, [&] {
    const Options options = read_options(values);
    proposal_targets_cuda(cuda_context(resource), network_outputs(in), ground_truth(in), options.proposals,
                          options.targets, target_arrays(out), nullptr);
  });
}

#endif

}  // namespace

REGISTER_OP(MultiProposalTarget)
    .setParseAttrs(parse_attributes)
    .setInferType(infer_type)
    .setInferShape(infer_shape)
    .setForward(forward, "cpu")
    .setBackward(zero_gradients, "cpu")
#if SNIPER_WITH_CUDA
    .setForward(forward_gpu, "gpu")
    .setBackward(zero_gradients_gpu, "gpu")
#endif
    ;

}  // namespace sniper
