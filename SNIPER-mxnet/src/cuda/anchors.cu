#include "cuda/anchors.h"

#include "cuda/launch.h"

namespace sniper {
namespace {

// Some anchors, passed to a kernel by value: arguments reach the device with the launch, while a copy from the host's
// memory would have to be waited for.
struct AnchorPart {
  static const int kRoom = 64;
  Box boxes[kRoom];
  int first, count;
};

__global__ void anchors_kernel(AnchorPart part, Box* anchors) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < part.count) anchors[part.first + i] = part.boxes[i];
}

}  // namespace

void place_anchors_cuda(const CudaContext& context, const std::vector<Box>& boxes, Box* anchors) {
  AnchorPart part;
  const int total = static_cast<int>(boxes.size());
  for (part.first = 0; part.first < total; part.first += AnchorPart::kRoom) {
    part.count = total - part.first < AnchorPart::kRoom ? total - part.first : AnchorPart::kRoom;
    for (int i = 0; i < part.count; ++i) part.boxes[i] = boxes[part.first + i];
    launch(anchors_kernel, dim3(1), dim3(AnchorPart::kRoom), 0, context, part, anchors);
  }
}

}  // namespace sniper
