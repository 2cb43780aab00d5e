// Elementwise operations of two operands, and the gradients of functions of one: a struct each, its
// vector form; rows.h makes the loops.
#include "rows.h"
#include "vmath_pow.h"
#include "vmath_rare.h"

namespace mg::MG_ISA {
namespace {

#define MG_BINARY(Name, a, b, expression)             \
  struct Name {                                       \
    template <class V>                                \
    MG_INLINE V apply(V a, V b, const Params<V>& p) { \
      (void)p;                                        \
      return expression;                              \
    }                                                 \
  };
MG_BINARY(Add, a, b, a + b)
MG_BINARY(Sub, a, b, a - b)
MG_BINARY(Mul, a, b, a* b)
MG_BINARY(Div, a, b, a / b)
MG_BINARY(Maximum, a, b, a > b ? a : b == b ? (a == a ? b : a) : b)
MG_BINARY(Minimum, a, b, a < b ? a : b == b ? (a == a ? b : a) : b)
MG_BINARY(Pow, a, b, pow(a, b))
MG_BINARY(ReluBackward, grad, y, y <= V{} ? V{} : grad)
MG_BINARY(TanhBackward, grad, y, grad * (1 - y * y))
MG_BINARY(SigmoidBackward, grad, y, grad * y * (1 - y))
MG_BINARY(SqrtBackward, grad, y, grad / (y + y))
MG_BINARY(AbsBackward, grad, x, x > V{} ? grad : x < V{} ? -grad : grad * V{})
MG_BINARY(LeakyReluBackward, grad, x, x > V{} ? grad : grad * p.at[0])
MG_BINARY(EluBackward, grad, x,
          x <= V{} ? grad * (exp(x * p.at[2]) * (p.at[0] * p.at[1] * p.at[2])) : grad * p.at[1])
MG_BINARY(ClampBackward, grad, x, x >= p.at[0] ? (x <= p.at[1] ? grad : V{}) : V{})
MG_BINARY(HardtanhBackward, grad, x, x > p.at[0] ? (x < p.at[1] ? grad : V{}) : V{})
MG_BINARY(OutsideBackward, grad, x, x >= p.at[0] ? (x <= p.at[1] ? V{} : grad) : grad)
MG_BINARY(LogSigmoidBackward, grad, x, grad* sigmoid(-x))
MG_BINARY(HardsigmoidBackward, grad, x, x > V{} - 3 ? (x < V{} + 3 ? grad / 6 : V{}) : V{})
MG_BINARY(HardswishBackward, grad, x,
          x <= V{} - 3  ? V{}
          : x < V{} + 3 ? grad * (x / 3 + lanes_of<V>(0.5))
                        : grad)
MG_BINARY(AddScaled, a, b, fma(b, p.at[0], a))
MG_BINARY(Fmod, a, b, fmod(a, b))
MG_BINARY(Hypot, a, b, hypot(a, b))
MG_BINARY(Copysign, a, b, copysign(a, b))
MG_BINARY(Prelu, a, b, a > V{} ? a : a * b)
// From the nearer end, so that a weight of 1 gives b itself.
MG_BINARY(Lerp, a, b,
          abs(p.at[0]) < lanes_of<V>(0.5) ? a + p.at[0] * (b - a) : b - (b - a) * (1 - p.at[0]))
#undef MG_BINARY

// What fmod leaves, moved into the divisor's sign.
struct Remainder {
  template <class V>
  MG_INLINE V apply(V a, V b, const Params<V>&) {
    const V r = fmod(a, b);
    const V moved = (b < V{}) != (r < V{}) ? r + b : r;
    return r != V{} ? moved : copy_sign(V{}, b);
  }
};
// The exact remainder is taken off first, so that the quotient is whole but for its rounding.
struct DivFloor {
  template <class V>
  MG_INLINE V apply(V a, V b, const Params<V>&) {
    const V r = fmod(a, b);
    V q = (a - r) / b;
    const V lower = (b < V{}) != (r < V{}) ? q - 1 : q;
    q = r != V{} ? lower : q;
    V whole = floor(q);
    whole = q - whole > lanes_of<V>(0.5) ? whole + 1 : whole;
    const V result = q != V{} ? whole : copy_sign(V{}, a / b);
    return b == V{} ? a / b : result;
  }
};
// max + ln(1 + e^-|a - b|); equal infinities have no difference.
struct Logaddexp {
  template <class V>
  MG_INLINE V apply(V a, V b, const Params<V>&) {
    const V top = a > b ? a : b;
    const V gap = a == b ? V{} : -abs(a - b);
    const V sum = top + log1p_unit(exp(gap));
    return a == a ? sum : a;
  }
};

// P(x) + x p(x), P and p the normal distribution and its density.
struct GeluBackward {
  template <class V>
  MG_INLINE V apply(V grad, V x, const Params<V>&) {
    const V below = twice_normal(x) * lanes_of<V>(0.5);
    const V density = exp(x * x * lanes_of<V>(-0.5)) * lanes_of<V>(0.39894228040143267794);
    return grad * (below + x * density);
  }
};
// s + x s (1 - s) u' with s = sigmoid(u), u = 2 k (x + c x^3): as GeluTanh is computed.
struct GeluTanhBackward {
  template <class V>
  MG_INLINE V apply(V grad, V x, const Params<V>&) {
    const V k = lanes_of<V>(1.59576912160573071176), c = lanes_of<V>(0.044715);
    const V square = x * x;
    const V s = sigmoid((square * c + 1) * x * k);
    return grad * s * (1 + x * (1 - s) * k * (square * c * 3 + 1));
  }
};
struct SiluBackward {
  template <class V>
  MG_INLINE V apply(V grad, V x, const Params<V>&) {
    const V s = sigmoid(x);
    return grad * s * (1 + x * (1 - s));
  }
};
struct SoftplusBackward {
  template <class V>
  MG_INLINE V apply(V grad, V x, const Params<V>& p) {
    const V scaled = x * p.at[0];
    return scaled > p.at[1] ? grad : grad * sigmoid(scaled);
  }
};
struct MishBackward {
  template <class V>
  MG_INLINE V apply(V grad, V x, const Params<V>&) {
    const V t = tanh_of_softplus(x);
    return grad * (t + x * sigmoid(x) * (1 - t * t));
  }
};

#define MG_ROWS(Op) {binary_row<Op, float>, binary_row<Op, double>}

// Arrays to one power. Multiples of a half up to 4 are products, and a root, of at most 2 ulp: a
// tenth of the general power's work.
template <class T>
void pow_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double* params,
             bool past_caches) {
  const T y = unit[1] == Unit::kSame ? *static_cast<const T*>(in[1]) : T{0};
  const bool dense = unit[0] == Unit::kDense;
  if (!(dense && y > 1 && y <= 4 && y + y == static_cast<T>(static_cast<int>(y + y)))) {
    return binary_row<Pow, T>(out, in, unit, n, params, past_caches);
  }
  using V = typename Lane<T>::V;
  const Operand<T> a = operand<T>(in[0], unit[0]);
  const int whole = static_cast<int>(y);
  const bool root = static_cast<T>(whole) != y;
  const V infinite = set1(static_cast<T>(__builtin_inf()));
  write_row(static_cast<T*>(out), n, past_caches, [&](int64_t i, int64_t left) MG_INLINE_LAMBDA {
    const V x = get(a, i, left);
    V result = x;
    for (int k = 1; k < whole; ++k) result *= x;
    if (!root) return result;
    result = abs(result * sqrt(x));  // -0 has the power 0
    return x == -infinite ? infinite : result;
  });
}

}  // namespace

// In the order of BinaryOp.
extern const Row kBinary[][kFloatTypes] = {
    MG_ROWS(Add),
    MG_ROWS(Sub),
    MG_ROWS(Mul),
    MG_ROWS(Div),
    MG_ROWS(Maximum),
    MG_ROWS(Minimum),
    {pow_row<float>, pow_row<double>},
    MG_ROWS(ReluBackward),
    MG_ROWS(TanhBackward),
    MG_ROWS(SigmoidBackward),
    MG_ROWS(SqrtBackward),
    MG_ROWS(GeluBackward),
    MG_ROWS(GeluTanhBackward),
    MG_ROWS(SiluBackward),
    MG_ROWS(AbsBackward),
    MG_ROWS(LeakyReluBackward),
    MG_ROWS(EluBackward),
    MG_ROWS(SoftplusBackward),
    MG_ROWS(ClampBackward),
    MG_ROWS(HardtanhBackward),
    MG_ROWS(LogSigmoidBackward),
    MG_ROWS(MishBackward),
    MG_ROWS(HardswishBackward),
    MG_ROWS(HardsigmoidBackward),
    MG_ROWS(AddScaled),
    MG_ROWS(Fmod),
    MG_ROWS(Remainder),
    MG_ROWS(DivFloor),
    MG_ROWS(Hypot),
    MG_ROWS(Logaddexp),
    MG_ROWS(Prelu),
    MG_ROWS(Lerp),
    MG_ROWS(Copysign),
    MG_ROWS(OutsideBackward),
};

}  // namespace mg::MG_ISA
