// Elementary functions of double vectors, as vmath.h has them for floats: argument reduction and a
// minimax polynomial each, fitted in 60-digit arithmetic. Include vmath.h or vmath_more.h.
// Stated errors hold for all finite arguments, results that are subnormal apart.
#pragma once

#include <math.h>

#include "simd.h"

namespace mg::MG_ISA {

constexpr double kRounder = 0x1.8p52;  // adding it rounds to an integer, which the low bits hold
constexpr double kLn2HighD = 0x1.62e42fefa0000p-1, kLn2LowD = 0x1.cf79abc9e3b3ap-40;

MG_INLINE vd abs(vd a) { return (vd)((vl)a & 0x7fffffffffffffffLL); }
MG_INLINE vd copy_sign(vd magnitude, vd sign) {
  const vl mask = vl{} + (int64_t{1} << 63);
  return (vd)(((vl)magnitude & ~mask) | ((vl)sign & mask));
}
// Patterns of bits are added and subtracted as unsigned numbers: those of NaN and of negative
// numbers, which are set right afterwards, may wrap around.
// The integer in what kRounder was added to; anything for NaN.
MG_INLINE vl integer_in(vd rounded) { return (vl)((vul)rounded - (vul)set1(kRounder)); }
MG_INLINE vd power_of_two(vl k) { return (vd)(((vul)k + 1023) << 52); }

// x = n ln 2 + r with |r| <= ln 2 / 2, and e^r - 1.
struct Exponential {
  vd rounded;  // n + kRounder
  vd less_one;
};
MG_INLINE Exponential exponential(vd x) {
  const vd rounded = fma(x, set1(0x1.71547652b82fep+0), set1(kRounder));
  const vd n = rounded - kRounder;
  vd r = fma(n, set1(-kLn2HighD), x);
  r = fma(n, set1(-kLn2LowD), r);
  vd q = set1(0x1.af7bc33a71092p-26);
  q = fma(q, r, set1(0x1.28b080ccc1d93p-22));
  q = fma(q, r, set1(0x1.71dde639a4113p-19));
  q = fma(q, r, set1(0x1.a0199649c0f21p-16));
  q = fma(q, r, set1(0x1.a01a01b7da358p-13));
  q = fma(q, r, set1(0x1.6c16c185ca506p-10));
  q = fma(q, r, set1(0x1.111111110dfcap-7));
  q = fma(q, r, set1(0x1.555555554ff4ep-5));
  q = fma(q, r, set1(0x1.555555555555ep-3));
  q = fma(q, r, set1(0x1.000000000000cp-1));
  return {rounded, fma(r * r, q, r)};
}

// y 2^n, where n may lead out of the range.
MG_INLINE vd scale(vd y, vd rounded) {
#if defined(__AVX512F__)
  return (vd)_mm512_scalef_pd((__m512d)y, (__m512d)(rounded - kRounder));
#else
  const vul k = (vul)integer_in(rounded);  // two factors, neither of which leaves the range
  const vul half_k = ((k + 4096) >> 1) - 2048;
  return y * power_of_two((vl)half_k) * power_of_two((vl)(k - half_k));
#endif
}

// e^x for -746 <= x <= 710 or NaN, 1 ulp.
MG_INLINE vd exp_within(vd x) {
  const Exponential t = exponential(x);
  return scale(t.less_one + 1.0, t.rounded);
}

// e^x, 1 ulp.
MG_INLINE vd exp(vd x) {
  x = x > 710.0 ? set1(710.0) : x;
  x = x < -746.0 ? set1(-746.0) : x;
  return exp_within(x);
}

// e^x - 1, 2 ulp.
MG_INLINE vd expm1(vd given) {
  vd x = given > 709.75 ? set1(709.75) : given;
  x = x < -45.0 ? set1(-45.0) : x;  // -1 to the last bit
  const Exponential t = exponential(x);
  const vd half_scale = power_of_two(integer_in(t.rounded) - 1);  // 2^1024 is no double
  const vd result = fma(t.less_one, half_scale, half_scale - 0.5) * 2.0;
  if (MG_UNLIKELY(any((vl)(given > 709.75)))) {
    return given > 709.75 ? exp(given) : given == 0.0 ? given : result;
  }
  return given == 0.0 ? given : result;
}

// tanh x, 3 ulp, as the float form.
MG_INLINE vd tanh(vd x) {
  const vd a = abs(x);
  vd u = a * -2.0;
  u = u < -45.0 ? set1(-45.0) : u;
  const Exponential t = exponential(u);
  const vd power = power_of_two(integer_in(t.rounded));
  const vd e = fma(t.less_one, power, power);
  const vd below = fma(t.less_one, -power, 1.0 - power);  // 1 - E
  const vd f = (a > 0.55 ? e + e : below) / (e + 1.0);
  return copy_sign(a > 0.55 ? 1.0 - f : f, x);
}

// 1 / (1 + e^-x), 3 ulp.
MG_INLINE vd sigmoid(vd x) { return 1.0 / (exp(-x) + 1.0); }

// x = 2^e m of a positive normal finite number, m in [sqrt(1/2), sqrt(2)).
struct PartsD {
  vd f;         // m - 1
  vd exponent;  // e
  vl e;
};
MG_INLINE PartsD parts_of(vd x) {
  const vul bits = (vul)x;
  const vul biased = (bits - 0x3fe6a09e667f3bcdULL + (1023ULL << 52)) >> 52;
  const vul e = biased - 1023;
  return {(vd)(bits - (e << 52)) - 1.0, (vd)(biased | 0x4330000000000000ULL) - (0x1p52 + 1023),
          (vl)e};
}

// ln(1 + f) + exponent ln 2, 1 ulp; `low` as in the float form.
MG_INLINE vd log_from(vd f, vd exponent, vd low) {
  const vd s = f / (f + 2.0);
  const vd z = s * s;
  vd p = set1(0x1.2f0860e58be26p-3);
  p = fma(p, z, set1(0x1.39a166f8ff345p-3));
  p = fma(p, z, set1(0x1.7466428e056aep-3));
  p = fma(p, z, set1(0x1.c71c51f4db30ap-3));
  p = fma(p, z, set1(0x1.249249420f60bp-2));
  p = fma(p, z, set1(0x1.999999997fb05p-2));
  p = fma(p, z, set1(0x1.5555555555593p-1));
  const vd half_square = 0.5 * f * f;
  const vd tail = fma(s, fma(p, z, half_square), low);
  return fma(exponent, set1(kLn2HighD), f - (half_square - tail));
}

// ln x of any x.
static __attribute__((noinline, unused, cold)) vd log_of_any(vd x) {
  const vl given = (vl)x;
  // A subnormal's bits are an integer k with x = k 2^-1074.
  const vl tiny = (given > 0) & (given < 0x0010000000000000LL);
  const PartsD t = parts_of(tiny ? __builtin_convertvector(given, vd) : x);
  const vd exponent = t.exponent - (tiny ? set1(1074.0) : vd{});
  vd y = log_from(t.f, exponent, exponent * kLn2LowD);
  y = given == 0x7ff0000000000000LL ? x : y;
  y = given < 0 ? set1(__builtin_nan("")) : y;
  y = (given & 0x7fffffffffffffffLL) == 0 ? set1(-__builtin_inf()) : y;
  return x == x ? y : x;
}

// The lanes that are anything but positive, normal and finite.
MG_INLINE vl odd_lanes(vd x) { return ~((vl)(x >= 0x1p-1022) & (vl)(x < __builtin_inf())); }

// ln x, 1 ulp.
MG_INLINE vd log(vd x) {
  if (MG_UNLIKELY(any(odd_lanes(x)))) return log_of_any(x);
  const PartsD t = parts_of(x);
  return log_from(t.f, t.exponent, t.exponent * kLn2LowD);
}

// ln(1 + x), 2 ulp: of u = 1 + x rounded, and what the rounding lost over u.
MG_INLINE vd log1p(vd x) {
  const vd u = x + 1.0;
  const vd lost = x - (u - 1.0);
  const PartsD t = parts_of(u);
  const vl down = t.e > 1022 ? vl{} + 1022 : t.e;  // nothing is lost up there
  const vd carry = lost * power_of_two(-down) * (1.0 - t.f);
  vd y = log_from(t.f, t.exponent, fma(t.exponent, set1(kLn2LowD), carry));
  const vl odd = odd_lanes(u);
  if (MG_UNLIKELY(any(odd))) y = odd ? log_of_any(u) : y;
  return x == 0.0 ? x : y;
}

// ln(1 + x) for 0 <= x <= 1, 1 ulp; anything for NaN.
MG_INLINE vd log1p_unit(vd x) {
  const vd s = x / (x + 2.0);
  const vd z = s * s;
  vd p = set1(0x1.51479348f2426p-3);
  p = fma(p, z, set1(0x1.1e74b7b554094p-4));
  p = fma(p, z, set1(0x1.c171b2baf33dap-4));
  p = fma(p, z, set1(0x1.dfe25646f0d0cp-4));
  p = fma(p, z, set1(0x1.11234994fecc3p-3));
  p = fma(p, z, set1(0x1.3b12d59cd6e13p-3));
  p = fma(p, z, set1(0x1.745d1e056a3e7p-3));
  p = fma(p, z, set1(0x1.c71c71a5d0004p-3));
  p = fma(p, z, set1(0x1.24924924c1eebp-2));
  p = fma(p, z, set1(0x1.999999999955cp-2));
  p = fma(p, z, set1(0x1.5555555555556p-1));
  const vd half_square = 0.5 * x * x;
  return x - (half_square - s * fma(p, z, half_square));
}

// Base 2 and 10, 2 ulp.
MG_INLINE vd log2(vd x) { return log(x) * 0x1.71547652b82fep+0; }
MG_INLINE vd log10(vd x) { return log(x) * 0x1.bcb7b1526e50ep-2; }

// 2^x, 2 ulp.
MG_INLINE vd exp2(vd x) {
  x = x > 1025.0 ? set1(1025.0) : x;
  x = x < -1078.0 ? set1(-1078.0) : x;
  const vd rounded = x + kRounder;
  const vd fraction = x - (rounded - kRounder);
  return scale(exponential(fraction * 0x1.62e42fefa39efp-1).less_one + 1.0, rounded);
}

// erf x, 2 ulp. x + x P(x^2) below 15/16, 1 - e^-Q(|x|) above, which is 1 from 6 on.
MG_INLINE vd erf(vd x) {
  const vd a = abs(x);
  const vd z = x * x;
  vd p = set1(-0x1.c4d8f0bd8d87fp-31);
  p = fma(p, z, set1(0x1.dee5b3a71dd2cp-27));
  p = fma(p, z, set1(-0x1.5d11c181bce45p-23));
  p = fma(p, z, set1(0x1.b9a8162b7f36ep-20));
  p = fma(p, z, set1(-0x1.f4ce134aa1308p-17));
  p = fma(p, z, set1(0x1.f9a2f4c39312cp-14));
  p = fma(p, z, set1(-0x1.c02db27bfaf09p-11));
  p = fma(p, z, set1(0x1.565bcd06f80d5p-8));
  p = fma(p, z, set1(-0x1.b82ce3125d861p-6));
  p = fma(p, z, set1(0x1.ce2f21a0423cap-4));
  p = fma(p, z, set1(-0x1.812746b0379ddp-2));
  p = fma(p, z, set1(0x1.06eba8214db68p-3));
  const vd small = fma(x, p, x);
  const vd t = a > 6.0 ? set1(6.0) : a;  // NaN stays
  vd q = set1(-0x1.5974d163082bep-40);
  q = fma(q, t, set1(0x1.e726e2440c27fp-35));
  q = fma(q, t, set1(-0x1.419d310f64f31p-30));
  q = fma(q, t, set1(0x1.07ec0251c7fe8p-26));
  q = fma(q, t, set1(-0x1.2d029aacd7649p-23));
  q = fma(q, t, set1(0x1.f845425b666e7p-21));
  q = fma(q, t, set1(-0x1.3e3948ab83ddfp-18));
  q = fma(q, t, set1(0x1.2e710d3bee503p-16));
  q = fma(q, t, set1(-0x1.9e63e83cb2673p-15));
  q = fma(q, t, set1(0x1.5124e0b3ec7dbp-14));
  q = fma(q, t, set1(0x1.bc01fd000cd75p-16));
  q = fma(q, t, set1(-0x1.421b4648eb679p-11));
  q = fma(q, t, set1(0x1.c79f0ec20f7dcp-10));
  q = fma(q, t, set1(-0x1.08e4e09d5fb19p-12));
  q = fma(q, t, set1(-0x1.38e3e54436ad6p-6));
  q = fma(q, t, set1(0x1.a4e4763bf8479p-4));
  q = fma(q, t, set1(0x1.45f3b94281f61p-1));
  q = fma(q, t, set1(0x1.20dd6292ba440p+0));
  q = fma(q, t, set1(0x1.c26354a99eadfp-24));
  const vd large = copy_sign(1.0 - exp_within(-q), x);
  return a < 0.9375 ? small : large;
}
MG_INLINE vd twice_normal(vd x) { return erf(x * 0.70710678118654752440) + 1; }

// sin (quarter = 0) and cos (quarter = 1), 2 ulp. x - n pi/2 in three parts, of which two multiply
// exactly; larger arguments go through the C library.
MG_INLINE vd sine(vd x, int64_t quarter) {
  const vd rounded = fma(x, set1(0x1.45f306dc9c883p-1), set1(kRounder));
  const vd n = rounded - kRounder;
  vd r = fma(n, set1(-0x1.921fb54400000p+0), x);
  r = fma(n, set1(-0x1.0b4611a600000p-34), r);
  r = fma(n, set1(-0x1.3198a2e037073p-69), r);
  const vd z = r * r;
  vd s = set1(0x1.5d92ecec519c7p-33);
  s = fma(s, z, set1(-0x1.ae5e65b69011dp-26));
  s = fma(s, z, set1(0x1.71de357699611p-19));
  s = fma(s, z, set1(-0x1.a01a019c0f7b3p-13));
  s = fma(s, z, set1(0x1.111111110f85dp-7));
  s = fma(s, z, set1(-0x1.5555555555549p-3));
  s = fma(r * z, s, r);
  vd c = set1(-0x1.8fb07dbf2ca25p-37);
  c = fma(c, z, set1(0x1.1ee9ef58d9c0fp-29));
  c = fma(c, z, set1(-0x1.27e4f80e9b564p-22));
  c = fma(c, z, set1(0x1.a01a019cb7775p-16));
  c = fma(c, z, set1(-0x1.6c16c16c151aep-10));
  c = fma(c, z, set1(0x1.555555555554cp-5));
  c = fma(z * z, c, fma(z, set1(-0.5), set1(1.0)));
  const vl k = integer_in(rounded) + quarter;
  vd y = (k & 1) != 0 ? c : s;
  y = (vd)((vl)y ^ ((k & 2) << 62));
  const vl far = abs(x) > 1e6;  // false for NaN, whose r and y are NaN
  if (MG_UNLIKELY(any(far))) {
    for (int i = 0; i < kD; ++i) {
      if (far[i]) y[i] = quarter ? ::cos(x[i]) : ::sin(x[i]);
    }
  }
  return y;
}
MG_INLINE vd sin(vd x) {
  const vd y = sine(x, 0);
  return x == 0.0 ? x : y;
}
MG_INLINE vd cos(vd x) { return sine(x, 1); }

}  // namespace mg::MG_ISA
