// Contract of the elementwise family: one operation on every element, its operands strided or
// repeated by broadcasting without a copy.
//
//   shapes       `walk` tells the result's shape and, for each operand, the stride of every
//                dimension (0 where it repeats); the result is dense in the walk's order
//   aliasing     out may be an operand that is dense in the walk's order; otherwise no overlap
//   types        the result and the operands have the type that the table's column says; float16
//                and bfloat16 are computed in float32 and rounded once. Comparisons and `where`
//                have bool (one byte) results and masks
//   numbers      an operand may be a single number (Walk::number): it has the type that the
//                operation computes in, which is float for the 16-bit types
//   values       IEEE; relu, maximum, minimum and clamp keep NaN; the functions have the errors
//                that csrc/cpu/vmath*.h state. *_backward take the gradient of the
//                result first, then what was saved
//   params       further numbers of an operation, told beside its name below; may be nullptr
//   workspace    none
//   determinism  elementwise: bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

constexpr int kWalkDims = 8;
constexpr int kWalkOperands = 3;

struct Walk {
  int ndim;                                  // 1 .. kWalkDims
  int operands;                              // 1 .. kWalkOperands
  int64_t size;                              // elements of the result
  int64_t shape[kWalkDims];                  // outermost first
  int64_t stride[kWalkOperands][kWalkDims];  // elements
  bool number[kWalkOperands];                // the operand is one number of the computing type
};

// With two operands unless said otherwise. The order is that of the tables in csrc/cpu.
enum class BinaryOp {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMaximum,
  kMinimum,
  kPow,
  kReluBackward,         // (grad, result)
  kTanhBackward,         // (grad, result)
  kSigmoidBackward,      // (grad, result)
  kSqrtBackward,         // (grad, result)
  kGeluBackward,         // (grad, input)
  kGeluTanhBackward,     // (grad, input)
  kSiluBackward,         // (grad, input)
  kAbsBackward,          // (grad, input)
  kLeakyReluBackward,    // (grad, input), slope
  kEluBackward,          // (grad, input), alpha, scale, input scale
  kSoftplusBackward,     // (grad, input), beta, threshold
  kClampBackward,        // (grad, input), low, high: grad where low <= input <= high
  kHardtanhBackward,     // (grad, input), low, high: grad where low < input < high
  kLogSigmoidBackward,   // (grad, input)
  kMishBackward,         // (grad, input)
  kHardswishBackward,    // (grad, input)
  kHardsigmoidBackward,  // (grad, input)
  kAddScaled,            // a + number * b
  kFmod,                 // the sign is that of a
  kRemainder,            // the sign is that of b
  kDivFloor,             // rounded towards minus infinity; a / 0 as in division
  kHypot,
  kLogaddexp,
  kPrelu,  // a, or a * b where a is not positive
  kLerp,   // a + number * (b - a)
  kCopysign,
  kOutsideBackward,  // (grad, input), low, high: grad but where low <= input <= high
  kCount
};
enum class UnaryOp {
  kCopy,
  kNeg,
  kRelu,
  kExp,
  kLog,
  kSqrt,
  kTanh,
  kSigmoid,
  kReciprocal,
  kAbs,
  kSquare,
  kRsqrt,
  kSign,
  kFloor,
  kCeil,
  kRound,  // half to even
  kTrunc,
  kErf,
  kSin,
  kCos,
  kExp2,
  kExpm1,
  kLog1p,
  kLog2,
  kLog10,
  kGelu,
  kGeluTanh,
  kSilu,
  kLogSigmoid,
  kMish,
  kHardswish,
  kHardsigmoid,
  kLeakyRelu,  // slope
  kElu,        // alpha, scale, input scale
  kSoftplus,   // beta, threshold
  kClamp,      // low, high
  kCube,
  kThreshold,  // limit, value: x above the limit, else the value
  kErfc,
  kErfinv,
  kLgamma,
  kDigamma,
  kNdtri,
  kFrac,        // x - trunc(x)
  kNanToNum,    // what NaN, infinity and -infinity become
  kSoftshrink,  // limit: moved towards 0 by it
  kHardshrink,  // limit: 0 within it
  kCount
};
enum class TernaryOp {
  kAddcmul,  // a + number * b * c
  kAddcdiv,  // a + number * b / c
  kLerp,     // a + c * (b - a)
  kCount
};
enum class CompareOp { kEq, kNe, kLt, kLe, kGt, kGe, kCount };

// The tables have a column for each of the first two; the others are computed as the first.
enum class FloatType { kFloat32, kFloat64, kFloat16, kBFloat16 };
constexpr int kFloatTypes = 2;

// One stretch of n elements; each operand is dense or one value. `stream`: write past the
// caches; the caller fences.
enum class Unit : uint8_t { kSame, kDense };
using Row = void (*)(void* out, const void* const* in, const Unit* unit, int64_t n,
                     const double* params, bool stream);

struct ElementwiseKernels {
  // Runs `row` over the walk on the threads. `item`: bytes of an element of the result and of each
  // operand: that of `type`, or 1 for bools.
  void (*run)(Row row, FloatType type, void* out, const void* const* in, const int64_t* item,
              const Walk& walk, const double* params);
  // Copies elements of 1, 2, 4 or 8 bytes.
  void (*copy)(void* out, const void* in, int64_t item, const Walk& walk);
  // Rows by operation and type; nullptr where there is none.
  const Row (*binary)[kFloatTypes];   // [BinaryOp]
  const Row (*unary)[kFloatTypes];    // [UnaryOp]
  const Row (*compare)[kFloatTypes];  // [CompareOp], bool result
  const Row* where;                   // (bool mask, a, b)
  const Row (*ternary)[kFloatTypes];  // [TernaryOp]
  // (x, t, p) for logits x, targets t and weights p of the positive ones: the binary cross-entropy,
  // and its slope for x.
  const Row (*logits)[kFloatTypes];
};

}  // namespace mg
