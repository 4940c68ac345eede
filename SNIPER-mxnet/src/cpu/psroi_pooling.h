// CPU loops of DeformablePSROIPooling. Results do not depend on the number of threads.
#ifndef SNIPER_CPU_PSROI_POOLING_H_
#define SNIPER_CPU_PSROI_POOLING_H_

#include <cstddef>
#include <cstdint>

#include "sniper/psroi_pooling.h"

namespace sniper {

struct PoolingInputs {
  const float* data;   // (images, output_dim * group_size^2, height, width)
  const float* rois;   // (num_rois, 5): image index, x1, y1, x2, y2 in input pixels
  const float* trans;  // (num_rois, 2 * classes, part_size, part_size), x then y offsets; null without offsets
  int64_t images, num_rois;
  int height, width, classes;
};

// Throws std::invalid_argument if a roi names an image that the batch has not.
void check_roi_images(const PoolingInputs& in);

// Floats of working memory that either direction needs.
size_t psroi_workspace(const PoolingInputs& in, const PoolingOptions& options);

// out (num_rois, output_dim, pooled_size, pooled_size)
void psroi_forward_cpu(const PoolingInputs& in, const PoolingOptions& options, float* workspace, float* out);

// Overwrites data_grad and, unless it is null, trans_grad. Nothing flows to the rois.
void psroi_backward_cpu(const PoolingInputs& in, const PoolingOptions& options, const float* out_grad,
                        float* workspace, float* data_grad, float* trans_grad);

}  // namespace sniper

#endif  // SNIPER_CPU_PSROI_POOLING_H_
