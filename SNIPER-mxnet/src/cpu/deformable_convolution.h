// CPU loops of DeformableConvolution. Results do not depend on the number of threads.
//
// The operator is a matrix product of the weights with the columns, the values that every tap reads for every output
// cell. Columns are made a tile at a time, in a thread's cache, and never stand in memory as a whole: they would take
// taps times the size of the data. Cells whose point is off the map take no part, as the padding of a plain convolution
// takes none: with the map's edge and offsets of a few cells they are a tenth of 32 x 32.
#ifndef SNIPER_CPU_DEFORMABLE_CONVOLUTION_H_
#define SNIPER_CPU_DEFORMABLE_CONVOLUTION_H_

#include <cstddef>
#include <cstdint>

#include "sniper/deformable_convolution.h"

namespace sniper {

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
