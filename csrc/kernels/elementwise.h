// Contract of the elementwise family: one operation on every element.
//
//   shapes       out, a (n); b by form:
//                  kSame  b (n)
//                  kRow   b (n / rows), repeated for each of `rows` rows
//                  kRight b (1), kLeft a (1): a single value as that operand
//                the arrays are contiguous, n >= 0
//   aliasing     out may be a or b (same start); otherwise no overlap
//   values       IEEE; relu keeps NaN; exp, log, tanh, sigmoid as csrc/cpu/vmath.h states;
//                relu_backward(grad, out) is 0 where out <= 0, else grad; tanh_backward(grad, y) is
//                grad (1 - y^2), sigmoid_backward(grad, y) is grad y (1 - y)
//   workspace    none
//   determinism  elementwise: bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

enum class BinaryOp {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kReluBackward,
  kTanhBackward,
  kSigmoidBackward,
  kCount
};
enum class UnaryOp { kNeg, kRelu, kExp, kLog, kSqrt, kTanh, kSigmoid, kReciprocal, kCount };
enum class Form { kSame, kRow, kRight, kLeft };

template <class T>
struct ElementwiseOf {
  using Binary = void (*)(T* out, const T* a, const T* b, int64_t n, int64_t rows, Form form);
  using Unary = void (*)(T* out, const T* a, int64_t n);
  Binary binary[static_cast<int>(BinaryOp::kCount)];
  Unary unary[static_cast<int>(UnaryOp::kCount)];
};

struct ElementwiseKernels {
  ElementwiseOf<float> f32;
  ElementwiseOf<double> f64;
};

}  // namespace mg
