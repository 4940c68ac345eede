#include "cpu/mask_targets.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "cpu/parallel.h"

namespace sniper {
namespace {

// A thread's working memory: a byte for every pixel of the mask, and for one more column behind the last.
struct Scratch {
  std::vector<unsigned char> toggles;
};

void check_row(const MaskInputs& in, int64_t row) {
  const float* roi = in.rois + 5 * row;
  if (is_valid_row(roi, in.mask_ids[row], in.shape)) return;
  const bool bad_id = !is_index(in.mask_ids[row], in.shape.records);
  std::ostringstream message;
  message << (bad_id ? "mask_ids" : "the image index in rois") << " must be " << (bad_id ? "-1 or " : "")
          << "a whole number from 0 to " << (bad_id ? in.shape.records : in.shape.images) - 1 << ", got "
          << (bad_id ? in.mask_ids[row] : roi[0]) << " in row " << row;
  throw std::invalid_argument(message.str());
}

void toggle_edge(const FinePoint& a, const FinePoint& b, int size, unsigned char* toggles) {
  const int top = std::max(std::min(a.row, b.row) / kFineSteps - 1, 0);
  const int bottom = std::min(std::max(a.row, b.row) / kFineSteps, size - 1);
  for (int row = top; row <= bottom; ++row) {
    const int column = crossing_column(a, b, row, size);
    if (column >= 0) toggles[row * (size + 1) + column] ^= 1;
  }
}

// Sets the pixels of `mask` (S, S) that one segment covers.
void fill_segment(const float* points, int64_t num_points, const float* roi, int size,
                  std::vector<unsigned char>* toggles, float* mask) {
  if (num_points == 0 || !is_finite_segment(points, num_points)) return;
  toggles->assign(static_cast<size_t>(size) * (size + 1), 0);
  FinePoint previous = fine_point(points + 2 * (num_points - 1), roi, size);
  for (int64_t i = 0; i < num_points; ++i) {
    const FinePoint point = fine_point(points + 2 * i, roi, size);
    toggle_edge(previous, point, size, toggles->data());
    previous = point;
  }
  for (int row = 0; row < size; ++row) {
    const unsigned char* bits = toggles->data() + row * (size + 1);
    unsigned char inside = 0;
    for (int column = 0; column < size; ++column) {
      inside ^= bits[column];
      if (inside) mask[row * size + column] = 1.0f;
    }
  }
}

}  // namespace

void mask_rcnn_target_cpu(const MaskInputs& in, const MaskOptions& options, float* targets, float* categories) {
  for (int64_t row = 0; row < in.num_rows; ++row) check_row(in, row);
  const int size = options.mask_size;
  const int64_t pixels = static_cast<int64_t>(size) * size;
  parallel_for<Scratch>(in.num_rows, [&](int64_t row, Scratch* scratch) {
    const float* roi = in.rois + 5 * row;
    const float* record = polygon_record(roi, in.mask_ids[row], in.mask_polys, in.shape);
    float* mask = targets + row * pixels;
    std::fill(mask, mask + pixels, record == nullptr ? options.ignore_label : 0.0f);
    std::fill(categories + row * pixels, categories + (row + 1) * pixels, record == nullptr ? 0.0f : record[0]);
    if (record == nullptr) return;
    for (SegmentCursor segment(record, in.shape.length); segment.next();) {
      fill_segment(segment.points(), segment.num_points(), roi, size, &scratch->toggles, mask);
    }
  });
}

}  // namespace sniper
