// Functions of one number for float and double, under one name each; what the C library lacks is
// made of the approximations of csrc/cpu/vmath_gamma.h and vmath_normal.h.
#pragma once

#include <cmath>

#include "cuda/rows.cuh"

namespace mg::cuda {

#define MG_C_FUNCTION(name, single, twice)            \
  MG_DEVICE float name(float x) { return single(x); } \
  MG_DEVICE double name(double x) { return twice(x); }
MG_C_FUNCTION(exp, ::expf, ::exp)
MG_C_FUNCTION(log, ::logf, ::log)
MG_C_FUNCTION(sqrt, ::sqrtf, ::sqrt)
MG_C_FUNCTION(tanh, ::tanhf, ::tanh)
MG_C_FUNCTION(abs, ::fabsf, ::fabs)
MG_C_FUNCTION(floor, ::floorf, ::floor)
MG_C_FUNCTION(ceil, ::ceilf, ::ceil)
MG_C_FUNCTION(round_even, ::rintf, ::rint)
MG_C_FUNCTION(trunc, ::truncf, ::trunc)
MG_C_FUNCTION(erf, ::erff, ::erf)
MG_C_FUNCTION(erfc, ::erfcf, ::erfc)
MG_C_FUNCTION(sin, ::sinf, ::sin)
MG_C_FUNCTION(cos, ::cosf, ::cos)
MG_C_FUNCTION(exp2, ::exp2f, ::exp2)
MG_C_FUNCTION(expm1, ::expm1f, ::expm1)
MG_C_FUNCTION(log1p, ::log1pf, ::log1p)
MG_C_FUNCTION(log2, ::log2f, ::log2)
MG_C_FUNCTION(log10, ::log10f, ::log10)
#undef MG_C_FUNCTION
MG_DEVICE float pow(float a, float b) { return ::powf(a, b); }
MG_DEVICE double pow(double a, double b) { return ::pow(a, b); }
MG_DEVICE float fmod(float a, float b) { return ::fmodf(a, b); }
MG_DEVICE double fmod(double a, double b) { return ::fmod(a, b); }
MG_DEVICE float hypot(float a, float b) { return ::hypotf(a, b); }
MG_DEVICE double hypot(double a, double b) { return ::hypot(a, b); }
MG_DEVICE float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
MG_DEVICE double fma(double a, double b, double c) { return ::fma(a, b, c); }
MG_DEVICE float copy_sign(float x, float sign) { return ::copysignf(x, sign); }
MG_DEVICE double copy_sign(double x, double sign) { return ::copysign(x, sign); }

template <class V>
MG_DEVICE V sigmoid(V x) {
  return V(1) / (exp(-x) + V(1));
}

// 1 + erf(x / sqrt 2), twice the normal distribution's P(x), without cancellation on the left.
template <class V>
MG_DEVICE V twice_normal(V x) {
  return erfc(x * V(-0.70710678118654752440));
}

// ln(1 + e^x) without overflow; NaN stays.
template <class V>
MG_DEVICE V softplus(V x) {
  return (V(0) > x ? V(0) : x) + log1p(exp(-abs(x)));
}

// tanh(ln(1 + e^x)) = w / (w + 2), w = e^x (e^x + 2); 1 from 40 on.
template <class V>
MG_DEVICE V tanh_of_softplus(V x) {
  const V e = exp(x > V(40) ? V(40) : x);
  const V w = e * (e + V(2));
  return w / (w + V(2));
}

// x between two limits; NaN stays, and the upper limit wins.
template <class V>
MG_DEVICE V clip(V x, V low, V high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

// A polynomial with coefficients from the constant upwards.
template <class T, int N>
MG_DEVICE T polynomial(const T (&c)[N], T x) {
  T p = c[N - 1];
#pragma unroll
  for (int i = N - 2; i >= 0; --i) p = fma(p, x, c[i]);
  return p;
}

// The inverse of erf; NaN outside [-1, 1].
MG_DEVICE float erfinv(float given) {
  const float near[] = {1.5014094114303589f,      0.24664027988910675f,    -0.004177392926067114f,
                        -0.0012527264188975096f,  0.00021834939252585173f, -4.972419901605463e-06f,
                        -3.4639851946849376e-06f, 4.681313612309168e-07f,  2.333596782477798e-08f,
                        -8.931926309685423e-09f};
  const float far[] = {2.983417510986328f,     1.0040613412857056f,     0.006666405592113733f,
                       -0.00493655726313591f,  0.0034705186262726784f,  -0.00233822176232934f,
                       0.0012694391189143062f, -0.0003358145186211914f, -0.00015726230049040169f,
                       0.0001165715220849961f};
  const float x = abs(given);
  const float w = -log((1.0f - x) * (1.0f + x));
  float y = x * polynomial(near, w - 2.5f);
  if (!(w <= 5.0f)) y = x == 1.0f ? w : x * polynomial(far, sqrt(w) - 3.15f);
  return copy_sign(y, given);
}
MG_DEVICE double erfinv(double given) {
  const double near[] = {1.6235420064648298,      0.24163040416615905,    -0.005738135221005678,
                         -0.00083618177691675,    0.000195061324412456,   -1.2716422617312405e-05,
                         -1.7480020945201051e-06, 4.4998539698889905e-07, -2.3688728188811973e-08,
                         -5.467157945561063e-09,  1.1107984134177573e-09, -3.143505235354348e-11,
                         -1.732885673295083e-11,  2.7017212257743992e-12, 6.256412280091226e-15,
                         -5.3453823203868285e-14, 6.330296059431081e-15,  3.390495546246428e-16,
                         -1.618298200805512e-16,  7.813585142796021e-18,  2.0076988615638565e-18,
                         -1.669568739098803e-19,  -9.535727879333289e-21};
  const double far[] = {4.092224028955675,      1.009978423539132,       0.0007037280805242315,
                        -0.0006099426281005408, 0.00023543456135948895,  -6.072961074402726e-05,
                        -6.258929990438421e-07, -1.1283529822530646e-05, 1.5458388041145643e-05,
                        -4.18861603815495e-06};
  const double x = abs(given);
  const double w = -log((1.0 - x) * (1.0 + x));
  double y = x * polynomial(near, w - 3.0);
  if (!(w <= 6.0)) {  // a guess within 5e-7, then a step of Halley's method on erfc
    y = x * polynomial(far, sqrt(w) - 4.25);
    const double step = ((1.0 - x) - erfc(y)) * exp(y * y) * 0.88622692545275801365;
    y = x == 1.0 ? w : y - step / fma(y, step, 1.0);
  }
  return copy_sign(y, given);
}

MG_DEVICE float lgamma(float x) { return ::lgammaf(x); }
MG_DEVICE double lgamma(double x) { return ::lgamma(x); }

// The derivative of lgamma: the recurrence up to 10, whose fractions are added as one, then the
// asymptotic series (Bernoulli numbers); below 0 by reflection.
MG_DEVICE double digamma(double x) {
  const double series[] = {0.08333333333333333,   -0.008333333333333333, 0.003968253968253968,
                           -0.004166666666666667, 0.007575757575757576,  -0.021092796092796094,
                           0.08333333333333333,   -0.4432598039215686,   3.0539543302701198,
                           -26.456212121212122};
  if (x == 0.0) return copy_sign(static_cast<double>(INFINITY), -x);
  double y = x < 0.0 ? 1.0 - x : x, top = 0.0, bottom = 1.0;  // the sum of 1 / (y + k)
  for (int k = 0; k < 10 && y < 10.0; ++k) {
    top = fma(top, y, bottom);
    bottom *= y;
    y += 1.0;
  }
  const double r = 1.0 / y, square = r * r;
  double result = log(y) - fma(square, polynomial(series, square), r * 0.5) - top / bottom;
  if (x < 0.0) {
    const double part = (x - round_even(x)) * 3.14159265358979323846;
    result -= 3.14159265358979323846 * (cos(part) / sin(part));
    if (part == 0.0) result = NAN;
  }
  return result;
}
MG_DEVICE float digamma(float x) { return static_cast<float>(digamma(static_cast<double>(x))); }

// The x with P(x) = p, P the normal distribution function, after M. J. Wichura, "Algorithm AS 241"
// (PPND16), Applied Statistics 37 (1988); NaN outside [0, 1].
MG_DEVICE double ndtri(double p) {
  const double q = p - 0.5;
  if (abs(q) <= 0.425) {
    const double top[] = {3.3871328727963665, 133.14166789178438, 1971.5909503065513,
                          13731.69376550946,  45921.95393154987,  67265.7709270087,
                          33430.57558358813,  2509.0809287301227};
    const double bottom[] = {1.0,
                             42.31333070160091,
                             687.1870074920579,
                             5394.196021424751,
                             21213.794301586597,
                             39307.89580009271,
                             28729.085735721943,
                             5226.495278852546};
    const double r = 0.180625 - q * q;
    return q * (polynomial(top, r) / polynomial(bottom, r));
  }
  const double r = sqrt(-log(q < 0.0 ? p : 1.0 - p));
  double y;
  if (r <= 5.0) {
    const double top[] = {1.4234371107496835,   4.630337846156546,    5.769497221460691,
                          3.6478483247632045,   1.2704582524523684,   0.2417807251774506,
                          0.022723844989269184, 0.0007745450142783414};
    const double bottom[] = {1.0,
                             2.053191626637759,
                             1.6763848301838038,
                             0.6897673349851,
                             0.14810397642748008,
                             0.015198666563616457,
                             0.0005475938084995345,
                             1.0507500716444169e-09};
    y = polynomial(top, r - 1.6) / polynomial(bottom, r - 1.6);
  } else {
    const double top[] = {6.657904643501103,      5.463784911164114,     1.7848265399172913,
                          0.29656057182850487,    0.026532189526576124,  0.0012426609473880784,
                          2.7115555687434876e-05, 2.0103343992922881e-07};
    const double bottom[] = {1.0,
                             0.599832206555888,
                             0.1369298809227358,
                             0.014875361290850615,
                             0.0007868691311456133,
                             1.8463183175100548e-05,
                             1.421511758316446e-07,
                             2.0442631033899397e-15};
    y = r > 1e3 ? r : polynomial(top, r - 5.0) / polynomial(bottom, r - 5.0);  // infinite at 0
  }
  return q < 0.0 ? -y : y;  // NaN stays
}
MG_DEVICE float ndtri(float x) { return static_cast<float>(ndtri(static_cast<double>(x))); }

}  // namespace mg::cuda
