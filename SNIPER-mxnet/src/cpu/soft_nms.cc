#include "cpu/soft_nms.h"

#include <algorithm>

#include "cpu/parallel.h"

namespace sniper {

void soft_nms_cpu(const float* dets, int64_t num_sets, int64_t rows, const SoftNmsParam& param, float* output,
                  float* count) {
  parallel_for<SoftNmsSet>(num_sets, [&](int64_t set, SoftNmsSet* worker) {
    float* out = output + 5 * rows * set;
    std::copy(dets + 5 * rows * set, dets + 5 * rows * (set + 1), out);
    const int64_t left = static_cast<int64_t>(worker->Run(out, static_cast<std::size_t>(rows), param, nullptr));
    std::fill(out + 5 * left, out + 5 * rows, -1.0f);
    count[set] = static_cast<float>(left);
  });
}

}  // namespace sniper
