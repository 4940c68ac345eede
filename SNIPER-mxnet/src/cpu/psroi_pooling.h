// CPU loops of DeformablePSROIPooling. Results do not depend on the number of threads.
#ifndef SNIPER_CPU_PSROI_POOLING_H_
#define SNIPER_CPU_PSROI_POOLING_H_

#include <cstddef>
#include <cstdint>

#include "sniper/psroi_pooling.h"

namespace sniper {

// Floats of working memory that either direction needs.
size_t psroi_workspace(const PoolingInputs& in, const PoolingOptions& options);

// out (num_rois, output_dim, pooled_size, pooled_size)
void psroi_forward_cpu(const PoolingInputs& in, const PoolingOptions& options, float* workspace, float* out);

// Overwrites data_grad and, unless it is null, trans_grad. Nothing flows to the rois.
void psroi_backward_cpu(const PoolingInputs& in, const PoolingOptions& options, const float* out_grad,
                        float* workspace, float* data_grad, float* trans_grad);

}  // namespace sniper

#endif  // SNIPER_CPU_PSROI_POOLING_H_
