// Contract of the softmax family: functions of the rows or the columns of a matrix.
//
//   shapes       x, y, grad, out (rows, columns), contiguous; columns >= 1. The `_columns` forms
//                take (outer, n, inner), contiguous, and run along n; n, inner >= 1
//   aliasing     out may be x, y or grad (same start)
//   values       softmax y = e^(x - max) / sum; log_softmax y = x - lse, lse = ln sum e^x;
//                softmax_backward        out = y (grad - sum(grad y))
//                log_softmax_backward    out = grad - e^y sum(grad)
//   workspace    none
//   determinism  rows are independent: bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

template <class T>
struct SoftmaxOf {
  void (*softmax)(T* out, const T* x, int64_t rows, int64_t columns);
  void (*log_softmax)(T* out, const T* x, int64_t rows, int64_t columns);
  void (*softmax_backward)(T* out, const T* grad, const T* y, int64_t rows, int64_t columns);
  void (*log_softmax_backward)(T* out, const T* grad, const T* y, int64_t rows, int64_t columns);
  void (*softmax_columns)(T* out, const T* x, int64_t outer, int64_t n, int64_t inner);
  void (*log_softmax_columns)(T* out, const T* x, int64_t outer, int64_t n, int64_t inner);
  void (*softmax_backward_columns)(T* out, const T* grad, const T* y, int64_t outer, int64_t n,
                                   int64_t inner);
  void (*log_softmax_backward_columns)(T* out, const T* grad, const T* y, int64_t outer, int64_t n,
                                       int64_t inner);
};

struct SoftmaxKernels {
  SoftmaxOf<float> f32;
  SoftmaxOf<double> f64;
};

}  // namespace mg
