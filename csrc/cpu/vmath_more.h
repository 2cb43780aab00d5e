// Further functions of vectors, on top of vmath.h: error function, sine, powers and the activations
// of neural networks. Include only from csrc/cpu/*.cpp.
// Polynomials are minimax fits made for this file in 40-digit arithmetic. Errors of the float forms
// are stated for all finite arguments, subnormal results apart.
#pragma once

#include "vmath.h"

namespace mg::MG_ISA {

MG_INLINE vf copy_sign(vf magnitude, vf sign) {
  const vi mask = set1(static_cast<int32_t>(0x80000000));
  return (vf)(((vi)magnitude & ~mask) | ((vi)sign & mask));
}

// erf x, 2 ulp. x + x P(x^2) below 15/16, 1 - e^-Q(|x|) above, which is 1 from 4 on.
MG_INLINE vf erf(vf x) {
  const vf a = abs(x);
  const vf z = x * x;
  vf p = set1(0x1.5bfbaap-14f);
  p = fma(p, z, set1(-0x1.aa068ep-11f));
  p = fma(p, z, set1(0x1.54c2cap-8f));
  p = fma(p, z, set1(-0x1.b80e30p-6f));
  p = fma(p, z, set1(0x1.ce2e06p-4f));
  p = fma(p, z, set1(-0x1.812742p-2f));
  p = fma(p, z, set1(0x1.06eba8p-3f));
  const vf small = fma(x, p, x);
  const vf t = a > 4.0f ? set1(4.0f) : a;  // NaN stays
  vf q = set1(0x1.65745ap-16f);
  q = fma(q, t, set1(-0x1.ca20fcp-12f));
  q = fma(q, t, set1(0x1.1221e4p-8f));
  q = fma(q, t, set1(-0x1.9c11ecp-6f));
  q = fma(q, t, set1(0x1.bbb6dcp-4f));
  q = fma(q, t, set1(0x1.44403cp-1f));
  q = fma(q, t, set1(0x1.212956p+0f));
  q = fma(q, t, set1(-0x1.77fa02p-13f));
  const vf large = copy_sign(1.0f - exp_within(-q), x);
  return a < 0.9375f ? small : large;
}

// 1 + erf(x / sqrt 2), twice the normal distribution's P(x), to 1e-8 of 1 and without cancellation
// on the left: e = e^-Q(|x| / sqrt 2) or 2 - e.
MG_INLINE vf twice_normal(vf x) {
  vf t = abs(x) * 0.707106781f;
  t = t > 5.5f ? set1(5.5f) : t;
  vf q = set1(-0x1.0dc9b6p-17f);
  q = fma(q, t, set1(0x1.bc8f42p-14f));
  q = fma(q, t, set1(-0x1.342df2p-11f));
  q = fma(q, t, set1(0x1.9d4192p-10f));
  q = fma(q, t, set1(-0x1.e9dd74p-15f));
  q = fma(q, t, set1(-0x1.3adbaep-6f));
  q = fma(q, t, set1(0x1.a510e6p-4f));
  q = fma(q, t, set1(0x1.45f28cp-1f));
  q = fma(q, t, set1(0x1.20dd78p+0f));
  const vf near = exp_within(-(q * t));
  const vf e = t >= 5.5f ? vf{} : near;  // 1e-14: less than a unit of 1
  return x < 0.0f ? e : 2.0f - e;
}

// ln(1 + x), 2 ulp: of u = 1 + x rounded, and what the rounding lost over u.
MG_INLINE vf log1p(vf x) {
  const vf u = x + 1.0f;
  const vf lost = x - (u - 1.0f);
  const Parts t = parts_of(u);
  const vi down = t.e > 126 ? set1(126) : t.e;  // nothing is lost up there
  const vf carry = lost * (vf)((127 - down) << 23) * (1.0f - t.f);
  const vf exponent = __builtin_convertvector(t.e, vf);
  vf y = log_from(t.f, exponent, fma(exponent, set1(kLn2Low), carry));
  const vi odd = odd_lanes(u);
  if (MG_UNLIKELY(any(odd))) y = odd ? log_of_any(u) : y;
  return x == 0.0f ? x : y;
}

// ln(1 + x) for 0 <= x <= 1, 1 ulp; anything for NaN.
MG_INLINE vf log1p_unit(vf x) {
  const vf s = x / (x + 2.0f);
  const vf z = s * s;
  vf p = set1(0x1.f1c69cp-3f);
  p = fma(p, z, set1(0x1.b6cf72p-3f));
  p = fma(p, z, set1(0x1.2509d4p-2f));
  p = fma(p, z, set1(0x1.9996a4p-2f));
  p = fma(p, z, set1(0x1.555558p-1f));
  const vf half_square = 0.5f * x * x;
  return x - (half_square - s * fma(p, z, half_square));
}

// ln(1 + e^x), 2 ulp, without overflow; NaN stays.
template <class V>
MG_INLINE V softplus(V x) {
  const V high = V{} > x ? V{} : x;
  return high + log1p_unit(exp(-abs(x)));
}

// tanh(ln(1 + e^x)) = w / (w + 2), w = e^x (e^x + 2); 1 from 40 on.
template <class V>
MG_INLINE V tanh_of_softplus(V x) {
  const V e = exp(x > V{} + 40 ? V{} + 40 : x);
  const V w = e * (e + 2);
  return w / (w + 2);
}

// Base 2 and 10, 2 ulp.
MG_INLINE vf log2(vf x) { return log(x) * 1.44269504f; }
MG_INLINE vf log10(vf x) { return log(x) * 0.434294482f; }

// 2^x, 2 ulp.
MG_INLINE vf exp2(vf x) {
  x = x > 129.0f ? set1(129.0f) : x;
  x = x < -151.0f ? set1(-151.0f) : x;
  const vf n = (x + kRounderF) - kRounderF;
  const vf r = (x - n) * 0.693147181f;
  return scale(less_one(r) + 1.0f, n);
}

// sin (quarter = 0) and cos (quarter = 1), 2 ulp (of 1 near zeros). x - n pi/2 in three parts as
// long as they are exact enough; larger arguments go through the C library.
MG_INLINE vf sine(vf x, int32_t quarter) {
  const vf rounded = fma(x, set1(0.636619772f), set1(kRounderF));
  const vf n = rounded - kRounderF;
  vf r = fma(n, set1(-0x1.92p+0f), x);
  r = fma(n, set1(-0x1.fb4p-12f), r);
  r = fma(n, set1(-0x1.4442d2p-24f), r);
  const vf z = r * r;
  vf s = set1(0x1.6ccbb4p-19f);
  s = fma(s, z, set1(-0x1.a00f68p-13f));
  s = fma(s, z, set1(0x1.111108p-7f));
  s = fma(s, z, set1(-0x1.555556p-3f));
  s = fma(r * z, s, r);
  vf c = set1(-0x1.24217cp-22f);
  c = fma(c, z, set1(0x1.a010f4p-16f));
  c = fma(c, z, set1(-0x1.6c16b8p-10f));
  c = fma(c, z, set1(0x1.555556p-5f));
  c = fma(z * z, c, fma(z, set1(-0.5f), set1(1.0f)));
  const vi k = integer_in(rounded) + quarter;
  vf y = (k & 1) != 0 ? c : s;
  y = (vf)((vi)y ^ ((k & 2) << 30));
  const vi far = abs(x) > 8192.0f;  // false for NaN, whose n, r and y are NaN
  if (MG_UNLIKELY(any(far))) {
    for (int i = 0; i < kF; ++i) {
      if (far[i]) y[i] = quarter ? ::cosf(x[i]) : ::sinf(x[i]);
    }
  }
  return y;
}
MG_INLINE vf sin(vf x) {
  const vf y = sine(x, 0);
  return x == 0.0f ? x : y;
}
MG_INLINE vf cos(vf x) { return sine(x, 1); }

#define MG_ROUNDING(name, mode512, builtin)                              \
  MG_INLINE vf name(vf x) { return MG_ROUND_F(x, mode512, builtin##f); } \
  MG_INLINE vd name(vd x) { return MG_ROUND_D(x, mode512, builtin); }
#if defined(__AVX512F__)
#define MG_ROUND_F(x, mode, builtin) (vf) _mm512_roundscale_ps((__m512)x, mode)
#define MG_ROUND_D(x, mode, builtin) (vd) _mm512_roundscale_pd((__m512d)x, mode)
#elif defined(__AVX2__)
#define MG_ROUND_F(x, mode, builtin) (vf) _mm256_round_ps((__m256)x, mode)
#define MG_ROUND_D(x, mode, builtin) (vd) _mm256_round_pd((__m256d)x, mode)
#elif defined(__SSE4_1__)
#define MG_ROUND_F(x, mode, builtin) (vf) _mm_round_ps((__m128)x, mode)
#define MG_ROUND_D(x, mode, builtin) (vd) _mm_round_pd((__m128d)x, mode)
#else
#define MG_ROUND_F(x, mode, builtin)                     \
  ({                                                     \
    vf v_ = x;                                           \
    for (int i = 0; i < kF; ++i) v_[i] = builtin(v_[i]); \
    v_;                                                  \
  })
#define MG_ROUND_D(x, mode, builtin)                     \
  ({                                                     \
    vd v_ = x;                                           \
    for (int i = 0; i < kD; ++i) v_[i] = builtin(v_[i]); \
    v_;                                                  \
  })
#endif
MG_ROUNDING(round_even, 8, __builtin_rint)
MG_ROUNDING(floor, 9, __builtin_floor)
MG_ROUNDING(ceil, 10, __builtin_ceil)
MG_ROUNDING(trunc, 11, __builtin_trunc)
#undef MG_ROUNDING
#undef MG_ROUND_F
#undef MG_ROUND_D

}  // namespace mg::MG_ISA
