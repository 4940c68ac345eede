// MultiBoxLoss, forward and backward.
#include "interface.h"

#include <vector>

#include "cpu/multibox_loss.h"
#include "cuda/multibox_loss.h"

using namespace sniper;

namespace {

// sizes: B, P, C.
MultiBoxInputs inputs_of(const float* cls_pred, const float* loc_pred, const float* cls_target, const float* loc_target,
                         const int64_t* sizes) {
  return MultiBoxInputs{cls_pred, loc_pred, cls_target, loc_target, sizes[0], sizes[1], static_cast<int>(sizes[2])};
}

}  // namespace

SNIPER_FUNCTION(multibox_loss, (const float* cls_pred, const float* loc_pred, const float* cls_target,
                                const float* loc_target, float* cls_loss, float* loc_loss, float* used,
                                const int64_t* sizes, double ratio)) {
  return guarded([&] {
    const MultiBoxInputs in = inputs_of(cls_pred, loc_pred, cls_target, loc_target, sizes);
    MultiBoxOptions options;
    options.negatives_per_positive = static_cast<float>(ratio);
#if defined(SNIPER_INTERFACE_CPU)
    std::vector<float> workspace(multibox_workspace(in));
    multibox_loss_cpu(in, options, workspace.data(), MultiBoxOutputs{cls_loss, loc_loss, used});
#else
    multibox_loss_cuda(test_context(), in, options, MultiBoxOutputs{cls_loss, loc_loss, used});
#endif
  });
}

SNIPER_FUNCTION(multibox_loss_backward,
                (const float* cls_pred, const float* loc_pred, const float* cls_target, const float* loc_target,
                 const float* used, const float* cls_grad, const float* loc_grad, float* cls_pred_grad,
                 float* loc_pred_grad, const int64_t* sizes)) {
  return guarded([&] {
    const MultiBoxInputs in = inputs_of(cls_pred, loc_pred, cls_target, loc_target, sizes);
#if defined(SNIPER_INTERFACE_CPU)
    multibox_loss_backward_cpu(in, used, *cls_grad, *loc_grad, cls_pred_grad, loc_pred_grad);
#else
    multibox_loss_backward_cuda(test_context(), in, used, cls_grad, loc_grad, cls_pred_grad, loc_pred_grad);
#endif
  });
}
