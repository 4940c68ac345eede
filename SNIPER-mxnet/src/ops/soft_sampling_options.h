// The attributes of Soft Sampling, which MultiProposalTarget and SoftSamplingWeight share.
#ifndef SNIPER_OPS_SOFT_SAMPLING_OPTIONS_H_
#define SNIPER_OPS_SOFT_SAMPLING_OPTIONS_H_

#include "ops/attributes.h"
#include "ops/signature.h"
#include "sniper/soft_sampling.h"

namespace sniper {

// Names of the attributes that `read_soft_sampling` reads.
Names soft_sampling_attribute_names();

SoftSampling read_soft_sampling(const Attributes& attributes);

}  // namespace sniper

#endif  // SNIPER_OPS_SOFT_SAMPLING_OPTIONS_H_
