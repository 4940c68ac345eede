// CPU loops of RoIMeanPooling. Results do not depend on the number of threads.
#ifndef SNIPER_CPU_ROI_MEAN_POOLING_H_
#define SNIPER_CPU_ROI_MEAN_POOLING_H_

#include "sniper/roi_mean_pooling.h"

namespace sniper {

// out (num_rois, channels). Both directions throw std::invalid_argument if a roi names an image that there is not.
void roi_mean_forward_cpu(const RoiMeanInputs& in, const RoiMeanOptions& options, float* out);

// Overwrites data_grad. The gradient of a bin goes to its largest value, the first one in a row after the other.
void roi_mean_backward_cpu(const RoiMeanInputs& in, const RoiMeanOptions& options, const float* out_grad,
                           float* data_grad);

}  // namespace sniper

#endif  // SNIPER_CPU_ROI_MEAN_POOLING_H_
