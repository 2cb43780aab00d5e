// Rejection samplers that draw one number at a time, and implicit derivatives: the distribution
// function's series or continued fraction is evaluated with its derivative carried along.
#include "runtime/samplers.h"

#include <cmath>
#include <limits>

#include "runtime/stream.h"

namespace mg {
namespace {

constexpr double kPi = 3.14159265358979323846;

struct Stream {
  uint32_t* state;
  double* spare;

  double uniform() {
    double u;
    stream_uniform64(state, &u, 1);
    return u;
  }
  double normal() {
    if (spare[0] != 0) {
      spare[0] = 0;
      return spare[1];
    }
    const double angle = 2 * kPi * uniform();
    const double radius = std::sqrt(-2 * std::log1p(-uniform()));
    spare[0] = 1;
    spare[1] = radius * std::sin(angle);
    return radius * std::cos(angle);
  }
};

// Marsaglia and Tsang (2000); below 1 by a number of concentration a + 1. The constants have
// PyTorch's precision, for its numbers.
double one_gamma(Stream& s, double a) {
  double scale = 1;
  if (a < 1) {
    if (a == 0) return 0;
    scale = std::pow(1 - s.uniform(), 1 / a);
    a += 1;
  }
  const double d = a - 1.0f / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    double x, y;
    do {
      x = s.normal();
      y = 1 + c * x;
    } while (y <= 0);
    const double v = y * y * y;
    const double u = 1 - s.uniform();
    const double xx = x * x;
    if (u < 1 - 0.0331f * xx * xx || std::log(u) < 0.5 * xx + d * (1 - v + std::log(v))) {
      return scale * d * v;
    }
  }
}

// Products of uniforms for small rates, Hörmann's transformed rejection (1993) from 10 on.
double one_poisson(Stream& s, double rate) {
  if (rate == 0) return 0;
  if (rate < 10) {
    const double bound = std::exp(-rate);
    double product = s.uniform();
    double k = 0;
    while (product > bound) {
      product *= s.uniform();
      k += 1;
    }
    return k;
  }
  const double root = std::sqrt(rate), log_rate = std::log(rate);
  const double b = 0.931 + 2.53 * root;
  const double a = -0.059 + 0.02483 * b;
  const double inverse = 1.1239 + 1.1328 / (b - 3.4);
  const double limit = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const double u = s.uniform() - 0.5;
    const double v = s.uniform();
    const double distance = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / distance + b) * u + rate + 0.43);
    if (distance >= 0.07 && v <= limit) return k;
    if (k < 0 || (distance < 0.013 && v > distance)) continue;
    const double left = std::log(v) + std::log(inverse) - std::log(a / (distance * distance) + b);
    if (left <= k * log_rate - rate - std::lgamma(k + 1)) return k;
  }
}

// log k! less Stirling's formula.
double stirling_rest(double k) {
  static const double small[] = {0.0810614667953272,  0.0413406959554092, 0.0276779256849983,
                                 0.02079067210376509, 0.0166446911898211, 0.0138761288230707,
                                 0.0118967099458917,  0.0104112652619720, 0.00925546218271273,
                                 0.00833056343336287};
  if (k <= 9) return small[static_cast<int>(k)];
  const double square = (k + 1) * (k + 1);
  return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1);
}

// Hörmann's transformed rejection with squeeze (BTRS, 1993), for count * prob >= 10, prob <= 1/2.
double binomial_rejection(Stream& s, double count, double prob) {
  const double deviation = std::sqrt(count * prob * (1 - prob));
  const double b = 1.15 + 2.53 * deviation;
  const double a = -0.0873 + 0.0248 * b + 0.01 * prob;
  const double c = count * prob + 0.5;
  const double limit = 0.92 - 4.2 / b;
  const double odds = prob / (1 - prob);
  const double alpha = (2.83 + 5.1 / b) * deviation;
  const double m = std::floor((count + 1) * prob);
  for (;;) {
    const double u = s.uniform() - 0.5;
    double v = s.uniform();
    const double distance = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / distance + b) * u + c);
    if (distance >= 0.07 && v <= limit) return k;
    if (k < 0 || k > count) continue;
    v = std::log(v * alpha / (a / (distance * distance) + b));
    const double bound = (m + 0.5) * std::log((m + 1) / (odds * (count - m + 1))) +
                         (count + 1) * std::log((count - m + 1) / (count - k + 1)) +
                         (k + 0.5) * std::log(odds * (count - k + 1) / (k + 1)) + stirling_rest(m) +
                         stirling_rest(count - m) - stirling_rest(k) - stirling_rest(count - k);
    if (v <= bound) return k;
  }
}

double one_binomial(Stream& s, double count, double prob) {
  if (count <= 0 || prob <= 0) return 0;
  if (prob >= 1) return count;
  if (!(prob == prob)) return prob;
  if (!(count <= std::numeric_limits<double>::max())) return count;
  if (prob > 0.5) return count - one_binomial(s, count, 1 - prob);
  if (count * prob >= 10) return binomial_rejection(s, count, prob);
  // Waiting times between successes, until they exceed the number of trials.
  const double log_failure = std::log1p(-prob);
  double trials = 0, successes = 0;
  for (;;) {
    trials += std::ceil(std::log(s.uniform()) / log_failure);
    if (trials > count) return successes;
    successes += 1;
  }
}

double digamma(double x) {
  double shift = 0;
  for (; x < 10; x += 1) shift -= 1 / x;
  const double y = 1 / (x * x);
  return shift + std::log(x) - 0.5 / x -
         y * (1.0 / 12 -
              y * (1.0 / 120 -
                   y * (1.0 / 252 - y * (1.0 / 240 - y * (1.0 / 132 - y * 691 / 32760)))));
}

// A value and its derivative.
struct Dual {
  double v, d;
};
inline Dual operator+(Dual x, Dual y) { return {x.v + y.v, x.d + y.d}; }
inline Dual operator*(Dual x, Dual y) { return {x.v * y.v, x.d * y.v + x.v * y.d}; }
inline Dual inverse(Dual x) { return {1 / x.v, -x.d / (x.v * x.v)}; }

// b0 + c1 / (b1 + c2 / (b2 + ..)) by Lentz's method, `term(i, &c, &b)` giving the i-th pair.
template <class Term>
Dual continued_fraction(Dual b0, Term term) {
  constexpr double kTiny = 1e-300;
  Dual f = b0.v == 0 ? Dual{kTiny, 0} : b0, c = f, d{0, 0};
  for (int i = 1; i < 10000000; ++i) {
    Dual numerator, b;
    term(i, &numerator, &b);
    d = b + numerator * d;
    if (d.v == 0) d.v = kTiny;
    d = inverse(d);
    c = b + numerator * inverse(c);
    if (c.v == 0) c.v = kTiny;
    const Dual delta = c * d;
    f = f * delta;
    if (std::fabs(delta.v - 1) < 1e-15 &&
        std::fabs(delta.d * f.v) <= 1e-14 * std::fabs(f.d) + 1e-16) {
      break;
    }
  }
  return f;
}

// dx/da = -(dP/da) / (dP/dx). With P = x^a e^-x / gamma(a + 1) * S this is
// -x / a * ((log x - digamma(a + 1)) S + S'), with Q = x^a e^-x / gamma(a) * F it is
// x * ((log x - digamma(a)) F + F'); no power or gamma function is left that could overflow.
double one_gamma_slope(double a, double x) {
  if (!(a > 0) || !(x >= 0)) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0) return 0;
  if (x < a + 1) {
    Dual sum{1, 0}, term{1, 0};
    for (double k = a + 1; term.v > 1e-17 * sum.v || std::fabs(term.d) > 1e-17 * std::fabs(sum.d);
         k += 1) {
      term = Dual{term.v * x / k, (term.d - term.v / k) * x / k};
      sum = sum + term;
    }
    return -x / a * ((std::log(x) - digamma(a + 1)) * sum.v + sum.d);
  }
  const Dual f = inverse(continued_fraction({x + 1 - a, -1}, [&](int i, Dual* c, Dual* b) {
    *c = {-i * (i - a), static_cast<double>(i)};
    *b = {x + 1 - a + 2.0 * i, -1};
  }));
  return x * ((std::log(x) - digamma(a)) * f.v + f.d);
}

// The fraction F of I_x(a, b) = x^a (1 - x)^b / (a B(a, b)) * F, for x < (a + 1) / (a + b + 2).
Dual beta_fraction(Dual a, Dual b, double x) {
  const Dual all = a + b;
  return inverse(continued_fraction({1, 0}, [&](int i, Dual* c, Dual* one) {
    const double m = i / 2, even = 2 * m;
    const Dual below = a + Dual{even, 0};
    if (i % 2) {
      *c = (a + Dual{m, 0}) * (all + Dual{m, 0}) * inverse(below * (below + Dual{1, 0})) *
           Dual{-x, 0};
    } else {
      *c = (b + Dual{-m, 0}) * inverse((below + Dual{-1, 0}) * below) * Dual{m * x, 0};
    }
    *one = {1, 0};
  }));
}

double one_beta_slope(double x, double a, double b) {
  if (!(a > 0) || !(b > 0) || !(x >= 0 && x <= 1)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (x == 0) return 0;
  const double trend = std::log(x) - digamma(a) + digamma(a + b);
  if (x < (a + 1) / (a + b + 2)) {
    const Dual f = beta_fraction({a, 1}, {b, 0}, x);
    return -x / a * ((trend - 1 / a) * f.v + f.d);
  }
  const Dual f = beta_fraction({b, 0}, {a, 1}, 1 - x);
  return x / b * (trend * f.v + f.d);
}

}  // namespace

void sample_gamma(uint32_t* state, double* spare, const double* concentration, double* out,
                  int64_t n) {
  Stream s{state, spare};
  for (int64_t i = 0; i < n; ++i) out[i] = one_gamma(s, concentration[i]);
}

void sample_poisson(uint32_t* state, const double* rate, double* out, int64_t n) {
  Stream s{state, nullptr};
  for (int64_t i = 0; i < n; ++i) out[i] = one_poisson(s, rate[i]);
}

void sample_binomial(uint32_t* state, const double* count, const double* prob, double* out,
                     int64_t n) {
  Stream s{state, nullptr};
  for (int64_t i = 0; i < n; ++i) out[i] = one_binomial(s, count[i], prob[i]);
}

void gamma_slope(const double* a, const double* x, double* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = one_gamma_slope(a[i], x[i]);
}

void beta_slope(const double* x, const double* a, const double* b, double* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = one_beta_slope(x[i], a[i], b[i]);
}

}  // namespace mg
