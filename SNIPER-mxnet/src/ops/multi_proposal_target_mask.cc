// MultiProposalTargetMask: rois of the training graphs with labels and box targets, and the foreground rois that the
// mask head trains on (reference/operators.md, section 7). No gradient.
#include "cuda/proposals.h"
#include "ops/operator.h"
#include "ops/target_options.h"

namespace sniper {
namespace {

// What the original had built in, whatever rpn_pre_nms_top_n said.
const int64_t kPreNmsTopN = 6000;

struct MultiProposalTargetMask : NoGradient {
  struct Options {
    ProposalOptions proposals;
    TargetOptions targets;
    int64_t max_masks;
    bool mask_labels;  // R-FCN-3000: one class for all boxes, and the classes as a seventh output
  };
  enum Output { kMaskRois = kNumTargetOutputs, kMaskIds, kMaskLabels };

  static Signature signature() {
    Names outputs = target_output_names(), attributes = target_attribute_names();
    for (const char* name : {"mask_rois", "mask_ids", "mask_labels"}) outputs.push_back(name);
    for (const char* name : {"max_masks", "max_gts", "max_crowd", "rfcn_3k"}) attributes.push_back(name);
    return Signature("MultiProposalTargetMask")
        .inputs(target_input_names())
        .outputs(outputs)
        .last_output_if("rfcn_3k")
        .attributes(attributes);
  }

  static Options read_options(const Attributes& attributes) {
    Options options = {read_proposal_options(attributes, kPreNmsTopN),
                       read_target_options(attributes, TargetRules::kMask), attributes.positive("max_masks", 50),
                       attributes.boolean("rfcn_3k", false)};
    attributes.positive("max_gts", 100);
    attributes.integer("max_crowd", 10);  // unused, as in the original
    options.targets.one_class = options.mask_labels;
    return options;
  }

  static std::vector<Shape> output_shapes(const Attributes& attributes, const Options& options,
                                          const std::vector<Shape>& in) {
    std::vector<Shape> out = target_shapes(options.proposals, in);
    const unsigned int objects = in[kGtBoxes][1];
    attributes.require(attributes.integer("max_gts", objects) == objects, "max_gts",
                       std::to_string(objects) + ", the rows of gt_boxes, or left out");
    const unsigned int rows = num_rows(in[kGtBoxes][0], options.max_masks);
    out.push_back({rows, 5});
    out.push_back({rows, 1});
    if (options.mask_labels) out.push_back({rows, 1});
    return out;
  }

  static MaskArrays mask_arrays(const Tensors& out, const Options& options) {
    return MaskArrays{out.data(kMaskRois), out.data(kMaskIds), out.data(kMaskLabels), options.max_masks};
  }

  static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace*) {
    const MaskArrays masks = mask_arrays(out, options);
    proposal_targets_cpu(network_outputs(in), ground_truth(in), options.proposals, options.targets,
                         target_arrays(out), &masks);
  }

  static void forward_gpu(const Options& options, const Tensors& in, const Tensors& out, const CudaContext& context) {
    const MaskArrays masks = mask_arrays(out, options);
    proposal_targets_cuda(context, network_outputs(in), ground_truth(in), options.proposals, options.targets,
                          target_arrays(out), &masks);
  }
};

const Operator<MultiProposalTargetMask> registration = Operator<MultiProposalTargetMask>().on_cpu().on_gpu();

}  // namespace
}  // namespace sniper
