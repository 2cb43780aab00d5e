// Softmax and log-softmax of matrix rows and columns, and their gradients.
// A row, or a strip of columns as wide as a few vectors, is read from memory once and from cache
// after that; the exponentials are vectors.
#include "kernels/softmax.h"

#include "runtime/threads.h"
#include "vmath.h"

namespace mg::MG_ISA {
namespace {

// Elements in a chunk of rows: some 30 microseconds of exponentials.
constexpr int64_t kChunk = 1 << 14;

int64_t grain_of(int64_t columns) { return columns >= kChunk ? 1 : kChunk / columns; }

template <class T>
using V = typename Vec<T>::type;

// Folds body(vector, lanes used) over a row; missing lanes of the tail hold `fill`.
template <class T, class Body>
MG_INLINE void each(const T* x, int64_t n, T fill, Body&& body) {
  constexpr int lanes = Vec<T>::lanes;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) body(i, load(x + i), lanes);
  if (i < n) {
    T tail[lanes];
    for (int j = 0; j < lanes; ++j) tail[j] = i + j < n ? x[i + j] : fill;
    body(i, load(tail), n - i);
  }
}

template <class T>
MG_INLINE T row_max(const T* x, int64_t n) {
  constexpr int lanes = Vec<T>::lanes;
  V<T> tops[4] = {set1(x[0]), set1(x[0]), set1(x[0]), set1(x[0])};  // four chains, for latency
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    for (int c = 0; c < 4; ++c) tops[c] = max(load(x + i + c * lanes), tops[c]);
  }
  V<T> top = max(max(tops[0], tops[1]), max(tops[2], tops[3]));
  each(x + i, n - i, x[0], [&](int64_t, V<T> v, int64_t) { top = max(v, top); });
  return hmax(top);
}

template <class T>
MG_INLINE void put(T* out, V<T> v, int64_t count) {
  if (count == Vec<T>::lanes) {
    store(out, v);
  } else {
    store_partial(out, v, count);
  }
}

// Past the caches if `far`: then out is aligned and its rows are whole vectors.
template <class T>
MG_INLINE void put(T* out, V<T> v, int64_t count, bool far) {
  if (far) {
    stream(out, v);
  } else {
    put(out, v, count);
  }
}

// Whether the rows of a result go past the caches: it does not stay in them anyway.
template <class T>
bool goes_far(const T* out, int64_t rows, int64_t columns) {
  const int64_t item = sizeof(T);
  return rows * columns * item >= (int64_t{16} << 20) && columns * item % kVectorBytes == 0 &&
         reinterpret_cast<uintptr_t>(out) % kVectorBytes == 0;
}

// The sum of e^(x - top); writes the terms to out unless it is null.
template <class T>
MG_INLINE T exp_sum(T* out, const T* x, T top, int64_t n) {
  const V<T> t = set1(top);
  V<T> total = {};
  each(x, n, static_cast<T>(-__builtin_inf()), [&](int64_t i, V<T> v, int64_t count) {
    const V<T> e = exp(v - t);
    total += e;
    if (out) put(out + i, e, count);
  });
  return hsum(total);
}

template <class T>
T log_of(T x) {
  return sizeof(T) == 4 ? static_cast<T>(logf(static_cast<float>(x))) : static_cast<T>(::log(x));
}

// body(row, its largest element) for rows [begin, end). The maximum of a short row is found before
// the row in front of it is done: its latency then hides behind exponentials.
template <class T, class Body>
MG_INLINE void each_row(const T* x, int64_t columns, int64_t begin, int64_t end, Body&& body) {
  const bool ahead = columns * int64_t{sizeof(T)} <= 2048;
  T next = ahead ? row_max(x + begin * columns, columns) : T{};
  for (int64_t r = begin; r < end; ++r) {
    const T* row = x + r * columns;
    const T top = ahead ? next : row_max(row, columns);
    if (ahead && r + 1 < end) next = row_max(row + columns, columns);
    body(r, top);
  }
}

constexpr int64_t kRowBytes = 1 << 14;  // of a row that is kept aside before it goes far

template <class T>
void softmax(T* out, const T* x, int64_t rows, int64_t columns) {
  constexpr int64_t kRow = kRowBytes / sizeof(T);
  const bool far = columns <= kRow && goes_far(out, rows, columns);
  parallel_for(rows, grain_of(columns), [=](int64_t begin, int64_t end) {
    alignas(64) T aside[kRow];
    each_row(x, columns, begin, end, [&](int64_t r, T top) {
      T* y = out + r * columns;
      T* terms = far ? aside : y;
      const T sum = exp_sum(terms, x + r * columns, top, columns);
      const V<T> scale = set1(T{1} / sum);
      each(static_cast<const T*>(terms), columns, T{},
           [&](int64_t i, V<T> v, int64_t count) { put(y + i, v * scale, count, far); });
    });
    if (far) stream_fence();
  });
}

template <class T>
void log_softmax(T* out, const T* x, int64_t rows, int64_t columns) {
  const bool far = goes_far(out, rows, columns);
  parallel_for(rows, grain_of(columns), [=](int64_t begin, int64_t end) {
    each_row(x, columns, begin, end, [&](int64_t r, T top) {
      const T* row = x + r * columns;
      const V<T> t = set1(top);
      const V<T> log_sum = set1(log_of(exp_sum<T>(nullptr, row, top, columns)));
      T* y = out + r * columns;
      each(row, columns, T{},
           [&](int64_t i, V<T> v, int64_t count) { put(y + i, v - t - log_sum, count, far); });
    });
    if (far) stream_fence();
  });
}

// The first `count` lanes; the others are zero.
template <class T>
MG_INLINE V<T> lanes_of(const T* p, int64_t count) {
  return count == Vec<T>::lanes ? load(p) : load_partial(p, count);
}

// The sum of body(place, lanes used) over a row, in four chains.
template <class T, class Body>
MG_INLINE T row_sum(int64_t n, Body&& body) {
  constexpr int lanes = Vec<T>::lanes;
  V<T> a = {}, b = {}, c = {}, d = {};
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a = body(i, a, lanes);
    b = body(i + lanes, b, lanes);
    c = body(i + 2 * lanes, c, lanes);
    d = body(i + 3 * lanes, d, lanes);
  }
  for (; i + lanes <= n; i += lanes) a = body(i, a, lanes);
  if (i < n) b = body(i, b, n - i);
  return hsum((a + b) + (c + d));
}

template <class T>
void softmax_backward(T* out, const T* grad, const T* y, int64_t rows, int64_t columns) {
  const bool far = goes_far(out, rows, columns);
  parallel_for(rows, grain_of(columns), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* g = grad + r * columns;
      const T* p = y + r * columns;
      const V<T> d = set1(row_sum<T>(columns, [&](int64_t i, V<T> dot, int64_t count) {
        return fma(lanes_of(g + i, count), lanes_of(p + i, count), dot);
      }));
      T* o = out + r * columns;
      each(g, columns, T{}, [&](int64_t i, V<T> v, int64_t count) {
        put(o + i, lanes_of(p + i, count) * (v - d), count, far);
      });
    }
    if (far) stream_fence();
  });
}

template <class T>
void log_softmax_backward(T* out, const T* grad, const T* y, int64_t rows, int64_t columns) {
  const bool far = goes_far(out, rows, columns);
  parallel_for(rows, grain_of(columns), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* g = grad + r * columns;
      const T* p = y + r * columns;
      const V<T> s = set1(row_sum<T>(columns, [&](int64_t i, V<T> total, int64_t count) {
        return total + lanes_of(g + i, count);
      }));
      T* o = out + r * columns;
      each(g, columns, T{}, [&](int64_t i, V<T> v, int64_t count) {
        put(o + i, v - exp(lanes_of(p + i, count)) * s, count, far);
      });
    }
    if (far) stream_fence();
  });
}

// ---- along columns ----

// kVecs vectors of neighbouring columns, n rows of them, `inner` apart; of the last vector of a
// narrow strip (kVecs = 1) only `count` lanes.
template <class T, int kVecs>
struct Strip {
  int64_t n, inner, count;

  MG_INLINE V<T> get(const Strip& s, const T* x, int64_t i, int v) {
    const T* p = x + i * s.inner + v * Vec<T>::lanes;
    return kVecs == 1 && s.count < Vec<T>::lanes ? load_partial(p, s.count) : load(p);
  }
  MG_INLINE void set(const Strip& s, T* x, int64_t i, int v, V<T> value) {
    put(x + i * s.inner + v * Vec<T>::lanes, value, kVecs == 1 ? s.count : Vec<T>::lanes);
  }
};

// Calls body.template run<kVecs>(strip, offset) for every strip of (outer, n, inner).
template <class T, class Body>
MG_INLINE void each_strip(int64_t outer, int64_t n, int64_t inner, const Body& body) {
  constexpr int64_t lanes = Vec<T>::lanes, wide = 4 * lanes;
  const int64_t strips = ceil_div(inner, wide);
  parallel_for(outer * strips, grain_of(n * min_of(inner, wide)), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % strips * wide, last = min_of(inner, first + wide);
      const int64_t start = task / strips * n * inner;
      if (last - first == wide) {
        body.template run<4>(Strip<T, 4>{n, inner, lanes}, start + first);
        continue;
      }
      for (int64_t j = first; j < last; j += lanes) {
        body.template run<1>(Strip<T, 1>{n, inner, min_of(lanes, last - j)}, start + j);
      }
    }
  });
}

template <class T>
struct SoftmaxStrips {
  T* out;
  const T* x;
  bool logarithm;

  template <int kVecs>
  void run(const Strip<T, kVecs>& s, int64_t offset) const {
    using S = Strip<T, kVecs>;
    const T* in = x + offset;
    T* to = out + offset;
    V<T> top[kVecs], total[kVecs] = {};
    for (int v = 0; v < kVecs; ++v) top[v] = S::get(s, in, 0, v);
    for (int64_t i = 1; i < s.n; ++i) {
      for (int v = 0; v < kVecs; ++v) top[v] = max(S::get(s, in, i, v), top[v]);
    }
    for (int64_t i = 0; i < s.n; ++i) {
      for (int v = 0; v < kVecs; ++v) {
        const V<T> e = exp(S::get(s, in, i, v) - top[v]);
        if (!logarithm) S::set(s, to, i, v, e);
        total[v] += e;
      }
    }
    for (int v = 0; v < kVecs; ++v) total[v] = logarithm ? log(total[v]) : T{1} / total[v];
    for (int64_t i = 0; i < s.n; ++i) {
      for (int v = 0; v < kVecs; ++v) {
        S::set(
            s, to, i, v,
            logarithm ? S::get(s, in, i, v) - top[v] - total[v] : S::get(s, to, i, v) * total[v]);
      }
    }
  }
};

template <class T>
struct GradientStrips {
  T* out;
  const T *grad, *y;
  bool logarithm;

  template <int kVecs>
  void run(const Strip<T, kVecs>& s, int64_t offset) const {
    using S = Strip<T, kVecs>;
    const T *g = grad + offset, *p = y + offset;
    T* to = out + offset;
    V<T> total[kVecs] = {};
    for (int64_t i = 0; i < s.n; ++i) {
      for (int v = 0; v < kVecs; ++v) {
        const V<T> d = S::get(s, g, i, v);
        total[v] = logarithm ? total[v] + d : fma(d, S::get(s, p, i, v), total[v]);
      }
    }
    for (int64_t i = 0; i < s.n; ++i) {
      for (int v = 0; v < kVecs; ++v) {
        const V<T> d = S::get(s, g, i, v), q = S::get(s, p, i, v);
        S::set(s, to, i, v, logarithm ? d - exp(q) * total[v] : q * (d - total[v]));
      }
    }
  }
};

template <class T, bool kLogarithm>
void softmax_columns(T* out, const T* x, int64_t outer, int64_t n, int64_t inner) {
  each_strip<T>(outer, n, inner, SoftmaxStrips<T>{out, x, kLogarithm});
}

template <class T, bool kLogarithm>
void backward_columns(T* out, const T* grad, const T* y, int64_t outer, int64_t n, int64_t inner) {
  each_strip<T>(outer, n, inner, GradientStrips<T>{out, grad, y, kLogarithm});
}

}  // namespace

#define MG_SOFTMAX(T)          \
  {softmax<T>,                 \
   log_softmax<T>,             \
   softmax_backward<T>,        \
   log_softmax_backward<T>,    \
   softmax_columns<T, false>,  \
   softmax_columns<T, true>,   \
   backward_columns<T, false>, \
   backward_columns<T, true>}

extern const SoftmaxKernels kSoftmax = {MG_SOFTMAX(float), MG_SOFTMAX(double)};

}  // namespace mg::MG_ISA
