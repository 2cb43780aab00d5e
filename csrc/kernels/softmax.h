// Contract of the softmax family: functions of the rows of a matrix, and cross-entropy.
//
//   shapes       x, y, grad, out (rows, columns), contiguous; target, lse, (rows); columns >= 1
//   aliasing     out may be x, y or grad (same start)
//   values       softmax y = e^(x - max) / sum; log_softmax y = x - lse, lse = ln sum e^x;
//                softmax_backward        out = y (grad - sum(grad y))
//                log_softmax_backward    out = grad - e^y sum(grad)
//                cross_entropy           lse, and the loss of each row, lse - x[target]; 0 where
//                                        target is `ignored`
//                cross_entropy_backward  out = scale (e^(x - lse) - onehot(target)), 0 if ignored
//                targets lie in [0, columns) or are `ignored`: the bindings check
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
  void (*cross_entropy)(T* loss, T* lse, const T* x, const int64_t* target, int64_t rows,
                        int64_t columns, int64_t ignored);
  void (*cross_entropy_backward)(T* out, const T* x, const T* lse, const int64_t* target,
                                 int64_t rows, int64_t columns, int64_t ignored, T scale);
};

struct SoftmaxKernels {
  SoftmaxOf<float> f32;
  SoftmaxOf<double> f64;
};

}  // namespace mg
