// Scores in descending order, found as far as they are asked for.
#ifndef SNIPER_RANKING_H_
#define SNIPER_RANKING_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "sniper/common.h"

namespace sniper {

// True for scores that are ranked: NaN, infinity and exactly -1 (the original's mark of a dropped box) never are.
SNIPER_HD bool is_ranked(float score) { return score - score == 0.0f && score != -1.0f; }

// A number above 0 for every ranked score, such that the numbers sort as the scores do. Adding 0 makes -0 and 0 equal.
SNIPER_HD uint32_t ordered_bits(float score) {
  const float value = score + 0.0f;
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (bits & 0x80000000u) ? ~bits : bits | 0x80000000u;
}

// The first block from `block` on that holds a score in [lower, upper), or `num_blocks`. Vector code: most blocks of a
// large map hold none.
enum { kRankingBlock = 16 };

SNIPER_CLONES inline int64_t next_block(const float* scores, int64_t block, int64_t num_blocks, float lower,
                                        float upper) {
  for (; block < num_blocks; ++block) {
    const float* values = scores + block * kRankingBlock;
    int hits = 0;
    for (int i = 0; i < kRankingBlock; ++i) hits |= (values[i] >= lower) & (values[i] < upper);
    if (hits) return block;
  }
  return num_blocks;
}

// Yields indices by (score descending, index ascending). NMS stops after P boxes, so most of some 231,000 scores
// never need sorting: a sample of them says which scores form the next band, and one band at a time is gathered and
// sorted. Scores that are not ranked never come.
class ScoreRanking {
 public:
  void reset(const float* scores, int64_t count) {
    count_ = count;
    upper_ = std::numeric_limits<float>::infinity();
    target_ = kFirstBand;
    band_.clear();
    position_ = 0;
    replace_scores(scores);
  }

  // True before the first index and when a band has been yielded whole.
  bool between_bands() const { return position_ == band_.size(); }

  // Goes on with other scores for the indices not yet yielded. To be called between bands only; the new scores may
  // differ from the old ones only in that some are no longer ranked.
  void replace_scores(const float* scores) {
    scores_ = scores;
    step_ = count_ > kSample ? count_ / kSample : 1;
    sample_.clear();
    for (int64_t i = 0; i < count_; i += step_) {
      if (is_ranked(scores[i]) && scores[i] < upper_) sample_.push_back(scores[i]);
    }
    std::sort(sample_.begin(), sample_.end());
  }

  // The index of the next best score, or -1 when none is left.
  int64_t next() {
    while (position_ == band_.size()) {
      if (upper_ == kLowest) return -1;
      fill();
    }
    return static_cast<int64_t>(band_[position_++] & 0xffffffffu);
  }

 private:
  static const int kSample = 512;
  static const int kFirstBand = 1024;
  static constexpr float kLowest = -std::numeric_limits<float>::max();

  // Gathers and sorts the next band, of about target_ scores unless many are equal; bands double, so few passes are
  // made. It may turn out empty.
  void fill() {
    float lower = kLowest;
    const size_t skipped = static_cast<size_t>(target_ / step_) + 1;
    sample_.resize(sample_.size() > skipped ? sample_.size() - skipped : 0);
    while (!sample_.empty() && sample_.back() >= upper_) sample_.pop_back();
    if (!sample_.empty()) lower = sample_.back();
    band_.clear();
    position_ = 0;
    const int64_t blocks = count_ / kRankingBlock;
    for (int64_t block = 0; (block = next_block(scores_, block, blocks, lower, upper_)) < blocks; ++block) {
      gather(block * kRankingBlock, (block + 1) * kRankingBlock, lower);
    }
    gather(blocks * kRankingBlock, count_, lower);
    std::sort(band_.begin(), band_.end());
    upper_ = lower;
    target_ *= 2;
  }

  void gather(int64_t begin, int64_t end, float lower) {
    for (int64_t i = begin; i < end; ++i) {
      const float score = scores_[i];
      if (!(score >= lower && score < upper_) || score == -1.0f) continue;
      band_.push_back(static_cast<uint64_t>(~ordered_bits(score)) << 32 | static_cast<uint64_t>(i));
    }
  }

  const float* scores_ = nullptr;
  int64_t count_ = 0;
  float upper_ = 0.0f;          // scores from here up have been yielded
  int64_t target_ = 0;          // intended size of the next band
  int64_t step_ = 1;            // a score of the sample stands for so many
  std::vector<float> sample_;   // ascending, below upper_
  std::vector<uint64_t> band_;  // sort keys: score above 32 bits, index below
  size_t position_ = 0;
};

}  // namespace sniper

#endif  // SNIPER_RANKING_H_
