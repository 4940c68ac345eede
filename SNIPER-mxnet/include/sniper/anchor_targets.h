// RPN training labels of one chip: anchors matched to objects, objects out of range ignored.
// Faster R-CNN (Ren et al., 2015), section 3.1.2, with SNIPER's invalid objects. Host code, no tensor type.
//
// Letters: A base anchors a cell, F cells a side of the feature map, K = A * F * F anchors. Anchors are numbered
// cell by cell, row-major, base anchor fastest: k = (row * F + column) * A + a.
// Boxes are double x1, y1, x2, y2 in chip pixels, corners inclusive.
#ifndef SNIPER_ANCHOR_TARGETS_H_
#define SNIPER_ANCHOR_TARGETS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace sniper {

class AnchorLabeller {
 public:
  // base: num_anchors x 4 boxes of the first cell. Only anchors that reach at most `border` pixels out of the
  // chip of chip_size pixels a side take part; the others keep the label -1.
  AnchorLabeller(const double* base, int num_anchors, int cells, int stride, double chip_size, double border)
      : base_(base, base + 4 * num_anchors), anchors_(num_anchors), cells_(cells), stride_(stride) {
    for (int a = 0; a < anchors_; ++a) {
      const double* box = base + 4 * a;
      inside_x_.push_back(Inside(box[0], box[2], chip_size, border));
      inside_y_.push_back(Inside(box[1], box[3], chip_size, border));
      area_.push_back((box[2] - box[0] + 1) * (box[3] - box[1] + 1));
    }
    best_overlap_.resize(static_cast<std::size_t>(Count()));
    row_side_.resize(static_cast<std::size_t>(cells_));
    column_side_.resize(static_cast<std::size_t>(cells_));
    ratio_.resize(static_cast<std::size_t>(cells_));
  }

  int Count() const { return anchors_ * cells_ * cells_; }

  // label: K entries, 1 object, 0 background, -1 not used. match: K entries, the object of largest overlap (its
  // number in `valid`), the first on a tie; 0 where nothing overlaps.
  void Label(const double* valid, int num_valid, const double* invalid, int num_invalid, double positive,
             double negative, double ignore, std::int8_t* label, std::int32_t* match) {
    std::fill(label, label + Count(), static_cast<std::int8_t>(-1));
    std::fill(match, match + Count(), 0);
    std::fill(best_overlap_.begin(), best_overlap_.end(), 0.0);
    for (int i = 0; i < num_valid; ++i)
      ForEachOverlap(valid + 4 * i, [&](int k, double overlap) {
        if (overlap > best_overlap_[k]) {
          best_overlap_[k] = overlap;
          match[k] = i;
        }
      });
    ForEachInside([&](int k) {
      const double best = best_overlap_[k];
      if (num_valid == 0 || best < negative) label[k] = 0;
      if (num_valid != 0 && best >= positive) label[k] = 1;
    });
    for (int i = 0; i < num_valid; ++i) LabelBestOf(valid + 4 * i, label);
    for (int i = 0; i < num_invalid; ++i)
      ForEachOverlap(invalid + 4 * i, [&](int k, double overlap) {
        if (overlap > ignore) label[k] = -1;
      });
  }

  // Writes what the network reads: label_out (A, F, F), target_out and weight_out (4A, F, F), channel 4a + c.
  void Write(const std::int8_t* label, const std::int32_t* match, const double* valid, float* label_out,
             float* target_out, float* weight_out) const {
    const std::size_t plane = static_cast<std::size_t>(cells_) * cells_;
    std::fill(target_out, target_out + 4 * anchors_ * plane, 0.f);
    std::fill(weight_out, weight_out + 4 * anchors_ * plane, 0.f);
    for (int a = 0; a < anchors_; ++a) {
      for (std::size_t cell = 0; cell < plane; ++cell) {
        const std::size_t k = cell * anchors_ + a;
        label_out[a * plane + cell] = label[k];
        if (label[k] != 1) continue;
        double delta[4];
        Encode(a, static_cast<int>(cell), valid + 4 * match[k], delta);
        for (int c = 0; c < 4; ++c) {
          target_out[(4 * a + c) * plane + cell] = static_cast<float>(delta[c]);
          weight_out[(4 * a + c) * plane + cell] = 1.f;
        }
      }
    }
  }

 private:
  struct Range {
    int first, last;  // cells, inclusive; empty if last < first
  };

  Range Inside(double low, double high, double chip_size, double border) const {
    Range range{cells_, -1};
    for (int cell = 0; cell < cells_; ++cell) {
      if (low + cell * stride_ < -border || high + cell * stride_ >= chip_size + border) continue;
      range.first = std::min(range.first, cell);
      range.last = cell;
    }
    return range;
  }

  template <typename Visit>
  void ForEachInside(Visit visit) const {
    for (int a = 0; a < anchors_; ++a)
      for (int row = inside_y_[a].first; row <= inside_y_[a].last; ++row)
        for (int column = inside_x_[a].first; column <= inside_x_[a].last; ++column)
          visit((row * cells_ + column) * anchors_ + a);
  }

  // Intersection sides of the box with the anchors along one axis; returns the cells where it is positive.
  Range Sides(const Range& inside, double anchor_low, double anchor_high, double low, double high,
              double* side) const {
    Range range{cells_, -1};
    for (int cell = inside.first; cell <= inside.last; ++cell) {
      const double shift = cell * stride_;
      side[cell] = std::min(anchor_high + shift, high) - std::max(anchor_low + shift, low) + 1;
      if (!(side[cell] > 0)) continue;
      range.first = std::min(range.first, cell);
      range.last = cell;
    }
    return range;
  }

  // visit(k, IoU) for every inside anchor that overlaps the box. IoU is separable up to one division.
  template <typename Visit>
  void ForEachOverlap(const double* box, Visit visit) {
    const double box_area = (box[2] - box[0] + 1) * (box[3] - box[1] + 1);
    for (int a = 0; a < anchors_; ++a) {
      const double* anchor = base_.data() + 4 * a;
      const Range columns = Sides(inside_x_[a], anchor[0], anchor[2], box[0], box[2], column_side_.data());
      const Range rows = Sides(inside_y_[a], anchor[1], anchor[3], box[1], box[3], row_side_.data());
      const double areas = area_[a] + box_area;
      for (int row = rows.first; row <= rows.last; ++row) {
        for (int column = columns.first; column <= columns.last; ++column) {
          const double shared = column_side_[column] * row_side_[row];
          ratio_[column] = shared / (areas - shared);
        }
        for (int column = columns.first; column <= columns.last; ++column)
          visit((row * cells_ + column) * anchors_ + a, ratio_[column]);
      }
    }
  }

  // Every object gets the anchors that reach its best overlap, whatever the thresholds.
  void LabelBestOf(const double* box, std::int8_t* label) {
    double best = 0;
    best_anchors_.clear();
    ForEachOverlap(box, [&](int k, double overlap) {
      if (overlap < best) return;
      if (overlap > best) best_anchors_.clear();
      best = overlap;
      best_anchors_.push_back(k);
    });
    for (int k : best_anchors_) label[k] = 1;
  }

  void Encode(int a, int cell, const double* target, double* delta) const {
    const double* base = base_.data() + 4 * a;
    const double shift[2] = {double(cell % cells_) * stride_, double(cell / cells_) * stride_};
    for (int axis = 0; axis < 2; ++axis) {
      const double low = base[axis] + shift[axis];
      const double side = base[axis + 2] - base[axis] + 1, target_side = target[axis + 2] - target[axis] + 1;
      const double centre = low + 0.5 * (side - 1), target_centre = target[axis] + 0.5 * (target_side - 1);
      delta[axis] = (target_centre - centre) / (side + kEpsilon);
      delta[axis + 2] = std::log(target_side / (side + kEpsilon));
    }
  }

  static constexpr double kEpsilon = 1e-7;  // as lib/bbox/transform.py

  std::vector<double> base_;
  int anchors_, cells_, stride_;
  std::vector<Range> inside_x_, inside_y_;             // cells where an anchor takes part
  std::vector<double> area_;                           // of each base anchor
  std::vector<double> best_overlap_;                   // scratch, K
  std::vector<double> row_side_, column_side_, ratio_;  // scratch, F
  std::vector<int> best_anchors_;                      // scratch
};

}  // namespace sniper

#endif  // SNIPER_ANCHOR_TARGETS_H_
