// x^y of float and double vectors: e^(y ln x), the logarithm with as many more bits as the power
// takes away. Include only from csrc/cpu/*.cpp; polynomials are fitted as those of vmath.h.
#pragma once

#include "vmath_more.h"

namespace mg::MG_ISA {

static __attribute__((noinline, unused, cold)) vf pow_by_lane(vf x, vf y, vf result, vi far) {
  for (int i = 0; i < kF; ++i) {
    if (far[i]) result[i] = ::powf(x[i], y[i]);
  }
  return result;
}
static __attribute__((noinline, unused)) vd pow_by_lane(vd x, vd y, vd result, vl far) {
  for (int i = 0; i < kD; ++i) {
    if (far[i]) result[i] = ::pow(x[i], y[i]);
  }
  return result;
}

#if defined(__FMA__) || defined(__AVX512F__)
// What differs between the two types. Q of ln(1 + f) = 2 s + 2/3 s^3 + s^5 Q(s^2).
MG_INLINE vf log_tail(vf z) {
  vf q = set1(0x1.8795bep-3f);
  q = fma(q, z, set1(0x1.c6c0ecp-3f));
  q = fma(q, z, set1(0x1.24928ep-2f));
  return fma(q, z, set1(0x1.99999ap-2f));
}
MG_INLINE vd log_tail(vd z) {
  vd q = set1(0x1.e02d197c00c78p-4);
  q = fma(q, z, set1(0x1.df7ce9a6bcccbp-4));
  q = fma(q, z, set1(0x1.1118c74823a2ep-3));
  q = fma(q, z, set1(0x1.3b1395d4f9e5fp-3));
  q = fma(q, z, set1(0x1.745d177a8f200p-3));
  q = fma(q, z, set1(0x1.c71c71c6eaa8dp-3));
  q = fma(q, z, set1(0x1.2492492492521p-2));
  return fma(q, z, set1(0x1.999999999999ap-2));
}
struct PowF {
  static constexpr float kLn2[2] = {kLn2High, kLn2Low};
  static constexpr float kThird[2] = {0x1.555556p-1f, -0x1.555556p-26f};  // 2/3
  static constexpr float kLeast = -104.0f, kMost = 89.0f;                 // of what e is raised to
};
struct PowD {
  static constexpr double kLn2[2] = {kLn2HighD, kLn2LowD};
  static constexpr double kThird[2] = {0x1.5555555555555p-1, 0x1.5555555555555p-55};
  static constexpr double kLeast = -746.0, kMost = 710.0;
};
MG_INLINE vf exponent_of(const Parts& t) { return __builtin_convertvector(t.e, vf); }
MG_INLINE vd exponent_of(const PartsD& t) { return t.exponent; }
// y 2^n, n as exponential() leaves it.
MG_INLINE vf raised(vf y, vf rounded) { return scale(y, rounded - kRounderF); }
MG_INLINE vd raised(vd y, vd rounded) { return scale(y, rounded); }
// 1 / d, 2 ulp: a division takes as long as half of the rest.
MG_INLINE vf reciprocal(vf d) {
#if defined(__AVX512F__)
  const vf r = (vf)_mm512_rcp14_ps((__m512)d);
  return fma(r, fma(-d, r, set1(1.0f)), r);
#else
  return 1.0f / d;
#endif
}
MG_INLINE vd reciprocal(vd d) {
#if defined(__AVX512F__)
  vd r = (vd)_mm512_rcp14_pd((__m512d)d);
  r = fma(r, fma(-d, r, set1(1.0)), r);
  return fma(r, fma(-d, r, set1(1.0)), r);
#else
  return 1.0 / d;
#endif
}

// x^y of positive normal x, 2 ulp. The logarithm is a sum of two numbers: the first two terms of
// ln(1 + f), s = f / (2 + f), carry what their rounding loses, a product's by a fused multiply-add.
template <class P, class V>
MG_INLINE V pow_positive(V x, V y) {
  const auto t = parts_of(x);
  const V d = t.f + 2;
  const V d_low = t.f - (d - 2);
  const V inverse = reciprocal(d);
  const V s = t.f * inverse;
  const V s_low = (fma(-s, d, t.f) - s * d_low) * inverse;
  const V z = s * s;
  const V z_low = fma(s, s, -z) + (s + s) * s_low;
  const V cube = s * z;
  const V cube_low = fma(s, z, -cube) + fma(s, z_low, s_low * z);
  const V third = cube * P::kThird[0];  // 2/3 s^3
  const V third_low = fma(cube, set1(P::kThird[0]), -third) +
                      fma(cube, set1(P::kThird[1]), cube_low * P::kThird[0]);
  // The sum, greatest part first. exponent ln 2's high part is exact.
  const V exponent = exponent_of(t);
  const V whole = exponent * P::kLn2[0], twice = s + s;
  const V sum = whole + twice;
  const V sum_low = (whole - sum) + twice;
  const V total = sum + third;
  const V total_low = (sum - total) + third;
  const V low =
      fma(cube * z, log_tail(z), third_low + fma(exponent, set1(P::kLn2[1]), s_low + s_low)) +
      (sum_low + total_low);
  const V log_high = total + low;
  const V log_low = (total - log_high) + low;
  // e^(w + w_low), which is 0 or infinite beyond the limits whatever w_low is.
  const V product = y * log_high;
  const V w = min(set1(P::kMost), max(set1(P::kLeast), product));
  const V lost = fma(y, log_high, -product) + y * log_low;
  const V w_low = w == product ? lost : V{};
  const auto power = exponential(w);
  return raised(fma(power.less_one + 1, w_low, power.less_one) + 1, power.rounded);
}
MG_INLINE vf positive_pow(vf x, vf y) { return pow_positive<PowF>(x, y); }
MG_INLINE vd positive_pow(vd x, vd y) { return pow_positive<PowD>(x, y); }
#else  // without a fused multiply-add what rounding loses is not to be had cheaply
// For floats, in double arithmetic: x positive and normal, 1 ulp of a float.
MG_INLINE vd pow_part(vd x, vd y) {
  const PartsD t = parts_of(x);
  const vd s = t.f / (t.f + 2.0);
  const vd z = s * s;
  vd p = set1(0x1.e2f6cb43a0773p-3);
  p = fma(p, z, set1(0x1.2438c6fc3a8d6p-2));
  p = fma(p, z, set1(0x1.999a7b185f701p-2));
  p = fma(p, z, set1(0x1.555554fd1ceddp-1));
  const vd log_m = fma(p * z, s, s + s);
  vd w = y * fma(t.exponent, set1(0x1.62e42fefa39efp-1), log_m);
  w = w > 200.0 ? set1(200.0) : w;
  w = w < -200.0 ? set1(-200.0) : w;
  const vd rounded = fma(w, set1(0x1.71547652b82fep+0), set1(kRounder));
  const vd r = fma(rounded - kRounder, set1(-0x1.62e42fefa39efp-1), w);
  vd q = set1(0x1.a1983f1cb1d81p-13);
  q = fma(q, r, set1(0x1.6d94b94df3da1p-10));
  q = fma(q, r, set1(0x1.1110958f382e5p-7));
  q = fma(q, r, set1(0x1.555482af39399p-5));
  q = fma(q, r, set1(0x1.55555585a6e65p-3));
  q = fma(q, r, set1(0x1.0000004194aeap-1));
  return fma(r * r, q, r + 1.0) * power_of_two(integer_in(rounded));
}
MG_INLINE vf positive_pow(vf x, vf y) {
  typedef float half_vector __attribute__((vector_size(kVectorBytes / 2)));
  half_vector b[2], e[2];
  __builtin_memcpy(b, &x, sizeof x);
  __builtin_memcpy(e, &y, sizeof y);
  for (int i = 0; i < 2; ++i) {
    b[i] = __builtin_convertvector(
        pow_part(__builtin_convertvector(b[i], vd), __builtin_convertvector(e[i], vd)),
        half_vector);
  }
  vf result;
  __builtin_memcpy(&result, b, sizeof result);
  return result;
}

MG_INLINE vd positive_pow(vd x, vd y) { return pow_by_lane(x, y, x, ~vl{}); }
#endif

// x^y of any x and y, as C has it: `least` is the smallest normal number. Infinities, NaNs,
// subnormal bases and exponents beyond 2^60 go through the C library.
template <class V, class Mask>
MG_INLINE V pow_as(V x, V y, V least) {
  const V one = V{} + 1, infinite = V{} + static_cast<decltype(x[0] + 0)>(__builtin_inf());
  const V a = abs(x);
  const Mask finite = (Mask)(abs(y) < V{} + 0x1p60f);
  const Mask plain = (Mask)(a >= least) & (Mask)(a < infinite) & finite;
  V result = positive_pow(plain ? a : one, plain ? y : one);
  if (MG_UNLIKELY(any((Mask) ~((Mask)(x > V{}) & plain)))) {
    const Mask whole = (Mask)(trunc(y) == y);
    const Mask odd = whole & (Mask)(trunc(y * 0.5f) != y * 0.5f);
    const V of_zero = y > V{} ? V{} : y < V{} ? infinite : one;
    const Mask zero = (Mask)(a == V{});
    result = zero ? of_zero : result;
    const Mask negative = (Mask)(copy_sign(one, x) < V{});
    result = (negative & odd) ? -result : result;
    result = (negative & ~whole & ~zero) ? infinite - infinite : result;
    const Mask far = ~(plain | (zero & finite));
    if (MG_UNLIKELY(any(far))) result = pow_by_lane(x, y, result, far);
  }
  return result;
}
MG_INLINE vf pow(vf x, vf y) { return pow_as<vf, vi>(x, y, set1(0x1p-126f)); }
MG_INLINE vd pow(vd x, vd y) { return pow_as<vd, vl>(x, y, set1(0x1p-1022)); }

}  // namespace mg::MG_ISA
