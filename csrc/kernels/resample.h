// Contract of the resample family: weighted sums of neighbours along one dimension.
//
//   shapes       x (outer, size, inner), out (outer, count, inner), index and weight (taps, count),
//                all contiguous: out[o][i][j] = sum over k of weight[k][i] * x[o][index[k][i]][j].
//                Sizes >= 0, taps >= 1, 0 <= index < size
//   weight       nullptr: 1 (then taps is 1, and values are copied)
//   aliasing     none
//   workspace    none
//   determinism  every element is one sum in the order of k: bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

struct ResampleShape {
  int64_t outer, size, count, inner, taps;
};

struct ResampleKernels {
  void (*f32)(float* out, const float* x, const int32_t* index, const float* weight,
              const ResampleShape& shape);
  void (*f64)(double* out, const double* x, const int32_t* index, const double* weight,
              const ResampleShape& shape);
};

}  // namespace mg
