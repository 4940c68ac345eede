// RoIMeanPooling on the device. A roi of an image that the batch does not have gives zeros and takes no part in the
// gradients, since the host does not see it.
#ifndef SNIPER_CUDA_ROI_MEAN_POOLING_H_
#define SNIPER_CUDA_ROI_MEAN_POOLING_H_

#include "cuda/context.h"
#include "sniper/roi_mean_pooling.h"

namespace sniper {

// out (num_rois, channels), bit for bit as on the CPU. Working memory: as much as data.
void roi_mean_forward_cuda(const CudaContext& context, const RoiMeanInputs& in, const RoiMeanOptions& options,
                           float* out);

// Overwrites data_grad. Working memory: twice as much as data. Sums are made by atomic additions, so their last bits
// differ from run to run.
void roi_mean_backward_cuda(const CudaContext& context, const RoiMeanInputs& in, const RoiMeanOptions& options,
                            const float* out_grad, float* data_grad);

}  // namespace sniper

#endif  // SNIPER_CUDA_ROI_MEAN_POOLING_H_
