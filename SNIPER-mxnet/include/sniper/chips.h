// Training chips: candidate windows over a scaled image and the smallest cover of boxes that greedy search
// finds. SNIPER (Singh, Najibi, Davis, NeurIPS 2018), section 3. Host code without any tensor type.
//
// Coordinates are scaled-image pixels, corners inclusive. A box type T of float or double sets the precision of
// the containment test.
#ifndef SNIPER_CHIPS_H_
#define SNIPER_CHIPS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

namespace sniper {

struct ChipWindow {
  int x1, y1, x2, y2;
};

// The candidate windows of one scaled image, numbered without storing them:
// 0..2 the corners top right, bottom left, bottom right; then the grid column by column; then the windows on the
// right edge from top to bottom; then those on the bottom edge from left to right.
class ChipGrid {
 public:
  ChipGrid(int width, int height, int size, int stride)
      : width_(width), height_(height), size_(size), stride_(stride),
        columns_(width > size ? (width - size - 1) / stride + 1 : 0),
        rows_(height > size ? (height - size - 1) / stride + 1 : 0) {}

  int width() const { return width_; }
  int height() const { return height_; }

  std::int64_t Count() const { return kCorners + std::int64_t{columns_} * rows_ + rows_ + columns_; }

  ChipWindow Window(int index) const {
    const int right = std::max(width_ - size_, 0), bottom = std::max(height_ - size_, 0);
    if (index == 0) return {right, 0, width_ - 1, std::min(size_, height_ - 1)};
    if (index == 1) return {0, bottom, std::min(size_, width_ - 1), height_ - 1};
    if (index == 2) return {right, bottom, width_ - 1, height_ - 1};
    index -= kCorners;
    if (index < columns_ * rows_) {
      const int x = index / rows_ * stride_, y = index % rows_ * stride_;
      return {x, y, x + size_ - 1, y + size_ - 1};
    }
    index -= columns_ * rows_;
    if (index < rows_) {
      const int y = index * stride_;
      return {std::max(width_ - size_ - 1, 0), y, width_ - 1, y + size_ - 1};
    }
    const int x = (index - rows_) * stride_;
    return {x, std::max(height_ - size_ - 1, 0), x + size_ - 1, height_ - 1};
  }

  // Calls visit(index) for every candidate that covers the (clipped) box, in ascending order.
  template <typename T, typename Visit>
  void ForEachCovering(const T* box, Visit visit) const {
    const auto check = [&](int index) {
      if (Covers(Window(index), box)) visit(index);
    };
    for (int index = 0; index < kCorners; ++index) check(index);
    int first_column, last_column, first_row, last_row;
    Span(box[0], box[2], columns_, &first_column, &last_column);
    Span(box[1], box[3], rows_, &first_row, &last_row);
    for (int column = first_column; column <= last_column; ++column)
      for (int row = first_row; row <= last_row; ++row) check(kCorners + column * rows_ + row);
    const int edges = kCorners + columns_ * rows_;
    for (int row = first_row; row <= last_row; ++row) check(edges + row);
    for (int column = first_column; column <= last_column; ++column) check(edges + rows_ + column);
  }

  // The original's test: the intersection's share of the box, rounded to T, is exactly one.
  template <typename T>
  static bool Covers(const ChipWindow& window, const T* box) {
    const T iw = std::min<T>(window.x2, box[2]) - std::max<T>(window.x1, box[0]) + 1;
    const T ih = std::min<T>(window.y2, box[3]) - std::max<T>(window.y1, box[1]) + 1;
    if (!(iw > 0 && ih > 0)) return false;
    const T area = (box[2] - box[0] + 1) * (box[3] - box[1] + 1);
    return iw * ih / area == 1;
  }

 private:
  static constexpr int kCorners = 3;

  // Grid positions that can contain [low, high]; one more on either side, because Covers rounds.
  void Span(double low, double high, int count, int* first, int* last) const {
    *first = std::max(static_cast<int>(std::ceil((high - size_ + 1) / stride_)) - 1, 0);
    *last = std::min(static_cast<int>(std::floor(low / stride_)) + 1, count - 1);
  }

  int width_, height_, size_, stride_, columns_, rows_;
};

// A bijection of 64-bit numbers (finaliser of SplitMix64): the same pseudo-random order on every machine.
inline std::uint64_t MixBits(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15ull;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
  return value ^ (value >> 31);
}

// Lists stored end to end: list i is values[start[i]] .. values[start[i + 1] - 1].
struct Lists {
  std::vector<int> start, values;
  int Size(int list) const { return start[list + 1] - start[list]; }
  const int* begin(int list) const { return values.data() + start[list]; }
  const int* end(int list) const { return values.data() + start[list + 1]; }
};

// Box into the image, x to [0, width - 2] and y to [0, height - 2]: the original clips a pixel short.
template <typename T>
void ClipForCover(const T* box, int width, int height, T* out) {
  for (int c = 0; c < 4; ++c) {
    const T limit = static_cast<T>((c % 2 ? height : width) - 2);
    // In this order a NaN coordinate stays NaN.
    const T low = limit < box[c] ? limit : box[c];
    out[c] = low < 0 ? 0 : low;
  }
}

// Which candidate covers which box, and the choice of few candidates that cover every coverable box.
class ChipCover {
 public:
  // boxes: count x 4, clipped here. Boxes with NaN or in no candidate are left out.
  template <typename T>
  ChipCover(const ChipGrid& grid, const T* boxes, int count) {
    std::vector<int> local(static_cast<std::size_t>(grid.Count()), -1);
    std::vector<int> size;
    of_box_.start.push_back(0);
    for (int i = 0; i < count; ++i) {
      T box[4];
      ClipForCover(boxes + 4 * i, grid.width(), grid.height(), box);
      if (std::isnan(box[0] + box[1] + box[2] + box[3])) continue;
      grid.ForEachCovering(box, [&](int index) {
        if (local[index] < 0) {
          local[index] = static_cast<int>(index_.size());
          index_.push_back(index);
          size.push_back(0);
        }
        of_box_.values.push_back(local[index]);
        ++size[local[index]];
      });
      if (static_cast<int>(of_box_.values.size()) > of_box_.start.back())
        of_box_.start.push_back(static_cast<int>(of_box_.values.size()));
    }
    Transpose(size);
    left_.resize(index_.size());
    rank_.resize(index_.size());
    covered_.resize(Boxes());
  }

  int Boxes() const { return static_cast<int>(of_box_.start.size()) - 1; }

  // Greedy choice, ties to the candidate that comes first in order (a permutation of all candidate numbers).
  // Returns candidate numbers in the order of choice.
  std::vector<int> InOrder(const int* order, int length) {
    std::vector<std::uint64_t> place(static_cast<std::size_t>(length));
    for (int i = 0; i < length; ++i) place[order[i]] = i;
    for (std::size_t c = 0; c < index_.size(); ++c) rank_[c] = place[index_[c]];
    return Numbers(Greedy(Everything(Boxes()), Everything(static_cast<int>(index_.size()))));
  }

  // The smallest of up to `trials` greedy covers with pseudo-random ties, made for every connected group of
  // boxes apart and freed of candidates that the later ones made needless. Candidate numbers, most boxes first.
  std::vector<int> Smallest(std::uint64_t seed, int trials) {
    std::vector<int> chosen;
    for (const Group& group : Groups()) {
      std::vector<int> best;
      std::size_t bound = 0;
      for (int trial = 0; trial < trials; ++trial) {
        Shuffle(MixBits(seed + trial), group.candidates);
        std::vector<int> found = Greedy(group.boxes, group.candidates);
        DropNeedless(&found);
        if (trial == 0 || found.size() < best.size()) best.swap(found);
        if (best.size() <= 2) break;  // one would have been found first
        if (trial == 0) bound = LowerBound(group.boxes);
        if (best.size() <= bound) break;
      }
      chosen.insert(chosen.end(), best.begin(), best.end());
    }
    Shuffle(MixBits(seed), chosen);
    return Numbers(Greedy(Everything(Boxes()), chosen));
  }

 private:
  struct Group {
    std::vector<int> boxes, candidates;
  };
  struct Entry {
    int count;
    std::uint64_t rank;
    int candidate;
    bool operator<(const Entry& other) const {  // the top of a heap covers most, then ranks first
      if (count != other.count) return count < other.count;
      if (rank != other.rank) return rank > other.rank;
      return candidate > other.candidate;
    }
  };

  static std::vector<int> Everything(int count) {
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
  }

  std::vector<int> Numbers(std::vector<int> candidates) const {
    for (int& candidate : candidates) candidate = index_[candidate];
    return candidates;
  }

  void Transpose(const std::vector<int>& size) {
    of_candidate_.start.assign(1, 0);
    for (int s : size) of_candidate_.start.push_back(of_candidate_.start.back() + s);
    of_candidate_.values.resize(of_box_.values.size());
    std::vector<int> next(of_candidate_.start.begin(), of_candidate_.start.end() - 1);
    for (int box = 0; box < Boxes(); ++box)
      for (const int* c = of_box_.begin(box); c != of_box_.end(box); ++c) of_candidate_.values[next[*c]++] = box;
  }

  void Shuffle(std::uint64_t seed, const std::vector<int>& candidates) {
    for (int c : candidates) rank_[c] = MixBits(seed ^ MixBits(static_cast<std::uint64_t>(index_[c])));
  }

  // Gains only fall, so an entry whose gain is out of date goes back into the heap with the true one.
  std::vector<int> Greedy(const std::vector<int>& boxes, const std::vector<int>& candidates) {
    std::vector<Entry> heap;
    heap.reserve(candidates.size());
    for (int box : boxes) covered_[box] = 0;
    for (int c : candidates) {
      left_[c] = of_candidate_.Size(c);
      heap.push_back({left_[c], rank_[c], c});
    }
    std::make_heap(heap.begin(), heap.end());
    std::vector<int> chosen;
    std::size_t remaining = boxes.size();
    while (remaining > 0 && !heap.empty()) {
      std::pop_heap(heap.begin(), heap.end());
      const Entry top = heap.back();
      heap.pop_back();
      if (left_[top.candidate] == 0) continue;
      if (left_[top.candidate] < top.count) {
        heap.push_back({left_[top.candidate], top.rank, top.candidate});
        std::push_heap(heap.begin(), heap.end());
        continue;
      }
      chosen.push_back(top.candidate);
      for (const int* box = of_candidate_.begin(top.candidate); box != of_candidate_.end(top.candidate); ++box) {
        if (covered_[*box]) continue;
        covered_[*box] = 1;
        --remaining;
        for (const int* c = of_box_.begin(*box); c != of_box_.end(*box); ++c) --left_[*c];
      }
    }
    return chosen;
  }

  // Drop, from the last chosen on, every candidate whose boxes the others cover too.
  void DropNeedless(std::vector<int>* chosen) {
    for (int c : *chosen)
      for (const int* box = of_candidate_.begin(c); box != of_candidate_.end(c); ++box) covered_[*box] = 0;
    for (int c : *chosen)
      for (const int* box = of_candidate_.begin(c); box != of_candidate_.end(c); ++box) ++covered_[*box];
    for (std::size_t i = chosen->size(); i-- > 0;) {
      const int c = (*chosen)[i];
      const bool needless = std::all_of(of_candidate_.begin(c), of_candidate_.end(c),
                                        [&](int box) { return covered_[box] > 1; });
      if (!needless) continue;
      for (const int* box = of_candidate_.begin(c); box != of_candidate_.end(c); ++box) --covered_[*box];
      chosen->erase(chosen->begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  // Boxes of which no candidate covers two: any cover needs at least as many candidates.
  std::size_t LowerBound(std::vector<int> boxes) const {
    std::sort(boxes.begin(), boxes.end(), [&](int a, int b) {
      return of_box_.Size(a) != of_box_.Size(b) ? of_box_.Size(a) < of_box_.Size(b) : a < b;
    });
    std::vector<char> used(index_.size(), 0);
    std::size_t apart = 0;
    for (int box : boxes) {
      if (std::any_of(of_box_.begin(box), of_box_.end(box), [&](int c) { return used[c]; })) continue;
      ++apart;
      for (const int* c = of_box_.begin(box); c != of_box_.end(box); ++c) used[*c] = 1;
    }
    return apart;
  }

  // Connected groups: boxes that share a candidate, and those candidates.
  std::vector<Group> Groups() const {
    std::vector<Group> groups;
    std::vector<char> seen_box(static_cast<std::size_t>(Boxes()), 0), seen(index_.size(), 0);
    for (int first = 0; first < Boxes(); ++first) {
      if (seen_box[first]) continue;
      Group group;
      group.boxes.push_back(first);
      seen_box[first] = 1;
      for (std::size_t i = 0; i < group.boxes.size(); ++i) {
        const int box = group.boxes[i];
        for (const int* c = of_box_.begin(box); c != of_box_.end(box); ++c) {
          if (seen[*c]) continue;
          seen[*c] = 1;
          group.candidates.push_back(*c);
          for (const int* other = of_candidate_.begin(*c); other != of_candidate_.end(*c); ++other) {
            if (seen_box[*other]) continue;
            seen_box[*other] = 1;
            group.boxes.push_back(*other);
          }
        }
      }
      groups.push_back(std::move(group));
    }
    return groups;
  }

  Lists of_box_;                     // coverable box -> its candidates (places in index_)
  Lists of_candidate_;               // candidate -> its boxes
  std::vector<int> index_;           // candidate -> its number in the grid
  std::vector<int> left_, covered_;  // scratch: uncovered boxes of a candidate; how often a box is covered
  std::vector<std::uint64_t> rank_;  // scratch: order of candidates of equal gain, smallest first
};

// Numbers of the chosen candidates: one greedy pass in the given order (a permutation of all candidates), or
// without one (null) the smallest cover of several pseudo-random passes.
template <typename T>
std::vector<int> CoverBoxes(const ChipGrid& grid, const T* boxes, int count, const int* order, std::uint64_t seed,
                            int trials) {
  if (count == 0 || grid.width() < 1 || grid.height() < 1) return {};
  ChipCover cover(grid, boxes, count);
  return order ? cover.InOrder(order, static_cast<int>(grid.Count())) : cover.Smallest(seed, trials);
}

}  // namespace sniper

#endif  // SNIPER_CHIPS_H_
