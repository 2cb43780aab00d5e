// A lock that is held for nanoseconds, can be tried, and can be reset in the child of a fork.
#pragma once

#include <sched.h>

#include <atomic>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mg {

inline void pause_cpu() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class SpinLock {
 public:
  bool try_lock() { return !held_.exchange(true, std::memory_order_acquire); }
  void lock() {
    for (int spins = 0; !try_lock(); ++spins) {
      if (spins < 64) {
        pause_cpu();
      } else {
        sched_yield();  // the holder may have lost its core
      }
    }
  }
  void unlock() { held_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> held_{false};
};

}  // namespace mg
