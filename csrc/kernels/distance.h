// Contract of the distance family: the p-norm distances of every row of a to every row of b.
//
//   shapes       a (batch, n, d), b (batch, m, d); distances and products (batch, n, m)
//   layout       everything dense in C order
//   aliasing     none
//   types        float32 and float64; sums are made in the type itself, in parts of 64 coordinates
//   workspace    euclidean_finish: n + m elements for each batch
//   determinism  bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

struct RowPairs {
  int64_t batch;
  int64_t n;
  int64_t m;
  int64_t d;
  double p;  // >= 0; infinite: the largest difference; 0: how many coordinates differ
};

template <class T>
struct DistanceForms {
  // out = |a[i] - b[j]|_p
  void (*distances)(T* out, const T* a, const T* b, const RowPairs& s);
  // out (batch, n, d) = the sum over j of grad[i][j] times the derivative of distance[i][j] by a[i]
  // (0 where it does not exist); if `turned`, grad and distance are (batch, m, n).
  void (*gradient)(T* out, const T* a, const T* b, const T* grad, const T* distance, bool turned,
                   const RowPairs& s);
  // products = a b^T become the distances for p = 2: sqrt(|a|^2 + |b|^2 - 2 a b), 0 for less.
  void (*euclidean_finish)(T* products, const T* a, const T* b, T* work, const RowPairs& s);
  // out[i] = grad[i] / distance[i], 0 where that is 0.
  void (*euclidean_weights)(T* out, const T* grad, const T* distance, int64_t count);
};

struct DistanceKernels {
  DistanceForms<float> f32;
  DistanceForms<double> f64;
};

}  // namespace mg
