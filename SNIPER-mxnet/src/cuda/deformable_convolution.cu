// The output is made tile by tile so that the columns, taps times as large as the data, stay bounded: at most twice
// what the call reads and writes, and at most kMaxColumnFloats. A tile is as many images as fit, or a part of one.
//
// Of the two sides of a batch of products (images, groups of the convolution) the longer one goes into cuBLAS's batch
// and the shorter one is a loop.
#include "cuda/deformable_convolution.h"

#include <algorithm>

#include "cuda/deformable_columns.h"
#include "cuda/gemm.h"
#include "cuda/launch.h"

namespace sniper {
namespace {

const int64_t kMaxColumnFloats = int64_t{1} << 26;  // 256 MiB: beyond it longer batches no longer help the products
const int kThreads = 256;

// Sizes of one call. Those of matrices are of one group of the convolution.
struct Sizes {
  int filters, inner, groups, cells;
  int64_t columns, outputs;  // rows of one image's columns and outputs, all groups

  Sizes(const DeformableConvolutionInputs& in, const DeformableConvolutionOptions& options)
      : filters(options.num_filter / options.num_group),
        inner(in.channels / options.num_group * options.taps()),
        groups(options.num_group),
        cells(static_cast<int>(in.out_cells())),
        columns(static_cast<int64_t>(inner) * groups),
        outputs(options.num_filter) {}

  int64_t weights() const { return static_cast<int64_t>(filters) * inner; }  // of one group
};

// Calls visit(tile) for all tiles of the output.
class Tiling {
 public:
  Tiling(const DeformableConvolutionInputs& in, const DeformableConvolutionOptions& options)
      : sizes_(in, options), all_images_(in.images) {
    const int64_t offsets = int64_t{2} * options.num_deformable_group * options.taps() * sizes_.cells;
    const int64_t image = in.channels * in.cells() + offsets + sizes_.outputs * sizes_.cells;
    const int64_t room = std::min(2 * (in.images * image + sizes_.weights() * sizes_.groups), kMaxColumnFloats);
    const int64_t cells = std::max<int64_t>(room / sizes_.columns, 1);
    images_ = static_cast<int>(std::min<int64_t>(std::max<int64_t>(cells / std::max(sizes_.cells, 1), 1), in.images));
    cells_ = static_cast<int>(std::min<int64_t>(cells > 32 ? cells / 32 * 32 : cells, sizes_.cells));
  }

  int64_t floats() const { return static_cast<int64_t>(images_) * sizes_.columns * cells_; }

  template <typename Visit>
  void for_each(const Visit& visit) const {
    if (cells_ == 0) return;
    for (int64_t image = 0; image < all_images_; image += images_) {
      for (int64_t cell = 0; cell < sizes_.cells; cell += cells_) {
        visit(ColumnTile{image, static_cast<int>(std::min<int64_t>(images_, all_images_ - image)),
                         static_cast<int>(cell), static_cast<int>(std::min<int64_t>(cells_, sizes_.cells - cell))});
      }
    }
  }

 private:
  Sizes sizes_;
  int64_t all_images_;
  int images_, cells_;  // of one tile
};

struct Columns {
  float* values;
  Columns(Arena* arena, const Tiling& tiling) : values(arena->take<float>(tiling.floats())) {}
};

// Floats from one matrix to the next, for the three of a product.
struct Strides {
  int64_t a, b, c;
};

// Calls multiply(batch, a, b, c) as often as it takes to multiply every group of every image. `batch` is the problem
// with the strides and the length of one batch filled in; a, b and c are where the first matrices of that batch begin.

template <typename Multiply>
void batched(int groups, int images, const Strides& by_group, const Strides& by_image, Gemm problem,
             const Multiply& multiply) {
  const bool over_images = images > groups;
  const Strides& strides = over_images ? by_image : by_group;
  problem.batch = over_images ? images : groups;
  problem.stride_a = strides.a;
  problem.stride_b = strides.b;
  problem.stride_c = strides.c;
  const Strides& steps = over_images ? by_group : by_image;
  for (int i = 0; i < (over_images ? groups : images); ++i) multiply(problem, steps.a * i, steps.b * i, steps.c * i);
}

__global__ void fill_bias_kernel(const float* bias, int filters, int64_t cells, int64_t count, float* out) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < count) out[i] = bias[i / cells % filters];
}

// One block a filter: the sum of its gradient over images and cells, always in the same order.
__global__ void __launch_bounds__(kThreads)
    bias_gradient_kernel(const float* out_grad, int64_t images, int filters, int64_t cells, float* bias_grad) {
  __shared__ float sums[kThreads];
  float sum = 0.0f;
  for (int64_t image = 0; image < images; ++image) {
    const float* plane = out_grad + (image * filters + blockIdx.x) * cells;
    for (int64_t cell = threadIdx.x; cell < cells; cell += kThreads) sum += plane[cell];
  }
  sums[threadIdx.x] = sum;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (static_cast<int>(threadIdx.x) < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) bias_grad[blockIdx.x] = sums[0];
}

// out = weight * columns (+ what `out` held)
void multiply_forward(const CudaContext& context, const Sizes& sizes, const ColumnTile& tile, const float* weight,
                      const float* columns, float beta, float* out) {
  Gemm problem = plain_gemm(false, false, sizes.filters, tile.cells, sizes.inner, beta);
  problem.ldc = sizes.cells;
  const Strides by_group = {sizes.weights(), static_cast<int64_t>(sizes.inner) * tile.cells,
                            static_cast<int64_t>(sizes.filters) * sizes.cells};
  const Strides by_image = {0, sizes.columns * tile.cells, sizes.outputs * sizes.cells};
  float* first = out + tile.first_image * by_image.c + tile.first_cell;
  batched(sizes.groups, tile.images, by_group, by_image, problem,
          [&](const Gemm& batch, int64_t a, int64_t b, int64_t c) {
            gemm_cuda(context, batch, weight + a, columns + b, first + c);
          });
}

// columns = transposed weight * out_grad
void multiply_backward(const CudaContext& context, const Sizes& sizes, const ColumnTile& tile, const float* weight,
                       const float* out_grad, float* columns) {
  Gemm problem = plain_gemm(true, false, sizes.inner, tile.cells, sizes.filters, 0.0f);
  problem.ldb = sizes.cells;
  const Strides by_group = {sizes.weights(), static_cast<int64_t>(sizes.filters) * sizes.cells,
                            static_cast<int64_t>(sizes.inner) * tile.cells};
  const Strides by_image = {0, sizes.outputs * sizes.cells, sizes.columns * tile.cells};
  const float* first = out_grad + tile.first_image * by_image.b + tile.first_cell;
  batched(sizes.groups, tile.images, by_group, by_image, problem,
          [&](const Gemm& batch, int64_t a, int64_t b, int64_t c) {
            gemm_cuda(context, batch, weight + a, first + b, columns + c);
          });
}

// weight_grad += out_grad * transposed columns, image after image, since all add to the same matrices.
void multiply_weight_gradient(const CudaContext& context, const Sizes& sizes, const ColumnTile& tile,
                              const float* out_grad, const float* columns, float* weight_grad) {
  Gemm problem = plain_gemm(false, true, sizes.filters, sizes.inner, tile.cells, 1.0f);
  problem.lda = sizes.cells;
  problem.batch = sizes.groups;
  problem.stride_a = static_cast<int64_t>(sizes.filters) * sizes.cells;
  problem.stride_b = static_cast<int64_t>(sizes.inner) * tile.cells;
  problem.stride_c = sizes.weights();
  for (int image = 0; image < tile.images; ++image) {
    const float* grad = out_grad + (tile.first_image + image) * sizes.outputs * sizes.cells + tile.first_cell;
    gemm_cuda(context, problem, grad, columns + image * sizes.columns * tile.cells, weight_grad);
  }
}

}  // namespace

void deformable_convolution_forward_cuda(const DeformableConvolutionInputs& in,
                                         const DeformableConvolutionOptions& options, const CudaContext& context,
                                         float* out) {
  const Sizes sizes(in, options);
  const Tiling tiling(in, options);
  const Columns columns = scratch<Columns>(context, tiling);
  if (in.bias != nullptr) {
    const int64_t count = in.images * sizes.outputs * sizes.cells;
    launch(fill_bias_kernel, dim3(blocks_for(count, kThreads)), dim3(kThreads), 0, context, in.bias,
           options.num_filter, static_cast<int64_t>(sizes.cells), count, out);
  }
  tiling.for_each([&](const ColumnTile& tile) {
    sample_columns_cuda(context, in, options, tile, columns.values);
    multiply_forward(context, sizes, tile, in.weight, columns.values, in.bias != nullptr ? 1.0f : 0.0f, out);
  });
}

void deformable_convolution_backward_cuda(const DeformableConvolutionInputs& in,
                                          const DeformableConvolutionOptions& options, const CudaContext& context,
                                          const float* out_grad, const DeformableConvolutionGradients& gradients) {
  const Sizes sizes(in, options);
  const Tiling tiling(in, options);
  const Columns columns = scratch<Columns>(context, tiling);
  const size_t data_bytes = static_cast<size_t>(in.images * in.channels * in.cells()) * sizeof(float);
  const size_t weight_bytes = static_cast<size_t>(sizes.weights() * sizes.groups) * sizeof(float);
  if (gradients.data != nullptr) fill_zero_cuda(context, gradients.data, data_bytes);
  if (gradients.weight != nullptr) fill_zero_cuda(context, gradients.weight, weight_bytes);
  tiling.for_each([&](const ColumnTile& tile) {
    multiply_backward(context, sizes, tile, in.weight, out_grad, columns.values);
    scatter_columns_cuda(context, in, options, tile, columns.values, gradients.data, gradients.offset);
    if (gradients.weight == nullptr) return;
    multiply_weight_gradient(context, sizes, tile, out_grad, columns.values, gradients.weight);
  });
  if (gradients.bias == nullptr) return;
  launch(bias_gradient_kernel, dim3(options.num_filter), dim3(kThreads), 0, context, out_grad, in.images,
         options.num_filter, static_cast<int64_t>(sizes.cells), gradients.bias);
}

}  // namespace sniper
