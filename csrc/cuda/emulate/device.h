// CUDA's names for device code, as far as the kernels use them. Barriers, shuffles and votes are
// macros because they note the place in the source.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cuda/emulate/atomic.h"
#include "cuda/emulate/barrier.h"
#include "cuda/emulate/copy.h"
#include "cuda/emulate/matrix.h"
#include "cuda/emulate/scheduler.h"
#include "cuda/emulate/shared.h"

#undef __forceinline__
#define __forceinline__ inline __attribute__((always_inline))
#undef __launch_bounds__
#define __launch_bounds__(...)
#undef __grid_constant__
#define __grid_constant__

#define MG_EMU_SITE (::emu::Site{__FILE__, __LINE__})
// As a default argument: the place of the call (but not of a call of a template).
#define MG_EMU_CALLER (::emu::Site{__builtin_FILE(), __builtin_LINE()})

#define threadIdx (::emu::current->index)
#define blockIdx (::emu::block->index)
#define blockDim (::emu::block->size)
#define gridDim (::emu::block->grid)
#define warpSize 32

#define __syncthreads() ::emu::sync_threads(MG_EMU_SITE)
#define MG_EMU_PICK(a, b, c, d, chosen, ...) chosen
#define __syncwarp \
  ::emu::SyncWarp { MG_EMU_SITE }

#define MG_EMU_SHUFFLE(lane, mask, value, at, width) \
  ::emu::shuffle(mask, value, ::emu::lane(at, width), MG_EMU_SITE)
#define MG_EMU_SHUFFLE_3(lane, mask, value, at) MG_EMU_SHUFFLE(lane, mask, value, at, 32)
#define MG_EMU_SHUFFLE_4(lane, mask, value, at, width) MG_EMU_SHUFFLE(lane, mask, value, at, width)
#define MG_EMU_WITH(lane, ...) \
  MG_EMU_PICK(__VA_ARGS__, MG_EMU_SHUFFLE_4, MG_EMU_SHUFFLE_3, )(lane, __VA_ARGS__)
#define __shfl_sync(...) MG_EMU_WITH(lane_of, __VA_ARGS__)
#define __shfl_xor_sync(...) MG_EMU_WITH(lane_xor, __VA_ARGS__)
#define __shfl_down_sync(...) MG_EMU_WITH(lane_down, __VA_ARGS__)
#define __shfl_up_sync(...) MG_EMU_WITH(lane_up, __VA_ARGS__)

#define __ballot_sync(mask, predicate)                                                       \
  ::emu::combine(static_cast<unsigned>(mask), (predicate) ? 1u << ::emu::current->lane : 0u, \
                 MG_EMU_SITE, ::emu::Or{})
#define __any_sync(mask, predicate) (__ballot_sync(mask, predicate) != 0)
#define __all_sync(mask, predicate) (__ballot_sync(mask, !(predicate)) == 0)
#define __activemask() __activemask_is_not_emulated()
#define __reduce_add_sync(mask, value) ::emu::combine(mask, value, MG_EMU_SITE, ::emu::Add{})
#define __reduce_max_sync(mask, value) ::emu::combine(mask, value, MG_EMU_SITE, ::emu::Max{})
#define __reduce_min_sync(mask, value) ::emu::combine(mask, value, MG_EMU_SITE, ::emu::Min{})

namespace emu {
struct Wait {
  Site site;
  template <int kKeep>
  void for_copies() const {
    async_wait(kKeep, site);
  }
  template <int kKeep>
  void for_products() const {
    warpgroup_wait(kKeep, site);
  }
};
}  // namespace emu

// One thread of the system sees its own writes in order.
inline void __threadfence() {}
inline void __threadfence_block() {}
[[noreturn]] inline void __trap() { ::emu::die("__trap()"); }

template <class T>
T __ldg(const T* p) {
  return *p;
}
template <class T>
T __ldcs(const T* p) {
  return *p;
}
template <class T>
T __ldcg(const T* p) {
  return *p;
}
template <class T>
void __stcs(T* p, T value) {
  *p = value;
}

using std::max;
using std::min;

inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
// The emulation is compiled with -ffp-contract=off.
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
inline int __float_as_int(float x) {
  int i;
  memcpy(&i, &x, sizeof i);
  return i;
}
inline unsigned __float_as_uint(float x) {
  unsigned i;
  memcpy(&i, &x, sizeof i);
  return i;
}
inline float __int_as_float(int i) {
  float x;
  memcpy(&x, &i, sizeof x);
  return x;
}
inline float __uint_as_float(unsigned i) {
  float x;
  memcpy(&x, &i, sizeof x);
  return x;
}
inline long long __double_as_longlong(double x) {
  long long i;
  memcpy(&i, &x, sizeof i);
  return i;
}
inline double __longlong_as_double(long long i) {
  double x;
  memcpy(&x, &i, sizeof x);
  return x;
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((static_cast<uint64_t>(a) * b) >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}
