// The inverse of the normal distribution function, after M. J. Wichura, "Algorithm AS 241"
// (PPND16), Applied Statistics 37 (1988): three quotients of polynomials.
#pragma once

#include "vmath_gamma.h"

namespace mg::MG_ISA {

constexpr double kCentreP[] = {3.3871328727963665, 133.14166789178438, 1971.5909503065513,
                               13731.69376550946,  45921.95393154987,  67265.7709270087,
                               33430.57558358813,  2509.0809287301227};
constexpr double kCentreQ[] = {1.0,
                               42.31333070160091,
                               687.1870074920579,
                               5394.196021424751,
                               21213.794301586597,
                               39307.89580009271,
                               28729.085735721943,
                               5226.495278852546};
constexpr double kNearP[] = {1.4234371107496835,   4.630337846156546,    5.769497221460691,
                             3.6478483247632045,   1.2704582524523684,   0.2417807251774506,
                             0.022723844989269184, 0.0007745450142783414};
constexpr double kNearQ[] = {1.0,
                             2.053191626637759,
                             1.6763848301838038,
                             0.6897673349851,
                             0.14810397642748008,
                             0.015198666563616457,
                             0.0005475938084995345,
                             1.0507500716444169e-09};
constexpr double kFarP[] = {6.657904643501103,      5.463784911164114,     1.7848265399172913,
                            0.29656057182850487,    0.026532189526576124,  0.0012426609473880784,
                            2.7115555687434876e-05, 2.0103343992922881e-07};
constexpr double kFarQ[] = {1.0,
                            0.599832206555888,
                            0.1369298809227358,
                            0.014875361290850615,
                            0.0007868691311456133,
                            1.8463183175100548e-05,
                            1.421511758316446e-07,
                            2.0442631033899397e-15};

// Where p is not within 0.425 of 1/2; the negative half.
static __attribute__((noinline, unused)) vd ndtri_tail(vd p) {
  const vd r = sqrt(-log(p));
  const vd near = r - 1.6, far = r - 5.0;
  vd y = polynomial(kNearP, near) / polynomial(kNearQ, near);
  const vl beyond = (vl)(r > 5.0);
  if (MG_UNLIKELY(any(beyond))) {
    const vd z = polynomial(kFarP, far) / polynomial(kFarQ, far);
    y = beyond ? (r > 1e3 ? r : z) : y;  // infinite at 0
  }
  return -y;
}

// The x with ndtr(x) = p, 1e-15 relative; NaN outside [0, 1].
MG_INLINE vd ndtri(vd p) {
  const vd q = p - 0.5;
  const vd r = 0.180625 - q * q;
  vd y = q * (polynomial(kCentreP, r) / polynomial(kCentreQ, r));
  const vl tail = ~(vl)(abs(q) <= 0.425);
  if (any(tail)) {
    const vd z = ndtri_tail(q < 0.0 ? p : 1.0 - p);
    y = tail ? (q > 0.0 ? -z : z) : y;
  }
  return y;
}
MG_INLINE vf ndtri(vf x) {  // in double arithmetic
  typedef float half_vector __attribute__((vector_size(kVectorBytes / 2)));
  half_vector part[2];
  __builtin_memcpy(part, &x, sizeof x);
  for (int i = 0; i < 2; ++i) {
    part[i] = __builtin_convertvector(ndtri(__builtin_convertvector(part[i], vd)), half_vector);
  }
  __builtin_memcpy(&x, part, sizeof x);
  return x;
}

}  // namespace mg::MG_ISA
