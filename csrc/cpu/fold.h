// Folds of contiguous runs and of columns: the vector loops behind the reductions.
// A fold is a struct: the type it accumulates in, the value it begins with, map and join. `join`
// takes the accumulator first: the chain of a NaN-keeping maximum is then two instructions long.
#pragma once

#include "kernels/reduce.h"
#include "vmath.h"

namespace mg::MG_ISA {

typedef float vhalf __attribute__((vector_size(kVectorBytes / 2)));  // kD floats

constexpr int64_t kBlockVectors = 32;  // vectors joined in A before they go into doubles
constexpr int64_t kBlockRows = 64;     // the same where rows are joined to each other

MG_INLINE vf magnitude(vf a) { return abs(a); }
MG_INLINE vd magnitude(vd a) { return (vd)((vl)a & 0x7fffffffffffffffLL); }

// Vectors of accumulators A from values of type T.
template <class A, class T>
struct From {
  MG_INLINE typename Vec<A>::type at(const T* p) { return load(p); }
  MG_INLINE typename Vec<A>::type part(const T* p, int64_t n) { return load_partial(p, n); }
};
template <>
struct From<double, float> {
  MG_INLINE vd at(const float* p) { return __builtin_convertvector(load_as<vhalf>(p), vd); }
  MG_INLINE vd part(const float* p, int64_t n) {
    const vf v = load_partial(p, n);
    vhalf low;
    __builtin_memcpy(&low, &v, sizeof low);
    return __builtin_convertvector(low, vd);
  }
};

// The first n lanes; `fill` in the others.
MG_INLINE vf first_of(vf v, int64_t n, vf fill) {
  vi lane;
  for (int i = 0; i < kF; ++i) lane[i] = i;
  return lane < static_cast<int32_t>(n) ? v : fill;
}
MG_INLINE vd first_of(vd v, int64_t n, vd fill) {
  vl lane;
  for (int i = 0; i < kD; ++i) lane[i] = i;
  return lane < n ? v : fill;
}

// ---- the folds ----

template <class V>
MG_INLINE V larger(V best, V v) {  // NaN if either is
  const V m = max(v, best);
  return v == v ? m : v;
}
template <class V>
MG_INLINE V smaller(V best, V v) {
  const V m = min(v, best);
  return v == v ? m : v;
}

constexpr double kInf = __builtin_inf();

// What `join` may leave out in a block whose values add up to no NaN.
#define MG_FOLD(name, A, start, mapped, joined) \
  MG_FOLD_QUICK(name, A, start, mapped, joined, joined, false)
#define MG_FOLD_QUICK(name, A, start, mapped, joined, quick, has_quick) \
  template <class T>                                                    \
  struct name {                                                         \
    using Acc = A;                                                      \
    static constexpr double kStart = start;                             \
    static constexpr bool kQuick = has_quick;                           \
    template <class V>                                                  \
    MG_INLINE V join_quick(V a, V v) {                                  \
      return quick;                                                     \
    }                                                                   \
    template <class V>                                                  \
    MG_INLINE V map(V v) {                                              \
      return mapped;                                                    \
    }                                                                   \
    template <class V>                                                  \
    MG_INLINE V join(V a, V v) {                                        \
      return joined;                                                    \
    }                                                                   \
  };
MG_FOLD(SumFold, T, 0, v, a + v)
MG_FOLD(AbsSumFold, T, 0, magnitude(v), a + v)
MG_FOLD(SquareFold, double, 0, v* v, a + v)
MG_FOLD(ProdFold, double, 1, v, a* v)
MG_FOLD_QUICK(MaxFold, T, -kInf, v, larger(a, v), max(v, a), true)
MG_FOLD_QUICK(MinFold, T, kInf, v, smaller(a, v), min(v, a), true)
MG_FOLD_QUICK(AbsMaxFold, T, 0, magnitude(v), larger(a, v), max(v, a), true)
MG_FOLD_QUICK(AbsMinFold, T, kInf, magnitude(v), smaller(a, v), min(v, a), true)
MG_FOLD(NonzeroFold, T, 0, (v == V{} ? V{} : V{} + 1), a + v)
MG_FOLD(NanSumFold, T, 0, (v == v ? v : V{}), a + v)
#undef MG_FOLD
#undef MG_FOLD_QUICK

template <class Fold>
MG_INLINE double join_one(double a, double b) {
  return Fold::join(vd{} + a, vd{} + b)[0];
}

// All lanes, by halves, in double.
template <class Fold>
MG_INLINE double join_lanes(vd v) {
  vl lane;
  for (int i = 0; i < kD; ++i) lane[i] = i;
  for (int half = kD / 2; half > 0; half /= 2) {
    v = Fold::join(v, __builtin_shuffle(v, lane ^ half));
  }
  return v[0];
}
template <class Fold>
MG_INLINE double join_lanes(vf v) {
  vhalf part[2];
  __builtin_memcpy(part, &v, sizeof part);
  return join_lanes<Fold>(
      Fold::join(__builtin_convertvector(part[0], vd), __builtin_convertvector(part[1], vd)));
}

// All lanes, by halves, where none is NaN.
template <class Fold>
MG_INLINE double join_lanes_quick(vf v) {
  vi lane;
  for (int i = 0; i < kF; ++i) lane[i] = i;
#pragma GCC unroll 4
  for (int half = kF / 2; half > 0; half /= 2) {
    v = Fold::join_quick(v, __builtin_shuffle(v, lane ^ half));
  }
  return static_cast<double>(v[0]);
}
template <class Fold>
MG_INLINE double join_lanes_quick(vd v) {
  vl lane;
  for (int i = 0; i < kD; ++i) lane[i] = i;
#pragma GCC unroll 4
  for (int half = kD / 2; half > 0; half /= 2) {
    v = Fold::join_quick(v, __builtin_shuffle(v, lane ^ half));
  }
  return v[0];
}

// A vector of accumulators, joined into doubles.
template <class Fold>
MG_INLINE vd join_wide(vd total, vd v) {
  return Fold::join(total, v);
}
template <class Fold>
MG_INLINE vd join_wide(vd total, vf v) {
  vhalf part[2];
  __builtin_memcpy(part, &v, sizeof part);
  total = Fold::join(total, __builtin_convertvector(part[0], vd));
  return Fold::join(total, __builtin_convertvector(part[1], vd));
}

// A block of kBlockVectors of a fold with join_quick; false if it may hold a NaN (or opposite
// infinities, whose sum is one).
template <class Fold, class T, class V>
MG_INLINE bool fold_quickly(const T* x, V* result) {
  constexpr int lanes = Vec<T>::lanes;
  V best[4], sum[4] = {};
  for (int k = 0; k < 4; ++k) best[k] = V{} + static_cast<T>(Fold::kStart);
#pragma GCC unroll 1  // as in fold_run
  for (int64_t j = 0; j < kBlockVectors; j += 4) {
    for (int k = 0; k < 4; ++k) {
      const V v = load(x + (j + k) * lanes);
      best[k] = Fold::join_quick(best[k], Fold::map(v));
      sum[k] += v;
    }
  }
  const V all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  *result =
      Fold::join_quick(Fold::join_quick(best[0], best[1]), Fold::join_quick(best[2], best[3]));
  const T one = hsum(all);
  return one == one;
}

// A run shorter than such a block, but not than a vector; false if it holds a NaN.
template <class Fold, class T>
MG_INLINE bool fold_short(const T* x, int64_t n, double* result) {
  using V = typename Vec<T>::type;
  constexpr int lanes = Vec<T>::lanes;
  V even = load(x + n - lanes), odd = even;  // the last lanes, perhaps twice
  auto wrong = even != even;
  even = odd = Fold::map(even);
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const V a = load(x + i), b = load(x + i + lanes);
    even = Fold::join_quick(even, Fold::map(a));
    odd = Fold::join_quick(odd, Fold::map(b));
    wrong |= (a != a) | (b != b);
  }
  if (i + lanes <= n) {
    const V a = load(x + i);
    even = Fold::join_quick(even, Fold::map(a));
    wrong |= a != a;
  }
  *result = join_lanes_quick<Fold>(Fold::join_quick(even, odd));
  return !any(wrong);
}

template <class Fold, class T>
double fold_run(const T* x, int64_t n) {
  using A = typename Fold::Acc;
  using V = typename Vec<A>::type;
  using In = From<A, T>;
  constexpr int lanes = Vec<A>::lanes;
  constexpr int64_t block = kBlockVectors * lanes;
  if constexpr (Fold::kQuick) {
    double quick;
    if (n >= lanes && n < block && MG_LIKELY(fold_short<Fold>(x, n, &quick))) return quick;
  }
  const V start = V{} + static_cast<A>(Fold::kStart);
  vd total = vd{} + Fold::kStart;
  int64_t i = 0;
  for (; i + block <= n; i += block) {
    if constexpr (Fold::kQuick) {
      V quick;
      if (MG_LIKELY(fold_quickly<Fold>(x + i, &quick))) {
        total = join_wide<Fold>(total, quick);
        continue;
      }
    }
    V a = start, b = start, c = start, d = start;  // four chains hide the latency of the joins
    // Unrolled, the compiler would group the loads by chain, and memory likes them in order.
#pragma GCC unroll 1
    for (int64_t j = i; j < i + block; j += 4 * lanes) {
      a = Fold::join(a, Fold::map(In::at(x + j)));
      b = Fold::join(b, Fold::map(In::at(x + j + lanes)));
      c = Fold::join(c, Fold::map(In::at(x + j + 2 * lanes)));
      d = Fold::join(d, Fold::map(In::at(x + j + 3 * lanes)));
    }
    total = join_wide<Fold>(total, Fold::join(Fold::join(a, b), Fold::join(c, d)));
  }
  V even = start, odd = start;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    even = Fold::join(even, Fold::map(In::at(x + i)));
    odd = Fold::join(odd, Fold::map(In::at(x + i + lanes)));
  }
  if (i + lanes <= n) {
    even = Fold::join(even, Fold::map(In::at(x + i)));
    i += lanes;
  }
  if (i < n) odd = Fold::join(odd, first_of(Fold::map(In::part(x + i, n - i)), n - i, start));
  if (n < block) return join_lanes<Fold>(Fold::join(even, odd));
  return join_lanes<Fold>(join_wide<Fold>(total, Fold::join(even, odd)));
}

// Joins `n` rows of `stride` values, `columns` of each (at most kReduceTile), into total, which has
// room for whole vectors.
template <class Fold, class T>
void fold_columns(double* total, const T* x, int64_t n, int64_t stride, int64_t columns) {
  using A = typename Fold::Acc;
  using V = typename Vec<A>::type;
  using In = From<A, T>;
  constexpr int lanes = Vec<A>::lanes;
  A buffer[kReduceTile];
  for (int64_t begin = 0; begin < n; begin += kBlockRows) {
    const int64_t end = begin + kBlockRows < n ? begin + kBlockRows : n;
    A* block = buffer;
    if constexpr (sizeof(A) == 8) {
      block = total;  // already double
    } else {
      const V start = V{} + static_cast<A>(Fold::kStart);
      for (int64_t j = 0; j < columns; j += lanes) store(block + j, start);
    }
    int64_t row = begin;
    for (; row + 4 <= end; row += 4) {  // four rows for each pass over the accumulators
      const T* p = x + row * stride;
      int64_t j = 0;
      for (; j + lanes <= columns; j += lanes) {
        const T* q = p + j;
        const V a = Fold::join(Fold::map(In::at(q)), Fold::map(In::at(q + stride)));
        const V b =
            Fold::join(Fold::map(In::at(q + 2 * stride)), Fold::map(In::at(q + 3 * stride)));
        store(block + j, Fold::join(load(block + j), Fold::join(a, b)));
      }
      for (; j < columns; j += lanes) {
        V v = load(block + j);
        for (int k = 0; k < 4; ++k) {
          v = Fold::join(v, Fold::map(In::part(p + k * stride + j, columns - j)));
        }
        store(block + j, v);
      }
    }
    for (; row < end; ++row) {
      const T* p = x + row * stride;
      int64_t j = 0;
      for (; j + lanes <= columns; j += lanes) {
        store(block + j, Fold::join(load(block + j), Fold::map(In::at(p + j))));
      }
      if (j < columns) {
        store(block + j, Fold::join(load(block + j), Fold::map(In::part(p + j, columns - j))));
      }
    }
    if constexpr (sizeof(A) < 8) {
      for (int64_t j = 0; j < columns; j += kD) {
        store(total + j, Fold::join(load(total + j), From<double, A>::at(block + j)));
      }
    }
  }
}

}  // namespace mg::MG_ISA
