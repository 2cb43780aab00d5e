// Functions that are asked for less often: remainders, the hypotenuse, the complement of erf.
#pragma once

#include "vmath_more.h"

namespace mg::MG_ISA {

// Lanes where the quotient has too many digits for fmod's multiply-add, or there is none.
static __attribute__((noinline, unused, cold)) vf fmod_by_lane(vf a, vf b, vf r, vi far) {
  for (int i = 0; i < kF; ++i) {
    if (far[i]) r[i] = ::fmodf(a[i], b[i]);
  }
  return r;
}
static __attribute__((noinline, unused, cold)) vd fmod_by_lane(vd a, vd b, vd r, vl far) {
  for (int i = 0; i < kD; ++i) {
    if (far[i]) r[i] = ::fmod(a[i], b[i]);
  }
  return r;
}

// a - trunc(a / b) b, exact, with a's sign. The rounded quotient may be one too high: then the
// product overshoots, and b comes back. Without a fused multiply-add it is the C library's.
template <class V, class Mask>
MG_INLINE V fmod_as(V a, V b, V most, V largest) {
  const V x = abs(a), y = abs(b);
  V r = x;
  Mask far = (Mask)(x == x) | -1;
#if defined(__FMA__) || defined(__AVX512F__)
  const V n = trunc(x / y);
  r = fma(-n, y, x);
  r = r < V{} ? r + y : r;
  r = r >= y ? r - y : r;
  far = (Mask) ~((Mask)(n < most) & (Mask)(y <= largest) & (Mask)(y > V{}));
#else
  (void)y;
  (void)most;
  (void)largest;
#endif
  r = copy_sign(r, a);
  return MG_UNLIKELY(any(far)) ? fmod_by_lane(a, b, r, far) : r;
}
MG_INLINE vf fmod(vf a, vf b) { return fmod_as<vf, vi>(a, b, set1(0x1p22f), set1(3.0e38f)); }
MG_INLINE vd fmod(vd a, vd b) { return fmod_as<vd, vl>(a, b, set1(0x1p51), set1(1.0e308)); }

// sqrt(a^2 + b^2) without overflow, 2 ulp; infinite if either is, whatever the other one is.
template <class V>
MG_INLINE V hypot(V a, V b) {
  const V x = abs(a), y = abs(b);
  const V top = x > y ? x : y, low = x > y ? y : x;
  const V q = low / top;
  const V r = top * sqrt(fma(q, q, V{} + 1));
  const V infinite = V{} + static_cast<decltype(x[0] + 0)>(__builtin_inf());
  const V plain = top == V{} ? x + y : r;
  return x == infinite ? x : y == infinite ? y : plain;
}

// 1 - erf x, 4 ulp: e^-x^2 P((x - 3) / (x + 3)) / (1 + 2 x) for positive x, x^2 in two parts.
MG_INLINE vd erfc(vd given) {
  vd x = abs(given);
  x = x > 28.0 ? set1(28.0) : x;  // 0 from there on; NaN stays
  const vd u = (x - 3.0) / (x + 3.0);
  vd p = set1(-0x1.1217025d79de2p-28);
  p = fma(p, u, set1(-0x1.131ccaab86fd5p-27));
  p = fma(p, u, set1(0x1.16c0d32fddc74p-25));
  p = fma(p, u, set1(0x1.837197bdde75dp-24));
  p = fma(p, u, set1(-0x1.1943f9299e5cap-23));
  p = fma(p, u, set1(-0x1.4388c0f9e0ebfp-21));
  p = fma(p, u, set1(0x1.7736d1d34ed22p-22));
  p = fma(p, u, set1(0x1.d0ac64cc02d76p-19));
  p = fma(p, u, set1(-0x1.86f25d39676b3p-21));
  p = fma(p, u, set1(-0x1.5126518ba1a08p-16));
  p = fma(p, u, set1(0x1.4c16aeeae02dcp-18));
  p = fma(p, u, set1(0x1.0659667973d43p-13));
  p = fma(p, u, set1(-0x1.b9124522ac4ccp-14));
  p = fma(p, u, set1(-0x1.98db46cbbbd13p-11));
  p = fma(p, u, set1(0x1.ef1bdce1764bfp-10));
  p = fma(p, u, set1(0x1.4b884df5888ffp-9));
  p = fma(p, u, set1(-0x1.8574c40b47e3ap-6));
  p = fma(p, u, set1(0x1.17ca28781a8dfp-4));
  p = fma(p, u, set1(-0x1.e88b803a4ab4bp-4));
  p = fma(p, u, set1(0x1.098366a5b3cabp-3));
  p = fma(p, u, set1(-0x1.85a15c58aa4e7p-5));
  p = fma(p, u, set1(-0x1.15c084bb9e8dcp-3));
  p = fma(p, u, set1(0x1.40c522d7e4987p+0));
  const vd high = (vd)((vl)x & ~0x7ffffffLL);
  const vd rest = (x - high) * (x + high);
  const vd tail = exp(-(high * high)) *
                  fma(rest, fma(rest, rest * (-1.0 / 6) + 0.5, set1(-1.0)), set1(1.0)) *
                  (p / fma(x, set1(2.0), set1(1.0)));
  return given < 0.0 ? 2.0 - tail : tail;
}
// The same for the doubles of floats, 1e-9 of it: x^2 is then exact. With t = 1 / (1 + 0.3 x),
// e^-x^2 t P(t) for positive x; the exponential has no more digits than that.
MG_INLINE vd erfc_of_float(vd given) {
  vd x = abs(given);
  x = x > 10.2 ? set1(10.2) : x;  // less than half the least float; NaN stays
  const vd t = 1.0 / fma(x, set1(0.3), set1(1.0));
  vd p = set1(0x1.c086efba02033p-5);
  p = fma(p, t, set1(-0x1.4eb8c9b1425afp-2));
  p = fma(p, t, set1(0x1.74d375b541358p-1));
  p = fma(p, t, set1(-0x1.a147747786254p-1));
  p = fma(p, t, set1(0x1.7ee72aa2656f2p-1));
  p = fma(p, t, set1(-0x1.10a6bb8c3cda8p-2));
  p = fma(p, t, set1(0x1.0a133abc5e33ap-2));
  p = fma(p, t, set1(0x1.cbe432faedcd8p-4));
  p = fma(p, t, set1(0x1.567ed06908ae7p-3));
  p = fma(p, t, set1(0x1.5989e89330834p-3));
  p = fma(p, t, set1(0x1.5aaf570925ac3p-3));
  const vd y = -(x * x);
  const vd rounded = fma(y, set1(0x1.71547652b82fep+0), set1(kRounder));
  const vd r = fma(rounded - kRounder, set1(-0x1.62e42fefa39efp-1), y);
  vd q = set1(0x1.6ab9793d46944p-10);
  q = fma(q, r, set1(0x1.126d0bf27da58p-7));
  q = fma(q, r, set1(0x1.55589a4d860d1p-5));
  q = fma(q, r, set1(0x1.55540a7dc9227p-3));
  q = fma(q, r, set1(0x1.fffffaaf442c9p-2));
  q = fma(q, r, set1(0x1.0000009c01ac4p+0));
  q = fma(q, r, set1(0x1.000000026155ap+0));
  const vd tail = q * power_of_two(integer_in(rounded)) * (p * t);
  return given < 0.0 ? 2.0 - tail : tail;
}
MG_INLINE vf erfc(vf x) {  // in double arithmetic, 1 ulp
  typedef float half_vector __attribute__((vector_size(kVectorBytes / 2)));
  half_vector part[2];
  __builtin_memcpy(part, &x, sizeof x);
  for (int i = 0; i < 2; ++i) {
    part[i] =
        __builtin_convertvector(erfc_of_float(__builtin_convertvector(part[i], vd)), half_vector);
  }
  __builtin_memcpy(&x, part, sizeof x);
  return x;
}

}  // namespace mg::MG_ISA
