// MultiBoxLoss: classification and localisation losses of single-shot detectors with hard negative mining by image
// (reference/m2det.md, section 7). Gradients flow to the predictions.
#include <stdexcept>

#include "cpu/multibox_loss.h"
#include "cuda/multibox_loss.h"
#include "ops/operator.h"

namespace sniper {
namespace {

struct MultiBoxLoss {
  typedef MultiBoxOptions Options;
  enum Input { kClsPred, kLocPred, kClsTarget, kLocTarget };
  enum Output { kClsLoss, kLocLoss, kUsed };

  static Signature signature() {
    return Signature("MultiBoxLoss")
        .inputs({"cls_pred", "loc_pred", "cls_target", "loc_target"})
        .outputs({"cls_loss", "loc_loss", "used"})
        .attributes({"negatives_per_positive"});
  }

  static Options read_options(const Attributes& attributes) {
    Options options;
    options.negatives_per_positive =
        static_cast<float>(attributes.number("negatives_per_positive", options.negatives_per_positive));
    attributes.require(options.negatives_per_positive >= 0.0f && options.negatives_per_positive <= 1e6f,
                       "negatives_per_positive", "from 0 to 1000000");
    return options;
  }

  static std::vector<Shape> output_shapes(const Attributes&, const Options&, const std::vector<Shape>& in) {
    const Shape& cls_pred = in[kClsPred];
    check_rank("cls_pred", cls_pred, 3, "(B, P, C)");
    if (cls_pred[1] == 0 || cls_pred[2] < 2) {
      throw std::invalid_argument("cls_pred must be (B, P, C) with priors and two classes at least, got " +
                                  text(cls_pred));
    }
    const Shape rows = {cls_pred[0], cls_pred[1]}, offsets = {cls_pred[0], cls_pred[1], 4};
    check_shape("loc_pred", in[kLocPred], offsets, "(B, P, 4)");
    check_shape("cls_target", in[kClsTarget], rows, "(B, P)");
    check_shape("loc_target", in[kLocTarget], offsets, "(B, P, 4)");
    num_rows(cls_pred[0], cls_pred[1]);
    return {{1}, {1}, rows};
  }

  static MultiBoxInputs multibox_inputs(const Tensors& in) {
    return MultiBoxInputs{in.data(kClsPred),       in.data(kLocPred),       in.data(kClsTarget),
                          in.data(kLocTarget),     in.size(kClsPred, 0),    in.size(kClsPred, 1),
                          static_cast<int>(in.size(kClsPred, 2))};
  }

  static MultiBoxOutputs multibox_outputs(const Tensors& out) {
    return MultiBoxOutputs{out.data(kClsLoss), out.data(kLocLoss), out.data(kUsed)};
  }

  static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace* workspace) {
    const MultiBoxInputs inputs = multibox_inputs(in);
    multibox_loss_cpu(inputs, options, workspace->take(multibox_workspace(inputs)), multibox_outputs(out));
  }

  static void backward_cpu(const Options&, const Tensors& out_grads, const Tensors& in, const Tensors& out,
                           const Tensors& in_grads, Workspace*) {
    multibox_loss_backward_cpu(multibox_inputs(in), out.data(kUsed), *out_grads.data(kClsLoss),
                               *out_grads.data(kLocLoss), in_grads.data(kClsPred), in_grads.data(kLocPred));
    in_grads.fill_zero(kClsTarget);
    in_grads.fill_zero(kLocTarget);
  }

  static void forward_gpu(const Options& options, const Tensors& in, const Tensors& out, const CudaContext& context) {
    multibox_loss_cuda(context, multibox_inputs(in), options, multibox_outputs(out));
  }

  static void backward_gpu(const Options&, const Tensors& out_grads, const Tensors& in, const Tensors& out,
                           const Tensors& in_grads, const CudaContext& context) {
    multibox_loss_backward_cuda(context, multibox_inputs(in), out.data(kUsed), out_grads.data(kClsLoss),
                                out_grads.data(kLocLoss), in_grads.data(kClsPred), in_grads.data(kLocPred));
    fill_zero_cuda(context, in_grads.data(kClsTarget), in_grads.bytes(kClsTarget));
    fill_zero_cuda(context, in_grads.data(kLocTarget), in_grads.bytes(kLocTarget));
  }
};

const Operator<MultiBoxLoss> registration = Operator<MultiBoxLoss>().on_cpu().on_gpu();

}  // namespace
}  // namespace sniper
