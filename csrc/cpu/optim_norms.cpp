// Norms of many tensors, scaling and interpolating them, and LAMB, whose step needs norms.
// The sums of a chunk's piece of a tensor go to slots of their own and are combined in order.
#include "cpu/optim_steps.h"

namespace mg::MG_ISA {
namespace {

template <class T>
struct Lerp {
  static void step(const Piece<T>& x, const OptimTensor&, const OptimOptions& o, double*) {
    using V = typename Vec<T>::type;
    const V weight = constant<T>(o.weight), other = constant<T>(1 - o.weight);
    const bool small = o.weight < 0.5;
    sweep<T, 0>(x, nullptr, [=](V& p, V g, V*) MG_RULE { p = lerp(p, g, weight, other, small); });
  }
};

template <class T>
struct Scale {
  static void step(const Piece<T>& x, const OptimTensor&, const OptimOptions& o, double*) {
    using V = typename Vec<T>::type;
    const V factor = constant<T>(o.weight);
    sweep<T, 0>(x, nullptr, [=](V& p, V, V*) MG_RULE { p = p * factor; });
  }
};

// Elements that are added up in the computing type before the sum goes to float64.
constexpr int64_t kRun = 2048;

// Calls body(part) for runs of a piece.
template <class T, class Body>
MG_INLINE void in_runs(const Piece<T>& x, Body body) {
  for (int64_t from = 0; from < x.n; from += kRun) {
    Piece<T> part{x.p + from, x.g + from, {}, min_of(kRun, x.n - from)};
    for (int k = 0; k < 3; ++k) part.s[k] = x.s[k] ? x.s[k] + from : nullptr;
    body(part);
  }
}

// Joins what `term` makes of the elements; four accumulators hide the latency of the additions.
template <class T, class Join, class Term>
MG_INLINE typename Vec<T>::type gather(const Piece<T>& x, Join join, Term term) {
  using V = typename Vec<T>::type;
  constexpr int lanes = Vec<T>::lanes;
  V part[4] = {};
  int64_t i = 0;
  for (; i + 4 * lanes <= x.n; i += 4 * lanes) {
    for (int k = 0; k < 4; ++k) part[k] = join(part[k], term(load(x.p + i + k * lanes)));
  }
  for (; i < x.n; i += lanes) part[0] = join(part[0], term(load(x.p + i)));
  return join(join(part[0], part[1]), join(part[2], part[3]));
}

template <class T, int kOrder>
void add_norm(const Piece<T>& x, const OptimTensor&, const OptimOptions&, double* sums) {
  using V = typename Vec<T>::type;
  if constexpr (kOrder == 0) {
    const V largest = gather(
        x, [](V a, V b) MG_RULE { return maximum(b, a); },
        [](V v) MG_RULE { return magnitude(v); });
    for (int k = 0; k < Vec<T>::lanes; ++k) {
      const double value = static_cast<double>(largest[k]);
      if (!(value <= sums[0])) sums[0] = sums[0] != sums[0] ? sums[0] : value;
    }
  } else {
    in_runs(x, [=](const Piece<T>& part) MG_RULE {
      const V sum = gather(
          part, [](V a, V b) MG_RULE { return a + b; },
          [](V v) MG_RULE { return kOrder == 1 ? magnitude(v) : v * v; });
      sums[0] += static_cast<double>(hsum(sum));
    });
  }
}

// u = m' / (sqrt(v') + eps) + decay p of LAMB, for the averages as they are.
template <class T>
struct LambDirection {
  using V = typename Vec<T>::type;
  V correction, root, eps, decay;
  MG_RULE LambDirection(const OptimTensor& t, const OptimOptions& o)
      : correction(constant<T>(t.a)),
        root(constant<T>(t.b)),
        eps(constant<T>(o.eps)),
        decay(constant<T>(o.weight_decay)) {}
  MG_RULE V of(V p, V m, V v) const {
    return fma(decay, p, m / correction / (sqrt(v) / root + eps));
  }
};

constexpr int kBoth[] = {0, 1};

// The averages, and the sums of p^2 and u^2.
template <class T>
void lamb_moments(const Piece<T>& x, const OptimTensor& t, const OptimOptions& o, double* sums) {
  using V = typename Vec<T>::type;
  const LambDirection<T> direction(t, o);
  const double w = 1 - o.beta1;
  const V weight = constant<T>(w), other = constant<T>(1 - w), beta2 = constant<T>(o.beta2);
  const V share = constant<T>(1 - o.beta2);
  const bool maximize = o.maximize, small = w < 0.5;
  in_runs(x, [&](const Piece<T>& part) MG_RULE {
    V of_p = {}, of_u = {};
    sweep<T, 2>(part, kBoth, [&](V& p, V g, V* s) MG_RULE {
      if (maximize) g = -g;
      s[0] = lerp(s[0], g, weight, other, small);
      s[1] = fma(share * g, g, rounded(s[1] * beta2));
      const V u = direction.of(p, s[0], s[1]);
      of_p = fma(p, p, of_p);
      of_u = fma(u, u, of_u);
    });
    sums[0] += static_cast<double>(hsum(of_p));
    sums[1] += static_cast<double>(hsum(of_u));
  });
}

template <class T>
void lamb_move(const Piece<T>& x, const OptimTensor& t, const OptimOptions& o, double*) {
  using V = typename Vec<T>::type;
  const LambDirection<T> direction(t, o);
  const V rate = constant<T>(-t.c);
  sweep<T, 2>(x, kBoth,
              [=](V& p, V, V* s) MG_RULE { p = fma(rate, direction.of(p, s[0], s[1]), p); });
}

void clear(double* sums, int64_t count, int64_t total) {
  const int64_t n = 2 * ((total + kOptimGrain - 1) / kOptimGrain + count);
  for (int64_t k = 0; k < n; ++k) sums[k] = 0;
}

// Calls body(i, slot) for the slots of every tensor, in order.
template <class Body>
MG_INLINE void each_slot(const OptimTensor* tensors, int64_t count, const double* sums, Body body) {
  for (int64_t i = 0; i < count; ++i) {
    const OptimTensor& t = tensors[i];
    if (t.size == 0) continue;
    const int64_t last = (t.start + t.size - 1) / kOptimGrain;
    for (int64_t c = t.start / kOptimGrain; c <= last; ++c) body(i, sums + 2 * (c + i));
  }
}

}  // namespace

MG_OPTIM_STEP(lerp_step) {
  walk_tensors({Lerp<float>::step, Lerp<double>::step, true}, tensors, count, total, options, sums);
}
MG_OPTIM_STEP(scale_step) {
  walk_tensors({Scale<float>::step, Scale<double>::step, true}, tensors, count, total, options,
               sums);
}

MG_OPTIM_STEP(lamb_step) {
  clear(sums, count, total);
  walk_tensors({lamb_moments<float>, lamb_moments<double>, true}, tensors, count, total, options,
               sums);
  for (int64_t i = 0; i < count; ++i) tensors[i].c = 0;
  // Only the sum over the slots of p^2 is kept in `c` at first; u^2 is added up beside it.
  int64_t current = -1;
  double of_p = 0, of_u = 0;
  const auto finish = [&](int64_t i) {
    if (i < 0) return;
    // A trust ratio of 1 where one of the norms is zero, as for biases at the start.
    const double ratio = of_p > 0 && of_u > 0 ? __builtin_sqrt(of_p) / __builtin_sqrt(of_u) : 1;
    tensors[i].c = options->lr * ratio;
  };
  each_slot(tensors, count, sums, [&](int64_t i, const double* slot) {
    if (i != current) finish(current), current = i, of_p = of_u = 0;
    of_p += slot[0], of_u += slot[1];
  });
  finish(current);
  walk_tensors({lamb_move<float>, lamb_move<double>, true}, tensors, count, total, options,
               nullptr);
}

void tensor_norms(double* norms, const OptimTensor* tensors, int64_t count, int64_t total,
                  int order, double* sums) {
  clear(sums, count, total);
  const Rule rule = order == 0   ? Rule{add_norm<float, 0>, add_norm<double, 0>, false}
                    : order == 1 ? Rule{add_norm<float, 1>, add_norm<double, 1>, false}
                                 : Rule{add_norm<float, 2>, add_norm<double, 2>, false};
  const OptimOptions options{};
  walk_tensors(rule, tensors, count, total, &options, sums);
  for (int64_t i = 0; i < count; ++i) norms[i] = 0;
  each_slot(tensors, count, sums, [=](int64_t i, const double* slot) {
    if (order != 0) {
      norms[i] += slot[0];
    } else if (!(slot[0] <= norms[i])) {
      norms[i] = norms[i] != norms[i] ? norms[i] : slot[0];
    }
  });
  if (order == 2) {
    for (int64_t i = 0; i < count; ++i) norms[i] = __builtin_sqrt(norms[i]);
  }
}

}  // namespace mg::MG_ISA
