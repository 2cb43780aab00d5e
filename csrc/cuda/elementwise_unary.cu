// Elementwise functions of one operand: a struct each; loops.cuh makes the loop.
#include "cuda/loops.cuh"
#include "cuda/vmath.cuh"

namespace mg::cuda {
namespace {

#define MG_UNARY(Name, expression)                   \
  struct Name {                                      \
    template <class V>                               \
    static MG_DEVICE V apply(V x, const Params& p) { \
      (void)p;                                       \
      return expression;                             \
    }                                                \
  };
MG_UNARY(Copy, x)
MG_UNARY(Neg, -x)
MG_UNARY(Relu, x < V(0) ? V(0) : x)
MG_UNARY(Exp, exp(x))
MG_UNARY(Log, log(x))
MG_UNARY(Sqrt, sqrt(x))
MG_UNARY(Tanh, tanh(x))
MG_UNARY(Sigmoid, sigmoid(x))
MG_UNARY(Reciprocal, V(1) / x)
MG_UNARY(Abs, abs(x))
MG_UNARY(Square, x* x)
MG_UNARY(Rsqrt, V(1) / sqrt(x))
MG_UNARY(Sign, x > V(0) ? V(1) : x < V(0) ? V(-1) : V(0))
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
MG_UNARY(Gelu, (x * V(0.5)) * twice_normal(x))
MG_UNARY(Silu, x / (V(1) + exp(-x)))
MG_UNARY(LogSigmoid, -softplus(-x))
MG_UNARY(Hardswish, x* clip(x + V(3), V(0), V(6)) / V(6))
MG_UNARY(Hardsigmoid, clip(x + V(3), V(0), V(6)) / V(6))
MG_UNARY(LeakyRelu, x > V(0) ? x : x * V(p.at[0]))
MG_UNARY(Elu, x <= V(0) ? expm1(x * V(p.at[2])) * V(p.at[0]) * V(p.at[1]) : x * V(p.at[1]))
MG_UNARY(Clamp, clip(x, V(p.at[0]), V(p.at[1])))
MG_UNARY(Cube, (x * x) * x)
MG_UNARY(Softshrink,
         x > V(p.at[0]) ? x - V(p.at[0]) : (x < -V(p.at[0]) ? x + V(p.at[0]) : x * V(0)))
MG_UNARY(Hardshrink, x >= -V(p.at[0]) ? (x <= V(p.at[0]) ? V(0) : x) : x)
MG_UNARY(Threshold, x <= V(p.at[0]) ? V(p.at[1]) : x)
MG_UNARY(Erfc, erfc(x))
MG_UNARY(Erfinv, erfinv(x))
MG_UNARY(Lgamma, lgamma(x))
MG_UNARY(Digamma, digamma(x))
MG_UNARY(Ndtri, ndtri(x))
MG_UNARY(Frac, x - trunc(x))
MG_UNARY(NanToNum, x != x              ? V(p.at[0])
                   : x == V(INFINITY)  ? V(p.at[1])
                   : x == -V(INFINITY) ? V(p.at[2])
                                       : x)
#undef MG_UNARY

// (1 + tanh u) / 2 is the sigmoid of 2 u, which does not cancel on the left.
struct GeluTanh {
  template <class V>
  static MG_DEVICE V apply(V x, const Params&) {
    const V cube = x * x * x;
    return x * sigmoid((x + cube * V(0.044715)) * V(1.59576912160573071176));
  }
};
struct Mish {
  template <class V>
  static MG_DEVICE V apply(V x, const Params&) {
    return x * tanh_of_softplus(x);
  }
};
struct Softplus {
  template <class V>
  static MG_DEVICE V apply(V x, const Params& p) {
    const V scaled = x * V(p.at[0]);
    return scaled > V(p.at[1]) ? x : softplus(scaled) / V(p.at[0]);
  }
};

template <class Op, class V, int N>
MG_DEVICE void apply_all(const V (&x)[N], V (&r)[N], const Params& p) {
#pragma unroll
  for (int i = 0; i < N; ++i) r[i] = Op::apply(x[i], p);
}

// What costs few registers, and what training computes most.
// clang-format off
#define MG_COMMON(X) \
  X(Neg) X(Relu) X(Exp) X(Log) X(Sqrt) X(Tanh) X(Sigmoid) X(Reciprocal) X(Abs) X(Square) \
  X(Rsqrt) X(Sign) X(Floor) X(Ceil) X(Round) X(Trunc) X(Gelu) X(GeluTanh) X(Silu) X(Hardswish) \
  X(Hardsigmoid) X(LeakyRelu) X(Clamp) X(Cube) X(Threshold) X(Frac) X(NanToNum) \
  X(Softshrink) X(Hardshrink)
// clang-format on
// The others, in a kernel of their own: their registers would leave the first less occupancy.
// clang-format off
#define MG_RARE(X) \
  X(Erf) X(Sin) X(Cos) X(Exp2) X(Expm1) X(Log1p) X(Log2) X(Log10) X(LogSigmoid) X(Mish) X(Elu) \
  X(Softplus) X(Erfc) X(Erfinv) X(Lgamma) X(Digamma) X(Ndtri)
// clang-format on
#define MG_CASE(Name)                 \
  case UnaryOp::k##Name:              \
    apply_all<Name>(v[0], r, params); \
    break;

struct ApplyCommon {
  UnaryOp op;
  Params params;
  template <class V, int N>
  MG_DEVICE void operator()(const V (&v)[1][N], V (&r)[N]) const {
    switch (op) {
      MG_COMMON(MG_CASE)
      default:
        apply_all<Copy>(v[0], r, params);
    }
  }
};

// One element after the other: these are long, and bound by arithmetic.
struct ApplyRare {
  UnaryOp op;
  Params params;
  template <class V>
  MG_DEVICE V apply(V x) const {
#define MG_RETURN(Name)  \
  case UnaryOp::k##Name: \
    return Name::apply(x, params);
    switch (op) {
      MG_RARE(MG_RETURN)
      default:
        return x;
    }
#undef MG_RETURN
  }
  template <class V, int N>
  MG_DEVICE void operator()(const V (&v)[1][N], V (&r)[N]) const {
#pragma unroll
    for (int i = 0; i < N; ++i) r[i] = v[0][i];
    if constexpr (N == 1) {
      r[0] = apply(r[0]);
    } else {
#pragma unroll 1
      for (int round = 0; round < N; ++round) {  // turned round, so that registers are named
        const V first = apply(r[0]);
#pragma unroll
        for (int i = 0; i + 1 < N; ++i) r[i] = r[i + 1];
        r[N - 1] = first;
      }
    }
  }
};

bool is_rare(UnaryOp op) {
#define MG_IS(Name) || op == UnaryOp::k##Name
  return false MG_RARE(MG_IS);
#undef MG_IS
}

template <class T>
Error run(UnaryOp op, const MapCall<1>& call, Stream stream) {
  const Params params = {{call.params[0], call.params[1], call.params[2]}};
  if (is_rare(op)) {
    return map_elements<T, T, T, 1>(call, ApplyRare{op, params}, stream);
  }
  return map_elements<T, T, T, 1>(call, ApplyCommon{op, params}, stream);
}

}  // namespace

Error unary(UnaryOp op, FloatType type, const MapCall<1>& call, Stream stream) {
  switch (type) {
    case FloatType::kFloat32:
      return run<float>(op, call, stream);
    case FloatType::kFloat64:
      return run<double>(op, call, stream);
    case FloatType::kFloat16:
      return run<__half>(op, call, stream);
    case FloatType::kBFloat16:
      return run<__nv_bfloat16>(op, call, stream);
  }
  return 0;
}

}  // namespace mg::cuda
