#include "cpu/soft_sampling.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "cpu/parallel.h"

namespace sniper {
namespace {

const int64_t kChunk = 64;  // rois that a thread takes at a time

struct NoScratch {};

}  // namespace

void soft_sampling_cpu(const SoftSamplingInputs& in, const SoftSampling& options, float* weights) {
  for (int64_t roi = 0; roi < in.num_rois; ++roi) {
    if (has_image(in, roi)) continue;
    throw std::invalid_argument("row " + std::to_string(roi) + " of rois names image " +
                                std::to_string(in.rois[5 * roi]) + " of a batch of " + std::to_string(in.num_images));
  }
  parallel_for<NoScratch>((in.num_rois + kChunk - 1) / kChunk, [&](int64_t chunk, NoScratch*) {
    const int64_t end = std::min((chunk + 1) * kChunk, in.num_rois);
    for (int64_t roi = chunk * kChunk; roi < end; ++roi) weights[roi] = weight_of_roi(in, roi, options);
  });
}

}  // namespace sniper
