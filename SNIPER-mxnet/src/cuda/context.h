// Where a device operator runs: a stream, and working memory that one call divides into arrays. Host code without CUDA
// headers, so that the bindings (src/ops) need no CUDA compiler.
#ifndef SNIPER_CUDA_CONTEXT_H_
#define SNIPER_CUDA_CONTEXT_H_

#include <cstddef>
#include <cstdint>

namespace sniper {

// What an operator on the device is handed besides its arrays. It launches on `stream` and returns: it never waits for
// the device and copies nothing to the host. Errors are thrown as std::runtime_error with CUDA's message.
class CudaContext {
 public:
  // Device memory, aligned to 256 bytes, that stays valid until the stream has done this call's work. Throws where
  // there is none.
  typedef void* (*Allocate)(void* owner, size_t bytes);

  CudaContext(void* stream, Allocate allocate, void* owner) : stream_(stream), allocate_(allocate), owner_(owner) {}

  void* stream() const { return stream_; }

  // May be asked once in a call of an operator, because MXNet answers every request with the same buffer. `scratch`
  // below divides one request into parts.
  void* allocate(size_t bytes) const { return bytes > 0 ? allocate_(owner_, bytes) : nullptr; }

 private:
  void* stream_;  // cudaStream_t
  Allocate allocate_;
  void* owner_;
};

// Deals out parts of one buffer; without a buffer it only adds up how much is needed.
class Arena {
 public:
  explicit Arena(void* base) : base_(static_cast<char*>(base)), bytes_(0) {}

  template <typename T>
  T* take(int64_t count) {
    const size_t begin = bytes_;
    bytes_ += (static_cast<size_t>(count) * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    return base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + begin);
  }

  size_t bytes() const { return bytes_; }

 private:
  static const size_t kAlignment = 256;
  char* base_;
  size_t bytes_;
};

// The working memory of one call. `Layout` has pointers as members and a constructor (Arena*, sizes...) that takes
// each of them from the arena; it runs twice, once to measure.
template <typename Layout, typename... Sizes>
Layout scratch(const CudaContext& context, const Sizes&... sizes) {
  Arena measure(nullptr);
  const Layout probe(&measure, sizes...);
  static_cast<void>(probe);
  Arena arena(context.allocate(measure.bytes()));
  return Layout(&arena, sizes...);
}

// Sets device memory to zero bytes, in stream order.
void fill_zero_cuda(const CudaContext& context, void* data, size_t bytes);

}  // namespace sniper

#endif  // SNIPER_CUDA_CONTEXT_H_
