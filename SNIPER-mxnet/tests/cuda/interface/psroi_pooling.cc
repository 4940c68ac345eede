// DeformablePSROIPooling.
#include "interface.h"

#include <vector>

#include "cpu/psroi_pooling.h"
#include "cuda/psroi_pooling.h"

namespace sniper {
namespace {

// `sizes`: images, height, width, rois, classes of offsets, output_dim, group_size, pooled_size, part_size,
// sample_per_part.
struct Call {
  PoolingInputs in;
  PoolingOptions options;

  Call(const float* data, const float* rois, const float* trans, const int64_t* sizes, double spatial_scale,
       double trans_std) {
    in = PoolingInputs{data, rois, trans, sizes[0], sizes[3], static_cast<int>(sizes[1]), static_cast<int>(sizes[2]),
                       static_cast<int>(sizes[4])};
    options.output_dim = static_cast<int>(sizes[5]);
    options.group_size = static_cast<int>(sizes[6]);
    options.pooled_size = static_cast<int>(sizes[7]);
    options.part_size = static_cast<int>(sizes[8]);
    options.sample_per_part = static_cast<int>(sizes[9]);
    options.spatial_scale = static_cast<float>(spatial_scale);
    options.trans_std = static_cast<float>(trans_std);
    options.no_trans = trans == nullptr;
  }
};

}  // namespace
}  // namespace sniper

using namespace sniper;

SNIPER_FUNCTION(psroi_pooling, (const float* data, const float* rois, const float* trans, const int64_t* sizes,
                                double spatial_scale, double trans_std, float* out)) {
  return guarded([&] {
    const Call call(data, rois, trans, sizes, spatial_scale, trans_std);
#if defined(SNIPER_INTERFACE_CPU)
    std::vector<float> workspace(psroi_workspace(call.in, call.options));
    psroi_forward_cpu(call.in, call.options, workspace.data(), out);
#else
    psroi_forward_cuda(call.in, call.options, test_context(), out);
#endif
  });
}

SNIPER_FUNCTION(psroi_pooling_backward, (const float* data, const float* rois, const float* trans,
                                         const int64_t* sizes, double spatial_scale, double trans_std,
                                         const float* out_grad, float* data_grad, float* trans_grad)) {
  return guarded([&] {
    const Call call(data, rois, trans, sizes, spatial_scale, trans_std);
#if defined(SNIPER_INTERFACE_CPU)
    std::vector<float> workspace(psroi_workspace(call.in, call.options));
    psroi_backward_cpu(call.in, call.options, out_grad, workspace.data(), data_grad, trans_grad);
#else
    psroi_backward_cuda(call.in, call.options, test_context(), out_grad, data_grad, trans_grad);
#endif
  });
}
