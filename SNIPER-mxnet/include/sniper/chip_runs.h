// Which candidate chips cover a box, as runs of candidate numbers, and the vector loops over runs and boxes.
#ifndef SNIPER_CHIP_RUNS_H_
#define SNIPER_CHIP_RUNS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "sniper/chip_grid.h"
#include "sniper/common.h"

namespace sniper {

// Candidates first .. first + count - 1, all of one line of the grid.
struct CandidateRun {
  int line, first, count;
};

// A clipped box and its runs in a list of them.
template <typename T>
struct ChipBox {
  T x1, y1, x2, y2;
  int first_run, last_run;
};

// True if less than all of a length lies inside, but so much that rounding may call it all.
template <typename T>
bool NearlyInside(T inside, T length) {
  return inside < length && inside >= length * static_cast<T>(0.9999);
}

// Places that hold [low, high] for sure.
template <typename T>
GridSpan WholeSpan(T low, T high, int size, int stride, int count) {
  GridSpan span = PossibleSpan(low, high, size, stride, count);
  const T length = high - low + 1;
  const auto whole = [&](int place) {
    const T inside = LengthInside(low, high, place * stride, place * stride + size - 1);
    if (NearlyInside(inside, length)) span.clear = false;
    return inside == length;
  };
  while (span.first <= span.last && !whole(span.first)) ++span.first;
  while (span.last > span.first && !whole(span.last)) --span.last;
  return span;
}

template <typename T>
SNIPER_HD bool CoversBox(const ChipGrid& grid, int candidate, const T* box) {
  return ChipGrid::Covers(grid.Window(candidate), box[0], box[1], box[2], box[3]);
}

// Runs among `count` candidates of a line from number `first` on, each tested.
template <typename T>
void AppendTested(const ChipGrid& grid, const T* box, int line, int first, int count,
                  std::vector<CandidateRun>* runs) {
  bool open = false;
  for (int candidate = first; candidate < first + count; ++candidate) {
    const bool covers = CoversBox(grid, candidate, box);
    if (covers && open) ++runs->back().count;
    if (covers && !open) runs->push_back({line, candidate, 1});
    open = covers;
  }
}

// Appends the runs of candidates that cover a clipped box; none, if none does.
template <typename T>
void AppendRuns(const ChipGrid& grid, const T* box, std::vector<CandidateRun>* runs) {
  AppendTested(grid, box, 0, 0, ChipGrid::kCorners, runs);
  const int right_line = grid.columns() + 1, bottom_line = grid.columns() + 2;
  GridSpan x = WholeSpan(box[0], box[2], grid.size(), grid.stride(), grid.columns());
  GridSpan y = WholeSpan(box[1], box[3], grid.size(), grid.stride(), grid.rows());
  const T width = box[2] - box[0] + 1, height = box[3] - box[1] + 1;
  const T at_right = LengthInside(box[0], box[2], std::max(grid.width() - grid.size() - 1, 0), grid.width() - 1);
  const T at_bottom = LengthInside(box[1], box[3], std::max(grid.height() - grid.size() - 1, 0), grid.height() - 1);
  if (x.clear && y.clear && !NearlyInside(at_right, width) && !NearlyInside(at_bottom, height)) {
    const int rows = y.last - y.first + 1, columns = x.last - x.first + 1;
    for (int column = x.first; column <= x.last && rows > 0; ++column) {
      runs->push_back({1 + column, grid.LineStart(1 + column) + y.first, rows});
    }
    if (rows > 0 && at_right == width) runs->push_back({right_line, grid.LineStart(right_line) + y.first, rows});
    if (columns > 0 && at_bottom == height) {
      runs->push_back({bottom_line, grid.LineStart(bottom_line) + x.first, columns});
    }
    return;
  }
  x = PossibleSpan(box[0], box[2], grid.size(), grid.stride(), grid.columns());
  y = PossibleSpan(box[1], box[3], grid.size(), grid.stride(), grid.rows());
  const int rows = y.last - y.first + 1, columns = x.last - x.first + 1;
  for (int column = x.first; column <= x.last; ++column) {
    AppendTested(grid, box, 1 + column, grid.LineStart(1 + column) + y.first, rows, runs);
  }
  AppendTested(grid, box, right_line, grid.LineStart(right_line) + y.first, rows, runs);
  AppendTested(grid, box, bottom_line, grid.LineStart(bottom_line) + x.first, columns, runs);
}

// The loops over gains go in whole steps of kLanes without a remainder, past the end of a run: arrays of gains have
// room for kLanes more. Not unrolled, so that GCC makes a step one or two vector operations instead of sixteen scalar.
enum { kLanes = 16 };

SNIPER_CLONES inline void AddToRuns(const CandidateRun* runs, int num_runs, int amount, int* gains) {
  for (int r = 0; r < num_runs; ++r) {
    int* run = gains + runs[r].first;
    for (int left = runs[r].count; left > 0; left -= kLanes, run += kLanes) {
#pragma GCC unroll 1
      for (int i = 0; i < kLanes; ++i) run[i] += i < left ? amount : 0;
    }
  }
}

SNIPER_CLONES inline int LargestGain(const int* gains, int count) {
  int lanes[kLanes] = {};
  for (int left = count; left > 0; left -= kLanes, gains += kLanes) {
#pragma GCC unroll 1
    for (int i = 0; i < kLanes; ++i) {
      const int gain = i < left ? gains[i] : 0;
      lanes[i] = gain > lanes[i] ? gain : lanes[i];
    }
  }
  int largest = 0;
  for (int i = 0; i < kLanes; ++i) largest = lanes[i] > largest ? lanes[i] : largest;
  return largest;
}

// Which of `count` gains, at most kLanes, equal `gain`: bit i for gains[i].
SNIPER_CLONES inline unsigned EqualGains(const int* gains, int count, int gain) {
  unsigned bits = 0;
#pragma GCC unroll 1
  for (int i = 0; i < kLanes; ++i) bits |= (i < count) & (gains[i] == gain) ? 1u << i : 0u;
  return bits;
}

template <typename T>
SNIPER_INLINE void MarkInside(const ChipWindow& window, const T* x1, const T* y1, const T* x2, const T* y2, int count,
                              unsigned char* inside) {
  for (int i = 0; i < count; ++i) inside[i] = ChipGrid::Covers(window, x1[i], y1[i], x2[i], y2[i]);
}

SNIPER_CLONES inline void MarkBoxes(const ChipWindow& window, const float* x1, const float* y1, const float* x2,
                                    const float* y2, int count, unsigned char* inside) {
  MarkInside(window, x1, y1, x2, y2, count, inside);
}

SNIPER_CLONES inline void MarkBoxes(const ChipWindow& window, const double* x1, const double* y1, const double* x2,
                                    const double* y2, int count, unsigned char* inside) {
  MarkInside(window, x1, y1, x2, y2, count, inside);
}

// Boxes coordinate by coordinate.
template <typename T>
class BoxColumns {
 public:
  void Set(const ChipBox<T>* boxes, int count) {
    count_ = count;
    values_.resize(4 * static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      values_[i] = boxes[i].x1;
      values_[count + i] = boxes[i].y1;
      values_[2 * count + i] = boxes[i].x2;
      values_[3 * count + i] = boxes[i].y2;
    }
  }

  // inside[i] = 1 if the window covers box i, else 0.
  void Inside(const ChipWindow& window, unsigned char* inside) const {
    const T* x1 = values_.data();
    MarkBoxes(window, x1, x1 + count_, x1 + 2 * count_, x1 + 3 * count_, count_, inside);
  }

 private:
  int count_ = 0;
  std::vector<T> values_;
};

}  // namespace sniper

#endif  // SNIPER_CHIP_RUNS_H_
