// Softmax and log-softmax of matrix rows, and their gradients.
// A row is read from memory once and from cache after that; the exponentials are vectors.
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
  V<T> top = set1(x[0]);
  each(x, n, x[0], [&](int64_t, V<T> v, int64_t) { top = max(v, top); });
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

template <class T>
void softmax(T* out, const T* x, int64_t rows, int64_t columns) {
  parallel_for(rows, grain_of(columns), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      T* y = out + r * columns;
      const T* row = x + r * columns;
      const T sum = exp_sum(y, row, row_max(row, columns), columns);
      const V<T> scale = set1(T{1} / sum);
      each(static_cast<const T*>(y), columns, T{},
           [&](int64_t i, V<T> v, int64_t count) { put(y + i, v * scale, count); });
    }
  });
}

template <class T>
void log_softmax(T* out, const T* x, int64_t rows, int64_t columns) {
  parallel_for(rows, grain_of(columns), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* row = x + r * columns;
      const T top = row_max(row, columns);
      const V<T> t = set1(top);
      const V<T> log_sum = set1(log_of(exp_sum<T>(nullptr, row, top, columns)));
      T* y = out + r * columns;
      each(row, columns, T{},
           [&](int64_t i, V<T> v, int64_t count) { put(y + i, v - t - log_sum, count); });
    }
  });
}

template <class T>
void softmax_backward(T* out, const T* grad, const T* y, int64_t rows, int64_t columns) {
  parallel_for(rows, grain_of(columns), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* g = grad + r * columns;
      const T* p = y + r * columns;
      V<T> dot = {};
      each(g, columns, T{}, [&](int64_t i, V<T> v, int64_t count) {
        dot = fma(v, count == Vec<T>::lanes ? load(p + i) : load_partial(p + i, count), dot);
      });
      const V<T> d = set1(hsum(dot));
      T* o = out + r * columns;
      each(g, columns, T{}, [&](int64_t i, V<T> v, int64_t count) {
        const V<T> q = count == Vec<T>::lanes ? load(p + i) : load_partial(p + i, count);
        put(o + i, q * (v - d), count);
      });
    }
  });
}

template <class T>
void log_softmax_backward(T* out, const T* grad, const T* y, int64_t rows, int64_t columns) {
  parallel_for(rows, grain_of(columns), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* g = grad + r * columns;
      const T* p = y + r * columns;
      V<T> total = {};
      each(g, columns, T{}, [&](int64_t, V<T> v, int64_t) { total += v; });
      const V<T> s = set1(hsum(total));
      T* o = out + r * columns;
      each(g, columns, T{}, [&](int64_t i, V<T> v, int64_t count) {
        const V<T> q = count == Vec<T>::lanes ? load(p + i) : load_partial(p + i, count);
        put(o + i, v - exp(q) * s, count);
      });
    }
  });
}

}  // namespace

#define MG_SOFTMAX(T) {softmax<T>, log_softmax<T>, softmax_backward<T>, log_softmax_backward<T>}

extern const SoftmaxKernels kSoftmax = {MG_SOFTMAX(float), MG_SOFTMAX(double)};

}  // namespace mg::MG_ISA
