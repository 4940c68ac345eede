// The fibers behind emulation.h.
#include "emulation.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace sniper {
namespace emulation {
namespace {

const size_t kStackBytes = 256 * 1024;
const unsigned int kMaxThreads = 1024;

// What sm_70 offers a block. sm_75 has 64 KB: there a launch that asks for more fails.
const size_t kMaxSharedBytes = 96 * 1024;

const int kWarp = 32;

enum class Wait { kNothing, kBlock, kWarp };

// A stack that runs threads one after the other for as long as none of them waits. The first switch to it takes
// ucontext's slow way, all others setjmp's, which makes no system call.
struct Fiber {
  ucontext_t entry;
  jmp_buf resume;
  bool started = false;
  void* stack = nullptr;
  unsigned int thread = 0;
  Wait wait = Wait::kNothing;
  int line = 0;

  Fiber() {
    stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) throw std::bad_alloc();
  }
  ~Fiber() { munmap(stack, kStackBytes); }
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
};

struct Warp {
  uint64_t values[2][kWarp];
  unsigned int present[2];
  int turn;  // which of the two the next exchange writes: the last one's values are still being read
};

struct Machine {
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Fiber*> idle, waiting;
  std::vector<Warp> warps;
  std::vector<unsigned char> shared;
  jmp_buf scheduler;
  Fiber* running = nullptr;
  const std::function<void()>* body = nullptr;
  unsigned int threads = 0, begun = 0, finished = 0;
  unsigned int turns = 0;  // so many threads may begin: those of the warps whose turn has come
  std::exception_ptr error;
  bool reverse = false;
};

Machine machine;
std::mutex machine_lock;

void set_thread(unsigned int thread) {
  threadIdx = dim3(thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / (blockDim.x * blockDim.y));
}

// Warps and the lanes within them in ascending or descending order.
unsigned int thread_of_turn(unsigned int turn) { return machine.reverse ? machine.threads - 1 - turn : turn; }

void to_scheduler() {
  if (_setjmp(machine.running->resume) == 0) _longjmp(machine.scheduler, 1);
}

void fiber_main() {
  for (;;) {
    while (machine.begun < machine.turns && !machine.error) {
      machine.running->thread = thread_of_turn(machine.begun++);
      set_thread(machine.running->thread);
      try {
        (*machine.body)();
      } catch (...) {
        machine.error = std::current_exception();
      }
      ++machine.finished;
    }
    machine.idle.push_back(machine.running);
    to_scheduler();
  }
}

void switch_to(Fiber* fiber) {
  machine.running = fiber;
  if (_setjmp(machine.scheduler) != 0) return;
  if (fiber->started) _longjmp(fiber->resume, 1);
  fiber->started = true;
  getcontext(&fiber->entry);
  fiber->entry.uc_stack.ss_sp = fiber->stack;
  fiber->entry.uc_stack.ss_size = kStackBytes;
  fiber->entry.uc_link = nullptr;
  makecontext(&fiber->entry, fiber_main, 0);
  setcontext(&fiber->entry);
}

Fiber* idle_fiber() {
  if (machine.idle.empty()) {
    machine.fibers.emplace_back(new Fiber);
    machine.idle.push_back(machine.fibers.back().get());
  }
  Fiber* fiber = machine.idle.back();
  machine.idle.pop_back();
  return fiber;
}

void wait_for(Wait what, int line) {
  Fiber* fiber = machine.running;
  fiber->wait = what;
  fiber->line = line;
  machine.waiting.push_back(fiber);
  to_scheduler();
  set_thread(fiber->thread);
}

std::string place(unsigned int thread) {
  return "thread " + std::to_string(thread) + " of block (" + std::to_string(blockIdx.x) + ", " +
         std::to_string(blockIdx.y) + ", " + std::to_string(blockIdx.z) + ")";
}

// True if all threads of the block wait at the block's barrier, which then opens.
bool open_block_barrier() {
  Fiber* first = machine.waiting.front();
  for (const Fiber* fiber : machine.waiting) {
    if (fiber->wait != Wait::kBlock) return false;
  }
  if (machine.finished > 0) {
    throw std::runtime_error(place(first->thread) + " waits at __syncthreads in line " + std::to_string(first->line) +
                             ", but " + std::to_string(machine.finished) + " threads have left the kernel");
  }
  for (const Fiber* fiber : machine.waiting) {
    if (fiber->line == first->line) continue;
    throw std::runtime_error(place(first->thread) + " waits at __syncthreads in line " + std::to_string(first->line) +
                             ", thread " + std::to_string(fiber->thread) + " in line " + std::to_string(fiber->line));
  }
  for (Fiber* fiber : machine.waiting) fiber->wait = Wait::kNothing;
  return true;
}

// Opens the warp's own barrier if all its threads wait there; those that ended do not count.
bool open_warp_barrier(unsigned int warp) {
  int there = 0;
  for (const Fiber* fiber : machine.waiting) {
    if (fiber->thread / kWarp != warp) continue;
    if (fiber->wait != Wait::kWarp) return false;
    ++there;
  }
  if (there == 0) return false;
  for (Fiber* fiber : machine.waiting) {
    if (fiber->thread / kWarp == warp) fiber->wait = Wait::kNothing;
  }
  machine.warps[warp].turn ^= 1;
  machine.warps[warp].present[machine.warps[warp].turn] = 0;
  return true;
}

// Lets the threads of a warp go on that may.
void resume_warp(unsigned int warp) {
  std::vector<Fiber*> ready, still;
  for (Fiber* fiber : machine.waiting) {
    (fiber->thread / kWarp == warp && fiber->wait == Wait::kNothing ? ready : still).push_back(fiber);
  }
  machine.waiting.swap(still);
  for (Fiber* fiber : ready) {
    switch_to(fiber);
    if (machine.error) return;
  }
}

// A warp goes as far as it can before the next one moves, which is what finds a barrier missing between warps.
void run_warp(unsigned int warp) {
  do {
    resume_warp(warp);
  } while (!machine.error && open_warp_barrier(warp));
}

void run_block(unsigned int threads) {
  machine.threads = threads;
  machine.begun = machine.turns = machine.finished = 0;
  machine.waiting.clear();
  machine.warps.assign((threads + kWarp - 1) / kWarp, Warp());
  std::fill(machine.shared.begin(), machine.shared.end(), 0xcd);
  while (machine.turns < threads && !machine.error) {
    const unsigned int warp = thread_of_turn(machine.turns) / kWarp;
    while (machine.turns < threads && thread_of_turn(machine.turns) / kWarp == warp) ++machine.turns;
    while (machine.begun < machine.turns && !machine.error) switch_to(idle_fiber());
    if (!machine.waiting.empty()) run_warp(warp);
  }
  while (!machine.waiting.empty() && !machine.error) {
    if (!open_block_barrier()) {
      throw std::runtime_error(place(machine.waiting.front()->thread) + " waits at a barrier that others never reach");
    }
    const unsigned int warps = static_cast<unsigned int>(machine.warps.size());
    for (unsigned int i = 0; i < warps && !machine.error; ++i) run_warp(machine.reverse ? warps - 1 - i : i);
  }
}

// Fibers left in the middle of a kernel cannot go on: they are thrown away.
void discard_fibers() {
  machine.idle.clear();
  machine.waiting.clear();
  machine.fibers.clear();
}

void check_launch(dim3 grid, dim3 block, size_t shared_bytes) {
  const uint64_t threads = static_cast<uint64_t>(block.x) * block.y * block.z;
  if (threads == 0 || threads > kMaxThreads || block.z > 64) {
    throw std::runtime_error("a block of " + std::to_string(threads) + " threads, 1 to 1024 are possible");
  }
  if (grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535) throw std::runtime_error("the grid is too large");
  if (shared_bytes > kMaxSharedBytes) {
    throw std::runtime_error(std::to_string(shared_bytes) + " bytes of shared memory, at most " +
                             std::to_string(kMaxSharedBytes) + " are possible");
  }
}

}  // namespace

void run_grid(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& body) {
  std::lock_guard<std::mutex> hold(machine_lock);
  const uint64_t blocks = static_cast<uint64_t>(grid.x) * grid.y * grid.z;
  if (blocks == 0) return;
  check_launch(grid, block, shared_bytes);
  machine.body = &body;
  machine.shared.resize(shared_bytes);
  machine.error = nullptr;
  gridDim = grid;
  blockDim = block;
  try {
    for (uint64_t turn = 0; turn < blocks && !machine.error; ++turn) {
      const uint64_t i = machine.reverse ? blocks - 1 - turn : turn;
      blockIdx = dim3(static_cast<unsigned int>(i % grid.x), static_cast<unsigned int>(i / grid.x % grid.y),
                      static_cast<unsigned int>(i / grid.x / grid.y));
      run_block(block.x * block.y * block.z);
    }
  } catch (...) {
    discard_fibers();
    throw;
  }
  if (!machine.error) return;
  const std::exception_ptr error = machine.error;
  discard_fibers();
  std::rethrow_exception(error);
}

void set_reverse(bool reverse) { machine.reverse = reverse; }

void* dynamic_shared() { return machine.shared.data(); }

void block_barrier(int line) { wait_for(Wait::kBlock, line); }

int lane() { return static_cast<int>(machine.running->thread % kWarp); }

WarpValues warp_exchange(uint64_t value) {
  Warp& warp = machine.warps[machine.running->thread / kWarp];
  const int turn = warp.turn;
  warp.values[turn][lane()] = value;
  warp.present[turn] |= 1u << lane();
  wait_for(Wait::kWarp, 0);
  return WarpValues{warp.values[turn], warp.present[turn]};
}

}  // namespace emulation
}  // namespace sniper
