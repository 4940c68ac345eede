// SoftNMS: soft non-maximum suppression of independent sets of detections, the rows of lib.bbox.soft_nms. No gradient.
#include "cpu/soft_nms.h"
#include "cuda/soft_nms.h"
#include "ops/operator.h"

namespace sniper {
namespace {

// The sets of (sets, N, 5); (N, 5) is one.
int64_t num_sets(const Tensors& dets) { return dets.rank(0) == 2 ? 1 : dets.size(0, 0); }

int64_t rows_of_set(const Tensors& dets) { return dets.size(0, dets.rank(0) - 2); }

struct SoftNMS : NoGradient {
  typedef SoftNmsParam Options;
  enum Input { kDets };
  enum Output { kOutput, kCount };

  static Signature signature() {
    return Signature("SoftNMS")
        .inputs({"dets"})
        .outputs({"output", "count"})
        .attributes({"sigma", "iou_thresh", "score_thresh", "method"});
  }

  static Options read_options(const Attributes& attributes) {
    Options options;
    options.method = static_cast<SoftNmsMethod>(attributes.choice("method", {"hard", "linear", "gaussian"}, 2));
    options.sigma = static_cast<float>(attributes.number("sigma", 0.5));
    attributes.require(options.sigma > 0.0f || options.method != SoftNmsMethod::kGaussian, "sigma", "above 0");
    options.iou_thresh = static_cast<float>(attributes.number("iou_thresh", 0.3));
    attributes.require(options.iou_thresh >= 0.0f && options.iou_thresh <= 1.0f, "iou_thresh", "from 0 to 1");
    options.score_thresh = static_cast<float>(attributes.number("score_thresh", 0.001));
    options.min_score = options.score_thresh;
    return options;
  }

  static std::vector<Shape> output_shapes(const Attributes&, const Options&, const std::vector<Shape>& in) {
    const char* const kLayout = "(sets, N, 5) or (N, 5)";
    const Shape& dets = in[kDets];
    check_rank("dets", dets, dets.size() == 2 ? 2 : 3, kLayout);
    Shape expected = dets;
    expected.back() = 5;
    check_shape("dets", dets, expected, kLayout);
    return {dets, {dets.size() == 2 ? 1 : dets[0]}};
  }

  static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace*) {
    soft_nms_cpu(in.data(kDets), num_sets(in), rows_of_set(in), options, out.data(kOutput), out.data(kCount));
  }

  static void forward_gpu(const Options& options, const Tensors& in, const Tensors& out, const CudaContext& context) {
    soft_nms_cuda(in.data(kDets), num_sets(in), rows_of_set(in), options, context, out.data(kOutput),
                  out.data(kCount));
  }
};

const Operator<SoftNMS> registration = Operator<SoftNMS>().on_cpu().on_gpu();

}  // namespace
}  // namespace sniper
