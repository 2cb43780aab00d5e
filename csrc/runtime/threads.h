// The thread pool. Work is cut into chunks whose size never depends on the number of threads, so
// that what a kernel computes does not either.
#pragma once

#include <cstdint>

namespace mg {

// Calls fn(ctx, begin, end) for [0, grain), [grain, 2 grain) ... up to n, in any order and from
// several threads, and returns when all are done. begin / grain is the index of the chunk: partial
// results go to a slot of that number and are combined afterwards in order. fn must not throw.
// Runs on the caller alone, chunk by chunk, when called from inside a chunk or while another
// thread is using the pool.
void parallel_for(int64_t n, int64_t grain, void (*fn)(void* ctx, int64_t begin, int64_t end),
                  void* ctx);

// The one copy of a body's code: inlined where it is called alone, it would be compiled twice.
template <class Body>
__attribute__((noinline, noclone)) static void run_chunk(void* body, int64_t begin, int64_t end) {
  (*static_cast<Body*>(body))(begin, end);
}

// The same for a callable body(begin, end). `static`: each instruction set keeps its own copy.
template <class Body>
static inline void parallel_for(int64_t n, int64_t grain, const Body& body) {
  void* const at = const_cast<void*>(static_cast<const void*>(&body));
  if (n > grain) {
    parallel_for(n, grain, run_chunk<const Body>, at);
  } else if (n > 0) {
    run_chunk<const Body>(at, 0, n);
  }
}

constexpr int kMaxThreads = 1024;

// Threads that a call may use, the caller included.
int get_num_threads();
void set_num_threads(int count);  // from 1 to kMaxThreads; takes effect at the next call
int default_num_threads();        // physical cores among the CPUs that this process may use

// Registers the fork handlers; call once, after threads' lower floors have done so.
void init_threads();

}  // namespace mg
