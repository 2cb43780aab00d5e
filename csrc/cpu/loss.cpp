// Cross-entropy of class scores and its gradient. The scores are read once: each lane keeps its
// maximum so far and rescales its sum of exponentials when a block of them raises it.
#include "kernels/loss.h"

#include "loss_pairs.h"
#include "runtime/threads.h"
#include "vmath.h"

namespace mg::MG_ISA {
namespace {

template <class T>
using V = typename Vec<T>::type;

constexpr int64_t kGrain = 1 << 13;  // scores in a chunk: some 5 microseconds
constexpr int kBlock = 16;           // vectors between two looks at the maximum
constexpr int kRows = 64;            // rows whose logarithms are taken together
constexpr int kSpan = 16;            // vectors of neighbouring positions taken together
constexpr int kStep = 8;             // classes of them between two looks at the maximum

template <class T>
struct Integer;
template <>
struct Integer<float> {
  using one = int32_t;
  using type = vi;
};
template <>
struct Integer<double> {
  using one = int64_t;
  typedef int64_t type __attribute__((vector_size(kVectorBytes)));
};

// e^x for x <= 0 or little more, NaN stays: exp of vmath.h without what large x need.
MG_INLINE vf exp_down(vf x) {
#if defined(__AVX512F__)
  return exp_within(max(set1(-104.0f), x));
#else
  return exp(x);
#endif
}
MG_INLINE vd exp_down(vd x) { return exp(x); }

template <class T>
MG_INLINE V<T> lowest() {
  return set1(-static_cast<T>(__builtin_inff()));
}

// What exponentials are taken relative to: the maximum, or 0 if there is nothing but -infinity.
template <class Vector>
MG_INLINE Vector base_of(Vector top, Vector low) {
  return top == low ? Vector{} : top;
}

template <class T>
MG_INLINE V<T> part_or_lowest(const T* p, int64_t n) {
  typename Integer<T>::type lane;
  for (int i = 0; i < Vec<T>::lanes; ++i) lane[i] = i;
  const auto count = static_cast<typename Integer<T>::one>(n) - typename Integer<T>::type{};
  return lane < count ? load_partial(p, n) : lowest<T>();
}

// The maximum of a row and the sum of e^(x - base); with kRest also the weighted sum of x.
template <bool kRest, class T>
MG_INLINE void row_sums(const T* x, const T* weight, int64_t n, T* top_out, T* sum_out,
                        T* rest_out) {
  constexpr int64_t lanes = Vec<T>::lanes;
  const V<T> low = lowest<T>();
  V<T> top = low, sum = {}, rest = {};
  int64_t i = 0;
  while (i + lanes <= n) {
    const int64_t end = min_of(i + kBlock * lanes, n - n % lanes);
    V<T> m0 = top, m1 = top;
    int64_t j = i;
    for (; j + 2 * lanes <= end; j += 2 * lanes) {
      m0 = max(load(x + j), m0);
      m1 = max(load(x + j + lanes), m1);
    }
    if (j < end) m0 = max(load(x + j), m0);
    const V<T> next = max(m0, m1), base = base_of(next, low);
    V<T> s0 = sum * exp_down(top - base), s1 = {};
    for (j = i; j + 2 * lanes <= end; j += 2 * lanes) {
      s0 += exp_down(load(x + j) - base);
      s1 += exp_down(load(x + j + lanes) - base);
    }
    if (j < end) s0 += exp_down(load(x + j) - base);
    if (kRest) {
      for (j = i; j < end; j += lanes)
        rest += weight ? load(x + j) * load(weight + j) : load(x + j);
    }
    sum = s0 + s1;
    top = next;
    i = end;
  }
  if (i < n) {
    const V<T> v = part_or_lowest(x + i, n - i);
    const V<T> next = max(v, top), base = base_of(next, low);
    sum = (i ? sum * exp_down(top - base) : V<T>{}) + exp_down(v - base);
    top = next;
    if (kRest) {
      const V<T> part = load_partial(x + i, n - i);
      rest += weight ? part * load_partial(weight + i, n - i) : part;
    }
  }
  const T all = hmax(top);
  const V<T> base = base_of(set1(all), low);
  *top_out = all;
  *sum_out = hsum(sum * exp_down(top == low ? low : top - base));
  if (kRest) *rest_out = hsum(rest);
}

// Rows of few classes: one vector, or a part of one.
template <class T>
MG_INLINE void short_row_sums(const T* x, int64_t n, T* top_out, T* sum_out) {
  const V<T> v = part_or_lowest(x, n);
  const T all = hmax(v);
  *top_out = all;
  *sum_out = hsum(exp_down(v - base_of(set1(all), lowest<T>())));
}

// The numbers of a call.
template <class T>
struct Terms {
  T keep, share, total;  // 1 - s, s / columns, the sum of the weights
};
template <class T>
MG_INLINE Terms<T> terms_of(const ClassScores<T>& s) {
  double total = static_cast<double>(s.columns);
  if (s.weight && s.smoothing != 0) {
    total = 0;
    for (int64_t c = 0; c < s.columns; ++c) total += static_cast<double>(s.weight[c]);
  }
  return {static_cast<T>(1 - s.smoothing),
          static_cast<T>(s.smoothing / static_cast<double>(s.columns)), static_cast<T>(total)};
}

// The loss of a sample of class t whose score is `score`.
template <class T>
MG_INLINE T loss_of(const ClassScores<T>& s, const Terms<T>& k, int64_t t, T score, T lse, T rest) {
  T loss = lse - score;
  if (s.weight) loss *= s.weight[t];
  return s.smoothing == 0 ? loss : k.keep * loss + k.share * (k.total * lse - rest);
}

template <class T>
MG_INLINE void log_sums(T* lse, const T* tops, const T* sums, int64_t n) {
  constexpr int64_t lanes = Vec<T>::lanes;
  for (int64_t i = 0; i < n; i += lanes) {
    const V<T> v = load(tops + i) + log(load(sums + i));
    if (i + lanes <= n) {
      store(lse + i, v);
    } else {
      store_partial(lse + i, v, n - i);
    }
  }
}

// Rows [begin, end) of a matrix of scores.
template <bool kRest, class T>
void forward_rows(T* each, T* lse, const ClassScores<T>& s, const Terms<T>& k, int64_t begin,
                  int64_t end) {
  const int64_t n = s.columns;
  for (int64_t first = begin; first < end; first += kRows) {
    const int64_t count = min_of(kRows, end - first);
    T tops[kRows] = {}, sums[kRows] = {}, rests[kRows];
    for (int64_t i = 0; i < count; ++i) {
      const T* row = s.x + (first + i) * n;
      if (!kRest && n <= Vec<T>::lanes) {
        short_row_sums(row, n, tops + i, sums + i);
      } else {
        row_sums<kRest>(row, s.weight, n, tops + i, sums + i, rests + i);
      }
    }
    log_sums(lse + first, tops, sums, count);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t r = first + i, t = s.target[r];
      each[r] =
          t == s.ignored ? T{} : loss_of(s, k, t, s.x[r * n + t], lse[r], kRest ? rests[i] : T{});
    }
  }
}

// A vector at each position: v(k) for vector k of `count` positions.
template <class T>
MG_INLINE V<T> load_some(const T* p, int64_t n) {
  return n >= Vec<T>::lanes ? load(p) : load_partial(p, n);
}
template <class T>
MG_INLINE void store_some(T* p, V<T> v, int64_t n) {
  if (n >= Vec<T>::lanes) {
    store(p, v);
  } else {
    store_partial(p, v, n);
  }
}

// `count` positions from `at` on in row r of scores with positions behind the classes.
template <bool kRest, class T>
void forward_span(T* each, T* lse, const ClassScores<T>& s, const Terms<T>& k, int64_t r,
                  int64_t at, int64_t count) {
  constexpr int64_t lanes = Vec<T>::lanes;
  const V<T> low = lowest<T>();
  T tops[kSpan * lanes], sums[kSpan * lanes], rests[kSpan * lanes];
  for (int64_t i = 0; i < kSpan * lanes; i += lanes) {
    store(tops + i, low);
    store(sums + i, V<T>{});
    if (kRest) store(rests + i, V<T>{});
  }
  const T* x = s.x + r * s.columns * s.length + at;
  for (int64_t c0 = 0; c0 < s.columns; c0 += kStep) {
    const int64_t c1 = min_of(c0 + kStep, s.columns);
    for (int64_t i = 0; i < count; i += lanes) {
      const V<T> top = load(tops + i);
      V<T> next = top, rest = {};
      for (int64_t c = c0; c < c1; ++c)
        next = max(load_some(x + c * s.length + i, count - i), next);
      const V<T> base = base_of(next, low);
      V<T> sum = c0 ? load(sums + i) * exp_down(top - base) : V<T>{};
      for (int64_t c = c0; c < c1; ++c) {
        const V<T> v = load_some(x + c * s.length + i, count - i);
        sum += exp_down(v - base);
        if (kRest) rest += s.weight ? v * s.weight[c] : v;
      }
      store(tops + i, next);
      store(sums + i, sum);
      if (kRest) store(rests + i, load(rests + i) + rest);
    }
  }
  const int64_t place = r * s.length + at;
  log_sums(lse + place, tops, sums, count);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t t = s.target[place + i];
    each[place + i] = t == s.ignored ? T{}
                                     : loss_of(s, k, t, x[t * s.length + i], lse[place + i],
                                               kRest ? rests[i] : T{});
  }
}

// Calls run(row, first position, positions) for spans of positions, in parallel.
template <class T, class Run>
void each_span(const ClassScores<T>& s, Run&& run) {
  constexpr int64_t span = kSpan * Vec<T>::lanes;
  const int64_t spans = ceil_div(s.length, span);
  const int64_t work = s.columns * min_of(span, s.length);
  parallel_for(s.rows * spans, max_of(1, kGrain / work), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = i % spans * span;
      run(i / spans, at, min_of(span, s.length - at));
    }
  });
}

// Sums of eight lanes in double, in a fixed order.
template <class T>
double total(const T* values, int64_t n) {
  double lane[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int k = 0; k < 8; ++k) lane[k] += static_cast<double>(values[i + k]);
  }
  for (int k = 0; i < n; ++i, ++k) lane[k] += static_cast<double>(values[i]);
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

template <bool kRest, class T>
void forward(T* each, T* lse, const ClassScores<T>& s) {
  const Terms<T> k = terms_of(s);
  if (s.length == 1) {
    parallel_for(s.rows, max_of(1, kGrain / s.columns), [&](int64_t begin, int64_t end) {
      forward_rows<kRest>(each, lse, s, k, begin, end);
    });
    return;
  }
  each_span(s, [&](int64_t r, int64_t at, int64_t count) {
    forward_span<kRest>(each, lse, s, k, r, at, count);
  });
}

template <class T>
double cross_entropy(T* each, T* lse, const ClassScores<T>& s) {
  if (s.smoothing != 0) {
    forward<true>(each, lse, s);
  } else {
    forward<false>(each, lse, s);
  }
  return total(each, s.rows * s.length);
}

// ---- gradient ----

// out[i] = f(i, count) for i < n; with kStream past the caches where out is aligned.
template <bool kStream, class T, class F>
MG_INLINE void write_row(T* out, int64_t n, F&& f) {
  constexpr int64_t lanes = Vec<T>::lanes;
  int64_t i = 0;
  if (kStream) {
    const int64_t over = static_cast<int64_t>(reinterpret_cast<uintptr_t>(out) % kVectorBytes);
    i = min_of(n, over ? (kVectorBytes - over) / static_cast<int64_t>(sizeof(T)) : 0);
    if (i) store_partial(out, f(int64_t{0}, i), i);
  }
  for (; i + lanes <= n; i += lanes) {
    const V<T> v = f(i, lanes);
    if (kStream) {
      stream(out + i, v);
    } else {
      store(out + i, v);
    }
  }
  if (i < n) store_partial(out + i, f(i, n - i), n - i);
}

// What a sample's gradient is made of: its share of the softmax and what its class loses.
template <class T>
struct Amounts {
  T all, hit, spread;
};
template <class T>
MG_INLINE Amounts<T> amounts_of(const ClassScores<T>& s, const Terms<T>& k, T g, int64_t t) {
  T hit = s.weight ? g * s.weight[t] : g;
  if (s.smoothing == 0) return {hit, hit, T{}};
  hit *= k.keep;
  const T spread = g * k.share;
  return {hit + spread * k.total, hit, spread};
}

template <bool kStream, class T>
void backward_rows(T* out, const T* grad, T scale, const T* lse, const ClassScores<T>& s,
                   const Terms<T>& k, int64_t begin, int64_t end) {
  const int64_t n = s.columns;
  for (int64_t r = begin; r < end; ++r) {
    const int64_t t = s.target[r];
    const T* row = s.x + r * n;
    T* o = out + r * n;
    if (t == s.ignored) {
      memset(o, 0, static_cast<size_t>(n) * sizeof(T));
      continue;
    }
    const Amounts<T> a = amounts_of(s, k, grad ? grad[r] * scale : scale, t);
    const V<T> l = set1(lse[r]), all = set1(a.all), spread = set1(a.spread);
    const T picked = (exp_down(set1(row[t]) - l) * all)[0] - a.hit;
    if (s.smoothing == 0) {
      write_row<kStream>(o, n, [&](int64_t i, int64_t count) {
        return exp_down(load_some(row + i, count) - l) * all;
      });
      o[t] = picked;
      continue;
    }
    write_row<kStream>(o, n, [&](int64_t i, int64_t count) {
      const V<T> w = s.weight ? spread * load_some(s.weight + i, count) : spread;
      return exp_down(load_some(row + i, count) - l) * all - w;
    });
    o[t] = picked - a.spread * (s.weight ? s.weight[t] : T{1});
  }
  if (kStream) stream_fence();
}

template <class T>
void backward_span(T* out, const T* grad, T scale, const T* lse, const ClassScores<T>& s,
                   const Terms<T>& k, int64_t r, int64_t at, int64_t count) {
  using I = typename Integer<T>::type;
  using One = typename Integer<T>::one;
  constexpr int64_t lanes = Vec<T>::lanes, span = kSpan * lanes;
  T all[span] = {}, hit[span] = {}, spread[span] = {};
  One class_of[span];
  const int64_t place = r * s.length + at;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t t = s.target[place + i];
    class_of[i] = t == s.ignored ? -1 : static_cast<One>(t);
    if (t == s.ignored) continue;
    const Amounts<T> a = amounts_of(s, k, grad ? grad[place + i] * scale : scale, t);
    all[i] = a.all, hit[i] = a.hit, spread[i] = a.spread;
  }
  for (int64_t i = count; i < span; ++i) class_of[i] = -1;
  const int64_t from = r * s.columns * s.length + at;
  for (int64_t c = 0; c < s.columns; ++c) {
    const T* x = s.x + from + c * s.length;
    T* o = out + from + c * s.length;
    const V<T> w = set1(s.weight ? s.weight[c] : T{1});
    const I here = static_cast<One>(c) - I{};
    for (int64_t i = 0; i < count; i += lanes) {
      const I t = load_as<I>(class_of + i);
      const V<T> l = load_some(lse + place + i, count - i);
      V<T> v = exp_down(load_some(x + i, count - i) - l) * load(all + i);
      v = v - (t == here ? load(hit + i) : V<T>{}) - load(spread + i) * w;
      store_some(o + i, t >= 0 ? v : V<T>{}, count - i);
    }
  }
}

template <class T>
void cross_entropy_backward(T* out, const T* grad, T scale, const T* lse, const ClassScores<T>& s) {
  const Terms<T> k = terms_of(s);
  if (s.length != 1) {
    each_span(s, [&](int64_t r, int64_t at, int64_t count) {
      backward_span(out, grad, scale, lse, s, k, r, at, count);
    });
    return;
  }
  const bool large = s.rows * s.columns * static_cast<int64_t>(sizeof(T)) >= kStreamBytes;
  parallel_for(s.rows, max_of(1, kGrain / s.columns), [&](int64_t begin, int64_t end) {
    if (large) {
      backward_rows<true>(out, grad, scale, lse, s, k, begin, end);
    } else {
      backward_rows<false>(out, grad, scale, lse, s, k, begin, end);
    }
  });
}

template <class T>
double weights(const ClassScores<T>& s) {
  double sum = 0;
  for (int64_t i = 0; i < s.rows * s.length; ++i) {
    if (s.target[i] != s.ignored) sum += static_cast<double>(s.weight[s.target[i]]);
  }
  return sum;
}

bool check(const int64_t* target, int64_t n, int64_t columns, int64_t ignored, int64_t* counted) {
  int64_t bad = 0, count = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t t = target[i], counts = t != ignored;
    count += counts;
    bad |= counts & ((t < 0) | (t >= columns));
  }
  *counted = count;
  return !bad;
}

}  // namespace

extern const LossKernels kLoss = {
    check,
    {weights<float>, cross_entropy<float>, cross_entropy_backward<float>, pair_losses(float{})},
    {weights<double>, cross_entropy<double>, cross_entropy_backward<double>, pair_losses(double{})},
};

}  // namespace mg::MG_ISA
