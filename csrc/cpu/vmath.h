// Elementary functions of float vectors; those of doubles stand in vmath_double.h. Include only
// from csrc/cpu/*.cpp. Argument reduction and a minimax polynomial each (fitted for this file in
// 40-digit arithmetic); stated errors are against the exact value and hold for all finite
// arguments, results that are subnormal apart. Special values are IEEE's; they are looked for
// first, and set right off the path of ordinary numbers.
#pragma once

#include <math.h>

#include "simd.h"
#include "vmath_double.h"

namespace mg::MG_ISA {

// y 2^n for an integer n that may lead out of the range, as e^x needs it; NaN for n = NaN.
MG_INLINE vf scale(vf y, vf n) {
#if defined(__AVX512F__)
  return (vf)_mm512_scalef_ps((__m512)y, (__m512)n);
#else
  // Two factors, neither of which leaves the range. NaN gives any n, and y is NaN.
  const vi k = __builtin_convertvector(n == n ? n : vf{}, vi);
  const vi half_k = k >> 1;
  return y * (vf)((half_k + 127) << 23) * (vf)((k - half_k + 127) << 23);
#endif
}

// x, but at least `low` and at most `high`; NaN stays.
MG_INLINE vf within(vf x, float low, float high) {
#if defined(__AVX512F__)
  return (vf)_mm512_max_ps(_mm512_set1_ps(low), _mm512_min_ps(_mm512_set1_ps(high), (__m512)x));
#elif defined(__AVX2__)
  return (vf)_mm256_max_ps(_mm256_set1_ps(low), _mm256_min_ps(_mm256_set1_ps(high), (__m256)x));
#else
  return max(set1(low), min(set1(high), x));
#endif
}

constexpr float kRounderF = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
constexpr float kLn2High = 0x1.62e4p-1f, kLn2Low = 1.42860677e-6f;

// e^r - 1 for |r| <= ln 2 / 2.
MG_INLINE vf less_one(vf r) {
  vf q = set1(0x1.6db4e4p-10f);
  q = fma(q, r, set1(0x1.123bep-7f));
  q = fma(q, r, set1(0x1.55545ep-5f));
  q = fma(q, r, set1(0x1.55548ep-3f));
  q = fma(q, r, set1(0.5f));
  return fma(r * r, q, r);
}

// x = n ln 2 + r with |r| <= ln 2 / 2, and e^r - 1.
struct ExponentialF {
  vf rounded;  // n + kRounderF
  vf less_one;
};
MG_INLINE ExponentialF exponential(vf x) {
  const vf rounded = fma(x, set1(1.44269504f), set1(kRounderF));
  const vf n = rounded - kRounderF;
  vf r = fma(n, set1(-kLn2High), x);
  r = fma(n, set1(-kLn2Low), r);
  return {rounded, less_one(r)};
}
// The integer in what kRounderF was added to; anything for NaN.
MG_INLINE vi integer_in(vf rounded) { return (vi)((vu)rounded - (vu)set1(kRounderF)); }
MG_INLINE vf power_of_two(vi k) { return (vf)(((vu)k + 127) << 23); }

// e^x for -104 <= x <= 89 or NaN, 1 ulp.
MG_INLINE vf exp_within(vf x) {
  const ExponentialF t = exponential(x);
  return scale(t.less_one + 1.0f, t.rounded - kRounderF);
}

// e^x, 1 ulp. Beyond the limits the result is infinite or zero; NaN stays.
MG_INLINE vf exp(vf x) { return exp_within(within(x, -104.0f, 89.0f)); }

// x = 2^e m of a positive normal finite number, m in [sqrt(1/2), sqrt(2)).
struct Parts {
  vf f;  // m - 1
  vi e;
};
MG_INLINE Parts parts_of(vf x) {
  const vu bits = (vu)x;
  const vi e = (vi)(bits - 0x3f3504f3u) >> 23;
  return {(vf)(bits - ((vu)e << 23)) - 1.0f, e};
}

// ln(1 + f) + exponent ln 2, 1 ulp, with s = f / (2 + f). `low`: exponent times the low part of
// ln 2, and whatever else is as small.
MG_INLINE vf log_from(vf f, vf exponent, vf low) {
  const vf s = f / (f + 2.0f);
  const vf z = s * s;
  vf p = set1(0.23670303f);
  p = fma(p, z, set1(0.28531986f));
  p = fma(p, z, set1(0.40000435f));
  p = fma(p, z, set1(0.66666665f));
  const vf half_square = 0.5f * f * f;
  const vf tail = fma(s, fma(p, z, half_square), low);
  return fma(exponent, set1(kLn2High), f - (half_square - tail));
}

// ln x of any x: what log() leaves to it, apart so that it stays out of the way.
static __attribute__((noinline, unused, cold)) vf log_of_any(vf x) {
  const vi given = (vi)x;
  // A subnormal's bits are an integer k with x = k 2^-149.
  const vi tiny = (given > 0) & (given < 0x00800000);
  const Parts t = parts_of(tiny ? __builtin_convertvector(given, vf) : x);
  const vf exponent = __builtin_convertvector(t.e, vf) - (tiny ? set1(149.0f) : vf{});
  vf y = log_from(t.f, exponent, exponent * kLn2Low);
  y = given == 0x7f800000 ? x : y;
  y = given < 0 ? set1(__builtin_nanf("")) : y;
  y = (given & 0x7fffffff) == 0 ? set1(-__builtin_inff()) : y;
  return x == x ? y : x;
}

// The lanes that are anything but positive, normal and finite, by their bits.
MG_INLINE vi odd_lanes(vf x) { return (vi)(((vu)x - 0x00800000u) >= 0x7f000000u); }

// ln x, 1 ulp.
MG_INLINE vf log(vf x) {
  if (MG_UNLIKELY(any(odd_lanes(x)))) return log_of_any(x);
  const Parts t = parts_of(x);
  const vf exponent = __builtin_convertvector(t.e, vf);
  return log_from(t.f, exponent, exponent * kLn2Low);
}

// e^x - 1, 2 ulp. 2^n (e^r - 1) + (2^n - 1), x = n ln 2 + r.
MG_INLINE vf expm1(vf x) {
  const vf given = x;
  x = x > 88.7f ? set1(88.7f) : x;
  x = x < -25.0f ? set1(-25.0f) : x;  // -1 to the last bit
  const ExponentialF t = exponential(x);
  const vf half_scale = power_of_two(integer_in(t.rounded) - 1);  // 2^128 is no float
  const vf result = fma(t.less_one, half_scale, half_scale - 0.5f) * 2.0f;
  return given > 88.72284f ? set1(__builtin_inff()) : given == 0.0f ? given : result;
}

// tanh x, 3 ulp. With E = e^-2|x|: (1 - E) / (1 + E) near 0, where 1 - E comes without cancellation
// from e^r - 1, and 1 - 2 E / (1 + E) further out, where that is exact to the last bit.
MG_INLINE vf tanh(vf x) {
  const vf a = abs(x);
  vf u = a * -2.0f;
  u = u < -25.0f ? set1(-25.0f) : u;
  const ExponentialF t = exponential(u);
  const vf power = power_of_two(integer_in(t.rounded));
  const vf e = fma(t.less_one, power, power);
  const vf below = fma(t.less_one, -power, 1.0f - power);  // 1 - E
  const vf f = (a > 0.55f ? e + e : below) / (e + 1.0f);
  const vf v = a > 0.55f ? 1.0f - f : f;
  return (vf)((vi)v | ((vi)x & set1(static_cast<int32_t>(0x80000000))));
}

// 1 / (1 + e^-x), 3 ulp.
MG_INLINE vf sigmoid(vf x) { return 1.0f / (exp(-x) + 1.0f); }

}  // namespace mg::MG_ISA
