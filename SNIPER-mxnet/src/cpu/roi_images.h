// Rois by their images.
#ifndef SNIPER_CPU_ROI_IMAGES_H_
#define SNIPER_CPU_ROI_IMAGES_H_

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "sniper/roi_images.h"

namespace sniper {

// Throws std::invalid_argument if one of the rois (num_rois, 5) names an image that the batch does not have.
inline void check_roi_images(const float* rois, int64_t num_rois, int64_t images) {
  for (int64_t roi = 0; roi < num_rois; ++roi) {
    if (image_of_roi(rois + 5 * roi, images) >= 0) continue;
    throw std::invalid_argument("row " + std::to_string(roi) + " of rois names image " + std::to_string(rois[5 * roi]) +
                                " of a batch of " + std::to_string(images));
  }
}

// The rows of each image's rois, in order; all rois have been checked.
inline std::vector<std::vector<int64_t>> rois_by_image(const float* rois, int64_t num_rois, int64_t images) {
  std::vector<std::vector<int64_t>> lists(images);
  for (int64_t roi = 0; roi < num_rois; ++roi) lists[image_of_roi(rois + 5 * roi, images)].push_back(roi);
  return lists;
}

}  // namespace sniper

#endif  // SNIPER_CPU_ROI_IMAGES_H_
