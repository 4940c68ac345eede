// Floats that start at a cache line, so that vectors loaded from them seldom straddle two.
#ifndef SNIPER_CPU_ALIGNED_BUFFER_H_
#define SNIPER_CPU_ALIGNED_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <memory>

namespace sniper {

enum { kLineFloats = 16 };  // of a cache line of 64 bytes

// `floats` rounded up to whole cache lines.
inline size_t whole_lines(size_t floats) { return (floats + kLineFloats - 1) / kLineFloats * kLineFloats; }

// The first cache line from `place` on: up to kLineFloats - 1 floats further.
inline float* line_start(float* place) {
  const uintptr_t bytes = kLineFloats * sizeof(float);
  return reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(place) + bytes - 1) / bytes * bytes);
}

// Working memory of a thread that grows with what is asked for.
class AlignedBuffer {
 public:
  // `floats` floats at a cache line. What an earlier call gave is kept only if it was not smaller; the values are not
  // set otherwise.
  float* reserve(size_t floats) {
    if (floats > size_) {
      memory_.reset();
      memory_.reset(new float[floats + kLineFloats]);
      size_ = floats;
    }
    return line_start(memory_.get());
  }

 private:
  std::unique_ptr<float[]> memory_;
  size_t size_ = 0;
};

}  // namespace sniper

#endif  // SNIPER_CPU_ALIGNED_BUFFER_H_
