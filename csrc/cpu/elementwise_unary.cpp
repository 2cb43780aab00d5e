// Elementwise functions of one operand: a struct each, its vector form; rows.h makes the loops.
#include "rows.h"
#include "vmath_gamma.h"
#include "vmath_normal.h"

namespace mg::MG_ISA {
namespace {

#define MG_UNARY(Name, expression)               \
  struct Name {                                  \
    template <class V>                           \
    MG_INLINE V apply(V x, const Params<V>& p) { \
      (void)p;                                   \
      return expression;                         \
    }                                            \
  };
MG_UNARY(Copy, x)
MG_UNARY(Neg, -x)
MG_UNARY(Relu, x < V{} ? V{} : x)
MG_UNARY(Exp, exp(x))
MG_UNARY(Log, log(x))
MG_UNARY(Sqrt, sqrt(x))
MG_UNARY(Tanh, tanh(x))
MG_UNARY(Sigmoid, sigmoid(x))
MG_UNARY(Reciprocal, 1 / x)
MG_UNARY(Abs, abs(x))
MG_UNARY(Square, x* x)
MG_UNARY(Rsqrt, 1 / sqrt(x))
MG_UNARY(Sign, x > V{} ? V{} + 1 : x < V{} ? V{} - 1 : V{})
MG_UNARY(Floor, floor(x))
MG_UNARY(Ceil, ceil(x))
MG_UNARY(Round, round_even(x))
MG_UNARY(Trunc, trunc(x))
MG_UNARY(Erf, erf(x))
MG_UNARY(Sin, sin(x))
MG_UNARY(Cos, cos(x))
MG_UNARY(Exp2, exp2(x))
MG_UNARY(Expm1, expm1(x))
MG_UNARY(Log1p, log1p(x))
MG_UNARY(Log2, log2(x))
MG_UNARY(Log10, log10(x))
MG_UNARY(Gelu, (x * lanes_of<V>(0.5)) * twice_normal(x))
MG_UNARY(Silu, x / (1 + exp(-x)))
MG_UNARY(LogSigmoid, -softplus(-x))
MG_UNARY(Hardswish, x* clip(x + 3, V{}, V{} + 6) / 6)
MG_UNARY(Hardsigmoid, clip(x + 3, V{}, V{} + 6) / 6)
MG_UNARY(LeakyRelu, x > V{} ? x : x * p.at[0])
MG_UNARY(Elu, x <= V{} ? expm1(x * p.at[2]) * p.at[0] * p.at[1] : x * p.at[1])
MG_UNARY(Clamp, clip(x, p.at[0], p.at[1]))
MG_UNARY(Cube, (x * x) * x)
MG_UNARY(Frac, x - trunc(x))
MG_UNARY(NanToNum, x != x ? p.at[0]
                          : (x == lanes_of<V>(__builtin_inf())
                                 ? p.at[1]
                                 : (x == lanes_of<V>(-__builtin_inf()) ? p.at[2] : x)))
MG_UNARY(Threshold, x <= p.at[0] ? p.at[1] : x)
MG_UNARY(Softshrink, x > p.at[0] ? x - p.at[0] : x < -p.at[0] ? x + p.at[0] : x * V{})
MG_UNARY(Hardshrink, x >= -p.at[0] ? (x <= p.at[0] ? V{} : x) : x)
MG_UNARY(Erfc, erfc(x))
MG_UNARY(Erfinv, erfinv(x))
MG_UNARY(Lgamma, lgamma(x))
MG_UNARY(Digamma, digamma(x))
MG_UNARY(Ndtri, ndtri(x))
#undef MG_UNARY

// (1 + tanh u) / 2 is the sigmoid of 2 u, which does not cancel on the left.
struct GeluTanh {
  template <class V>
  MG_INLINE V apply(V x, const Params<V>&) {
    const V cube = x * x * x;
    return x * sigmoid((x + cube * lanes_of<V>(0.044715)) * lanes_of<V>(1.59576912160573071176));
  }
};
struct Mish {
  template <class V>
  MG_INLINE V apply(V x, const Params<V>&) {
    return x * tanh_of_softplus(x);
  }
};
struct Softplus {
  template <class V>
  MG_INLINE V apply(V x, const Params<V>& p) {
    const V scaled = x * p.at[0];
    return scaled > p.at[1] ? x : softplus(scaled) / p.at[0];
  }
};

#define MG_ROWS(Op) {unary_row<Op, float>, unary_row<Op, double>}

}  // namespace

// In the order of UnaryOp.
extern const Row kUnary[][kFloatTypes] = {
    MG_ROWS(Copy),       MG_ROWS(Neg),        MG_ROWS(Relu),       MG_ROWS(Exp),
    MG_ROWS(Log),        MG_ROWS(Sqrt),       MG_ROWS(Tanh),       MG_ROWS(Sigmoid),
    MG_ROWS(Reciprocal), MG_ROWS(Abs),        MG_ROWS(Square),     MG_ROWS(Rsqrt),
    MG_ROWS(Sign),       MG_ROWS(Floor),      MG_ROWS(Ceil),       MG_ROWS(Round),
    MG_ROWS(Trunc),      MG_ROWS(Erf),        MG_ROWS(Sin),        MG_ROWS(Cos),
    MG_ROWS(Exp2),       MG_ROWS(Expm1),      MG_ROWS(Log1p),      MG_ROWS(Log2),
    MG_ROWS(Log10),      MG_ROWS(Gelu),       MG_ROWS(GeluTanh),   MG_ROWS(Silu),
    MG_ROWS(LogSigmoid), MG_ROWS(Mish),       MG_ROWS(Hardswish),  MG_ROWS(Hardsigmoid),
    MG_ROWS(LeakyRelu),  MG_ROWS(Elu),        MG_ROWS(Softplus),   MG_ROWS(Clamp),
    MG_ROWS(Cube),       MG_ROWS(Threshold),  MG_ROWS(Erfc),       MG_ROWS(Erfinv),
    MG_ROWS(Lgamma),     MG_ROWS(Digamma),    MG_ROWS(Ndtri),      MG_ROWS(Frac),
    MG_ROWS(NanToNum),   MG_ROWS(Softshrink), MG_ROWS(Hardshrink),
};

}  // namespace mg::MG_ISA
