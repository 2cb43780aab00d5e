// Contract of the reduce family: sums over one run of dimensions.
//
//   shapes       out (outer, inner), x (outer, n, inner), both contiguous; sizes >= 0
//   aliasing     none
//   values       sums of blocks of 64 to 512 values in T, added up in double: the error does not
//                grow with n
//   workspace    partial: sum_chunks(outer, n, inner) doubles
//   determinism  fixed chunks combined in order: bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

// Values summed by one task when everything goes into one number.
constexpr int64_t kSumChunk = 1 << 16;

static inline int64_t sum_chunks(int64_t outer, int64_t n, int64_t inner) {
  return outer == 1 && inner == 1 ? (n + kSumChunk - 1) / kSumChunk : 0;
}

template <class T>
struct ReduceOf {
  void (*sum)(T* out, const T* x, int64_t outer, int64_t n, int64_t inner, double* partial);
};

struct ReduceKernels {
  ReduceOf<float> f32;
  ReduceOf<double> f64;
};

}  // namespace mg
