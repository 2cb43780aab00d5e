// Optimizer steps: SGD, Adam(W), RMSprop, Adagrad over many tensors in one call, and the walk.
// Memory-bound: all tensors are one range of elements cut into chunks; each element is read,
// updated in registers and written once, however many terms its rule has.
#include "cpu/optim_steps.h"
#include "runtime/threads.h"

namespace mg::MG_ISA {
namespace {

template <class T>
struct Sgd {
  template <bool kMomentum>
  static void run(const Piece<T>& x, const OptimTensor&, const OptimOptions& o, double*) {
    using V = typename Vec<T>::type;
    const V rate = constant<T>(-o.lr), momentum = constant<T>(o.momentum),
            share = constant<T>(1 - o.dampening);
    const V decay = constant<T>(o.weight_decay);
    const bool with_decay = o.weight_decay != 0, maximize = o.maximize;
    const bool nesterov = o.nesterov, first = o.first;
    const int present[] = {0};
    sweep<T, kMomentum ? 1 : 0>(x, present, [=](V& p, V g, V* s) MG_RULE {
      g = gradient(g, p, decay, with_decay, maximize);
      if (kMomentum) {
        s[0] = first ? g : fma(share, g, rounded(s[0] * momentum));
        g = nesterov ? fma(momentum, s[0], g) : s[0];
      }
      p = fma(rate, g, p);
    });
  }
  static void step(const Piece<T>& x, const OptimTensor& t, const OptimOptions& o, double*) {
    t.state[0] ? run<true>(x, t, o, nullptr) : run<false>(x, t, o, nullptr);
  }
};

template <class T>
struct Adam {
  template <bool kAmsgrad>
  static void run(const Piece<T>& x, const OptimTensor& t, const OptimOptions& o, double*) {
    using V = typename Vec<T>::type;
    const double w1 = 1 - o.beta1;
    const V weight = constant<T>(w1), other = constant<T>(1 - w1), beta2 = constant<T>(o.beta2);
    const V share = constant<T>(1 - o.beta2), eps = constant<T>(o.eps);
    const V rate = constant<T>(-t.a), root = constant<T>(t.b);
    const V shrink = constant<T>(1 - o.lr * o.weight_decay), decay = constant<T>(o.weight_decay);
    const bool decoupled = o.decoupled && o.weight_decay != 0;
    const bool with_decay = !o.decoupled && o.weight_decay != 0;
    const bool small = w1 < 0.5, maximize = o.maximize;
    const int present[] = {0, 1, 2};
    sweep<T, kAmsgrad ? 3 : 2>(x, present, [=](V& p, V g, V* s) MG_RULE {
      g = gradient(g, p, decay, with_decay, maximize);
      if (decoupled) p = rounded(p * shrink);
      s[0] = lerp(s[0], g, weight, other, small);
      s[1] = fma(share * g, g, rounded(s[1] * beta2));
      V v = s[1];
      if (kAmsgrad) {
        s[2] = maximum(s[2], v);
        v = s[2];
      }
      p = p + rate * s[0] / (sqrt(v) / root + eps);
    });
  }
  static void step(const Piece<T>& x, const OptimTensor& t, const OptimOptions& o, double*) {
    t.state[2] ? run<true>(x, t, o, nullptr) : run<false>(x, t, o, nullptr);
  }
};

template <class T>
struct RmsProp {
  template <bool kMomentum, bool kCentered>
  static void run(const Piece<T>& x, const OptimTensor&, const OptimOptions& o, double*) {
    using V = typename Vec<T>::type;
    const double w = 1 - o.alpha;
    const V alpha = constant<T>(o.alpha), share = constant<T>(w), other = constant<T>(1 - w),
            eps = constant<T>(o.eps);
    const V rate = constant<T>(-o.lr), momentum = constant<T>(o.momentum),
            decay = constant<T>(o.weight_decay);
    const bool with_decay = o.weight_decay != 0, maximize = o.maximize, small = w < 0.5;
    const int present[] = {0, kMomentum ? 1 : 2, 2};
    constexpr int average = kMomentum ? 2 : 1;
    constexpr int count = 1 + kMomentum + kCentered;
    sweep<T, count>(x, present, [=](V& p, V g, V* s) MG_RULE {
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
  static void step(const Piece<T>& x, const OptimTensor& t, const OptimOptions& o, double*) {
    if (t.state[1]) {
      t.state[2] ? run<true, true>(x, t, o, nullptr) : run<true, false>(x, t, o, nullptr);
    } else {
      t.state[2] ? run<false, true>(x, t, o, nullptr) : run<false, false>(x, t, o, nullptr);
    }
  }
};

template <class T>
struct Adagrad {
  static void step(const Piece<T>& x, const OptimTensor& t, const OptimOptions& o, double*) {
    using V = typename Vec<T>::type;
    const V rate = constant<T>(-t.a), eps = constant<T>(o.eps), decay = constant<T>(o.weight_decay);
    const bool with_decay = o.weight_decay != 0, maximize = o.maximize;
    const int present[] = {0};
    sweep<T, 1>(x, present, [=](V& p, V g, V* s) MG_RULE {
      g = gradient(g, p, decay, with_decay, maximize);
      s[0] = fma(g, g, s[0]);
      p = p + rate * g / (sqrt(s[0]) + eps);
    });
  }
};

// 16-bit elements in a block: five arrays of them stay in the first-level cache.
constexpr int64_t kBlock = 512;

// The elements [from, from + n) of an array as the computing type, padded with `pad` to a multiple
// of the lanes.
template <class T, class S>
void bring(T* to, const void* array, int64_t from, int64_t n, T pad) {
  constexpr int lanes = Vec<T>::lanes;
  const S* source = static_cast<const S*>(array) + from;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(to + i, load(source + i));
  if (i == n) return;
  store(to + i, load_partial(source + i, n - i));
  for (int64_t k = n; k < i + lanes; ++k) to[k] = pad;
}

template <class T, class S>
void put_back(void* array, int64_t from, int64_t n, const T* values) {
  constexpr int lanes = Vec<T>::lanes;
  S* target = static_cast<S*>(array) + from;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(target + i, load(values + i));
  if (i < n) store_partial(target + i, load(values + i), n - i);
}

// The rule on copies of at most kBlock elements; S is what is stored. Averages of squares are
// padded with ones and all else with zeros, so that padding adds nothing to sums.
template <class T, class S>
void apply_to_copies(RuleOn<T> rule, bool writes, const OptimTensor& t, const OptimOptions& o,
                     int64_t begin, int64_t end, double* sums) {
  constexpr int lanes = Vec<T>::lanes;
  T p[kBlock], g[kBlock], s[3][kBlock];
  for (int64_t from = begin; from < end; from += kBlock) {
    const int64_t n = min_of(end - from, kBlock);
    Piece<T> piece{p, g, {s[0], s[1], s[2]}, (n + lanes - 1) / lanes * lanes};
    bring<T, S>(p, t.param, from, n, T{});
    t.grad ? bring<T, S>(g, t.grad, from, n, T{}) : (void)(piece.g = p);
    for (int k = 0; k < 3; ++k) {
      if (t.state[k]) bring<T, S>(s[k], t.state[k], from, n, static_cast<T>(k > 0));
    }
    rule(piece, t, o, sums);
    if (!writes) continue;
    put_back<T, S>(t.param, from, n, p);
    for (int k = 0; k < 3; ++k) {
      if (t.state[k]) put_back<T, S>(t.state[k], from, n, s[k]);
    }
  }
}

// Whole vectors in place, the rest in a copy.
template <class T>
void apply_in_place(RuleOn<T> rule, bool writes, const OptimTensor& t, const OptimOptions& o,
                    int64_t begin, int64_t end, double* sums) {
  const int64_t whole = (end - begin) / Vec<T>::lanes * Vec<T>::lanes;
  if (whole > 0) {
    const auto at = [begin](void* array) {
      return array ? static_cast<T*>(array) + begin : nullptr;
    };
    T* const p = at(t.param);
    const T* const g = t.grad ? static_cast<const T*>(t.grad) + begin : p;
    rule({p, g, {at(t.state[0]), at(t.state[1]), at(t.state[2])}, whole}, t, o, sums);
  }
  if (begin + whole < end) apply_to_copies<T, T>(rule, writes, t, o, begin + whole, end, sums);
}

void apply(const Rule& rule, const OptimTensor& t, const OptimOptions& o, int64_t begin,
           int64_t end, double* sums) {
  switch (t.dtype) {
    case DType::kFloat64:
      return apply_in_place<double>(rule.twice, rule.writes, t, o, begin, end, sums);
    case DType::kFloat16:
      return apply_to_copies<float, half>(rule.single, rule.writes, t, o, begin, end, sums);
    case DType::kBFloat16:
      return apply_to_copies<float, bfloat16>(rule.single, rule.writes, t, o, begin, end, sums);
    default:
      return apply_in_place<float>(rule.single, rule.writes, t, o, begin, end, sums);
  }
}

template <template <class> class R>
void step_all(OptimTensor* tensors, int64_t count, int64_t total, const OptimOptions* options,
              double*) {
  walk_tensors({R<float>::step, R<double>::step, true}, tensors, count, total, options, nullptr);
}

}  // namespace

void walk_tensors(const Rule& rule, const OptimTensor* tensors, int64_t count, int64_t total,
                  const OptimOptions* options, double* sums) {
  parallel_for(total, kOptimGrain, [=](int64_t begin, int64_t end) {
    int64_t low = 0, high = count;  // the last tensor that starts at or before `begin`
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      (tensors[middle].start <= begin ? low : high) = middle;
    }
    for (int64_t i = low; i < count && tensors[i].start < end; ++i) {
      const OptimTensor& t = tensors[i];
      const int64_t from = max_of(begin - t.start, 0), to = min_of(end - t.start, t.size);
      double* slot = sums ? sums + 2 * (begin / kOptimGrain + i) : nullptr;
      if (from < to) apply(rule, t, *options, from, to, slot);
    }
  });
}

extern const OptimKernels kOptim = {
    step_all<Sgd>, step_all<Adam>, step_all<RmsProp>, step_all<Adagrad>, nadam_step, radam_step,
    adamax_step,   adadelta_step,  asgd_step,         rprop_step,        lion_step,  lerp_step,
    scale_step,    lamb_step,      tensor_norms,      adafactor_step,
};

}  // namespace mg::MG_ISA
