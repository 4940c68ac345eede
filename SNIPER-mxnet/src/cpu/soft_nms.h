// CPU loop of SoftNMS over independent sets of detections.
#ifndef SNIPER_CPU_SOFT_NMS_H_
#define SNIPER_CPU_SOFT_NMS_H_

#include <cstdint>

#include "sniper/soft_nms.h"

namespace sniper {

// dets, output: (num_sets, rows, 5); count: (num_sets,). A set's survivors come first, then rows of -1.
void soft_nms_cpu(const float* dets, int64_t num_sets, int64_t rows, const SoftNmsParam& param, float* output,
                  float* count);

}  // namespace sniper

#endif  // SNIPER_CPU_SOFT_NMS_H_
