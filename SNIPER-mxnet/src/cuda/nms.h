// Greedy non-maximum suppression on the device, as a reduction of bit masks, for all images of a batch at once.
//
// Boxes come sorted, a chunk of at most `chunk` (a multiple of 64) an image at a time: the masks of all boxes of an
// image would be too large. A chunk's boxes are first tested against those kept from earlier chunks (whoever makes the
// chunk does that), then against each other: one bit a pair, and one block an image goes through the rows in order.
#ifndef SNIPER_CUDA_NMS_H_
#define SNIPER_CUDA_NMS_H_

#include <cstdint>

#include "cuda/context.h"
#include "sniper/boxes.h"

namespace sniper {

const int kMaskBits = 64;

// The boxes kept so far, N images with room for P = `capacity` each; device memory.
struct KeptBoxesCuda {
  Box* boxes;         // (N, P)
  uint32_t* indices;  // (N, P)
  int* counts;        // (N,)
  int capacity;
};

// One chunk of every image; device memory.
struct NmsChunk {
  Box* boxes;         // (N, chunk)
  uint32_t* indices;  // (N, chunk)
  uint32_t* removed;  // (N, chunk / 32), bit i % 32 of word i / 32: box i is not there or a kept box suppresses it
  uint64_t* masks;    // (N, chunk, chunk / 64), bit j % 64 of word j / 64 of row i: i suppresses j > i
  int chunk;
};

// Appends the survivors of a chunk to the kept boxes, up to their capacity.
template <Arithmetic kind>
void reduce_chunk_cuda(const CudaContext& context, const NmsChunk& chunk, int64_t num_images, float threshold,
                       const KeptBoxesCuda& kept);

}  // namespace sniper

#endif  // SNIPER_CUDA_NMS_H_
