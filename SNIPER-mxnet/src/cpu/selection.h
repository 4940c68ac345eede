// The proposals of one image on the CPU.
#ifndef SNIPER_CPU_SELECTION_H_
#define SNIPER_CPU_SELECTION_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cpu/dense_boxes.h"
#include "sniper/nms.h"
#include "sniper/proposals.h"
#include "sniper/ranking.h"

namespace sniper {

// Working memory of one thread, reused from image to image, and the result: at most P boxes, best first, with their
// flat indices.
template <Arithmetic kind>
struct Selection {
  int count;
  std::vector<Box> boxes;
  std::vector<int64_t> indices;

  ScoreRanking ranking;
  KeptBoxes<kind> kept;
  DenseBoxes dense;
};

// True if it is quicker to decode all `total` boxes at once than to go on one by one. So far `seen` boxes gave `count`
// of the `wanted` ones, from which follows how many more would have to be seen; to rank and decode one box alone takes
// as long as to decode sixteen at once.
inline bool pays_to_decode_all(int64_t seen, int64_t count, int64_t wanted, int64_t total) {
  return 16.0 * static_cast<double>(wanted - count) * static_cast<double>(seen) >
         static_cast<double>(count) * static_cast<double>(total);
}

// Boxes are decoded as NMS comes to them: in most images it needs only a fraction of them. Where few of them pass the
// tests or NMS, the rest is decoded at once and ranked without those that fail the tests. `range` is null for boxes of
// any area, and always in test arithmetic. The pre-NMS number counts boxes that pass the tests only, as in the
// original, which decodes all boxes first and gives those that fail the score -1, below any probability.
template <Arithmetic kind>
void select_proposals(const ImageOutputs& image, const std::vector<Box>& anchors, const ProposalOptions& options,
                      const AreaRange* range, Selection<kind>* result) {
  const int64_t total = static_cast<int64_t>(anchors.size()) * image.height * image.width;
  const int wanted = static_cast<int>(std::min<int64_t>(options.post_nms_top_n, total));
  result->boxes.resize(wanted);
  result->indices.resize(wanted);
  result->ranking.reset(image.scores, total);
  result->kept.reset(wanted);
  bool dense = false;
  int64_t seen = 0, entered = 0;
  int& count = result->count = 0;
  while (count < wanted && (options.pre_nms_top_n < 0 || entered < options.pre_nms_top_n)) {
    if (!dense && seen > 0 && result->ranking.between_bands() && pays_to_decode_all(seen, count, wanted, total)) {
      result->dense.decode(image, anchors, options, range);
      result->ranking.replace_scores(result->dense.scores());
      dense = true;
    }
    const int64_t index = result->ranking.next();
    if (index < 0) break;
    ++seen;
    Box box;
    if (dense) {
      box = result->dense.box(index);
    } else {
      box = proposal_box(anchors.data(), image, options.feature_stride, index);
      if (!enters_nms<kind>(box, options.min_size, range)) continue;
    }
    ++entered;
    if (!result->kept.offer(box, options.threshold)) continue;
    result->boxes[count] = box;
    result->indices[count] = index;
    ++count;
  }
}

}  // namespace sniper

#endif  // SNIPER_CPU_SELECTION_H_
