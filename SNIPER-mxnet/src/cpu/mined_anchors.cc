// An anchor matters to a box only if their overlap reaches a threshold: of each box only the cells are visited, and
// only by those shapes of anchors, where that can be. The exact overlap then decides.
#include "cpu/mined_anchors.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "cpu/parallel.h"

namespace sniper {
namespace {

// Cells of one axis, both ends included; empty if last < first.
struct Range {
  int first, last;

  int64_t count() const { return last < first ? 0 : static_cast<int64_t>(last) - first + 1; }
};

// Cells at which this side of an anchor is inside the picture: one run, since anchors only move.
Range inside_cells(const Side& side, int cells, int stride, float size, double border) {
  Range range = {cells, -1};
  for (int cell = 0; cell < cells; ++cell) {
    if (!is_inside(side.moved(static_cast<double>(cell) * stride), size, border)) continue;
    range.first = std::min(range.first, cell);
    range.last = cell;
  }
  return range;
}

// The cells of `within` at which the anchor may share `least` pixels or more with the box. Rounding may add a cell, and
// costs none.
Range touching_cells(const Range& within, const Side& anchor, const Side& box, double least, int stride) {
  const double kMargin = 1e-3;
  const double first = std::ceil((box.low + least - 1.0 - anchor.high) / stride - kMargin);
  const double last = std::floor((box.high + 1.0 - least - anchor.low) / stride + kMargin);
  if (first > within.last || last < within.first) return Range{0, -1};
  return Range{first > within.first ? static_cast<int>(first) : within.first,
               last < within.last ? static_cast<int>(last) : within.last};
}

// The smallest `count` of the keys that it is offered, all different; it holds twice as many at a time.
class SmallestKeys {
 public:
  void reset(int64_t count) {
    keys_.clear();
    count_ = static_cast<size_t>(count);
    bound_ = count > 0 ? UINT64_MAX : 0;
  }

  void offer(uint64_t key) {
    if (key >= bound_) return;
    keys_.push_back(key);
    if (keys_.size() / 2 > count_) cut();
  }

  // In no order.
  const std::vector<uint64_t>& keys() {
    cut();
    return keys_;
  }

 private:
  void cut() {
    if (keys_.size() <= count_) return;
    std::nth_element(keys_.begin(), keys_.begin() + static_cast<std::ptrdiff_t>(count_ - 1), keys_.end());
    keys_.resize(count_);
    bound_ = keys_.back();
  }

  std::vector<uint64_t> keys_;
  size_t count_ = 0;
  uint64_t bound_ = 0;  // larger keys are not among the smallest
};

// One image at a time, with memory that the next one uses again.
class ImageMiner {
 public:
  void run(const MinedAnchorInputs& in, const MinedAnchorOptions& options, const std::vector<Box>& anchors,
           int64_t image, const MinedAnchorOutputs& out) {
    rules_ = options.rules;
    anchors_ = anchors.data();
    num_anchors_ = in.anchors;
    height_ = in.height;
    width_ = in.width;
    count_ = in.per_image();
    rows_ = in.gt_boxes + 5 * in.rows * image;
    num_rows_ = in.rows;
    label_ = out.label + count_ * image;
    place_anchors(in.im_info[3 * image], in.im_info[3 * image + 1]);
    match();
    if (rules_.force_best) force_best();
    ignore();
    keep(in.prob + count_ * image);
    write(out.bbox_target + 4 * count_ * image, out.bbox_weight + 4 * count_ * image);
  }

 private:
  int64_t index(int a, int y, int x) const { return (static_cast<int64_t>(a) * height_ + y) * width_ + x; }

  // Background where an anchor takes part, not used elsewhere.
  void place_anchors(float image_height, float image_width) {
    columns_.resize(static_cast<size_t>(num_anchors_));
    lines_.resize(static_cast<size_t>(num_anchors_));
    int64_t inside = 0;
    for (int a = 0; a < num_anchors_; ++a) {
      columns_[a] = inside_cells(x_side(anchors_[a]), width_, rules_.stride, image_width, rules_.border);
      lines_[a] = inside_cells(y_side(anchors_[a]), height_, rules_.stride, image_height, rules_.border);
      inside += columns_[a].count() * lines_[a].count();
    }
    std::fill(label_, label_ + count_, inside > 0 ? -1.0f : 0.0f);
    for (int a = 0; a < num_anchors_; ++a) {
      if (inside == 0) {
        columns_[a] = Range{0, width_ - 1};
        lines_[a] = Range{0, height_ - 1};
        continue;
      }
      for (int y = lines_[a].first; y <= lines_[a].last; ++y) {
        std::fill_n(label_ + index(a, y, columns_[a].first), columns_[a].count(), 0.0f);
      }
    }
  }

  // visit(index, shared area) for the anchors that share at least the sides given with the box, and some more.
  template <typename Visit>
  void for_each_shared(int a, const Box& box, double least_width, double least_height, const Visit& visit) {
    const Side x = x_side(anchors_[a]), y = y_side(anchors_[a]), box_x = x_side(box), box_y = y_side(box);
    const Range lines = touching_cells(lines_[a], y, box_y, least_height, rules_.stride);
    if (lines.count() == 0) return;
    const Range columns = touching_cells(columns_[a], x, box_x, least_width, rules_.stride);
    widths_.clear();
    for (int column = columns.first; column <= columns.last; ++column) {
      widths_.push_back(shared_length(x.moved(static_cast<double>(column) * rules_.stride), box_x));
    }
    for (int line = lines.first; line <= lines.last; ++line) {
      const double height = shared_length(y.moved(static_cast<double>(line) * rules_.stride), box_y);
      if (!(height > 0)) continue;
      for (int column = columns.first; column <= columns.last; ++column) {
        const double width = widths_[static_cast<size_t>(column - columns.first)];
        if (width > 0) visit(index(a, line, column), width * height);
      }
    }
  }

  // visit(index, overlap) for the anchors that overlap the box by `least` or more, and some more. Two boxes that do
  // share `least` of the larger one's area.
  template <typename Visit>
  void for_each_overlap(const Box& box, double least, const Visit& visit) {
    const double box_area = area_of(box), width = x_side(box).length(), height = y_side(box).length();
    for (int a = 0; a < num_anchors_; ++a) {
      const double anchor_area = area_of(anchors_[a]), areas = anchor_area + box_area;
      const double kRounding = 1.0 - 1e-9;
      const double shared = kRounding * least * std::max(anchor_area, box_area);
      if (shared > std::min(anchor_area, box_area)) continue;
      for_each_shared(a, box, shared / std::min(height, y_side(anchors_[a]).length()),
                      shared / std::min(width, x_side(anchors_[a]).length()),
                      [&](int64_t k, double area) { visit(k, overlap_of(area, areas)); });
    }
  }

  template <typename Visit>
  void for_each_row(const Visit& visit) {
    for (int64_t row = 0; row < num_rows_; ++row) {
      const RowKind kind = row_kind(rows_ + 5 * row);
      if (kind != RowKind::kNone) visit(row, kind, box_of_row(rows_ + 5 * row));
    }
  }

  void match() {
    // Below `negative` nobody asks which object it was, unless anchors can be forced.
    const double least = rules_.force_best ? 0.0 : rules_.negative;
    best_.assign(static_cast<size_t>(count_), 0.0);
    match_.resize(static_cast<size_t>(count_));
    matched_.clear();
    for_each_row([&](int64_t row, RowKind kind, const Box& box) {
      if (kind != RowKind::kObject) return;
      for_each_overlap(box, least, [&](int64_t k, double overlap) {
        if (overlap < least || !(overlap > best_[k])) return;
        if (best_[k] == 0.0) matched_.push_back(k);
        best_[k] = overlap;
        match_[k] = row;
      });
    });
    for (const int64_t k : matched_) label_[k] = overlap_label(best_[k], rules_);
  }

  void force_best() {
    for_each_row([&](int64_t, RowKind kind, const Box& box) {
      if (kind != RowKind::kObject) return;
      double best = 0.0;
      forced_.clear();
      for_each_overlap(box, 0.0, [&](int64_t k, double overlap) {
        if (overlap < best || overlap == 0.0) return;
        if (overlap > best) forced_.clear();
        best = overlap;
        forced_.push_back(k);
      });
      for (const int64_t k : forced_) label_[k] = 1.0f;
    });
  }

  void ignore() {
    for_each_row([&](int64_t, RowKind kind, const Box& box) {
      if (kind == RowKind::kObject) return;
      for_each_overlap(box, rules_.ignore, [&](int64_t k, double overlap) {
        if (overlap > rules_.ignore) label_[k] = -1.0f;
      });
      if (kind != RowKind::kRegion) return;
      for (int a = 0; a < num_anchors_; ++a) {
        const double area = area_of(anchors_[a]);
        const double width = kCovered * x_side(anchors_[a]).length(), height = kCovered * y_side(anchors_[a]).length();
        for_each_shared(a, box, width, height, [&](int64_t k, double shared) {
          if (label_[k] == 0.0f && covers(shared, area)) label_[k] = -1.0f;
        });
      }
    });
  }

  // Leaves the label of those that are kept, in kept_faces_ and by the labels.
  void keep(const float* prob) {
    const auto key = [&](int64_t k, bool face) {
      return static_cast<uint64_t>(mining_rank(prob[k], face)) << 32 | static_cast<uint64_t>(k);
    };
    faces_.reset(rules_.most_positives);
    for (const int64_t k : matched_) {
      if (label_[k] == 1.0f) faces_.offer(key(k, true));
    }
    const int64_t positives = static_cast<int64_t>(faces_.keys().size());
    background_.reset(rules_.batch_size - positives);
    for (int64_t k = 0; k < count_; ++k) {
      if (label_[k] == 0.0f) background_.offer(key(k, false));
    }
    std::fill(label_, label_ + count_, -1.0f);
    for (const uint64_t kept : faces_.keys()) label_[kept & UINT32_MAX] = 1.0f;
    for (const uint64_t kept : background_.keys()) label_[kept & UINT32_MAX] = 0.0f;
  }

  void write(float* target_out, float* weight_out) {
    std::fill(target_out, target_out + 4 * count_, 0.0f);
    std::fill(weight_out, weight_out + 4 * count_, 0.0f);
    const double kept = static_cast<double>(faces_.keys().size() + background_.keys().size());
    const int64_t plane = static_cast<int64_t>(height_) * width_;
    for (const uint64_t key : faces_.keys()) {
      const int64_t k = static_cast<int64_t>(key & UINT32_MAX), cell = k % plane;
      const int a = static_cast<int>(k / plane);
      float target[4];
      mined_target(anchors_[a], static_cast<int>(cell % width_), static_cast<int>(cell / width_), rules_.stride,
                   rows_ + 5 * match_[k], target);
      for (int c = 0; c < 4; ++c) {
        target_out[(4 * a + c) * plane + cell] = target[c];
        weight_out[(4 * a + c) * plane + cell] = static_cast<float>(1.0 / kept);
      }
    }
  }

  MiningRules rules_;
  const Box* anchors_;
  int num_anchors_, height_, width_;
  int64_t count_, num_rows_;
  const float* rows_;
  float* label_;
  std::vector<Range> columns_, lines_;      // of each anchor: the cells at which it takes part
  std::vector<double> best_, widths_;       // best overlap of each anchor with an object, from `least` on
  std::vector<int64_t> match_;              // its row
  std::vector<int64_t> matched_, forced_;   // anchors that have one; that overlap an object most
  SmallestKeys faces_, background_;
};

}  // namespace

void mined_anchors_cpu(const MinedAnchorInputs& in, const MinedAnchorOptions& options, const MinedAnchorOutputs& out) {
  const std::vector<Box> anchors = options.anchors();
  parallel_for<ImageMiner>(in.images, [&](int64_t image, ImageMiner* miner) {
    miner->run(in, options, anchors, image, out);
  });
}

}  // namespace sniper
