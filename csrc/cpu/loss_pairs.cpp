// Losses of pairs of elements, summed in the pass that computes them, and their slopes times the
// gradient in one pass each. A loss is a struct with `value`, `slope` and `target_slope` on
// vectors.
#include "loss_pairs.h"

#include "runtime/threads.h"
#include "vmath.h"
#include "vmath_more.h"

namespace mg::MG_ISA {
namespace {

template <class T>
using V = typename Vec<T>::type;

template <class Vector>
MG_INLINE Vector limit(Vector x, Vector low, Vector high) {  // NaN stays
  x = x < low ? low : x;
  return x > high ? high : x;
}

struct Everywhere {  // takes any numbers
  static constexpr bool kChecked = false;
};

struct Mse : Everywhere {
  template <class T>
  MG_INLINE V<T> value(V<T> x, V<T> t, T) {
    return (x - t) * (x - t);
  }
  template <class T>
  MG_INLINE V<T> slope(V<T> x, V<T> t, T) {
    return (x - t) + (x - t);
  }
};

struct L1 : Everywhere {
  template <class T>
  MG_INLINE V<T> value(V<T> x, V<T> t, T) {
    return abs(x - t);
  }
  template <class T>
  MG_INLINE V<T> slope(V<T> x, V<T> t, T) {
    const V<T> d = x - t, zero = {};
    return d > zero ? set1(T{1}) : d < zero ? set1(T{-1}) : d;
  }
};

struct SmoothL1 : Everywhere {
  template <class T>
  MG_INLINE V<T> value(V<T> x, V<T> t, T beta) {
    const V<T> d = abs(x - t);
    return d < beta ? d * d * (T(0.5) / beta) : d - T(0.5) * beta;
  }
  template <class T>
  MG_INLINE V<T> slope(V<T> x, V<T> t, T beta) {
    return limit((x - t) / beta, set1(T{-1}), set1(T{1}));
  }
};

struct Huber : Everywhere {
  template <class T>
  MG_INLINE V<T> value(V<T> x, V<T> t, T delta) {
    const V<T> d = abs(x - t);
    return d < delta ? d * d * T(0.5) : delta * (d - T(0.5) * delta);
  }
  template <class T>
  MG_INLINE V<T> slope(V<T> x, V<T> t, T delta) {
    return limit(x - t, set1(-delta), set1(delta));
  }
};

struct Bce {
  static constexpr bool kChecked = true;  // of probabilities
  template <class T>
  MG_INLINE V<T> log_of(V<T> x) {
    return max(set1(T{-100}), log(x));
  }
  template <class T>
  MG_INLINE V<T> log_rest(V<T> x) {
    return max(set1(T{-100}), log1p(-x));
  }
  template <class T>
  MG_INLINE V<T> value(V<T> x, V<T> t, T) {
    return (t - T{1}) * log_rest<T>(x) - t * log_of<T>(x);
  }
  template <class T>
  MG_INLINE V<T> slope(V<T> x, V<T> t, T) {
    return (x - t) / max(set1(T(1e-12)), (T{1} - x) * x);
  }
  template <class T>
  MG_INLINE V<T> target_slope(V<T> x, V<T>, T) {
    return log_rest<T>(x) - log_of<T>(x);
  }
};

struct BceLogits : Everywhere {
  template <class T>
  MG_INLINE V<T> value(V<T> x, V<T> t, T) {
    return (T{1} - t) * x + (log1p(exp(-abs(x))) + max(V<T>{}, -x));
  }
  template <class T>
  MG_INLINE V<T> slope(V<T> x, V<T> t, T) {
    return sigmoid(x) - t;
  }
  template <class T>
  MG_INLINE V<T> target_slope(V<T> x, V<T>, T) {
    return -x;
  }
};

struct Kl : Everywhere {
  template <class T>
  MG_INLINE V<T> value(V<T> x, V<T> t, T) {
    return (t == V<T>{} ? V<T>{} : t * log(t)) - t * x;
  }
  template <class T>
  MG_INLINE V<T> slope(V<T>, V<T> t, T) {
    return -t;
  }
  template <class T>
  MG_INLINE V<T> target_slope(V<T> x, V<T> t, T) {
    return log(t) + T{1} - x;
  }
};

struct KlLog : Everywhere {
  template <class T>
  MG_INLINE V<T> value(V<T> x, V<T> t, T) {
    return exp(t) * (t - x);
  }
  template <class T>
  MG_INLINE V<T> slope(V<T>, V<T> t, T) {
    return -exp(t);
  }
  template <class T>
  MG_INLINE V<T> target_slope(V<T> x, V<T> t, T) {
    return exp(t) * (t - x + T{1});
  }
};

template <class Loss, class T>
void forward(T* out, double* slots, const T* x, const T* t, int64_t n, double number) {
  constexpr int64_t lanes = Vec<T>::lanes;
  constexpr bool kChecked = Loss::kChecked;
  const T p = static_cast<T>(number);
  parallel_for(n, kLossChunk, [=](int64_t begin, int64_t end) {
    V<T> s0 = {}, s1 = {};
    const V<T> zero = {}, one = set1(T{1});
    auto inside = zero == zero;
    const auto value = [&](int64_t i) __attribute__((always_inline)) {
      const V<T> a = load(x + i), b = load(t + i);
      if (kChecked) inside &= (a >= zero) & (a <= one) & (b >= zero) & (b <= one);
      const V<T> v = Loss::template value<T>(a, b, p);
      if (out) store(out + i, v);
      return v;
    };
    int64_t i = begin;
    for (; i + 2 * lanes <= end; i += 2 * lanes) {
      s0 += value(i);
      s1 += value(i + lanes);
    }
    if (i + lanes <= end) {
      s0 += value(i);
      i += lanes;
    }
    if (i < end) {  // the lanes beyond the end count nothing
      const V<T> a = load_partial(x + i, end - i), b = load_partial(t + i, end - i);
      if (kChecked) inside &= (a >= zero) & (a <= one) & (b >= zero) & (b <= one);
      const V<T> v = Loss::template value<T>(a, b, p);
      if (out) store_partial(out + i, v, end - i);
      T lane[lanes] = {};
      store_partial(lane, v, end - i);
      s1 += load(lane);
    }
    bool all = true;
    if (kChecked) {
      for (int k = 0; k < lanes; ++k) all &= inside[k] != 0;
    }
    slots[begin / kLossChunk * 2] = static_cast<double>(hsum(s0 + s1));
    slots[begin / kLossChunk * 2 + 1] = all ? 0 : 1;
  });
}

template <class Loss, bool kTarget, class T>
MG_INLINE V<T> derivative(V<T> x, V<T> t, T p) {
  if constexpr (kTarget) {
    return Loss::template target_slope<T>(x, t, p);
  } else {
    return Loss::template slope<T>(x, t, p);
  }
}

template <class Loss, bool kTarget, class T>
void slope(T* out, const T* grad, const T* x, const T* t, int64_t n, double number, T scale) {
  constexpr int64_t lanes = Vec<T>::lanes;
  const T p = static_cast<T>(number);
  const bool past = n * static_cast<int64_t>(sizeof(T)) >= kStreamBytes &&
                    reinterpret_cast<uintptr_t>(out) % kVectorBytes == 0;
  parallel_for(n, kLossChunk, [=](int64_t begin, int64_t end) {
    const V<T> s = set1(scale);
    int64_t i = begin;
    for (; i + lanes <= end; i += lanes) {
      V<T> v = derivative<Loss, kTarget, T>(load(x + i), load(t + i), p);
      v = v * (grad ? load(grad + i) * s : s);
      if (past) {
        stream(out + i, v);
      } else {
        store(out + i, v);
      }
    }
    if (i < end) {
      V<T> v = derivative<Loss, kTarget, T>(load_partial(x + i, end - i),
                                            load_partial(t + i, end - i), p);
      v = v * (grad ? load_partial(grad + i, end - i) * s : s);
      store_partial(out + i, v, end - i);
    }
    if (past) stream_fence();
  });
}

template <class Loss, class T>
constexpr PairLossOf<T> even() {
  return {forward<Loss, T>, slope<Loss, false, T>, nullptr};
}
template <class Loss, class T>
constexpr PairLossOf<T> uneven() {
  return {forward<Loss, T>, slope<Loss, false, T>, slope<Loss, true, T>};
}

// In the order of PairLoss.
template <class T>
constexpr PairLossOf<T> kTable[] = {
    even<Mse, T>(),   even<L1, T>(),          even<SmoothL1, T>(), even<Huber, T>(),
    uneven<Bce, T>(), uneven<BceLogits, T>(), uneven<Kl, T>(),     uneven<KlLog, T>(),
};

}  // namespace

const PairLossOf<float>* pair_losses(float) { return kTable<float>; }
const PairLossOf<double>* pair_losses(double) { return kTable<double>; }

}  // namespace mg::MG_ISA
