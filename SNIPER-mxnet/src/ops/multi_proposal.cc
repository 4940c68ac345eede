// MultiProposal: rois of the test graphs (reference/operators.md, section 4). No gradient.
#include "cpu/proposals.h"
#include "cuda/proposals.h"
#include "ops/operator.h"
#include "ops/proposal_options.h"

namespace sniper {
namespace {

// What the original had built in, whatever rpn_pre_nms_top_n said.
const int64_t kPreNmsTopN = 12000;

struct MultiProposal : NoGradient {
  typedef ProposalOptions Options;
  enum Input { kClsProb, kBBoxPred, kImInfo };
  enum Output { kRois, kScore };

  static Signature signature() {
    return Signature("MultiProposal")
        .inputs({"cls_prob", "bbox_pred", "im_info"})
        .outputs({"output", "score"})
        .attributes(proposal_attribute_names());
  }

  static Options read_options(const Attributes& attributes) { return read_proposal_options(attributes, kPreNmsTopN); }

  static std::vector<Shape> output_shapes(const Attributes&, const Options& options, const std::vector<Shape>& in) {
    const FeatureShape feature = check_bbox_pred(in[kBBoxPred], options);
    const unsigned int anchors = options.num_anchors();
    check_shape("cls_prob", in[kClsProb], {feature.images, 2 * anchors, feature.height, feature.width},
                "(N, 2*A, H, W)");
    check_shape("im_info", in[kImInfo], {feature.images, 3}, "(N, 3)");
    const unsigned int rows = num_rows(feature.images, options.post_nms_top_n);
    return {{rows, 5}, {rows}};
  }

  static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace*) {
    multi_proposal_cpu(network_outputs(in), options, out.data(kRois), out.data(kScore));
  }

  static void forward_gpu(const Options& options, const Tensors& in, const Tensors& out, const CudaContext& context) {
    multi_proposal_cuda(context, network_outputs(in), options, out.data(kRois), out.data(kScore));
  }
};

const Operator<MultiProposal> registration = Operator<MultiProposal>().on_cpu().on_gpu();

}  // namespace
}  // namespace sniper
