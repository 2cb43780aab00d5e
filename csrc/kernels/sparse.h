// Contract of the sparse family: products of a sparse matrix, given as a list of its elements
// (row, column, value) in any order and with repetitions, and a dense one; and sums of the rows of
// a table, bag by bag.
//
//   shapes       rows, columns, values (count,); dense matrices of `width` columns
//   layout       everything dense in C order
//   index        int64, valid: the binding checks
//   aliasing     none
//   types        float32 and float64; sums are made in the type itself, in the list's order
//   workspace    none
//   determinism  bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

struct SparseElements {
  const int64_t* rows;
  const int64_t* columns;
  int64_t count;
};

// Bag b holds the rows ids[bounds[b]] to ids[bounds[b + 1] - 1]; bounds rise (count + 1).
struct Bags {
  const int64_t* ids;
  const int64_t* bounds;
  int64_t count;
};

struct SparseKernels {
  // out (n, width) += sum of values[i] * x[columns[i]] at rows[i], x (m, width)
  void (*add_product_f32)(float* out, const SparseElements& at, const float* values, const float* x,
                          int64_t width);
  void (*add_product_f64)(double* out, const SparseElements& at, const double* values,
                          const double* x, int64_t width);
  // out[i] = a[rows[i]] . b[columns[i]], a (n, width), b (m, width): a product's elements
  void (*sampled_f32)(float* out, const SparseElements& at, const float* a, const float* b,
                      int64_t width);
  void (*sampled_f64)(double* out, const SparseElements& at, const double* a, const double* b,
                      int64_t width);
  // out (count, width): for each bag the sum of its rows of table (m, width), each times its value
  // (nullptr: 1), divided by their number with `mean`; 0 for an empty bag
  void (*bag_sums_f32)(float* out, const Bags& bags, const float* values, const float* table,
                       int64_t width, bool mean);
  void (*bag_sums_f64)(double* out, const Bags& bags, const double* values, const double* table,
                       int64_t width, bool mean);
};

}  // namespace mg
