// Feature maps rearranged so that the channels of a cell lie side by side: threads over channels then read and write
// neighbouring memory wherever on the map they are.
#ifndef SNIPER_CUDA_CHANNEL_LAST_H_
#define SNIPER_CUDA_CHANNEL_LAST_H_

#include <cstdint>

#include "cuda/context.h"

namespace sniper {

// Channel c * groups + g of an image is channel c of group g.
struct MapShape {
  int64_t images;
  int groups, channels;  // channels of one group
  int64_t cells;

  int64_t count() const { return images * groups * channels * cells; }
};

// maps (images, channels * groups, cells) -> out (images, groups, cells, channels)
void to_channel_last_cuda(const CudaContext& context, const MapShape& shape, const float* maps, float* out);

// The way back.
void from_channel_last_cuda(const CudaContext& context, const MapShape& shape, const float* in, float* maps);

}  // namespace sniper

#endif  // SNIPER_CUDA_CHANNEL_LAST_H_
