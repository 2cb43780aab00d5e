// From sums and real numbers to small integers: what the int8 products and quantize share.
#pragma once

#include "kernels/quantize.h"
#include "simd.h"

namespace mg::MG_ISA {

// kF small integers as int32.
MG_INLINE vi load_wide(const uint8_t* p) {
#if defined(__AVX512F__)
  return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#elif defined(__AVX2__)
  return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
#elif defined(__SSE4_1__)
  return (vi)_mm_cvtepu8_epi32(_mm_cvtsi32_si128(load_as<int32_t>(p)));
#else
  vi v;
  for (int i = 0; i < kF; ++i) v[i] = p[i];
  return v;
#endif
}
MG_INLINE vi load_wide(const int8_t* p) {
#if defined(__AVX512F__)
  return (vi)_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#elif defined(__AVX2__)
  return (vi)_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
#elif defined(__SSE4_1__)
  return (vi)_mm_cvtepi8_epi32(_mm_cvtsi32_si128(load_as<int32_t>(p)));
#else
  vi v;
  for (int i = 0; i < kF; ++i) v[i] = p[i];
  return v;
#endif
}

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

// The low bits of kF integers, which fit.
MG_INLINE void store_narrow(int16_t* p, vi v) {
#if defined(__AVX512F__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16((__m512i)v));
#elif defined(__AVX2__)
  const __m256i pairs = _mm256_packs_epi32((__m256i)v, (__m256i)v);  // within halves
  const __m256i all = _mm256_permute4x64_epi64(pairs, 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(all));
#elif defined(__SSE2__)
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi32((__m128i)v, (__m128i)v));
#else
  for (int i = 0; i < kF; ++i) p[i] = static_cast<int16_t>(v[i]);
#endif
}
MG_INLINE void store_narrow(uint8_t* p, vi v) {
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8((__m512i)v));
#else
  int16_t wide[kF];
  store_narrow(wide, v);
#if defined(__AVX2__)
  const __m128i w = _mm_loadu_si128(reinterpret_cast<const __m128i*>(wide));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(w, w));
#else
  for (int i = 0; i < kF; ++i) p[i] = static_cast<uint8_t>(wide[i]);
#endif
#endif
}
MG_INLINE void store_narrow(int8_t* p, vi v) {
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8((__m512i)v));
#else
  int16_t wide[kF];
  store_narrow(wide, v);
#if defined(__AVX2__)
  const __m128i w = _mm_loadu_si128(reinterpret_cast<const __m128i*>(wide));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(w, w));
#else
  for (int i = 0; i < kF; ++i) p[i] = static_cast<int8_t>(wide[i]);
#endif
#endif
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
