#include "cuda/mask_targets.h"

#include "cuda/launch.h"

namespace sniper {
namespace {

const int kThreads = 128;
const int kWordBits = 32;
const int kSharedWords = 8 * 1024;  // of toggles and of masks together: 32 KB, which every GPU has

// The rows of a mask that one block makes. A row of bits has a column more than the mask: toggles behind the last.
struct Band {
  int rows, words;
};

Band band_of(int size) {
  const int words = (size + 1 + kWordBits - 1) / kWordBits;
  const int room = kSharedWords / (2 * words);
  return Band{size < room ? size : room, words};
}

// Bit i of the result is the parity of bits 0 to i.
__device__ inline unsigned int parity_up_to(unsigned int bits) {
  for (int shift = 1; shift < kWordBits; shift *= 2) bits ^= bits << shift;
  return bits;
}

// Toggles the rows of the band that the edge from `a` to `b` crosses.
__device__ inline void toggle_edge(const FinePoint& a, const FinePoint& b, int size, int first_row, int last_row,
                                   int words, unsigned int* toggles) {
  const int low = (a.row < b.row ? a.row : b.row) / kFineSteps - 1;
  const int high = (a.row < b.row ? b.row : a.row) / kFineSteps;
  const int end = high < last_row ? high : last_row;
  for (int row = low > first_row ? low : first_row; row <= end; ++row) {
    const int column = crossing_column(a, b, row, size);
    if (column < 0) continue;
    atomicXor(toggles + (row - first_row) * words + column / kWordBits, 1u << (column % kWordBits));
  }
}

// Block (x, y): band y of the mask of row x, in bits in shared memory: toggles of a segment, then the union so far.
__global__ void __launch_bounds__(kThreads)
    mask_targets_kernel(MaskInputs in, MaskOptions options, Band band, float* targets, float* categories) {
  SNIPER_DYNAMIC_SHARED(unsigned int, toggles);
  __shared__ int not_finite;
  const int size = options.mask_size, thread = static_cast<int>(threadIdx.x);
  const int64_t roi_row = blockIdx.x;
  const int first_row = static_cast<int>(blockIdx.y) * band.rows;
  const int rows = size - first_row < band.rows ? size - first_row : band.rows;
  unsigned int* inside = toggles + band.rows * band.words;
  const float* roi = in.rois + 5 * roi_row;
  const float* record = polygon_record(roi, in.mask_ids[roi_row], in.mask_polys, in.shape);
  for (int i = thread; i < rows * band.words; i += kThreads) inside[i] = 0;
  SegmentCursor segment(record, record == nullptr ? 0 : in.shape.length);  // the same for all threads
  while (segment.next()) {
    const float* points = segment.points();
    const int64_t count = segment.num_points();
    if (thread == 0) not_finite = 0;
    for (int i = thread; i < rows * band.words; i += kThreads) toggles[i] = 0;
    __syncthreads();
    bool finite = true;
    for (int64_t i = thread; i < count; i += kThreads) finite = finite && is_finite_segment(points + 2 * i, 1);
    if (!finite) atomicOr(&not_finite, 1);
    __syncthreads();
    const bool covers = not_finite == 0;
    for (int64_t i = thread; covers && i < count; i += kThreads) {
      const FinePoint before = fine_point(points + 2 * (i > 0 ? i - 1 : count - 1), roi, size);
      toggle_edge(before, fine_point(points + 2 * i, roi, size), size, first_row, first_row + rows - 1, band.words,
                  toggles);
    }
    __syncthreads();
    for (int row = thread; covers && row < rows; row += kThreads) {
      unsigned int carry = 0;  // all ones where the words before had an odd number of toggles
      for (int i = row * band.words; i < (row + 1) * band.words; ++i) {
        const unsigned int bits = parity_up_to(toggles[i]) ^ carry;
        inside[i] |= bits;
        carry = bits >> (kWordBits - 1) ? ~0u : 0u;
      }
    }
    __syncthreads();
  }
  __syncthreads();
  const int64_t place = roi_row * size * size + static_cast<int64_t>(first_row) * size;
  const float category = record == nullptr ? 0.0f : record[0];
  for (int i = thread; i < rows * size; i += kThreads) {
    const int row = i / size, column = i % size;
    const unsigned int bit = inside[row * band.words + column / kWordBits] >> (column % kWordBits) & 1u;
    targets[place + i] = record == nullptr ? options.ignore_label : static_cast<float>(bit);
    categories[place + i] = category;
  }
}

}  // namespace

void mask_rcnn_target_cuda(const CudaContext& context, const MaskInputs& in, const MaskOptions& options,
                           float* targets, float* categories) {
  const Band band = band_of(options.mask_size);
  const dim3 grid(blocks_for(in.num_rows, 1), blocks_for(options.mask_size, band.rows));
  launch(mask_targets_kernel, grid, dim3(kThreads), 2 * band.rows * band.words * sizeof(unsigned int), context, in,
         options, band, targets, categories);
}

}  // namespace sniper
