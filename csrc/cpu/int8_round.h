// From sums and real numbers to small integers: what the int8 products and quantize share.
#pragma once

#include "kernels/quantize.h"
#include "simd.h"

namespace mg::MG_ISA {

typedef uint8_t vbytes __attribute__((vector_size(kF)));
typedef int8_t vsbytes __attribute__((vector_size(kF)));
typedef int16_t vshorts __attribute__((vector_size(2 * kF)));

// To nearest even; |x| < 2^31.
MG_INLINE vi round_to_int(vf x) {
#if defined(__AVX512F__)
  return (vi)_mm512_cvtps_epi32((__m512)x);
#elif defined(__AVX2__)
  return (vi)_mm256_cvtps_epi32((__m256)x);
#elif defined(__SSE2__)
  return (vi)_mm_cvtps_epi32((__m128)x);
#else
  vi r;
  for (int i = 0; i < kF; ++i) r[i] = static_cast<int32_t>(__builtin_nearbyintf(x[i]));
  return r;
#endif
}

MG_INLINE void store_narrow(uint8_t* p, vi v) {
  const vbytes b = __builtin_convertvector(v, vbytes);
  __builtin_memcpy(p, &b, sizeof b);
}
MG_INLINE void store_narrow(int8_t* p, vi v) {
  const vsbytes b = __builtin_convertvector(v, vsbytes);
  __builtin_memcpy(p, &b, sizeof b);
}
MG_INLINE void store_narrow(int16_t* p, vi v) {
  const vshorts b = __builtin_convertvector(v, vshorts);
  __builtin_memcpy(p, &b, sizeof b);
}

// round(x * inverse + zero) in [low, high]. Bounds hold before rounding as well as after; NaN gives
// the lower one.
struct Rounding {
  vf inverse, zero, low, high;
};
MG_INLINE Rounding rounding_of(const Grid& g) {
  return {set1(1 / g.scale), set1(static_cast<float>(g.zero)), set1(static_cast<float>(g.low)),
          set1(static_cast<float>(g.high))};
}
MG_INLINE vi rounded(vf x, const Rounding& r) {
  return round_to_int(min(max(fma(x, r.inverse, r.zero), r.low), r.high));
}

template <class Out>
MG_INLINE void quantize_row(Out* out, const float* x, int64_t n, const Grid& grid) {
  const Rounding r = rounding_of(grid);
  int64_t i = 0;
  for (; i + kF <= n; i += kF) store_narrow(out + i, rounded(load(x + i), r));
  if (i < n) {
    Out rest[kF];
    store_narrow(rest, rounded(load_partial(x + i, n - i), r));
    for (int64_t j = i; j < n; ++j) out[j] = rest[j - i];
  }
}

// The least and the largest of a row and 0, and NaN in result[2] if any is not finite.
MG_INLINE void row_range(float* result, const float* x, int64_t n) {
  vf least = {}, largest = {}, bad = {};
  int64_t i = 0;
  for (; i + kF <= n; i += kF) {
    const vf v = load(x + i);
    least = min(v, least), largest = max(v, largest), bad += v - v;
  }
  if (i < n) {
    const vf v = load_partial(x + i, n - i);
    least = min(v, least), largest = max(v, largest), bad += v - v;
  }
  float low = 0, high = 0, sum = 0;
  for (int j = 0; j < kF; ++j) {
    low = least[j] < low ? least[j] : low;
    high = largest[j] > high ? largest[j] : high;
    sum += bad[j];
  }
  result[0] = low, result[1] = high, result[2] = sum;
}

}  // namespace mg::MG_ISA
