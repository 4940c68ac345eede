// The images that rois belong to.
#ifndef SNIPER_ROI_IMAGES_H_
#define SNIPER_ROI_IMAGES_H_

#include <cstdint>

#include "sniper/common.h"

namespace sniper {

// The image of a roi (image index, x1, y1, x2, y2), or -1 if the batch of `images` has no such one.
SNIPER_HD int64_t image_of_roi(const float* roi, int64_t images) {
  return roi[0] >= 0.0f && roi[0] < static_cast<float>(images) ? static_cast<int64_t>(roi[0]) : -1;
}

}  // namespace sniper

#endif  // SNIPER_ROI_IMAGES_H_
