// Elementwise kernels on the GPU. Contract: csrc/kernels/elementwise.h, except that the result may
// have any strides, that operations come by number instead of rows, and that functions have the
// errors of CUDA's mathematical library.
#pragma once

#include "cuda/kernels.h"
#include "kernels/elementwise.h"

namespace mg::cuda {

// A walk over operands of which the first is the result.
template <int kOperands>
struct StridedWalk {
  int ndim;  // 1 .. kWalkDims
  int64_t size;
  int64_t shape[kWalkDims];              // outermost first
  int64_t stride[kOperands][kWalkDims];  // elements; 0 where an input repeats
};

template <int kInputs>
struct MapCall {
  StridedWalk<kInputs + 1> walk;
  void* out;
  const void* in[kInputs];  // nullptr: the number
  double number[kInputs];
  double params[3];
};

// elementwise.cu
// The result is bool.
Error compare(CompareOp op, FloatType type, const MapCall<2>& call, Stream stream);
// (bool mask, a, b); a and b are elements of `item` = 1, 2, 4 or 8 bytes, never numbers.
Error where(int64_t item, const MapCall<3>& call, Stream stream);
Error ternary(TernaryOp op, FloatType type, const MapCall<3>& call, Stream stream);
// Elements of `item` = 1, 2, 4 or 8 bytes.
Error copy(int64_t item, const MapCall<1>& call, Stream stream);
// Every element of the result = the `item` bytes of `value`; the input is the number 0.
Error fill(int64_t item, const MapCall<1>& call, const void* value, Stream stream);

// elementwise_unary.cu
Error unary(UnaryOp op, FloatType type, const MapCall<1>& call, Stream stream);

// elementwise_binary.cu
Error binary(BinaryOp op, FloatType type, const MapCall<2>& call, Stream stream);

}  // namespace mg::cuda
