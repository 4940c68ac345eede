// SoftSamplingWeight: weights of rois in a classification loss (reference/other_detectors.md, part B), for heads whose
// target operator gives none. No gradient.
#include "cpu/soft_sampling.h"
#include "cuda/soft_sampling.h"
#include "ops/operator.h"
#include "ops/soft_sampling_options.h"

namespace sniper {
namespace {

struct SoftSamplingWeight : NoGradient {
  typedef SoftSampling Options;
  enum Input { kRois, kGtBoxes };
  enum Output { kLabelWeight };

  static Signature signature() {
    return Signature("SoftSamplingWeight")
        .inputs({"rois", "gt_boxes"})
        .outputs({"label_weight"})
        .attributes(soft_sampling_attribute_names());
  }

  static Options read_options(const Attributes& attributes) { return read_soft_sampling(attributes); }

  static std::vector<Shape> output_shapes(const Attributes&, const Options&, const std::vector<Shape>& in) {
    check_rank("rois", in[kRois], 2, "(R, 5)");
    check_shape("rois", in[kRois], {in[kRois][0], 5}, "(R, 5)");
    check_rank("gt_boxes", in[kGtBoxes], 3, "(N, G, 5)");
    check_shape("gt_boxes", in[kGtBoxes], {in[kGtBoxes][0], in[kGtBoxes][1], 5}, "(N, G, 5)");
    return {{in[kRois][0], 1}};
  }

  static SoftSamplingInputs inputs(const Tensors& in) {
    return SoftSamplingInputs{in.data(kRois), in.data(kGtBoxes), in.size(kRois, 0), in.size(kGtBoxes, 0),
                              in.size(kGtBoxes, 1)};
  }

  static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace*) {
    soft_sampling_cpu(inputs(in), options, out.data(kLabelWeight));
  }

  static void forward_gpu(const Options& options, const Tensors& in, const Tensors& out, const CudaContext& context) {
    soft_sampling_cuda(context, inputs(in), options, out.data(kLabelWeight));
  }
};

const Operator<SoftSamplingWeight> registration = Operator<SoftSamplingWeight>().on_cpu().on_gpu();

}  // namespace
}  // namespace sniper
