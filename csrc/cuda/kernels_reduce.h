// Reductions on the GPU. Contract: csrc/kernels/reduce.h, except that x has any strides and any
// dimensions are reduced, and that the indices of extrema come from the same function.
#pragma once

#include "cuda/kernels.h"
#include "kernels/elementwise.h"
#include "kernels/reduce.h"

namespace mg::cuda {

constexpr int kReduceArgMax = static_cast<int>(ReduceOp::kCount);
constexpr int kReduceArgMin = kReduceArgMax + 1;

// Dimensions of x, outermost first, with strides in elements.
struct Dims {
  int ndim;  // 1 .. kWalkDims
  int64_t size;
  int64_t shape[kWalkDims], stride[kWalkDims];
};

struct ReduceCall {
  int op;      // a ReduceOp, kReduceArgMax or kReduceArgMin
  DType type;  // of x: a floating-point type or bool (uint8)
  const void* x;
  Dims kept, reduced;  // the result is dense in the order of `kept`
  void* out;           // of x's type or as finish.out says; may be nullptr for the last two ops
  void* second;        // kVar: the means (or nullptr); the last two ops: int64 indices
  Finish finish;
  void* work;
};

// reduce.cu
Error reduce(const ReduceCall& call, Stream stream);
int64_t reduce_workspace(const ReduceCall& call);

}  // namespace mg::cuda
