// Scores in descending order, found as far as they are asked for.
#ifndef SNIPER_RANKING_H_
#define SNIPER_RANKING_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "sniper/common.h"

namespace sniper {

// True for scores that are ranked: NaN and exactly -1 (the original's mark of a dropped box) never are.
SNIPER_HD bool is_ranked(float score) { return score == score && score != -1.0f; }

// Bits that sort as unsigned numbers like ranked scores do; + 0 makes -0 and 0 equal. Never 0.
SNIPER_HD uint32_t ordered_bits(float score) {
  const float value = score + 0.0f;
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (bits & 0x80000000u) ? ~bits : bits | 0x80000000u;
}

// Yields indices by (score descending, index ascending). NMS stops after P boxes, so most of some 231,000 scores
// never need sorting: a histogram of the upper 16 bits says which scores form the next band, and one band at a
// time is gathered and sorted. Scores that are not ranked never come.
class ScoreRanking {
 public:
  void reset(const float* scores, int64_t count) {
    scores_ = scores;
    count_ = count;
    histogram_.assign(kBuckets, 0);
    for (int64_t i = 0; i < count; ++i) {
      if (is_ranked(scores[i])) ++histogram_[bucket(scores[i])];
    }
    below_ = kBuckets;
    target_ = kFirstBand;
    band_.clear();
    position_ = 0;
  }

  // The index of the next best score, or -1 when none is left.
  int64_t next() {
    if (position_ == band_.size() && !fill()) return -1;
    return static_cast<int64_t>(band_[position_++] & 0xffffffffu);
  }

 private:
  static const int kBuckets = 1 << 16;
  static const int kFirstBand = 1024;

  static int bucket(float score) { return static_cast<int>(ordered_bits(score) >> 16); }

  // Gathers and sorts the next whole buckets of at least target_ scores; bands double, so few passes are made.
  bool fill() {
    const int end = below_;
    int64_t size = 0;
    while (below_ > 0 && size < target_) size += histogram_[--below_];
    band_.clear();
    position_ = 0;
    if (size == 0) return false;
    target_ *= 2;
    band_.reserve(size);
    for (int64_t i = 0; i < count_; ++i) {
      if (!is_ranked(scores_[i])) continue;
      const uint32_t bits = ordered_bits(scores_[i]);
      const int b = static_cast<int>(bits >> 16);
      if (b >= below_ && b < end) band_.push_back(static_cast<uint64_t>(~bits) << 32 | static_cast<uint64_t>(i));
    }
    std::sort(band_.begin(), band_.end());
    return true;
  }

  const float* scores_ = nullptr;
  int64_t count_ = 0;
  std::vector<uint32_t> histogram_;
  int below_ = 0;           // buckets from here up have been yielded
  int64_t target_ = 0;      // least size of the next band
  std::vector<uint64_t> band_;
  size_t position_ = 0;
};

}  // namespace sniper

#endif  // SNIPER_RANKING_H_
