// Inputs and outputs of the proposal operators for a whole batch, on the host or on a device.
#ifndef SNIPER_BATCH_H_
#define SNIPER_BATCH_H_

#include <cstdint>

#include "sniper/boxes.h"

namespace sniper {

// The network outputs of one image, A anchors a cell on height x width cells.
struct ImageOutputs {
  const float* scores;  // (A, height, width), foreground probabilities
  const float* deltas;  // (4A, height, width), channels 4a..4a+3 are dx, dy, dw, dh of anchor a
  int height, width;
  float image_height, image_width;  // valid area in input pixels
};

// The network outputs of a batch: A anchors a cell, N images, height x width cells.
struct BatchOutputs {
  const float* cls_prob;   // (N, 2A, height, width), the background half first
  const float* bbox_pred;  // (N, 4A, height, width)
  const float* im_info;    // (N, 3): height, width, scale of the valid area
  int64_t num_images;
  int height, width;
};

// The outputs of image `image`, A = `num_anchors`.
SNIPER_HD ImageOutputs image_outputs(const BatchOutputs& batch, int num_anchors, int64_t image) {
  const int64_t plane = static_cast<int64_t>(num_anchors) * batch.height * batch.width;
  return ImageOutputs{batch.cls_prob + (2 * image + 1) * plane,
                      batch.bbox_pred + 4 * image * plane,
                      batch.height,
                      batch.width,
                      batch.im_info[3 * image],
                      batch.im_info[3 * image + 1]};
}

// Writes image index and corners.
SNIPER_HD void write_roi(int64_t image, const Box& box, float* roi) {
  roi[0] = static_cast<float>(image);
  roi[1] = box.x1;
  roi[2] = box.y1;
  roi[3] = box.x2;
  roi[4] = box.y2;
}

// What fills rows of MultiProposal beyond the survivors: the whole image; a point where its size is no number.
SNIPER_HD Box whole_image(const ImageOutputs& image) {
  const Box box = clip(Box{0.0f, 0.0f, image.image_width, image.image_height}, image.image_height, image.image_width);
  return is_finite(box) ? box : Box{0.0f, 0.0f, 0.0f, 0.0f};
}

// What training knows about a batch.
struct BatchTruth {
  const float* gt_boxes;      // (N, max_gt, 5): x1, y1, x2, y2, class; -1: unused, -2: a region
  const float* valid_ranges;  // (N, 2): bounds on the square root of area
  int64_t max_gt;
  const float* crowd_boxes;  // (N, max_groups, 5): x1, y1, x2, y2, flag; 0: a group box, -1: none; null without
  int64_t max_groups;
};

SNIPER_HD AreaRange area_range(const float* valid_ranges, int64_t image) {
  const float lo = valid_ranges[2 * image], hi = valid_ranges[2 * image + 1];
  return AreaRange{lo * lo, hi * hi};
}

struct TargetArrays {
  float* rois;          // (N*P, 5)
  float* label;         // (N*P,)
  float* bbox_target;   // (N*P, 4)
  float* bbox_weight;   // (N*P, 4)
  float* label_weight;  // (N*P,); may be null
};

// N*M rows, M = max_masks an image, though an image with many objects may use those of others.
struct MaskArrays {
  float* rois;    // (N*M, 5)
  float* ids;     // (N*M,): row of the roi's object among its image's gt_boxes; -1 in rows left over
  float* labels;  // (N*M,): class - 1 of that object, -1 in rows left over; may be null
  int64_t max_masks;
};

}  // namespace sniper

#endif  // SNIPER_BATCH_H_
