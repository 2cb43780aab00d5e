// Optimizer steps: SGD, Adam(W), RMSprop, Adagrad over many tensors in one call.
// Memory-bound: all tensors are one range of elements cut into chunks; each element is read,
// updated in registers and written once, however many terms its rule has.
#include "kernels/optim.h"

#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {
namespace {

// Elements in a chunk: some 10 microseconds of traffic.
constexpr int64_t kGrain = 1 << 15;

#define MG_RULE __attribute__((always_inline))

// The type that a storage type is computed in.
template <class T>
struct Compute {
  using scalar = float;
  using vector = vf;
  static constexpr int lanes = kF;
};
template <>
struct Compute<double> {
  using scalar = double;
  using vector = vd;
  static constexpr int lanes = kD;
};

// A product that must be rounded before it is added to something: the compiler would fuse the two
// in one copy of a loop and not in another, and results would depend on where a chunk ends.
template <class V>
MG_INLINE V rounded(V v) {
#if defined(__AVX512F__)
  __asm__("" : "+v"(v));
#elif defined(__x86_64__)
  __asm__("" : "+x"(v));
#elif defined(__aarch64__)
  __asm__("" : "+w"(v));
#endif
  return v;
}

// Calls rule(p, g, s) on registers for the elements [begin, end) of one tensor. kStates: how many
// of the states there are; s[k] belongs to state[index k of those present].
template <class T, int kStates, class Rule>
MG_INLINE void sweep(const OptimTensor& t, const int* present, int64_t begin, int64_t end,
                     Rule rule) {
  using V = typename Compute<T>::vector;
  constexpr int lanes = Compute<T>::lanes;
  T* const p = static_cast<T*>(t.param);
  const T* const g = static_cast<const T*>(t.grad);
  T* s[kStates ? kStates : 1];
  for (int k = 0; k < kStates; ++k) s[k] = static_cast<T*>(t.state[present[k]]);
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) {
    V value = load(p + i);
    V state[kStates ? kStates : 1] = {};
    for (int k = 0; k < kStates; ++k) state[k] = load(s[k] + i);
    rule(value, load(g + i), state);
    store(p + i, value);
    for (int k = 0; k < kStates; ++k) store(s[k] + i, state[k]);
  }
  if (i < end) {
    const int64_t n = end - i;
    V value = load_partial(p + i, n);
    V state[kStates ? kStates : 1] = {};
    for (int k = 0; k < kStates; ++k) state[k] = load_partial(s[k] + i, n);
    rule(value, load_partial(g + i, n), state);
    store_partial(p + i, value, n);
    for (int k = 0; k < kStates; ++k) store_partial(s[k] + i, state[k], n);
  }
}

// Constants of a rule in the computing type: numbers become what PyTorch makes of them.
template <class T>
struct Constants {
  using V = typename Compute<T>::vector;
  MG_INLINE V of(double x) { return set1(static_cast<typename Compute<T>::scalar>(x)); }
};

template <class V>
MG_INLINE V gradient(V g, V p, V decay, bool with_decay, bool maximize) {
  if (maximize) g = -g;
  return with_decay ? fma(p, decay, g) : g;
}

// start + weight (end - start), in PyTorch's form, which is exact at both ends.
template <class V>
MG_INLINE V lerp(V start, V end, V weight, V other, bool small) {
  const V delta = end - start;
  return small ? fma(weight, delta, start) : fma(-delta, other, end);
}

template <class T>
struct Sgd {
  template <bool kMomentum>
  static void run(const OptimTensor& t, const OptimOptions& o, int64_t begin, int64_t end) {
    using V = typename Compute<T>::vector;
    using C = Constants<T>;
    const V rate = C::of(-o.lr), momentum = C::of(o.momentum), share = C::of(1 - o.dampening);
    const V decay = C::of(o.weight_decay);
    const bool with_decay = o.weight_decay != 0, maximize = o.maximize;
    const bool nesterov = o.nesterov, first = o.first;
    const int present[] = {0};
    sweep<T, kMomentum ? 1 : 0>(t, present, begin, end, [=](V& p, V g, V* s) MG_RULE {
      g = gradient(g, p, decay, with_decay, maximize);
      if (kMomentum) {
        s[0] = first ? g : fma(share, g, rounded(s[0] * momentum));
        g = nesterov ? fma(momentum, s[0], g) : s[0];
      }
      p = fma(rate, g, p);
    });
  }
  static void step(const OptimTensor& t, const OptimOptions& o, int64_t begin, int64_t end) {
    t.state[0] ? run<true>(t, o, begin, end) : run<false>(t, o, begin, end);
  }
};

template <class T>
struct Adam {
  template <bool kAmsgrad>
  static void run(const OptimTensor& t, const OptimOptions& o, int64_t begin, int64_t end) {
    using V = typename Compute<T>::vector;
    using C = Constants<T>;
    const double w1 = 1 - o.beta1;
    const V weight = C::of(w1), other = C::of(1 - w1), beta2 = C::of(o.beta2);
    const V share = C::of(1 - o.beta2), eps = C::of(o.eps);
    const V rate = C::of(-t.a), root = C::of(t.b);
    const V shrink = C::of(1 - o.lr * o.weight_decay), decay = C::of(o.weight_decay);
    const bool decoupled = o.decoupled && o.weight_decay != 0;
    const bool with_decay = !o.decoupled && o.weight_decay != 0;
    const bool small = w1 < 0.5, maximize = o.maximize;
    const int present[] = {0, 1, 2};
    sweep<T, kAmsgrad ? 3 : 2>(t, present, begin, end, [=](V& p, V g, V* s) MG_RULE {
      g = gradient(g, p, decay, with_decay, maximize);
      if (decoupled) p = rounded(p * shrink);
      s[0] = lerp(s[0], g, weight, other, small);
      s[1] = fma(share * g, g, rounded(s[1] * beta2));
      V v = s[1];
      if (kAmsgrad) {
        s[2] = s[2] != s[2] ? s[2] : max(s[2], v);  // NaN in either one stays
        v = s[2];
      }
      p = p + rate * s[0] / (sqrt(v) / root + eps);
    });
  }
  static void step(const OptimTensor& t, const OptimOptions& o, int64_t begin, int64_t end) {
    t.state[2] ? run<true>(t, o, begin, end) : run<false>(t, o, begin, end);
  }
};

template <class T>
struct RmsProp {
  template <bool kMomentum, bool kCentered>
  static void run(const OptimTensor& t, const OptimOptions& o, int64_t begin, int64_t end) {
    using V = typename Compute<T>::vector;
    using C = Constants<T>;
    const double w = 1 - o.alpha;
    const V alpha = C::of(o.alpha), share = C::of(w), other = C::of(1 - w), eps = C::of(o.eps);
    const V rate = C::of(-o.lr), momentum = C::of(o.momentum), decay = C::of(o.weight_decay);
    const bool with_decay = o.weight_decay != 0, maximize = o.maximize, small = w < 0.5;
    const int present[] = {0, kMomentum ? 1 : 2, 2};
    constexpr int average = kMomentum ? 2 : 1;
    constexpr int count = 1 + kMomentum + kCentered;
    sweep<T, count>(t, present, begin, end, [=](V& p, V g, V* s) MG_RULE {
      g = gradient(g, p, decay, with_decay, maximize);
      s[0] = fma(share * g, g, rounded(s[0] * alpha));
      V square = s[0];
      if (kCentered) {
        s[average] = lerp(s[average], g, share, other, small);
        square = fma(-s[average], s[average], square);
      }
      const V root = sqrt(square) + eps;
      if (kMomentum) {
        s[1] = rounded(s[1] * momentum) + g / root;
        p = fma(rate, s[1], p);
      } else {
        p = p + rate * g / root;
      }
    });
  }
  static void step(const OptimTensor& t, const OptimOptions& o, int64_t begin, int64_t end) {
    if (t.state[1]) {
      t.state[2] ? run<true, true>(t, o, begin, end) : run<true, false>(t, o, begin, end);
    } else {
      t.state[2] ? run<false, true>(t, o, begin, end) : run<false, false>(t, o, begin, end);
    }
  }
};

template <class T>
struct Adagrad {
  static void step(const OptimTensor& t, const OptimOptions& o, int64_t begin, int64_t end) {
    using V = typename Compute<T>::vector;
    using C = Constants<T>;
    const V rate = C::of(-t.a), eps = C::of(o.eps), decay = C::of(o.weight_decay);
    const bool with_decay = o.weight_decay != 0, maximize = o.maximize;
    const int present[] = {0};
    sweep<T, 1>(t, present, begin, end, [=](V& p, V g, V* s) MG_RULE {
      g = gradient(g, p, decay, with_decay, maximize);
      s[0] = fma(g, g, s[0]);
      p = p + rate * g / (sqrt(s[0]) + eps);
    });
  }
};

template <template <class> class Rule>
void update(const OptimTensor& t, const OptimOptions& o, int64_t begin, int64_t end) {
  switch (t.dtype) {
    case DType::kFloat64:
      return Rule<double>::step(t, o, begin, end);
    case DType::kFloat16:
      return Rule<half>::step(t, o, begin, end);
    case DType::kBFloat16:
      return Rule<bfloat16>::step(t, o, begin, end);
    default:
      return Rule<float>::step(t, o, begin, end);
  }
}

template <template <class> class Rule>
void step_all(const OptimTensor* tensors, int64_t count, int64_t total,
              const OptimOptions* options) {
  parallel_for(total, kGrain, [=](int64_t begin, int64_t end) {
    int64_t low = 0, high = count;  // the last tensor that starts at or before `begin`
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      (tensors[middle].start <= begin ? low : high) = middle;
    }
    for (int64_t i = low; i < count && tensors[i].start < end; ++i) {
      const OptimTensor& t = tensors[i];
      const int64_t from = max_of(begin - t.start, 0), to = min_of(end - t.start, t.size);
      if (from < to) update<Rule>(t, *options, from, to);
    }
  });
}

}  // namespace

extern const OptimKernels kOptim = {
    step_all<Sgd>,
    step_all<Adam>,
    step_all<RmsProp>,
    step_all<Adagrad>,
};

}  // namespace mg::MG_ISA
