// CPU loops of MultiBoxLoss.
#ifndef SNIPER_CPU_MULTIBOX_LOSS_H_
#define SNIPER_CPU_MULTIBOX_LOSS_H_

#include <cstddef>

#include "sniper/multibox_loss.h"

namespace sniper {

// Floats of working memory: a loss each prior.
size_t multibox_workspace(const MultiBoxInputs& in);

// Sums of the losses over the batch, divided by its positives (1 if there is none). Throws std::invalid_argument for a
// class that there is not. The result does not depend on the number of threads.
void multibox_loss_cpu(const MultiBoxInputs& in, const MultiBoxOptions& options, float* workspace,
                       const MultiBoxOutputs& out);

// Gradients by cls_pred and loc_pred; used: output of the forward pass; cls_grad, loc_grad: of the two losses.
void multibox_loss_backward_cpu(const MultiBoxInputs& in, const float* used, float cls_grad, float loc_grad,
                                float* cls_pred_grad, float* loc_pred_grad);

}  // namespace sniper

#endif  // SNIPER_CPU_MULTIBOX_LOSS_H_
