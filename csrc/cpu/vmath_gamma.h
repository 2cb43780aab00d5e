// The gamma function's logarithm, its derivative, and the inverse of the error function.
// Polynomials are interpolations at Chebyshev nodes made for this file in 50-digit arithmetic; the
// asymptotic series have Bernoulli numbers. float forms of the gamma functions use doubles.
#pragma once

#include "vmath_rare.h"

namespace mg::MG_ISA {

// A polynomial with coefficients from the constant upwards.
template <class T, int N, class V>
MG_INLINE V polynomial(const T (&c)[N], V x) {
  V p = set1(c[N - 1]);
#pragma GCC unroll 32
  for (int i = N - 2; i >= 0; --i) p = fma(p, x, set1(c[i]));
  return p;
}

// erfinv(x) / x in powers of w - 3, with w = -ln(1 - x^2) up to 6, and of sqrt(w) - 4.25 beyond.
constexpr double kErfinv[] = {
    1.6235420064648298,      0.24163040416615905,    -0.005738135221005678,
    -0.00083618177691675,    0.000195061324412456,   -1.2716422617312405e-05,
    -1.7480020945201051e-06, 4.4998539698889905e-07, -2.3688728188811973e-08,
    -5.467157945561063e-09,  1.1107984134177573e-09, -3.143505235354348e-11,
    -1.732885673295083e-11,  2.7017212257743992e-12, 6.256412280091226e-15,
    -5.3453823203868285e-14, 6.330296059431081e-15,  3.390495546246428e-16,
    -1.618298200805512e-16,  7.813585142796021e-18,  2.0076988615638565e-18,
    -1.669568739098803e-19,  -9.535727879333289e-21};
constexpr double kErfinvTail[] = {
    4.092224028955675,      1.009978423539132,      0.0007037280805242315,  -0.0006099426281005408,
    0.00023543456135948895, -6.072961074402726e-05, -6.258929990438421e-07, -1.1283529822530646e-05,
    1.5458388041145643e-05, -4.18861603815495e-06};
// The same for floats: w - 2.5 up to 5, sqrt(w) - 3.15 beyond.
constexpr float kErfinvShort[] = {1.5014094114303589f,      0.24664027988910675f,
                                  -0.004177392926067114f,   -0.0012527264188975096f,
                                  0.00021834939252585173f,  -4.972419901605463e-06f,
                                  -3.4639851946849376e-06f, 4.681313612309168e-07f,
                                  2.333596782477798e-08f,   -8.931926309685423e-09f};
constexpr float kErfinvShortTail[] = {2.983417510986328f,       1.0040613412857056f,
                                      0.006666405592113733f,    -0.00493655726313591f,
                                      0.0034705186262726784f,   -0.00233822176232934f,
                                      0.0012694391189143062f,   -0.0003358145186211914f,
                                      -0.00015726230049040169f, 0.0001165715220849961f};

// Where |x| is near 1: a guess within 5e-7, then a step of Halley's method on erfc.
static __attribute__((noinline, unused, cold)) vd erfinv_tail(vd x, vd w) {
  const vd y = x * polynomial(kErfinvTail, sqrt(w) - 4.25);
  const vd error = (1.0 - x) - erfc(y);
  const vd step = error * exp(y * y) * 0.88622692545275801365;
  const vd better = y - step / fma(y, step, set1(1.0));
  return x == 1.0 ? w : better;  // w is infinite there, NaN beyond
}

// The inverse of erf, 4 ulp; NaN outside [-1, 1].
MG_INLINE vd erfinv(vd given) {
  const vd x = abs(given);
  const vd w = -log((1.0 - x) * (1.0 + x));
  vd y = x * polynomial(kErfinv, w - 3.0);
  const vl far = ~(vl)(w <= 6.0);
  if (MG_UNLIKELY(any(far))) y = far ? erfinv_tail(x, w) : y;
  return copy_sign(y, given);
}
MG_INLINE vf erfinv(vf given) {
  const vf x = abs(given);
  const vf w = -log((1.0f - x) * (1.0f + x));
  vf y = x * polynomial(kErfinvShort, w - 2.5f);
  const vi far = ~(vi)(w <= 5.0f);
  if (MG_UNLIKELY(any(far))) {
    const vf tail = x * polynomial(kErfinvShortTail, sqrt(w) - 3.15f);
    y = far ? (x == 1.0f ? w : tail) : y;
  }
  return copy_sign(y, given);
}

// lgamma(2 + z) / z in powers of z, for |z| <= 1/2.
constexpr double kLgamma[] = {
    0.42278433509846713,     0.3224670334241132,    -0.06735230105319809,    0.020580808427784546,
    -0.0073855510286741114,  0.0028905103307415836, -0.0011927539116954181,  0.0005096695247392805,
    -0.00022315475870367355, 9.945751290176889e-05, -4.492623209360517e-05,  2.05072105479096e-05,
    -9.439541921024715e-06,  4.374892520636031e-06, -2.0388192484564222e-06, 9.549510392959532e-07,
    -4.511181191016309e-07,  2.129692727315228e-07, -9.501416425423385e-08,  4.509983567521808e-08,
    -3.1314285360886705e-08, 1.4963573191192003e-08};
// B_2k / (2k (2k - 1)): the asymptotic series of lgamma, in odd powers of 1/x.
constexpr double kStirling[] = {
    0.08333333333333333,   -0.002777777777777778,  0.0007936507936507937, -0.0005952380952380953,
    0.0008417508417508417, -0.0019175269175269176, 0.00641025641025641,   -0.029550653594771242,
    0.17964437236883057,   -1.3924322169059011};
// B_2k / 2k: the asymptotic series of digamma, in powers of 1/x^2.
constexpr double kDigamma[] = {0.08333333333333333,   -0.008333333333333333, 0.003968253968253968,
                               -0.004166666666666667, 0.007575757575757576,  -0.021092796092796094,
                               0.08333333333333333,   -0.4432598039215686,   3.0539543302701198,
                               -26.456212121212122};

// ln |gamma(x)| for negative x from `mirrored`, that of -x: pi / (x sin(pi x)) and the recurrence.
static __attribute__((noinline, unused, cold)) vd lgamma_negative(vd y, vd mirrored) {
  const vd sine = abs(sin((y - round_even(y)) * 3.14159265358979323846));
  const vd r = 1.14472988584940017414 - log(y) - log(sine) - mirrored;
  return sine == 0.0 ? set1(static_cast<double>(__builtin_inf())) : r;
}

// ln |gamma(x)|, 1e-15 of the larger of 1 and itself; long, so called and not inlined. Up to 8 a
// polynomial around 2, moved by the recurrence: z P(z) + ln((x - 1) ... (x - n)) or less;
// Stirling's series from 8 on.
static __attribute__((noinline, unused)) vd lgamma(vd x) {
  const vd infinity = set1(static_cast<double>(__builtin_inf()));
  const vd y = abs(x);
  const vl large = (vl)(y >= 8.0);
  vd z = y < 0.5 ? y : y < 1.5 ? y - 1.0 : y - 2.0;
  vd product = y < 0.5 ? y * (y + 1.0) : y < 1.5 ? y : set1(1.0);
#pragma GCC unroll 6
  for (int k = 1; k <= 6; ++k) {
    const vl above = (vl)(y > k + 1.5);
    product = above ? product * (y - k) : product;
    z = above ? y - (k + 2.0) : z;
  }
  const vd l = log(large ? y : product);
  const vd small = fma(z, polynomial(kLgamma, z), y < 1.5 ? -l : l);
  vd result = small;
  if (any(large)) {
    const vd r = 1.0 / y;
    const vd series = r * polynomial(kStirling, r * r);
    const vd big = fma(y, l - 1.0, fma(l, set1(-0.5), series + 0.91893853320467274178));
    result = large ? big : small;
  }
  const vl negative = (vl)(x < 0.0);
  if (MG_UNLIKELY(any(negative))) result = negative ? lgamma_negative(y, result) : result;
  return y == infinity ? infinity : result;
}

// The derivative of lgamma, 1e-15 of the larger of 1 and itself: the recurrence up to 10, whose
// fractions are added as one, then the asymptotic series; below 0 by reflection.
static __attribute__((noinline, unused)) vd digamma(vd x) {
  const vl negative = (vl)(x < 0.0);
  vd y = negative ? 1.0 - x : x;
  vd top = vd{}, bottom = set1(1.0);  // the sum of 1 / (y + k)
#pragma GCC unroll 10
  for (int k = 0; k < 10; ++k) {
    const vl below = (vl)(y < 10.0);
    top = below ? fma(top, y, bottom) : top;
    bottom = below ? bottom * y : bottom;
    y = below ? y + 1.0 : y;
  }
  const vd r = 1.0 / y;
  const vd square = r * r;
  vd result = log(y) - fma(square, polynomial(kDigamma, square), r * 0.5) - top / bottom;
  if (MG_UNLIKELY(any(negative))) {
    const vd part = (x - round_even(x)) * 3.14159265358979323846;
    const vd mirrored = result - 3.14159265358979323846 * (cos(part) / sin(part));
    const vd nan = set1(static_cast<double>(__builtin_nan("")));
    result = negative ? (part == 0.0 ? nan : mirrored) : result;
  }
  return x == 0.0 ? copy_sign(set1(static_cast<double>(__builtin_inf())), -x) : result;
}

// The float form of a function of doubles.
#define MG_BY_DOUBLES(function)                                                                 \
  MG_INLINE vf function(vf x) {                                                                 \
    typedef float half_vector __attribute__((vector_size(kVectorBytes / 2)));                   \
    half_vector part[2];                                                                        \
    __builtin_memcpy(part, &x, sizeof x);                                                       \
    for (int i = 0; i < 2; ++i) {                                                               \
      part[i] =                                                                                 \
          __builtin_convertvector(function(__builtin_convertvector(part[i], vd)), half_vector); \
    }                                                                                           \
    __builtin_memcpy(&x, part, sizeof x);                                                       \
    return x;                                                                                   \
  }
MG_BY_DOUBLES(lgamma)
MG_BY_DOUBLES(digamma)
#undef MG_BY_DOUBLES

}  // namespace mg::MG_ISA
