// Memory, time and identity of the device behind the interface.
#include "interface.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

#if defined(SNIPER_INTERFACE_CUDA)
#include <cuda_runtime.h>
#elif defined(SNIPER_INTERFACE_EMULATED)
#include "emulation.h"
#endif

namespace sniper {
namespace {

#if defined(SNIPER_INTERFACE_CUDA)

void check(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}

void* allocate(size_t bytes) {
  void* data = nullptr;
  check(cudaMalloc(&data, bytes));
  return data;
}

void release(void* data) { check(cudaFree(data)); }

void copy(void* to, const void* from, size_t bytes) { check(cudaMemcpy(to, from, bytes, cudaMemcpyDefault)); }

#else

void* allocate(size_t bytes) {
  void* data = nullptr;
  if (posix_memalign(&data, 256, bytes) != 0) throw std::bad_alloc();
  return data;
}

void release(void* data) { std::free(data); }

void copy(void* to, const void* from, size_t bytes) { std::memcpy(to, from, bytes); }

#endif

// Working memory of calls, and how much the last call asked for.
struct Scratch {
  void* data = nullptr;
  size_t capacity = 0, asked = 0;
};
Scratch scratch_memory;

void* scratch_of_call(void* owner, size_t bytes) {
  Scratch& scratch = *static_cast<Scratch*>(owner);
  if (scratch.asked > 0) throw std::logic_error("an operator asked for working memory twice in one call");
  scratch.asked = bytes;
  if (bytes > scratch.capacity) {
    if (scratch.data != nullptr) release(scratch.data);
    scratch.data = nullptr;
    scratch.data = allocate(bytes);
    scratch.capacity = bytes;
  }
#if !defined(SNIPER_INTERFACE_CUDA)
  std::memset(scratch.data, 0xcd, bytes);  // whoever reads before writing shall notice
#endif
  return scratch.data;
}

}  // namespace

std::string& last_error() {
  static std::string message;
  return message;
}

CudaContext test_context() {
  scratch_memory.asked = 0;
  return CudaContext(nullptr, scratch_of_call, &scratch_memory);
}

}  // namespace sniper

using sniper::guarded;

extern "C" __attribute__((visibility("default"))) const char* sniper_last_error() {
  return sniper::last_error().c_str();
}

// Bytes of working memory that the last call asked for.
extern "C" __attribute__((visibility("default"))) int64_t sniper_scratch_bytes() {
  return static_cast<int64_t>(sniper::scratch_memory.asked);
}

SNIPER_FUNCTION(allocate, (int64_t bytes, void** data)) {
  return guarded([&] { *data = sniper::allocate(static_cast<size_t>(bytes > 0 ? bytes : 1)); });
}

SNIPER_FUNCTION(release, (void* data)) {
  return guarded([&] { sniper::release(data); });
}

// In either direction between the host's memory and the library's, or within the latter; waits until done.
SNIPER_FUNCTION(copy, (void* to, const void* from, int64_t bytes)) {
  return guarded([&] { sniper::copy(to, from, static_cast<size_t>(bytes)); });
}

#if defined(SNIPER_INTERFACE_EMULATED)

SNIPER_FUNCTION(set_reverse, (int64_t reverse)) {
  return guarded([&] { sniper::emulation::set_reverse(reverse != 0); });
}

#elif defined(SNIPER_INTERFACE_CUDA)

// Waits for all that was launched.
SNIPER_FUNCTION(synchronize, ()) {
  return guarded([&] { sniper::check(cudaDeviceSynchronize()); });
}

// `events` are two void*; starts and stops bracket launches, `elapsed` waits and gives the milliseconds between.
SNIPER_FUNCTION(make_events, (void** events)) {
  return guarded([&] {
    for (int i = 0; i < 2; ++i) sniper::check(cudaEventCreate(reinterpret_cast<cudaEvent_t*>(events + i)));
  });
}

SNIPER_FUNCTION(record_event, (void* event)) {
  return guarded([&] { sniper::check(cudaEventRecord(static_cast<cudaEvent_t>(event), nullptr)); });
}

SNIPER_FUNCTION(elapsed, (void** events, float* milliseconds)) {
  return guarded([&] {
    sniper::check(cudaEventSynchronize(static_cast<cudaEvent_t>(events[1])));
    sniper::check(cudaEventElapsedTime(milliseconds, static_cast<cudaEvent_t>(events[0]),
                                       static_cast<cudaEvent_t>(events[1])));
  });
}

// Name of the current GPU, its compute capability as major * 10 + minor, the driver's and the runtime's CUDA version.
SNIPER_FUNCTION(device, (char* name, int64_t size, int* capability, int* driver, int* runtime)) {
  return guarded([&] {
    int current = 0;
    cudaDeviceProp properties;
    sniper::check(cudaGetDevice(&current));
    sniper::check(cudaGetDeviceProperties(&properties, current));
    std::strncpy(name, properties.name, static_cast<size_t>(size) - 1);
    name[size - 1] = '\0';
    *capability = properties.major * 10 + properties.minor;
    sniper::check(cudaDriverGetVersion(driver));
    sniper::check(cudaRuntimeGetVersion(runtime));
  });
}

#endif
