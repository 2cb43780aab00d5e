// Extrema with their indices, and running sums and products.
// A row's extremum is found first and looked up in the cache; running sums are prefix sums of
// vectors of doubles, so that only the carry from vector to vector is serial.
#include "fold.h"
#include "runtime/threads.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kTask = 1 << 14;
constexpr int64_t kTile = 256;

int64_t grain_of(int64_t work) { return work < kTask ? kTask / (work + 1) + 1 : 1; }

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  using I = vi;
  using Index = int32_t;
};
template <>
struct Lanes<double> {
  using I = vl;
  using Index = int64_t;
};

// The first place of `value` (of a NaN, if it is one), which is in x.
template <class T>
int64_t find(const T* x, int64_t n, T value) {
  using V = typename Vec<T>::type;
  constexpr int lanes = Vec<T>::lanes;
  int64_t i = 0;
  if (value != value) {
    while (i < n - 1 && x[i] == x[i]) ++i;
    return i;
  }
  const V wanted = V{} + value;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    if (lane_bits((load(x + i) == wanted) | (load(x + i + lanes) == wanted) |
                  (load(x + i + 2 * lanes) == wanted) | (load(x + i + 3 * lanes) == wanted))) {
      break;
    }
  }
  for (; i + lanes <= n; i += lanes) {
    const unsigned here = lane_bits(load(x + i) == wanted);
    if (here) return i + __builtin_ctz(here);
  }
  while (i < n - 1 && x[i] != value) ++i;
  return i;
}

template <class T>
T extremum(bool smallest, const T* x, int64_t n) {
  return static_cast<T>(smallest ? fold_run<MinFold<T>>(x, n) : fold_run<MaxFold<T>>(x, n));
}

template <bool kSmallest, class T>
void arg_columns(T* values, int64_t* indices, const T* x, int64_t n, int64_t stride,
                 int64_t columns) {
  using V = typename Vec<T>::type;
  using I = typename Lanes<T>::I;
  using Index = typename Lanes<T>::Index;
  constexpr int lanes = Vec<T>::lanes;
  T best[kTile];
  Index place[kTile] = {};
  memcpy(best, x, sizeof(T) * columns);
  for (int64_t row = 1; row < n; ++row) {
    const T* p = x + row * stride;
    for (int64_t j = 0; j < columns; j += lanes) {
      const V v = columns - j < lanes ? load_partial(p + j, columns - j) : load(p + j);
      const V b = load(best + j);
      const I better = ((kSmallest ? v < b : v > b) | (v != v)) & (b == b);
      store(best + j, better ? v : b);
      I at = load_as<I>(place + j);
      at = better ? I{} + static_cast<Index>(row) : at;
      __builtin_memcpy(place + j, &at, sizeof at);
    }
  }
  for (int64_t j = 0; j < columns; ++j) indices[j] = place[j];
  if (values) memcpy(values, best, sizeof(T) * columns);
}

// ---- running sums and products ----

template <bool kProduct>
MG_INLINE vd join(vd a, vd b) {
  return kProduct ? a * b : a + b;
}

template <bool kProduct, class T>
void scan_row(T* out, const T* x, int64_t n) {
  const vd unit = vd{} + (kProduct ? 1.0 : 0.0);
  vd total = unit;
  vl last;
  for (int i = 0; i < kD; ++i) last[i] = kD - 1;
  int64_t i = 0;
  for (; i + kD <= n; i += kD) {
    vd v = From<double, T>::at(x + i);
    v = join<kProduct>(v, raised<1>(v, unit));
    if (kD > 2) v = join<kProduct>(v, raised<2>(v, unit));
    if (kD > 4) v = join<kProduct>(v, raised<4>(v, unit));
    const vd before = total;  // the only chain from vector to vector
    total = join<kProduct>(total, __builtin_shuffle(v, last));
    v = join<kProduct>(v, before);
    if constexpr (sizeof(T) == 4) {
      const vhalf y = __builtin_convertvector(v, vhalf);
      __builtin_memcpy(out + i, &y, sizeof y);
    } else {
      store(out + i, v);
    }
  }
  double carry = total[0];
  for (; i < n; ++i) {
    const double v = static_cast<double>(x[i]);
    carry = kProduct ? carry * v : carry + v;
    out[i] = static_cast<T>(carry);
  }
}

template <bool kProduct, class T>
void scan_row_back(T* out, const T* x, int64_t n) {
  double carry = kProduct ? 1 : 0;
  for (int64_t i = n - 1; i >= 0; --i) {
    const double v = static_cast<double>(x[i]);
    carry = kProduct ? carry * v : carry + v;
    out[i] = static_cast<T>(carry);
  }
}

// Rows of `stride` values (negative: from the end), `columns` (at most kTile) of each.
template <bool kProduct, class T>
void scan_columns(T* out, const T* x, int64_t n, int64_t stride, int64_t columns) {
  double carry[kTile];
  for (int64_t j = 0; j < columns; ++j) carry[j] = kProduct ? 1 : 0;
  for (int64_t row = 0; row < n; ++row) {
    const T* p = x + row * stride;
    T* q = out + row * stride;
    for (int64_t j = 0; j < columns; ++j) {
      const double v = static_cast<double>(p[j]);
      carry[j] = kProduct ? carry[j] * v : carry[j] + v;
      q[j] = static_cast<T>(carry[j]);
    }
  }
}

template <bool kProduct, class T>
void scan_as(bool reverse, T* out, const T* x, int64_t outer, int64_t n, int64_t inner) {
  if (inner == 1) {
    parallel_for(outer, grain_of(n), [=](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        (reverse ? scan_row_back<kProduct, T> : scan_row<kProduct, T>)(out + r * n, x + r * n, n);
      }
    });
    return;
  }
  const int64_t tiles = ceil_div(inner, kTile);
  parallel_for(outer * tiles, grain_of(n * min_of(inner, kTile)), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t column = i % tiles * kTile;
      const int64_t at = i / tiles * n * inner + column + (reverse ? (n - 1) * inner : 0);
      scan_columns<kProduct>(out + at, x + at, n, reverse ? -inner : inner,
                             min_of(kTile, inner - column));
    }
  });
}

// Running log-sum-exps, each line for itself: the sum of the exponentials relative to the largest
// value so far.
template <class T>
void log_sums(bool reverse, T* out, const T* x, int64_t outer, int64_t n, int64_t inner) {
  const int64_t step = reverse ? -inner : inner, first = reverse ? (n - 1) * inner : 0;
  parallel_for(outer * inner, grain_of(32 * n), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t at = i / inner * n * inner + i % inner + first;
      double top = -kInf, sum = 0;
      for (int64_t k = 0; k < n; ++k, at += step) {
        const double v = static_cast<double>(x[at]);
        if (v == top) {  // infinities too, which have no difference
          sum += 1;
        } else if (v > top) {
          sum = sum * ::exp(top - v) + 1;
          top = v;
        } else {
          sum += ::exp(v - top);  // NaN stays in the sum
        }
        out[at] = static_cast<T>(sum == 1 ? top : top + ::log(sum));
      }
    }
  });
}

}  // namespace

template <class T>
void arg_extremum(bool smallest, T* values, int64_t* indices, const T* x, int64_t outer, int64_t n,
                  int64_t inner, double* work) {
  if (arg_workspace(outer, n, inner)) {
    parallel_for(n, kArgChunk, [=](int64_t begin, int64_t end) {
      work[begin / kArgChunk] = static_cast<double>(extremum(smallest, x + begin, end - begin));
    });
    const int64_t chunks = arg_workspace(outer, n, inner);
    const double best = extremum(smallest, work, chunks);
    const int64_t first = find(work, chunks, best) * kArgChunk;
    indices[0] = first + find(x + first, min_of(kArgChunk, n - first), static_cast<T>(best));
    if (values) values[0] = x[indices[0]];
  } else if (inner == 1) {
    parallel_for(outer, grain_of(n), [=](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const T best = extremum(smallest, x + r * n, n);
        indices[r] = find(x + r * n, n, best);
        if (values) values[r] = x[r * n + indices[r]];
      }
    });
  } else {
    const int64_t tiles = ceil_div(inner, kTile);
    parallel_for(
        outer * tiles, grain_of(n * min_of(inner, kTile)), [=](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            const int64_t column = i % tiles * kTile, at = i / tiles * inner + column;
            (smallest ? arg_columns<true, T>
                      : arg_columns<false, T>)(values ? values + at : nullptr, indices + at,
                                               x + i / tiles * n * inner + column, n, inner,
                                               min_of(kTile, inner - column));
          }
        });
  }
}

template <class T>
void scan(ScanOp op, bool reverse, T* out, const T* x, int64_t outer, int64_t n, int64_t inner) {
  (op == ScanOp::kLogSumExp ? log_sums<T>
   : op == ScanOp::kProduct ? scan_as<true, T>
                            : scan_as<false, T>)(reverse, out, x, outer, n, inner);
}

template void arg_extremum(bool, float*, int64_t*, const float*, int64_t, int64_t, int64_t,
                           double*);
template void arg_extremum(bool, double*, int64_t*, const double*, int64_t, int64_t, int64_t,
                           double*);
template void scan(ScanOp, bool, float*, const float*, int64_t, int64_t, int64_t);
template void scan(ScanOp, bool, double*, const double*, int64_t, int64_t, int64_t);

}  // namespace mg::MG_ISA
