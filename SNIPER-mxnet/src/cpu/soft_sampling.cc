#include "cpu/soft_sampling.h"

#include <algorithm>

#include "cpu/parallel.h"
#include "cpu/roi_images.h"

namespace sniper {
namespace {

const int64_t kChunk = 64;  // rois that a thread takes at a time

struct NoScratch {};

}  // namespace

void soft_sampling_cpu(const SoftSamplingInputs& in, const SoftSampling& options, float* weights) {
  check_roi_images(in.rois, in.num_rois, in.num_images);
  parallel_for<NoScratch>((in.num_rois + kChunk - 1) / kChunk, [&](int64_t chunk, NoScratch*) {
    const int64_t end = std::min((chunk + 1) * kChunk, in.num_rois);
    for (int64_t roi = chunk * kChunk; roi < end; ++roi) weights[roi] = weight_of_roi(in, roi, options);
  });
}

}  // namespace sniper
