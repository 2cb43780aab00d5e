// Arithmetic on every element of contiguous arrays.
// Memory-bound: one vector load per operand, the operation, one store; rows repeat without a copy.
#include "kernels/elementwise.h"

#include "runtime/threads.h"
#include "vmath.h"

namespace mg::MG_ISA {
namespace {

// Elements in a chunk: 100 KB of floats, several microseconds; less does not pay for a wake-up.
constexpr int64_t kGrain = 1 << 15;

struct Add {
  template <class V>
  MG_INLINE V apply(V a, V b) {
    return a + b;
  }
};
struct Sub {
  template <class V>
  MG_INLINE V apply(V a, V b) {
    return a - b;
  }
};
struct Mul {
  template <class V>
  MG_INLINE V apply(V a, V b) {
    return a * b;
  }
};
struct Div {
  template <class V>
  MG_INLINE V apply(V a, V b) {
    return a / b;
  }
};
struct ReluBackward {
  template <class V>
  MG_INLINE V apply(V grad, V out) {
    return out <= V{} ? V{} : grad;
  }
};
struct TanhBackward {
  template <class V>
  MG_INLINE V apply(V grad, V y) {
    return grad * (1 - y * y);
  }
};
struct SigmoidBackward {
  template <class V>
  MG_INLINE V apply(V grad, V y) {
    return grad * y * (1 - y);
  }
};
struct Neg {
  template <class V>
  MG_INLINE V apply(V a) {
    return -a;
  }
};
struct Relu {
  template <class V>
  MG_INLINE V apply(V a) {
    return a < V{} ? V{} : a;
  }
};

#define MG_UNARY(Name, function) \
  struct Name {                  \
    template <class V>           \
    MG_INLINE V apply(V a) {     \
      return function(a);        \
    }                            \
  };
MG_UNARY(Exp, exp)
MG_UNARY(Log, log)
MG_UNARY(Sqrt, sqrt)
MG_UNARY(Tanh, tanh)
MG_UNARY(Sigmoid, sigmoid)
#undef MG_UNARY
struct Reciprocal {
  template <class V>
  MG_INLINE V apply(V a) {
    return 1 / a;
  }
};

template <class Op, class T>
void same(T* out, const T* a, const T* b, int64_t n) {
  constexpr int lanes = Vec<T>::lanes;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(out + i, Op::apply(load(a + i), load(b + i)));
  if (i < n) {
    store_partial(out + i, Op::apply(load_partial(a + i, n - i), load_partial(b + i, n - i)),
                  n - i);
  }
}

template <class Op, bool kScalarLeft, class T>
void with_scalar(T* out, const T* a, T value, int64_t n) {
  constexpr int lanes = Vec<T>::lanes;
  const auto s = set1(value);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = load(a + i);
    store(out + i, kScalarLeft ? Op::apply(s, v) : Op::apply(v, s));
  }
  if (i < n) {
    const auto v = load_partial(a + i, n - i);
    store_partial(out + i, kScalarLeft ? Op::apply(s, v) : Op::apply(v, s), n - i);
  }
}

template <class Op, class T>
void binary(T* out, const T* a, const T* b, int64_t n, int64_t rows, Form form) {
  switch (form) {
    case Form::kSame:
      parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        same<Op>(out + begin, a + begin, b + begin, end - begin);
      });
      return;
    case Form::kRight:
      parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        with_scalar<Op, false>(out + begin, a + begin, *b, end - begin);
      });
      return;
    case Form::kLeft:
      parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        with_scalar<Op, true>(out + begin, b + begin, *a, end - begin);
      });
      return;
    case Form::kRow: {
      if (n == 0) return;
      const int64_t columns = n / rows;
      const int64_t grain = columns >= kGrain ? 1 : kGrain / columns;
      parallel_for(rows, grain, [=](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          same<Op>(out + row * columns, a + row * columns, b, columns);
        }
      });
      return;
    }
  }
}

template <class Op, class T>
void unary(T* out, const T* a, int64_t n) {
  constexpr int lanes = Vec<T>::lanes;
  parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + lanes <= end; i += lanes) store(out + i, Op::apply(load(a + i)));
    if (i < end) store_partial(out + i, Op::apply(load_partial(a + i, end - i)), end - i);
  });
}

}  // namespace

// In the order of BinaryOp and UnaryOp.
#define MG_ELEMENTWISE(T)                                                                          \
  {                                                                                                \
    {binary<Add, T>,                                                                               \
     binary<Sub, T>,                                                                               \
     binary<Mul, T>,                                                                               \
     binary<Div, T>,                                                                               \
     binary<ReluBackward, T>,                                                                      \
     binary<TanhBackward, T>,                                                                      \
     binary<SigmoidBackward, T>},                                                                  \
    {                                                                                              \
      unary<Neg, T>, unary<Relu, T>, unary<Exp, T>, unary<Log, T>, unary<Sqrt, T>, unary<Tanh, T>, \
          unary<Sigmoid, T>, unary<Reciprocal, T>                                                  \
    }                                                                                              \
  }

extern const ElementwiseKernels kElementwise = {MG_ELEMENTWISE(float), MG_ELEMENTWISE(double)};

}  // namespace mg::MG_ISA
