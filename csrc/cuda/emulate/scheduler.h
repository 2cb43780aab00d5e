// Runs a launch: block after block, the threads of a block as fibers on one thread of the system.
//
// The order is chosen to break kernels that lack a barrier: the first thread that can run (in a
// fixed order of warps, then lanes) runs as far as barriers allow before any other gets a turn.
// MG_EMU_ORDER, or set_order, chooses the order: fwd, rev (blocks from the last one too) or
// rand:SEED.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cuda/emulate/fiber.h"

namespace emu {

constexpr int kWarp = 32;
constexpr int kMaxThreads = 1024;
constexpr int kMaxWarps = kMaxThreads / kWarp;
constexpr size_t kSharedBytes = 227
                                << 10;  // what a block may have at most (compute capability 9.0)

enum class Order { kForward, kReverse, kRandom };

// What a thread waits for.
enum class State : uint8_t { kReady, kBarrier, kCollective, kSpin, kDone };

struct AsyncCopy;         // of copy.h
struct WarpgroupProduct;  // of matrix.h

// A place in the source, for messages; barriers compare it.
struct Site {
  const char* file;
  int line;
};

struct Thread {
  Thread();
  ~Thread();

  Context context;
  uint3 index{};
  int id = 0;
  int lane = 0;
  State state = State::kDone;
  Site site{};
  int barrier = 0;                   // with kBarrier: its number; 0 is __syncthreads
  unsigned mask = 0;                 // with kCollective: the lanes that take part
  const void* collective = nullptr;  // and which one it is
  uint64_t in[8]{}, out[8]{};        // what a collective takes from and gives to this thread
  char* released_by = nullptr;       // see `release` in fiber.h
  std::vector<AsyncCopy> copies;
  std::vector<WarpgroupProduct> products;
  int open_copies = 0, open_products = 0;  // groups closed so far: the one that is open
};

struct Block {
  dim3 grid, size;
  uint3 index{};
  const char* kernel = "?";
  int threads = 0;
  int live = 0;        // threads that have not ended
  int at_barrier = 0;  // threads in __syncthreads
  Thread thread[kMaxThreads];
  Context launcher;
  std::function<void()> body;
  size_t dynamic_shared = 0;

  // Marks for ThreadSanitizer, two a barrier: a thread that runs ahead uses the other one.
  char start_mark, end_mark, barrier_mark[2], warp_mark[kMaxWarps], done_mark[kMaxWarps][4];
  char warpgroup_mark[kMaxWarps / 4][2];
  unsigned barriers_passed = 0, collectives_done[kMaxWarps]{};
};

extern thread_local Block* block;     // the one that runs
extern thread_local Thread* current;  // its thread that runs

// Prints what is wrong and where every thread stands, and ends the process.
[[noreturn]] void die(const char* what);

void set_order(const std::string& order);  // throws std::invalid_argument
Order order();
unsigned random_below(unsigned n);  // from the seed of rand:SEED

void set_state(Thread& thread, State state);
void run_others();     // returns once the current thread can go on
void shuffle_warps();  // a new order of warps, where it is random
// For polling loops: lets others run first.
void spin();
// Whether a __syncthreads is complete; lets its threads go on if so.
void check_block_barrier();
// Called when no thread can run: may let something land, and says whether it did. Set by copy.cpp.
extern bool (*let_something_land)();

cudaError_t run(dim3 grid, dim3 size, size_t dynamic_shared, const char* kernel,
                std::function<void()> body);

template <class... Parameters, class... Arguments>
cudaError_t launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 size,
                   size_t dynamic_shared, cudaStream_t, Arguments... arguments) {
  return run(grid, size, dynamic_shared, name, [=] { kernel(arguments...); });
}

}  // namespace emu
