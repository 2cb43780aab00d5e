// Contract of the cast family: float32 <-> float16 and bfloat16, and rows that convert other types.
//
//   shapes       out (n), in (n), both contiguous, n >= 0
//   aliasing     none: out and in do not overlap
//   values       upwards exact; downwards to nearest, ties to even, overflow to infinity;
//                NaN stays NaN (made quiet, upper payload bits kept), subnormals are kept both ways
//   rows         [from][to] by DType, for ElementwiseKernels::run; nullptr where there is none.
//                To and from the 16-bit types by way of float32, as PyTorch does.
//                Integers wrap; a float that does not fit an integer gives its least one; to bool:
//                whether it is not 0
//   workspace    none
//   determinism  elementwise: bitwise equal for every thread count and instruction set
#pragma once

#include "kernels/elementwise.h"

namespace mg {

struct CastKernels {
  void (*float_to_half)(half* out, const float* in, int64_t n);
  void (*half_to_float)(float* out, const half* in, int64_t n);
  void (*float_to_bfloat16)(bfloat16* out, const float* in, int64_t n);
  void (*bfloat16_to_float)(float* out, const bfloat16* in, int64_t n);
  const Row (*rows)[static_cast<int>(DType::kOther)];
};

}  // namespace mg
