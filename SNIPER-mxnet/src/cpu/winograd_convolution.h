// Convolution 3x3 of stride 1 and padding 1 with a quarter of the multiplications: Winograd's minimal filtering
// F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016). Forward only.
//
// An output tile of 4x4 cells comes from the 6x6 cells of data around it. Both the data and the weights are transformed
// to 36 numbers a channel; there, convolution is a product number by number, summed over channels: 36 matrix products.
// Lavin and Gray interpolate at 0, +-1, +-2 and infinity; 0, +-1/sqrt(2), +-sqrt(2) and infinity as here lose half
// as much to rounding. Weights are transformed once, by lib.engine.winograd.
#ifndef SNIPER_CPU_WINOGRAD_CONVOLUTION_H_
#define SNIPER_CPU_WINOGRAD_CONVOLUTION_H_

#include <cstddef>
#include <cstdint>

namespace sniper {

enum { kWinogradPoints = 36 };  // transformed numbers of a tile, and of a filter, a channel

struct WinogradConvolutionInputs {
  const float* data;    // (images, channels, height, width)
  const float* weight;  // (kWinogradPoints, panels, channels, kPanel), surplus filters of the last panel 0
  const float* bias;    // (filters,); null without bias
  int64_t images;
  int channels, height, width, filters;
  bool relu;  // negative results become 0

  int64_t cells() const { return static_cast<int64_t>(height) * width; }
};

// Panels of kPanel filters.
int winograd_panels(int filters);

// Floats of working memory, those of a block of tiles for each thread: for few tiles 2.25 times data and output and
// some padding, for many a small part of that.
size_t winograd_convolution_workspace(const WinogradConvolutionInputs& in);

// out (images, filters, height, width). Results do not depend on the number of threads, nor on the other images.
void winograd_convolution_cpu(const WinogradConvolutionInputs& in, float* workspace, float* out);

}  // namespace sniper

#endif  // SNIPER_CPU_WINOGRAD_CONVOLUTION_H_
