// Contract of the factor family: triangular systems and LU factorization of batches of small
// matrices; larger ones are cut into such blocks above, with matrix products in between.
//
//   shapes       a (batch, n, n) or (m, n); x (batch, n, k)
//   layout       everything dense in C order
//   aliasing     none
//   types        float32 and float64
//   values       IEEE: a zero on the diagonal gives infinities or NaN
//   workspace    cholesky: as it says; solve: n * k elements for each matrix of a batch
//   determinism  bitwise equal for every thread count: a matrix is one thread's
#pragma once

#include "common.h"

namespace mg {

struct TriangularSystem {
  int64_t batch;
  int64_t n;
  int64_t k;
  int64_t a_step;   // from one matrix to the next; 0: the same for all
  bool upper;       // the triangle of the matrix as it is meant, after transposition
  bool unit;        // the diagonal is 1 and not read
  bool transposed;  // a holds the transposed matrix
};

struct FactorKernels {
  // x = triangle(a)^-1 x, in place.
  void (*solve_f32)(float* x, const float* a, float* work, const TriangularSystem& system);
  void (*solve_f64)(double* x, const double* a, double* work, const TriangularSystem& system);
  // a = L and U in one, rows exchanged; pivots (batch, min(m, n)) from 1; info (batch): the number
  // of the first zero on U's diagonal, or 0. Without `pivot` no rows are exchanged.
  void (*lu_f32)(float* a, int32_t* pivots, int32_t* info, int64_t batch, int64_t m, int64_t n,
                 bool pivot);
  void (*lu_f64)(double* a, int32_t* pivots, int32_t* info, int64_t batch, int64_t m, int64_t n,
                 bool pivot);
  // u (batch, n, n) = the upper factor with u^T u = x; of x one triangle is read: the lower one, or
  // the upper one if `upper`. info (batch): the order of the first leading minor that is not
  // positive definite, or 0; rows and columns from there on are x's.
  // Workspace: cholesky_workspace(n, sizeof element) bytes.
  int64_t (*cholesky_workspace)(int64_t n, int64_t item);
  void (*cholesky_f32)(float* u, int32_t* info, const float* x, void* work, int64_t work_bytes,
                       int64_t batch, int64_t n, bool upper);
  void (*cholesky_f64)(double* u, int32_t* info, const double* x, void* work, int64_t work_bytes,
                       int64_t batch, int64_t n, bool upper);
};

}  // namespace mg
