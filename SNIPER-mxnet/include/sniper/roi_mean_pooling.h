// RoI pooling and the mean of its bins in one: each bin of a roi gives the largest value of the cells that it touches,
// and the output is the mean over the bins. It is stock MXNet's ROIPooling with a global average behind it, without
// the pooled values in between, which for thousands of channels are most of a network's memory.
#ifndef SNIPER_ROI_MEAN_POOLING_H_
#define SNIPER_ROI_MEAN_POOLING_H_

#include <cfloat>
#include <cmath>
#include <cstdint>

#include "sniper/common.h"

namespace sniper {

struct RoiMeanOptions {
  float spatial_scale = 1.0f;  // feature cells a pixel
  int bin_rows = 1, bin_columns = 1;

  SNIPER_HD int bins() const { return bin_rows * bin_columns; }
};

// The arrays of one call, in host or in device memory.
struct RoiMeanInputs {
  const float* data;  // (images, channels, height, width)
  const float* rois;  // (num_rois, 5): image index, x1, y1, x2, y2 in input pixels, all of them inclusive
  int64_t images, num_rois;
  int channels, height, width;

  SNIPER_HD int64_t cells() const { return static_cast<int64_t>(height) * width; }
};

// Feature rows or columns [first, last).
struct BinSpan {
  int first, last;
};

// The largest value of a bin begins here, as in the stock operator: NaN is never larger.
const float kLeastValue = -FLT_MAX;

// The nearest cell; NaN and what no map reaches count as places far off it.
SNIPER_HD float roi_cell(float pixel, float spatial_scale) {
  const float far = 1e7f, cell = roundf(pixel * spatial_scale);
  if (!(cell > -far)) return -far;
  return cell < far ? cell : far;
}

// What bin `bin` of `bins` along one axis covers of a map of `size` cells, for a roi from pixel `low` to pixel `high`:
// empty where it lies off the map. Neighbouring bins may share a cell.
SNIPER_HD BinSpan bin_span(float low, float high, float spatial_scale, int bin, int bins, int size) {
  const float start = roi_cell(low, spatial_scale), length = roi_cell(high, spatial_scale) - start + 1.0f;
  const float side = (length > 1.0f ? length : 1.0f) / static_cast<float>(bins);
  const int first = static_cast<int>(floorf(static_cast<float>(bin) * side)) + static_cast<int>(start);
  const int last = static_cast<int>(ceilf(static_cast<float>(bin + 1) * side)) + static_cast<int>(start);
  return BinSpan{first < 0 ? 0 : first < size ? first : size, last < 0 ? 0 : last < size ? last : size};
}

SNIPER_HD BinSpan bin_rows(const float* roi, const RoiMeanOptions& options, int bin, int height) {
  return bin_span(roi[2], roi[4], options.spatial_scale, bin, options.bin_rows, height);
}

SNIPER_HD BinSpan bin_columns(const float* roi, const RoiMeanOptions& options, int bin, int width) {
  return bin_span(roi[1], roi[3], options.spatial_scale, bin, options.bin_columns, width);
}

}  // namespace sniper

#endif  // SNIPER_ROI_MEAN_POOLING_H_
