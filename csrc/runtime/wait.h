// Sleeping on a 32-bit word until it changes: a futex on Linux, a condition variable elsewhere.
#pragma once

#include <atomic>
#include <cstdint>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <condition_variable>
#include <mutex>
#endif

namespace mg {

#if defined(__linux__)

// Returns when woken, when the word is not `value`, or for no reason: callers loop.
inline void wait_while_equal(std::atomic<uint32_t>& word, uint32_t value) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}
inline void wake(std::atomic<uint32_t>& word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

#else

struct Parking {
  std::mutex mutex;
  std::condition_variable changed;
};
inline Parking& parking() {
  static Parking* const instance = new Parking;  // outlives every thread
  return *instance;
}
inline void wait_while_equal(std::atomic<uint32_t>& word, uint32_t value) {
  std::unique_lock<std::mutex> lock(parking().mutex);
  if (word.load() == value) parking().changed.wait(lock);
}
inline void wake(std::atomic<uint32_t>&, int) {
  std::lock_guard<std::mutex> lock(parking().mutex);
  parking().changed.notify_all();
}

#endif

}  // namespace mg
