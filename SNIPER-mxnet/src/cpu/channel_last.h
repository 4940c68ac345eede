// Feature maps rearranged so that the channels of a cell lie side by side, for vector code over channels.
#ifndef SNIPER_CPU_CHANNEL_LAST_H_
#define SNIPER_CPU_CHANNEL_LAST_H_

#include <cstddef>
#include <cstdint>

namespace sniper {

enum { kLanes = 16 };  // floats of the widest vector; channel counts are padded to a multiple of it

inline int padded_to_lanes(int channels) { return (channels + kLanes - 1) / kLanes * kLanes; }

// How the channels of a map split: source channel (k * channels + c) * groups + g is channel c of class k in group g.
struct ChannelSplit {
  int classes, channels, groups;

  int padded() const { return padded_to_lanes(channels); }  // floats of one class of one cell
  int width() const { return classes * padded(); }          // floats of one cell in one group
  int64_t source(int k, int c, int g) const { return (static_cast<int64_t>(k) * channels + c) * groups + g; }
  int64_t total() const { return static_cast<int64_t>(classes) * channels * groups; }
};

// out[column * out_stride + row] = in[row * in_stride + column]
void transpose(const float* in, int rows, int columns, int64_t in_stride, float* out, int64_t out_stride);

// data (images, split.total(), cells) -> out (images, groups, cells, split.width()), padding 0.
void to_channel_last(const float* data, int64_t images, int64_t cells, const ChannelSplit& split, float* out);

}  // namespace sniper

#endif  // SNIPER_CPU_CHANNEL_LAST_H_
