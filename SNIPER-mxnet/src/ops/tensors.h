// The arrays of a call as bindings see them: float32, by their place in the operator's signature.
#ifndef SNIPER_OPS_TENSORS_H_
#define SNIPER_OPS_TENSORS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "mxnet/lib_api.h"

namespace sniper {

// Consecutive arrays out of those that MXNet passes.
class Tensors {
 public:
  Tensors(std::vector<mxnet::ext::MXTensor>* tensors, size_t first, size_t count)
      : first_(tensors->data() + first), count_(count) {}

  size_t count() const { return count_; }

  // On a GPU this is device memory, which only kernels may look into. Null for an optional array that was left out.
  float* data(size_t place) const { return place < count_ ? first_[place].data<float>() : nullptr; }

  size_t rank(size_t place) const { return first_[place].shape.size(); }
  int64_t size(size_t place, size_t axis) const { return first_[place].shape[axis]; }
  size_t bytes(size_t place) const { return first_[place].size() * sizeof(float); }
  int type(size_t place) const { return first_[place].dtype; }

  // In the host's memory.
  void fill_zero(size_t place) const {
    if (bytes(place) > 0) std::memset(data(place), 0, bytes(place));
  }

 private:
  mxnet::ext::MXTensor* first_;
  size_t count_;
};

}  // namespace sniper

#endif  // SNIPER_OPS_TENSORS_H_
