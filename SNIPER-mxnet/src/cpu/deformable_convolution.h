// CPU loops of DeformableConvolution. Results do not depend on the number of threads.
//
// The operator is a matrix product of the weights with the columns, the values that every tap reads for every output
// cell. Columns are made a tile at a time, in a thread's cache, and never stand in memory as a whole: they would take
// taps times the size of the data.
#ifndef SNIPER_CPU_DEFORMABLE_CONVOLUTION_H_
#define SNIPER_CPU_DEFORMABLE_CONVOLUTION_H_

#include <cstddef>
#include <cstdint>

#include "sniper/deformable_convolution.h"

namespace sniper {

struct DeformableConvolutionInputs {
  const float* data;    // (images, channels, height, width)
  const float* offset;  // (images, num_deformable_group * taps * 2, out_height, out_width), row then column shifts
  const float* weight;  // (num_filter, channels / num_group, kernel_h, kernel_w)
  const float* bias;    // (num_filter,); null without bias
  int64_t images;
  int channels, height, width, out_height, out_width;

  int64_t cells() const { return static_cast<int64_t>(height) * width; }
  int64_t out_cells() const { return static_cast<int64_t>(out_height) * out_width; }
};

// Where gradients go; null where none is wanted.
struct DeformableConvolutionGradients {
  float* data;
  float* offset;
  float* weight;
  float* bias;
};

// Floats of working memory.
size_t deformable_convolution_forward_workspace(const DeformableConvolutionInputs& in,
                                                const DeformableConvolutionOptions& options);
size_t deformable_convolution_backward_workspace(const DeformableConvolutionInputs& in,
                                                 const DeformableConvolutionOptions& options);

// out (images, num_filter, out_height, out_width)
void deformable_convolution_forward_cpu(const DeformableConvolutionInputs& in,
                                        const DeformableConvolutionOptions& options, float* workspace, float* out);

// Overwrites the gradients; out_grad has the shape of the output.
void deformable_convolution_backward_cpu(const DeformableConvolutionInputs& in,
                                         const DeformableConvolutionOptions& options, const float* out_grad,
                                         float* workspace, const DeformableConvolutionGradients& grads);

// Shared by both directions.

// maps (images, channels, cells) -> out (images, cells, stride), the first `channels` floats of each cell.
void cells_first(const float* maps, int64_t images, int channels, int64_t cells, float* out, int64_t stride);

}  // namespace sniper

#endif  // SNIPER_CPU_DEFORMABLE_CONVOLUTION_H_
