// Pooling to a given number of parts along each axis. The rows of a part are added to one row in
// vectors, which is then cut into the parts of its columns; one part in all is one long row.
#include "pool_adaptive.h"

#include "fold_many.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kGrain = 1 << 15;  // elements read or written in a chunk
constexpr int64_t kPiece = 512;      // columns whose sums are kept on the stack

template <class T>
using V = typename Vec<T>::type;

// The part `i` of `parts` of an axis; parts may overlap by one.
MG_INLINE int64_t start_of(int64_t i, int64_t size, int64_t parts) { return i * size / parts; }
MG_INLINE int64_t end_of(int64_t i, int64_t size, int64_t parts) {
  return ceil_div((i + 1) * size, parts);
}

// One part in all: the plane as a row, which is as good.
MG_INLINE PoolShape flattened(PoolShape s) {
  if (s.p == 1 && s.q == 1) s.w *= s.h, s.h = 1;
  return s;
}
MG_INLINE int64_t grain_of(const PoolShape& s) {
  return max_of(1, kGrain / max_of(1, s.h * s.w + 4 * s.p * s.q));
}

// hsum without a detour through memory.
MG_INLINE float fold(vf v) {
  vi lane;
  for (int i = 0; i < kF; ++i) lane[i] = i;
  for (int half = kF / 2; half > 0; half /= 2) v += __builtin_shuffle(v, lane ^ half);
  return v[0];
}
MG_INLINE double fold(vd v) { return hsum(v); }

template <class T>
MG_INLINE void put_part(T* to, V<T> v, int64_t n) {
  if (n == Vec<T>::lanes) {
    store(to, v);
  } else {
    store_partial(to, v, n);
  }
}

// The sums of every so many'th value.
template <class T>
MG_INLINE V<T> vector_sum(const T* x, int64_t n) {
  constexpr int64_t lanes = Vec<T>::lanes;
  V<T> s0 = {}, s1 = {}, s2 = {}, s3 = {};
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    s0 += load(x + i);
    s1 += load(x + i + lanes);
    s2 += load(x + i + 2 * lanes);
    s3 += load(x + i + 3 * lanes);
  }
  for (; i + lanes <= n; i += lanes) s0 += load(x + i);
  if (i < n) s1 += load_partial(x + i, n - i);
  return (s0 + s1) + (s2 + s3);
}

template <class T>
MG_INLINE T sum_of(const T* x, int64_t n) {
  if (n < 8) {
    T sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += x[i];
    return sum;
  }
  return fold(vector_sum(x, n));
}

// to[i] = the sum of x[r * w + i] over r < rows, i < n <= kPiece.
template <class T>
MG_INLINE void add_rows(T* to, const T* x, int64_t rows, int64_t w, int64_t n) {
  constexpr int64_t lanes = Vec<T>::lanes;
  for (int64_t i = 0; i < n; i += lanes) {
    V<T> sum = {};
    if (i + lanes <= n) {
      for (int64_t r = 0; r < rows; ++r) sum += load(x + r * w + i);
    } else {
      for (int64_t r = 0; r < rows; ++r) sum += load_partial(x + r * w + i, n - i);
    }
    store(to + i, sum);  // to has room for whole vectors
  }
}

// Planes of n values, one part each: as many at once as a vector has lanes, so that their sums are
// joined lane by lane.
template <class T>
void average_whole(T* out, const T* x, int64_t planes, int64_t n) {
  constexpr int64_t lanes = Vec<T>::lanes;
  const V<T> share = set1(1 / static_cast<T>(n));
  parallel_for(
      ceil_div(planes, lanes), ceil_div(kGrain, lanes * n), [=](int64_t begin, int64_t end) {
        for (int64_t first = begin * lanes; first < min_of(end * lanes, planes); first += lanes) {
          const int64_t count = min_of(lanes, planes - first);
          V<T> sums[lanes];
          for (int64_t k = 0; k < lanes; ++k) {
            sums[k] = vector_sum(x + (first + min_of(k, count - 1)) * n, n);
          }
          join_all_lanes<SumFold<T>, lanes / 2, 0>(sums);
          put_part(out + first, sums[0] * share, count);
        }
      });
}

template <class T>
void average(T* out, const T* x, const PoolShape& given) {
  const PoolShape s = flattened(given);
  if (s.h == 1 && s.p == 1 && s.q == 1 && s.w > 0) return average_whole(out, x, s.planes, s.w);
  parallel_for(s.planes, grain_of(s), [&](int64_t begin, int64_t end) {
    T sums[kPiece + Vec<T>::lanes];
    for (int64_t i = begin; i < end; ++i) {
      const T* plane = x + i * s.h * s.w;
      for (int64_t p = 0; p < s.p; ++p) {
        const int64_t r0 = start_of(p, s.h, s.p), rows = end_of(p, s.h, s.p) - r0;
        const T* row = plane + r0 * s.w;
        const bool few = rows > 1 && s.w <= kPiece;
        if (few) add_rows(sums, row, rows, s.w, s.w);
        for (int64_t q = 0; q < s.q; ++q) {
          const int64_t c0 = start_of(q, s.w, s.q), n = end_of(q, s.w, s.q) - c0;
          T sum = 0;
          if (few) {
            sum = sum_of(sums + c0, n);
          } else {
            for (int64_t r = 0; r < rows; ++r) sum += sum_of(row + r * s.w + c0, n);
          }
          out[(i * s.p + p) * s.q + q] = sum / static_cast<T>(rows * n);
        }
      }
    }
  });
}

template <class T>
MG_INLINE void fill(T* to, T value, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = value;
}

// to = the row of gradients of a row of parts.
template <class T>
MG_INLINE void spread_row(T* to, const T* g, int64_t rows, const PoolShape& s) {
  int64_t done = 0;
  for (int64_t q = 0; q < s.q; ++q) {
    const int64_t c0 = start_of(q, s.w, s.q), c1 = end_of(q, s.w, s.q);
    const T share = g[q] / static_cast<T>(rows * (c1 - c0));
    int64_t c = c0;
    for (; c < done && c < c1; ++c) to[c] += share;
    if (c < c1) fill(to + c, share, c1 - c);
    done = max_of(done, c1);
  }
}

template <class T>
void average_backward(T* out, const T* g, const PoolShape& given) {
  const PoolShape s = flattened(given);
  each_plane(out, s.planes, s.h * s.w, grain_of(s), [&](T* plane, int64_t i) {
    if (s.p == 0 || s.q == 0) {
      memset(plane, 0, static_cast<size_t>(s.h * s.w) * sizeof(T));
      return;
    }
    int64_t done = 0;
    for (int64_t p = 0; p < s.p; ++p) {
      const T* from = g + (i * s.p + p) * s.q;
      const int64_t r0 = start_of(p, s.h, s.p), r1 = end_of(p, s.h, s.p);
      int64_t r = r0;
      for (; r < done && r < r1; ++r) {  // rows that the part before has too: element by element
        for (int64_t q = 0; q < s.q; ++q) {
          const int64_t c0 = start_of(q, s.w, s.q), c1 = end_of(q, s.w, s.q);
          const T share = from[q] / static_cast<T>((r1 - r0) * (c1 - c0));
          for (int64_t c = c0; c < c1; ++c) plane[r * s.w + c] += share;
        }
      }
      const int64_t first = r;
      if (r < r1) spread_row(plane + r * s.w, from, r1 - r0, s);
      for (++r; r < r1; ++r) {
        memcpy(plane + r * s.w, plane + first * s.w, static_cast<size_t>(s.w) * sizeof(T));
      }
      done = max_of(done, r1);
    }
  });
}

template <class T>
void maximum(T* out, int32_t* index, const T* x, const PoolShape& s) {
  parallel_for(s.planes, grain_of(s), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* plane = x + i * s.h * s.w;
      for (int64_t o = 0; o < s.p * s.q; ++o) {
        const int64_t p = o / s.q, q = o % s.q;
        const int64_t r0 = start_of(p, s.h, s.p), r1 = end_of(p, s.h, s.p);
        const int64_t c0 = start_of(q, s.w, s.q), c1 = end_of(q, s.w, s.q);
        int64_t where = r0 * s.w + c0;
        T best = plane[where];
        for (int64_t r = r0; r < r1; ++r) {
          for (int64_t at = r * s.w + c0; at < r * s.w + c1; ++at) {
            const T v = plane[at];
            if (v > best || v != v) best = v, where = at;
          }
        }
        out[i * s.p * s.q + o] = best;
        index[i * s.p * s.q + o] = static_cast<int32_t>(where);
      }
    }
  });
}

}  // namespace

void adaptive_avg(float* out, const float* x, const PoolShape& s) { average(out, x, s); }
void adaptive_avg(double* out, const double* x, const PoolShape& s) { average(out, x, s); }
void adaptive_avg_backward(float* out, const float* g, const PoolShape& s) {
  average_backward(out, g, s);
}
void adaptive_avg_backward(double* out, const double* g, const PoolShape& s) {
  average_backward(out, g, s);
}
void adaptive_max(float* out, int32_t* index, const float* x, const PoolShape& s) {
  maximum(out, index, x, s);
}
void adaptive_max(double* out, int32_t* index, const double* x, const PoolShape& s) {
  maximum(out, index, x, s);
}

}  // namespace mg::MG_ISA
