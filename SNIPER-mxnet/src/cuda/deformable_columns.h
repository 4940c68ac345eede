// The sampled points of deformable convolution as columns of a matrix, and the adjoint: what surrounds the products.
#ifndef SNIPER_CUDA_DEFORMABLE_COLUMNS_H_
#define SNIPER_CUDA_DEFORMABLE_COLUMNS_H_

#include <cstdint>

#include "cuda/context.h"
#include "cuda/deformable_convolution.h"

namespace sniper {

// Part of the output that is computed at a time: whole images, or some cells of one image where a whole one would need
// too much memory. Its columns are (images, channels * taps, cells).
struct ColumnTile {
  int64_t first_image;
  int images;
  int first_cell, cells;  // of the output, row by row
};

// Writes the value of every channel at every point of the tile.
void sample_columns_cuda(const CudaContext& context, const DeformableConvolutionInputs& in,
                         const DeformableConvolutionOptions& options, const ColumnTile& tile, float* columns);

// `columns` holds the gradients of the sampled values. Adds to data_grad, writes the tile's cells of offset_grad (each
// may be null), and puts into `columns` the sampled values themselves, which the weights' gradient needs and which are
// at hand here.
void scatter_columns_cuda(const CudaContext& context, const DeformableConvolutionInputs& in,
                          const DeformableConvolutionOptions& options, const ColumnTile& tile, float* columns,
                          float* data_grad, float* offset_grad);

}  // namespace sniper

#endif  // SNIPER_CUDA_DEFORMABLE_COLUMNS_H_
