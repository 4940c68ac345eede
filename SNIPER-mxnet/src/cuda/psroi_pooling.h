// DeformablePSROIPooling on the device. Arrays are in device memory; a roi that names an image which the batch has not
// gives zeros and takes no part in the gradients, since the host does not see it.
#ifndef SNIPER_CUDA_PSROI_POOLING_H_
#define SNIPER_CUDA_PSROI_POOLING_H_

#include "cuda/context.h"
#include "sniper/psroi_pooling.h"

namespace sniper {

// out (num_rois, output_dim, pooled_size, pooled_size). Working memory: as much as data.
void psroi_forward_cuda(const PoolingInputs& in, const PoolingOptions& options, const CudaContext& context, float* out);

// Overwrites data_grad and, unless it is null, trans_grad. Working memory: as much as data, with offsets twice as
// much. Sums are made by atomic additions, so their last bits differ from run to run.
void psroi_backward_cuda(const PoolingInputs& in, const PoolingOptions& options, const CudaContext& context,
                         const float* out_grad, float* data_grad, float* trans_grad);

}  // namespace sniper

#endif  // SNIPER_CUDA_PSROI_POOLING_H_
