// Elementwise operations of two operands, and the gradients of functions of one: a struct each;
// loops.cuh makes the loop.
#include "cuda/loops.cuh"
#include "cuda/vmath.cuh"

namespace mg::cuda {
namespace {

#define MG_BINARY(Name, a, b, expression)                 \
  struct Name {                                           \
    template <class V>                                    \
    static MG_DEVICE V apply(V a, V b, const Params& p) { \
      (void)p;                                            \
      return expression;                                  \
    }                                                     \
  };
MG_BINARY(Add, a, b, a + b)
MG_BINARY(Sub, a, b, a - b)
MG_BINARY(Mul, a, b, a* b)
MG_BINARY(Div, a, b, a / b)
MG_BINARY(Maximum, a, b, a > b ? a : b == b ? (a == a ? b : a) : b)
MG_BINARY(Minimum, a, b, a < b ? a : b == b ? (a == a ? b : a) : b)
MG_BINARY(Pow, a, b, pow(a, b))
MG_BINARY(ReluBackward, grad, y, y <= V(0) ? V(0) : grad)
MG_BINARY(TanhBackward, grad, y, grad*(V(1) - y * y))
MG_BINARY(SigmoidBackward, grad, y, grad * y * (V(1) - y))
MG_BINARY(SqrtBackward, grad, y, grad / (y + y))
MG_BINARY(AbsBackward, grad, x, x > V(0) ? grad : x < V(0) ? -grad : grad * V(0))
MG_BINARY(LeakyReluBackward, grad, x, x > V(0) ? grad : grad * V(p.at[0]))
MG_BINARY(EluBackward, grad, x,
          x <= V(0) ? grad * (exp(x * V(p.at[2])) * (V(p.at[0]) * V(p.at[1]) * V(p.at[2])))
                    : grad * V(p.at[1]))
MG_BINARY(ClampBackward, grad, x, x >= V(p.at[0]) ? (x <= V(p.at[1]) ? grad : V(0)) : V(0))
MG_BINARY(HardtanhBackward, grad, x, x > V(p.at[0]) ? (x < V(p.at[1]) ? grad : V(0)) : V(0))
MG_BINARY(OutsideBackward, grad, x, x >= V(p.at[0]) ? (x <= V(p.at[1]) ? V(0) : grad) : grad)
MG_BINARY(LogSigmoidBackward, grad, x, grad* sigmoid(-x))
MG_BINARY(HardsigmoidBackward, grad, x, x > V(-3) ? (x < V(3) ? grad / V(6) : V(0)) : V(0))
MG_BINARY(HardswishBackward, grad, x,
          x <= V(-3) ? V(0)
          : x < V(3) ? grad * (x / V(3) + V(0.5))
                     : grad)
MG_BINARY(AddScaled, a, b, fma(b, V(p.at[0]), a))
MG_BINARY(Fmod, a, b, fmod(a, b))
MG_BINARY(Hypot, a, b, hypot(a, b))
MG_BINARY(Copysign, a, b, copysign(a, b))
MG_BINARY(Prelu, a, b, a > V(0) ? a : a * b)
// From the nearer end, so that a weight of 1 gives b itself.
MG_BINARY(Lerp, a, b,
          abs(V(p.at[0])) < V(0.5) ? a + V(p.at[0]) * (b - a) : b - (b - a) * (V(1) - V(p.at[0])))
#undef MG_BINARY

// What fmod leaves, moved into the divisor's sign.
struct Remainder {
  template <class V>
  static MG_DEVICE V apply(V a, V b, const Params&) {
    const V r = fmod(a, b);
    const V moved = (b < V(0)) != (r < V(0)) ? r + b : r;
    return r != V(0) ? moved : copy_sign(V(0), b);
  }
};
// The exact remainder is taken off first, so that the quotient is whole but for its rounding.
struct DivFloor {
  template <class V>
  static MG_DEVICE V apply(V a, V b, const Params&) {
    const V r = fmod(a, b);
    V q = (a - r) / b;
    if (r != V(0) && (b < V(0)) != (r < V(0))) q -= V(1);
    V whole = floor(q);
    whole = q - whole > V(0.5) ? whole + V(1) : whole;
    const V result = q != V(0) ? whole : copy_sign(V(0), a / b);
    return b == V(0) ? a / b : result;
  }
};
// max + ln(1 + e^-|a - b|); equal infinities have no difference.
struct Logaddexp {
  template <class V>
  static MG_DEVICE V apply(V a, V b, const Params&) {
    const V top = a > b ? a : b;
    const V gap = a == b ? V(0) : -abs(a - b);
    const V sum = top + log1p(exp(gap));
    return a == a ? sum : a;
  }
};

// P(x) + x p(x), P and p the normal distribution and its density.
struct GeluBackward {
  template <class V>
  static MG_DEVICE V apply(V grad, V x, const Params&) {
    const V below = twice_normal(x) * V(0.5);
    const V density = exp(x * x * V(-0.5)) * V(0.39894228040143267794);
    return grad * (below + x * density);
  }
};
// s + x s (1 - s) u' with s = sigmoid(u), u = 2 k (x + c x^3): as GeluTanh is computed.
struct GeluTanhBackward {
  template <class V>
  static MG_DEVICE V apply(V grad, V x, const Params&) {
    const V k = V(1.59576912160573071176), c = V(0.044715);
    const V square = x * x;
    const V s = sigmoid((square * c + V(1)) * x * k);
    return grad * s * (V(1) + x * (V(1) - s) * k * (square * c * V(3) + V(1)));
  }
};
struct SiluBackward {
  template <class V>
  static MG_DEVICE V apply(V grad, V x, const Params&) {
    const V s = sigmoid(x);
    return grad * s * (V(1) + x * (V(1) - s));
  }
};
struct SoftplusBackward {
  template <class V>
  static MG_DEVICE V apply(V grad, V x, const Params& p) {
    const V scaled = x * V(p.at[0]);
    return scaled > V(p.at[1]) ? grad : grad * sigmoid(scaled);
  }
};
struct MishBackward {
  template <class V>
  static MG_DEVICE V apply(V grad, V x, const Params&) {
    const V t = tanh_of_softplus(x);
    return grad * (t + x * sigmoid(x) * (V(1) - t * t));
  }
};

template <class Op, class V, int N>
MG_DEVICE void apply_all(const V (&v)[2][N], V (&r)[N], const Params& p) {
#pragma unroll
  for (int i = 0; i < N; ++i) r[i] = Op::apply(v[0][i], v[1][i], p);
}

// As in elementwise_unary.cu: what costs few registers, and the others.
// clang-format off
#define MG_COMMON(X) \
  X(Add) X(Sub) X(Mul) X(Div) X(Maximum) X(Minimum) X(ReluBackward) X(TanhBackward) \
  X(SigmoidBackward) X(SqrtBackward) X(GeluBackward) X(GeluTanhBackward) X(SiluBackward) \
  X(AbsBackward) X(LeakyReluBackward) X(ClampBackward) X(HardtanhBackward) X(OutsideBackward) \
  X(HardswishBackward) X(HardsigmoidBackward) X(AddScaled) X(Prelu) X(Lerp)
// clang-format on
// clang-format off
#define MG_RARE(X) \
  X(Pow) X(EluBackward) X(SoftplusBackward) X(LogSigmoidBackward) X(MishBackward) X(Fmod) \
  X(Remainder) X(DivFloor) X(Hypot) X(Logaddexp) X(Copysign)
// clang-format on

struct ApplyCommon {
  BinaryOp op;
  Params params;
  template <class V, int N>
  MG_DEVICE void operator()(const V (&v)[2][N], V (&r)[N]) const {
#define MG_CASE(Name)              \
  case BinaryOp::k##Name:          \
    apply_all<Name>(v, r, params); \
    break;
    switch (op) {
      MG_COMMON(MG_CASE)
      default:
        apply_all<Add>(v, r, params);
    }
#undef MG_CASE
  }
};

struct ApplyRare {
  BinaryOp op;
  Params params;
  template <class V>
  MG_DEVICE V apply(V a, V b) const {
#define MG_RETURN(Name)   \
  case BinaryOp::k##Name: \
    return Name::apply(a, b, params);
    switch (op) {
      MG_RARE(MG_RETURN)
      default:
        return a;
    }
#undef MG_RETURN
  }
  template <class V, int N>
  MG_DEVICE void operator()(const V (&v)[2][N], V (&r)[N]) const {
    V a[N], b[N];
#pragma unroll
    for (int i = 0; i < N; ++i) {
      a[i] = v[0][i];
      b[i] = v[1][i];
    }
#pragma unroll 1
    for (int round = 0; round < N; ++round) {  // turned round, so that registers are named
      const V first = apply(a[0], b[0]);
#pragma unroll
      for (int i = 0; i + 1 < N; ++i) {
        a[i] = a[i + 1];
        b[i] = b[i + 1];
        r[i] = r[i + 1];
      }
      r[N - 1] = first;
    }
  }
};

bool is_rare(BinaryOp op) {
#define MG_IS(Name) || op == BinaryOp::k##Name
  return false MG_RARE(MG_IS);
#undef MG_IS
}

template <class T>
Error run(BinaryOp op, const MapCall<2>& call, Stream stream) {
  const Params params = {{call.params[0], call.params[1], call.params[2]}};
  if (is_rare(op)) return map_elements<T, T, T, 2>(call, ApplyRare{op, params}, stream);
  return map_elements<T, T, T, 2>(call, ApplyCommon{op, params}, stream);
}

}  // namespace

Error binary(BinaryOp op, FloatType type, const MapCall<2>& call, Stream stream) {
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
