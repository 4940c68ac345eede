// What MaskRcnnTarget reads: rows of rois, ids, and records of polygons (reference/operators.md, section 8).
//
// A record is one object's polygons in a row of L numbers: category, number of segments n, the n segment lengths
// (numbers, two a point), then the points x, y of all segments in pixels of the network's input.
#ifndef SNIPER_MASK_TARGETS_H_
#define SNIPER_MASK_TARGETS_H_

#include <cstdint>

#include "sniper/boxes.h"
#include "sniper/polygons.h"

namespace sniper {

struct MaskOptions {
  int mask_size = 28;          // S
  float ignore_label = -1.0f;  // fill of rows without an object
};

// The shape of mask_polys: N images, G records an image, L numbers a record.
struct PolygonShape {
  int64_t images, records, length;
};

struct MaskInputs {
  const float* rois;        // (R, 5): image index, x1, y1, x2, y2
  const float* mask_polys;  // (N, G, L)
  const float* mask_ids;    // (R,): record within the image, -1 for none
  int64_t num_rows;
  PolygonShape shape;
};

// True if `value` is a whole number from 0 to count - 1.
SNIPER_HD bool is_index(float value, int64_t count) {
  const double exact = value;
  return exact >= 0.0 && exact < static_cast<double>(count) &&
         exact == static_cast<double>(static_cast<int64_t>(exact));
}

// A row's id and image index: -1, or whole numbers within the shape. Anything else is a mistake of the caller.
SNIPER_HD bool is_valid_row(const float* roi, float id, const PolygonShape& shape) {
  return id == -1.0f || (is_index(id, shape.records) && is_index(roi[0], shape.images));
}

// The record that a row's mask comes from; null for a row without one: id -1 (or none that is valid), or a roi or a
// category that is NaN or infinite.
SNIPER_HD const float* polygon_record(const float* roi, float id, const float* mask_polys, const PolygonShape& shape) {
  if (id == -1.0f || !is_valid_row(roi, id, shape) || !is_finite(Box{roi[1], roi[2], roi[3], roi[4]})) return nullptr;
  const int64_t row = static_cast<int64_t>(roi[0]) * shape.records + static_cast<int64_t>(id);
  const float* record = mask_polys + row * shape.length;
  return record[0] - record[0] == 0.0f ? record : nullptr;
}

// Walks the segments of a record: `for (SegmentCursor s(record, length); s.next();) ...`. A length that is not an even
// whole number, or would run over the record's end, ends the record; so does a number of segments that does not fit.
class SegmentCursor {
 public:
  SNIPER_HD SegmentCursor(const float* record, int64_t length) : record_(record), length_(length) {
    const double count = length >= 2 ? record[1] : 0.0;
    if (count >= 1.0 && count <= static_cast<double>(length - 2)) {
      count_ = static_cast<int64_t>(count);
      end_ = 2 + count_;
    }
  }

  SNIPER_HD bool next() {
    if (index_ >= count_) return false;
    const double size = record_[2 + index_];
    if (!(size >= 0.0 && size <= static_cast<double>(length_ - end_))) return false;
    const int64_t numbers = static_cast<int64_t>(size);
    if (static_cast<double>(numbers) != size || numbers % 2 != 0) return false;
    begin_ = end_;
    end_ += numbers;
    ++index_;
    return true;
  }

  SNIPER_HD int64_t num_points() const { return (end_ - begin_) / 2; }
  SNIPER_HD const float* points() const { return record_ + begin_; }

 private:
  const float* record_;
  int64_t length_, count_ = 0, index_ = 0, begin_ = 0, end_ = 0;
};

// A segment with a NaN or infinite coordinate covers nothing.
SNIPER_HD bool is_finite_segment(const float* points, int64_t num_points) {
  float sum = 0.0f;
  for (int64_t i = 0; i < 2 * num_points; ++i) sum += points[i] - points[i];
  return sum == 0.0f;
}

// The point x, y on the fine grid of a roi's S x S mask. The roi's sides go without +1, and are 1 at least.
SNIPER_HD FinePoint fine_point(const float* point, const float* roi, int mask_size) {
  const double width = static_cast<double>(roi[3]) - roi[1], height = static_cast<double>(roi[4]) - roi[2];
  const double column = (static_cast<double>(point[0]) - roi[1]) * mask_size / (width > 1.0 ? width : 1.0);
  const double row = (static_cast<double>(point[1]) - roi[2]) * mask_size / (height > 1.0 ? height : 1.0);
  return FinePoint{fine_coordinate(row), fine_coordinate(column)};
}

}  // namespace sniper

#endif  // SNIPER_MASK_TARGETS_H_
