// A loop over threads that MXNet's settings govern.
#ifndef SNIPER_CPU_PARALLEL_H_
#define SNIPER_CPU_PARALLEL_H_

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace sniper {

// How many threads a loop may use here: MXNet tells OpenMP for each of its worker threads (OMP_NUM_THREADS).
inline int max_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

// Calls body(i, &scratch) for i in [0, count), in any order; every thread makes one Scratch. What a body computes
// must not depend on its thread. An exception (memory ran out) ends the loop and is thrown again here.
template <typename Scratch, typename Body>
void parallel_for(int64_t count, const Body& body) {
  std::exception_ptr error;
  std::mutex error_lock;
  std::atomic<int64_t> next(0);
  const auto work = [&]() {
    try {
      Scratch scratch;
      for (int64_t i = next++; i < count; i = next++) body(i, &scratch);
    } catch (...) {
      next = count;
      std::lock_guard<std::mutex> hold(error_lock);
      error = std::current_exception();
    }
  };
#ifdef _OPENMP
  const int64_t threads = count < max_threads() ? count : max_threads();
#pragma omp parallel num_threads(static_cast<int>(threads > 1 ? threads : 1))
#endif
  work();
  if (error) std::rethrow_exception(error);
}

}  // namespace sniper

#endif  // SNIPER_CPU_PARALLEL_H_
