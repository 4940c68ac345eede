// CPU loops of MinedAnchorTarget.
#ifndef SNIPER_CPU_MINED_ANCHORS_H_
#define SNIPER_CPU_MINED_ANCHORS_H_

#include "sniper/mined_anchors.h"

namespace sniper {

// Images are divided over the threads.
void mined_anchors_cpu(const MinedAnchorInputs& in, const MinedAnchorOptions& options, const MinedAnchorOutputs& out);

}  // namespace sniper

#endif  // SNIPER_CPU_MINED_ANCHORS_H_
