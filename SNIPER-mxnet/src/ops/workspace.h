// Working memory of an operator.
#ifndef SNIPER_OPS_WORKSPACE_H_
#define SNIPER_OPS_WORKSPACE_H_

#include <cstddef>
#include <vector>

#include "cpu/aligned_buffer.h"
#include "mxnet/lib_api.h"

namespace sniper {

// Floats from MXNet's pool, which keeps them from call to call; they start at a cache line. The pool counts bytes in an
// int; what is larger comes from the heap and goes with this object.
class Workspace {
 public:
  Workspace(const mxnet::ext::OpResource& resource, size_t floats) {
    floats += kLineFloats;
    if (floats * sizeof(float) < 0x7fffffffu) {
      data_ = static_cast<float*>(resource.alloc_cpu(static_cast<int>(floats * sizeof(float))));
    } else {
      heap_.resize(floats);
      data_ = heap_.data();
    }
    data_ = line_start(data_);
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  float* data() { return data_; }

 private:
  std::vector<float> heap_;
  float* data_;
};

}  // namespace sniper

#endif  // SNIPER_OPS_WORKSPACE_H_
