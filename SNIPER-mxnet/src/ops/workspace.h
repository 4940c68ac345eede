// Working memory of an operator on the CPU.
#ifndef SNIPER_OPS_WORKSPACE_H_
#define SNIPER_OPS_WORKSPACE_H_

#include <cstddef>
#include <vector>

#include "cpu/aligned_buffer.h"
#include "mxnet/lib_api.h"

namespace sniper {

class Workspace {
 public:
  explicit Workspace(const mxnet::ext::OpResource& resource) : resource_(resource) {}
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  // Floats that start at a cache line and last as long as this object. At most once a call of the operator: they come
  // from MXNet's pool, which answers every request with the same memory and keeps it from call to call. The pool counts
  // bytes in an int; what is larger comes from the heap.
  float* take(size_t floats) {
    floats += kLineFloats;
    if (floats * sizeof(float) < 0x7fffffffu) {
      return line_start(static_cast<float*>(resource_.alloc_cpu(static_cast<int>(floats * sizeof(float)))));
    }
    heap_.resize(floats);
    return line_start(heap_.data());
  }

 private:
  const mxnet::ext::OpResource& resource_;
  std::vector<float> heap_;
};

}  // namespace sniper

#endif  // SNIPER_OPS_WORKSPACE_H_
