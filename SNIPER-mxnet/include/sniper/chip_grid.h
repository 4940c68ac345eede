// Candidate chips of a scaled image and the rules of choosing among them. SNIPER (Singh, Najibi, Davis, NeurIPS
// 2018), section 3. For host and device.
//
// Coordinates are scaled-image pixels, corners inclusive. A box type T of float or double sets the precision of
// the containment test.
//
// The cover that every version of it, on whatever device, computes from boxes, an image size and a seed:
//   1. Boxes for which UsableForChips is false are left out, the others clipped by ClipForCover; those that no
//      candidate covers (ChipGrid::Covers) are left out too.
//   2. Boxes fall into groups: the connected parts of the relation MayShareChip.
//   3. A group gets the smallest of kChipTrials covers, the first among equals. Trial t is greedy: the candidate that
//      covers most boxes of the group still uncovered, among equals that of the smallest
//      TieRank(MixBits(seed + t), candidate), until all are covered. Then, from the last chosen to the first, those
//      are taken out whose boxes the remaining ones cover all. (A trial may be spared where it cannot be smaller.)
//   4. The chosen of all groups are put in order by the same greedy rule, ties by TieRank(MixBits(seed), candidate).
// A group is a matter of its own: no candidate covers boxes of two, so trials may run over all groups at once.
#ifndef SNIPER_CHIP_GRID_H_
#define SNIPER_CHIP_GRID_H_

#include <cmath>
#include <cstdint>

#include "sniper/common.h"

namespace sniper {

enum { kChipTrials = 8 };

// More candidates than this mean a mistaken stride; chips of such an image are refused.
const std::int64_t kMaxChipCandidates = 100000000;

template <typename T>
SNIPER_HD T Least(T a, T b) {
  return a < b ? a : b;
}

template <typename T>
SNIPER_HD T Largest(T a, T b) {
  return a > b ? a : b;
}

struct ChipWindow {
  int x1, y1, x2, y2;
};

// Length of [low, high] inside [begin, end], ends inclusive; zero or less if they do not meet.
template <typename T>
SNIPER_HD T LengthInside(T low, T high, int begin, int end) {
  return Least(static_cast<T>(end), high) - Largest(static_cast<T>(begin), low) + 1;
}

// The candidate windows of one scaled image, numbered without storing them:
// 0..2 the corners top right, bottom left, bottom right; then the grid column by column; then the windows on the
// right edge from top to bottom; then those on the bottom edge from left to right.
// A line is a stretch of these numbers: the corners, each column, the right edge, the bottom edge.
class ChipGrid {
 public:
  enum { kCorners = 3 };

  SNIPER_HD ChipGrid(int width, int height, int size, int stride)
      : width_(width), height_(height), size_(size), stride_(stride),
        columns_(width > size ? (width - size - 1) / stride + 1 : 0),
        rows_(height > size ? (height - size - 1) / stride + 1 : 0) {}

  SNIPER_HD int width() const { return width_; }
  SNIPER_HD int height() const { return height_; }
  SNIPER_HD int size() const { return size_; }
  SNIPER_HD int stride() const { return stride_; }
  SNIPER_HD int columns() const { return columns_; }
  SNIPER_HD int rows() const { return rows_; }

  SNIPER_HD std::int64_t Count() const {
    return kCorners + static_cast<std::int64_t>(columns_) * rows_ + rows_ + columns_;
  }

  SNIPER_HD int NumLines() const { return columns_ + 3; }

  // Number of the first candidate of a line; of line NumLines(), the number of candidates.
  SNIPER_HD int LineStart(int line) const {
    if (line <= columns_ + 1) return line == 0 ? 0 : kCorners + (line - 1) * rows_;
    return kCorners + columns_ * rows_ + rows_ + (line == columns_ + 2 ? 0 : columns_);
  }

  SNIPER_HD ChipWindow Window(int index) const {
    const int right = Largest(width_ - size_, 0), bottom = Largest(height_ - size_, 0);
    if (index == 0) return {right, 0, width_ - 1, Least(size_, height_ - 1)};
    if (index == 1) return {0, bottom, Least(size_, width_ - 1), height_ - 1};
    if (index == 2) return {right, bottom, width_ - 1, height_ - 1};
    index -= kCorners;
    if (index < columns_ * rows_) {
      const int x = index / rows_ * stride_, y = index % rows_ * stride_;
      return {x, y, x + size_ - 1, y + size_ - 1};
    }
    index -= columns_ * rows_;
    if (index < rows_) {
      const int y = index * stride_;
      return {Largest(width_ - size_ - 1, 0), y, width_ - 1, y + size_ - 1};
    }
    const int x = (index - rows_) * stride_;
    return {x, Largest(height_ - size_ - 1, 0), x + size_ - 1, height_ - 1};
  }

  // The original's test: the intersection's share of the box, rounded to T, is exactly one.
  template <typename T>
  SNIPER_HD static bool Covers(const ChipWindow& window, T x1, T y1, T x2, T y2) {
    const T width = LengthInside(x1, x2, window.x1, window.x2), height = LengthInside(y1, y2, window.y1, window.y2);
    const T share = width * height / ((x2 - x1 + 1) * (y2 - y1 + 1));
    return (width > 0) & (height > 0) & (share == 1);
  }

 private:
  int width_, height_, size_, stride_, columns_, rows_;
};

// Places along one axis of the grid, window i being [i * stride, i * stride + size - 1].
struct GridSpan {
  int first, last;
  bool clear;  // whether no rounding was involved
};

// Places that may hold [low, high], one more on either side.
SNIPER_HD GridSpan PossibleSpan(double low, double high, int size, int stride, int count) {
  const int first = static_cast<int>(ceil((high - size + 1) / stride)) - 1;
  const int last = static_cast<int>(floor(low / stride)) + 1;
  return {Largest(first, 0), Least(last, count - 1), true};
}

// A bijection of 64-bit numbers (finaliser of SplitMix64): the same pseudo-random order on every machine.
SNIPER_HD std::uint64_t MixBits(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15ull;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
  return value ^ (value >> 31);
}

// Place of a candidate among equals, smallest first; no two candidates have the same.
SNIPER_HD std::uint64_t TieRank(std::uint64_t mixed_seed, int candidate) {
  return MixBits(mixed_seed ^ MixBits(static_cast<std::uint64_t>(candidate)));
}

// False for boxes with NaN or infinity and for those turned inside out.
template <typename T>
SNIPER_HD bool UsableForChips(const T* box) {
  const T finite = (box[0] - box[0]) + (box[1] - box[1]) + (box[2] - box[2]) + (box[3] - box[3]);
  return finite == 0 && box[2] >= box[0] && box[3] >= box[1];
}

// Box into the image, x to [0, width - 2] and y to [0, height - 2]: the original clips a pixel short.
template <typename T>
SNIPER_HD void ClipForCover(const T* box, int width, int height, T* out) {
  for (int c = 0; c < 4; ++c) {
    const T limit = static_cast<T>((c % 2 ? height : width) - 2);
    out[c] = Largest(Least(box[c], limit), static_cast<T>(0));
  }
}

// True of every two clipped boxes that one candidate covers, and of others that fit into `size` pixels together.
template <typename T>
SNIPER_HD bool MayShareChip(T ax1, T ay1, T ax2, T ay2, T bx1, T by1, T bx2, T by2, int size) {
  const T limit = static_cast<T>(size) + 1;  // no window is longer than size + 1 pixels
  return (Largest(ax2, bx2) - Least(ax1, bx1) <= limit) & (Largest(ay2, by2) - Least(ay1, by1) <= limit);
}

// The arrays of one call, in host or in device memory.
struct ChipBatch {
  const float* boxes;    // (num_images, boxes_per_image, 4) in scaled pixels, unused rows as IsChipPadding says
  const float* im_info;  // (num_images, 3): height, width of the scaled image; the third is not looked at
  std::int64_t num_images, boxes_per_image;
};

struct ChipOptions {
  int chip_size, stride;
  std::int64_t max_chips;
  std::uint64_t seed;
};

// True for a row of boxes that is all -1: not in use.
SNIPER_HD bool IsChipPadding(const float* box) {
  return box[0] == -1.0f && box[1] == -1.0f && box[2] == -1.0f && box[3] == -1.0f;
}

// The candidates of an image by its row of im_info: none if height or width is below 1 or not a number, and none with
// *too_many set if there are more than kMaxChipCandidates.
SNIPER_HD ChipGrid GridOfImage(const float* im_info, const ChipOptions& options, bool* too_many) {
  const float height = im_info[0], width = im_info[1], limit = static_cast<float>(kMaxChipCandidates);
  *too_many = false;
  if (height >= 1.0f && width >= 1.0f) {
    const bool small = height <= limit && width <= limit;
    const ChipGrid grid(small ? static_cast<int>(width) : 0, small ? static_cast<int>(height) : 0, options.chip_size,
                        options.stride);
    if (small && grid.Count() <= kMaxChipCandidates) return grid;
    *too_many = true;
  }
  return ChipGrid(0, 0, options.chip_size, options.stride);
}

}  // namespace sniper

#endif  // SNIPER_CHIP_GRID_H_
