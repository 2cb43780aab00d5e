// Flushing of denormals to zero while kernels run: they cost a hundred cycles each otherwise.
// Only for code compiled once (bindings and runtime); kernels need not know.
#pragma once

#include <atomic>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mg {

// The thread's floating-point control register.
#if defined(__x86_64__)
using FpControl = uint32_t;
constexpr FpControl kFlushDenormal = 0x8040;  // flush-to-zero and denormals-are-zero
inline FpControl fp_control() { return _mm_getcsr(); }
inline void set_fp_control(FpControl value) { _mm_setcsr(value); }
#elif defined(__aarch64__)
using FpControl = uint64_t;
constexpr FpControl kFlushDenormal = 1u << 24;  // FPCR.FZ
inline FpControl fp_control() {
  FpControl value;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
inline void set_fp_control(FpControl value) { asm volatile("msr fpcr, %0" ::"r"(value)); }
#else
using FpControl = uint32_t;
constexpr FpControl kFlushDenormal = 0;
inline FpControl fp_control() { return 0; }
inline void set_fp_control(FpControl) {}
#endif

inline std::atomic<bool> g_flush_denormal{true};

// Sets the switch's choice for its lifetime and restores what the caller had. Threads of the pool
// take over the register of the thread that called parallel_for.
class DenormalGuard {
 public:
  DenormalGuard() : saved_(fp_control()) {
    const bool flush = g_flush_denormal.load(std::memory_order_relaxed);
    const FpControl wanted = flush ? saved_ | kFlushDenormal : saved_ & ~kFlushDenormal;
    changed_ = wanted != saved_;
    if (changed_) set_fp_control(wanted);
  }
  ~DenormalGuard() {
    if (changed_) set_fp_control(saved_);
  }
  DenormalGuard(const DenormalGuard&) = delete;
  DenormalGuard& operator=(const DenormalGuard&) = delete;

 private:
  FpControl saved_;
  bool changed_;
};

}  // namespace mg
