// MultiBoxLoss on the device. Arrays are in device memory. A class that there is not makes the loss NaN, because the
// device cannot report it without being waited for.
#ifndef SNIPER_CUDA_MULTIBOX_LOSS_H_
#define SNIPER_CUDA_MULTIBOX_LOSS_H_

#include "cuda/context.h"
#include "sniper/multibox_loss.h"

namespace sniper {

// As multibox_loss_cpu, the sums in another order.
void multibox_loss_cuda(const CudaContext& context, const MultiBoxInputs& in, const MultiBoxOptions& options,
                        const MultiBoxOutputs& out);

// As multibox_loss_backward_cpu; cls_grad and loc_grad point to one number each.
void multibox_loss_backward_cuda(const CudaContext& context, const MultiBoxInputs& in, const float* used,
                                 const float* cls_grad, const float* loc_grad, float* cls_pred_grad,
                                 float* loc_pred_grad);

}  // namespace sniper

#endif  // SNIPER_CUDA_MULTIBOX_LOSS_H_
