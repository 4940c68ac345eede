// MaskRcnnTarget as a C function.
#include "interface.h"

#if defined(SNIPER_INTERFACE_CPU)
#include "cpu/mask_targets.h"
#else
#include "cuda/mask_targets.h"
#endif

using namespace sniper;

// `sizes`: rows, images, records an image, numbers a record, side of a mask.
SNIPER_FUNCTION(mask_rcnn_target, (const float* rois, const float* mask_polys, const float* mask_ids, float* targets,
                                   float* categories, const int64_t* sizes, double ignore_label)) {
  return guarded([&] {
    const MaskInputs in = {rois, mask_polys, mask_ids, sizes[0], PolygonShape{sizes[1], sizes[2], sizes[3]}};
    MaskOptions options;
    options.mask_size = static_cast<int>(sizes[4]);
    options.ignore_label = static_cast<float>(ignore_label);
#if defined(SNIPER_INTERFACE_CPU)
    mask_rcnn_target_cpu(in, options, targets, categories);
#else
    mask_rcnn_target_cuda(test_context(), in, options, targets, categories);
#endif
  });
}
