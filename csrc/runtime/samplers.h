// Random numbers whose draws depend on one another (gamma, Poisson, binomial), from the serial
// stream and in PyTorch's order; and how gamma and beta numbers change with their parameters.
#pragma once

#include "common.h"

namespace mg {

// The second normal of a pair waits in spare[1] if spare[0] is not 0.
void sample_gamma(uint32_t* state, double* spare, const double* concentration, double* out,
                  int64_t n);
void sample_poisson(uint32_t* state, const double* rate, double* out, int64_t n);
void sample_binomial(uint32_t* state, const double* count, const double* prob, double* out,
                     int64_t n);

// dx / da for x of the standard gamma distribution of concentration a, at a constant quantile.
void gamma_slope(const double* a, const double* x, double* out, int64_t n);
// dx / da / (1 - x) for x of Beta(a, b), at a constant quantile.
void beta_slope(const double* x, const double* a, const double* b, double* out, int64_t n);

}  // namespace mg
