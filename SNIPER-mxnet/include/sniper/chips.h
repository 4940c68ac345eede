// Training chips on the host: the smallest cover of boxes that a few greedy passes find. What it computes is said in
// sniper/chip_grid.h; this is how it does so quickly.
//
// The candidates that cover a box stand side by side in the grid: a box is a short list of runs of candidate
// numbers. A greedy pass keeps how many uncovered boxes each candidate holds (its gain), and covering a box takes one
// from the gains of its runs: vector code over little memory, where lists of candidates a box would be long.
#ifndef SNIPER_CHIPS_H_
#define SNIPER_CHIPS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "sniper/chip_grid.h"
#include "sniper/chip_runs.h"

namespace sniper {

struct SeedRank {
  std::uint64_t mixed_seed;
  std::uint64_t operator()(int candidate) const { return TieRank(mixed_seed, candidate); }
};

struct GivenRank {
  const std::vector<int>* place;
  std::uint64_t operator()(int candidate) const { return static_cast<std::uint64_t>((*place)[candidate]); }
};

// Covers of the boxes of one image. An object may be used again for the next image: it keeps its memory.
template <typename T>
class ChipCover {
 public:
  // One greedy pass over all boxes, ties to the candidate that comes first in `order`, a permutation of all
  // candidate numbers. Returns candidate numbers in the order of choice.
  std::vector<int> InOrder(const ChipGrid& grid, const T* boxes, int count, const int* order) {
    Load(grid, boxes, count);
    std::vector<int> place(static_cast<std::size_t>(grid.Count()));
    for (std::size_t i = 0; i < place.size(); ++i) place[order[i]] = static_cast<int>(i);
    Group everything = {0, NumBoxes(), {}};
    std::vector<int> chosen;
    Open(&everything);
    Greedy(everything, GivenRank{&place}, &chosen);
    return chosen;
  }

  // The cover of chip_grid.h with up to `trials` greedy passes a group.
  std::vector<int> Smallest(const ChipGrid& grid, const T* boxes, int count, std::uint64_t seed, int trials) {
    Load(grid, boxes, count);
    entries_.clear();
    inside_entries_.clear();
    for (int begin = 0; begin < NumBoxes();) {
      Group group = {begin, GatherGroup(begin), {}};
      Open(&group);
      SmallestOfGroup(group, seed, trials);
      Close(group);
      begin = group.end;
    }
    return InChoiceOrder(SeedRank{MixBits(seed)});
  }

 private:
  // The boxes begin .. end - 1 and the lines in which a candidate covers one of them.
  struct Group {
    int begin, end;
    std::vector<int> lines;
    int size() const { return end - begin; }
  };

  // A chosen candidate. The marks of which boxes of its group it covers begin at inside_entries_[inside].
  struct Entry {
    int candidate, gain;
    int first_box, num_boxes;   // of the group
    std::size_t first, last;    // entries of the group
    std::size_t inside;
    std::uint64_t rank;
  };

  int NumBoxes() const { return static_cast<int>(boxes_.size()); }

  void Load(const ChipGrid& grid, const T* boxes, int count) {
    grid_ = grid;
    boxes_.clear();
    runs_.clear();
    for (int i = 0; i < count; ++i) {
      if (!UsableForChips(boxes + 4 * i)) continue;
      T clipped[4];
      ClipForCover(boxes + 4 * i, grid.width(), grid.height(), clipped);
      const int first = static_cast<int>(runs_.size());
      AppendRuns(grid, clipped, &runs_);
      const int last = static_cast<int>(runs_.size());
      if (last > first) boxes_.push_back({clipped[0], clipped[1], clipped[2], clipped[3], first, last});
    }
    covered_.assign(boxes_.size(), 0);
    all_gains_.assign(static_cast<std::size_t>(grid.Count()) + kLanes, 0);
    gains_.resize(all_gains_.size());
    all_line_gains_.assign(static_cast<std::size_t>(grid.NumLines()), 0);
    line_gains_.resize(all_line_gains_.size());
    touched_.assign(all_line_gains_.size(), 0);
  }

  // Moves the boxes linked to box `begin`, directly or through others, behind it. Returns where they end.
  int GatherGroup(int begin) {
    int end = begin + 1;
    for (int i = begin; i < end; ++i) {
      const ChipBox<T> box = boxes_[i];
      for (int other = end; other < NumBoxes(); ++other) {
        if (Linked(box, boxes_[other])) std::swap(boxes_[end++], boxes_[other]);
      }
    }
    return end;
  }

  bool Linked(const ChipBox<T>& a, const ChipBox<T>& b) const {
    return MayShareChip(a.x1, a.y1, a.x2, a.y2, b.x1, b.y1, b.x2, b.y2, grid_.size());
  }

  // Counts the boxes of the group into all_gains_ and notes its lines.
  void Open(Group* group) {
    columns_.Set(boxes_.data() + group->begin, group->size());
    for (int box = group->begin; box < group->end; ++box) AddBox(box, 1, all_gains_.data());
    for (int line = 0; line < grid_.NumLines(); ++line) {
      if (touched_[line]) group->lines.push_back(line);
    }
    RefreshTouched(group->lines, all_gains_.data(), all_line_gains_.data());
  }

  void Close(const Group& group) {
    for (int line : group.lines) {
      std::fill(all_gains_.begin() + grid_.LineStart(line), all_gains_.begin() + grid_.LineStart(line + 1), 0);
    }
  }

  void AddBox(int box, int amount, int* gains) {
    const CandidateRun* runs = runs_.data() + boxes_[box].first_run;
    const int count = boxes_[box].last_run - boxes_[box].first_run;
    AddToRuns(runs, count, amount, gains);
    for (int i = 0; i < count; ++i) touched_[runs[i].line] = 1;
  }

  // The largest gain of every touched line.
  void RefreshTouched(const std::vector<int>& lines, const int* gains, int* line_gains) {
    for (int line : lines) {
      if (!touched_[line]) continue;
      touched_[line] = 0;
      const int start = grid_.LineStart(line);
      line_gains[line] = LargestGain(gains + start, grid_.LineStart(line + 1) - start);
    }
  }

  void SmallestOfGroup(const Group& group, std::uint64_t seed, int trials) {
    std::size_t bound = 0;
    for (int trial = 0; trial < trials; ++trial) {
      Greedy(group, SeedRank{MixBits(seed + static_cast<std::uint64_t>(trial))}, &found_);
      DropNeedless(group.size());
      if (trial == 0 || found_.size() < best_.size()) {
        best_.swap(found_);
        inside_best_.swap(inside_);
      }
      if (best_.size() <= 2) break;  // where one chip covers all boxes, the first greedy trial finds it
      if (trial == 0) bound = LowerBound(group);
      if (best_.size() <= bound) break;
    }
    AppendEntries(group);
  }

  // Candidates in the order of choice; inside_ gets a row of group.size() marks a candidate.
  template <typename Rank>
  void Greedy(const Group& group, const Rank& rank, std::vector<int>* chosen) {
    for (int line : group.lines) {
      line_gains_[line] = all_line_gains_[line];
      std::copy(all_gains_.begin() + grid_.LineStart(line), all_gains_.begin() + grid_.LineStart(line + 1),
                gains_.begin() + grid_.LineStart(line));
    }
    std::fill(covered_.begin() + group.begin, covered_.begin() + group.end, 0);
    chosen->clear();
    inside_.clear();
    for (int left = group.size(); left > 0;) {
      const int candidate = Best(group, rank);
      chosen->push_back(candidate);
      inside_.resize(inside_.size() + group.size());
      unsigned char* inside = inside_.data() + inside_.size() - group.size();
      columns_.Inside(grid_.Window(candidate), inside);
      for (int box = group.begin; box < group.end; ++box) {
        if (!inside[box - group.begin] || covered_[box]) continue;
        covered_[box] = 1;
        --left;
        AddBox(box, -1, gains_.data());
      }
      RefreshTouched(group.lines, gains_.data(), line_gains_.data());
    }
  }

  template <typename Rank>
  int Best(const Group& group, const Rank& rank) const {
    int most = 0;
    for (int line : group.lines) most = std::max(most, line_gains_[line]);
    int best = -1;
    std::uint64_t best_rank = 0;
    for (int line : group.lines) {
      if (line_gains_[line] != most) continue;
      const int end = grid_.LineStart(line + 1);
      for (int first = grid_.LineStart(line); first < end; first += kLanes) {
        unsigned equal = EqualGains(gains_.data() + first, end - first, most);
        for (int candidate = first; equal != 0; equal >>= 1, ++candidate) {
          if (!(equal & 1)) continue;
          const std::uint64_t its_rank = rank(candidate);
          if (best >= 0 && its_rank > best_rank) continue;
          best = candidate;
          best_rank = its_rank;
        }
      }
    }
    return best;
  }

  // Takes out of found_, from the last chosen on, every candidate whose boxes the others cover too.
  void DropNeedless(int num_boxes) {
    holders_.assign(static_cast<std::size_t>(num_boxes), 0);
    for (const unsigned char* inside = inside_.data(); inside != inside_.data() + inside_.size(); inside += num_boxes) {
      for (int box = 0; box < num_boxes; ++box) holders_[box] += inside[box];
    }
    for (std::size_t i = found_.size(); i-- > 0;) {
      const unsigned char* inside = inside_.data() + i * num_boxes;
      bool needless = true;
      for (int box = 0; box < num_boxes; ++box) needless = needless && (!inside[box] || holders_[box] > 1);
      if (!needless) continue;
      for (int box = 0; box < num_boxes; ++box) holders_[box] -= inside[box];
      found_.erase(found_.begin() + static_cast<std::ptrdiff_t>(i));
      inside_.erase(inside_.begin() + static_cast<std::ptrdiff_t>(i * num_boxes),
                    inside_.begin() + static_cast<std::ptrdiff_t>((i + 1) * num_boxes));
    }
  }

  // Boxes of which no chip holds two: any cover needs at least as many candidates.
  std::size_t LowerBound(const Group& group) {
    apart_.clear();
    for (int box = group.begin; box < group.end; ++box) {
      const bool alone = std::none_of(apart_.begin(), apart_.end(),
                                      [&](int other) { return Linked(boxes_[box], boxes_[other]); });
      if (alone) apart_.push_back(box);
    }
    return apart_.size();
  }

  void AppendEntries(const Group& group) {
    const std::size_t first = entries_.size(), last = first + best_.size();
    for (std::size_t i = 0; i < best_.size(); ++i) {
      const unsigned char* inside = inside_best_.data() + i * group.size();
      const int gain = std::accumulate(inside, inside + group.size(), 0);
      entries_.push_back({best_[i], gain, group.begin, group.size(), first, last, inside_entries_.size(), 0});
      inside_entries_.insert(inside_entries_.end(), inside, inside + group.size());
    }
  }

  // The chosen of all groups by the greedy rule. None is needless, so each still has a box when its turn comes.
  template <typename Rank>
  std::vector<int> InChoiceOrder(const Rank& rank) {
    std::vector<int> order;
    for (Entry& entry : entries_) entry.rank = rank(entry.candidate);
    std::fill(covered_.begin(), covered_.end(), 0);
    while (order.size() < entries_.size()) {
      const Entry& top = *std::max_element(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
        return a.gain != b.gain ? a.gain < b.gain : a.rank > b.rank;
      });
      order.push_back(top.candidate);
      for (int box = 0; box < top.num_boxes; ++box) {
        if (!inside_entries_[top.inside + box] || covered_[top.first_box + box]) continue;
        covered_[top.first_box + box] = 1;
        for (std::size_t e = top.first; e < top.last; ++e) {
          entries_[e].gain -= inside_entries_[entries_[e].inside + box];
        }
      }
    }
    return order;
  }

  ChipGrid grid_ = ChipGrid(0, 0, 1, 1);
  std::vector<ChipBox<T>> boxes_;     // those that a candidate covers; groups stand together once gathered
  std::vector<CandidateRun> runs_;
  BoxColumns<T> columns_;             // the boxes of the open group
  std::vector<int> all_gains_, all_line_gains_;  // of the open group with no box covered: a candidate, a line's largest
  std::vector<int> gains_, line_gains_;          // the same in the course of a pass
  std::vector<unsigned char> touched_;           // lines whose largest gain is out of date
  std::vector<unsigned char> covered_;
  std::vector<unsigned char> inside_, inside_best_, inside_entries_;
  std::vector<int> found_, best_, holders_, apart_;
  std::vector<Entry> entries_;
};

// Numbers of the chosen candidates: one greedy pass in the given order (a permutation of all candidates), or
// without one (null) the smallest cover of several pseudo-random passes.
template <typename T>
std::vector<int> CoverBoxes(const ChipGrid& grid, const T* boxes, int count, const int* order, std::uint64_t seed,
                            int trials) {
  if (count == 0 || grid.width() < 1 || grid.height() < 1) return {};
  ChipCover<T> cover;
  return order ? cover.InOrder(grid, boxes, count, order) : cover.Smallest(grid, boxes, count, seed, trials);
}

}  // namespace sniper

#endif  // SNIPER_CHIPS_H_
