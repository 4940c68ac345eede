// SoftNMS.
#include "interface.h"

#include <algorithm>
#include <vector>

#include "cuda/soft_nms.h"
#include "sniper/soft_nms.h"

using namespace sniper;

// method: 0 hard, 1 linear, 2 Gaussian.
SNIPER_FUNCTION(soft_nms, (const float* dets, int64_t sets, int64_t rows, double sigma, double iou_thresh,
                           double score_thresh, int64_t method, float* out, float* counts)) {
  return guarded([&] {
    const SoftNmsParam param = {static_cast<float>(sigma), static_cast<float>(iou_thresh),
                                static_cast<float>(score_thresh), static_cast<SoftNmsMethod>(method),
                                static_cast<float>(score_thresh)};
#if defined(SNIPER_INTERFACE_CPU)
    SoftNmsSet worker;
    for (int64_t set = 0; set < sets; ++set) {
      float* first = out + set * rows * 5;
      std::copy(dets + set * rows * 5, dets + (set + 1) * rows * 5, first);
      const size_t left = worker.Run(first, static_cast<size_t>(rows), param, nullptr);
      std::fill(first + 5 * left, first + 5 * rows, -1.0f);
      counts[set] = static_cast<float>(left);
    }
#else
    soft_nms_cuda(dets, sets, rows, param, test_context(), out, counts);
#endif
  });
}
