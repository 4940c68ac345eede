// MultiProposal: rois of the test graphs (reference/operators.md, section 4). No gradient.
#include <vector>

#include "cpu/proposals.h"
#include "cuda/proposals.h"
#include "ops/device.h"
#include "ops/proposal_options.h"

namespace sniper {
namespace {

const char kName[] = "MultiProposal";
enum Input { kClsProb, kBBoxPred, kImInfo, kNumInputs };
enum Output { kRois, kScore, kNumOutputs };

// 12000 was built into the original, whatever rpn_pre_nms_top_n said.
const int64_t kPreNmsTopN = 12000;

ProposalOptions read_options(const AttributeMap& values) {
  const Attributes attributes(kName, values);
  attributes.check_names(proposal_attribute_names());
  return read_proposal_options(attributes, kPreNmsTopN);
}

MXReturnValue parse_attributes(const AttributeMap& values, int* num_inputs, int* num_outputs) {
  return guarded(kName, [&] {
    read_options(values);
    *num_inputs = kNumInputs;
    *num_outputs = kNumOutputs;
  });
}

MXReturnValue infer_type(const AttributeMap&, std::vector<int>* in_types, std::vector<int>* out_types) {
  return guarded(kName, [&] { infer_float32({"cls_prob", "bbox_pred", "im_info"}, in_types, out_types); });
}

MXReturnValue infer_shape(const AttributeMap& values, std::vector<Shape>* in, std::vector<Shape>* out) {
  return guarded(kName, [&] {
    const ProposalOptions options = read_options(values);
    const FeatureShape feature = check_bbox_pred((*in)[kBBoxPred], options);
    const unsigned int anchors = options.num_anchors();
    check_shape("cls_prob", (*in)[kClsProb], {feature.images, 2 * anchors, feature.height, feature.width},
                "(N, 2*A, H, W)");
    check_shape("im_info", (*in)[kImInfo], {feature.images, 3}, "(N, 3)");
    const unsigned int rows = num_rows(feature.images, options.post_nms_top_n);
    (*out)[kRois] = {rows, 5};
    (*out)[kScore] = {rows};
  });
}

MXReturnValue forward(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                      const OpResource&) {
  return guarded(kName, [&] {
    multi_proposal_cpu(network_outputs(in), read_options(values), (*out)[kRois].data<float>(),
                       (*out)[kScore].data<float>());
  });
}

#if SNIPER_WITH_CUDA

MXReturnValue forward_gpu(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                          const OpResource& resource) {
  return guarded(kName, [&] {
    multi_proposal_cuda(cuda_context(resource), network_outputs(in), read_options(values),
                        (*out)[kRois].data<float>(), (*out)[kScore].data<float>());
  });
}

#endif

}  // namespace

REGISTER_OP(MultiProposal)
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
