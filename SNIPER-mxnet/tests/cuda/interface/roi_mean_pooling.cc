// RoIMeanPooling.
#include "cpu/roi_mean_pooling.h"
#include "cuda/roi_mean_pooling.h"
#include "interface.h"

namespace sniper {
namespace {

// sizes: images, channels, height, width, rois, bins along height, bins along width.
RoiMeanInputs inputs_of(const float* data, const float* rois, const int64_t* sizes) {
  return RoiMeanInputs{data, rois, sizes[0], sizes[4], static_cast<int>(sizes[1]), static_cast<int>(sizes[2]),
                       static_cast<int>(sizes[3])};
}

RoiMeanOptions options_of(const int64_t* sizes, double spatial_scale) {
  RoiMeanOptions options;
  options.spatial_scale = static_cast<float>(spatial_scale);
  options.bin_rows = static_cast<int>(sizes[5]);
  options.bin_columns = static_cast<int>(sizes[6]);
  return options;
}

}  // namespace
}  // namespace sniper

using namespace sniper;

SNIPER_FUNCTION(roi_mean_pooling, (const float* data, const float* rois, const int64_t* sizes, double spatial_scale,
                                   float* out)) {
  return guarded([&] {
    const RoiMeanInputs in = inputs_of(data, rois, sizes);
    const RoiMeanOptions options = options_of(sizes, spatial_scale);
#if defined(SNIPER_INTERFACE_CPU)
    roi_mean_forward_cpu(in, options, out);
#else
    roi_mean_forward_cuda(test_context(), in, options, out);
#endif
  });
}

SNIPER_FUNCTION(roi_mean_pooling_backward, (const float* data, const float* rois, const int64_t* sizes,
                                            double spatial_scale, const float* out_grad, float* data_grad)) {
  return guarded([&] {
    const RoiMeanInputs in = inputs_of(data, rois, sizes);
    const RoiMeanOptions options = options_of(sizes, spatial_scale);
#if defined(SNIPER_INTERFACE_CPU)
    roi_mean_backward_cpu(in, options, out_grad, data_grad);
#else
    roi_mean_backward_cuda(test_context(), in, options, out_grad, data_grad);
#endif
  });
}
