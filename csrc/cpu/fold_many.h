// Folds of many runs or columns at once: whole vectors of results instead of one after the other.
#pragma once

#include "fold.h"

namespace mg::MG_ISA {

// An integer as wide as a float or a double, in vectors.
template <int kBytes>
struct Same;
template <>
struct Same<4> {
  using type = vi;
};
template <>
struct Same<8> {
  using type = vl;
};

template <bool kFirst, class A, class B>
struct Pick {
  using type = A;
};
template <class A, class B>
struct Pick<false, A, B> {
  using type = B;
};

// ---- many short runs ----

// Lanes i and i ^ kHalf of a (where bit kHalf of i is 0) and of b (where it is 1), as two vectors.
template <int kHalf, class V>
MG_INLINE void pair_lanes(V* a, V* b) {
  using A = decltype((*a)[0] + (*a)[0]);
  using I = typename Same<sizeof(A)>::type;
  constexpr int lanes = sizeof(V) / sizeof(A);
  I own, across;
  for (int i = 0; i < lanes; ++i) {
    const int other = i & kHalf ? lanes : 0;
    own[i] = i + other;
    across[i] = (i ^ kHalf) + other;
  }
  const V first = __builtin_shuffle(*a, *b, own);
  *b = __builtin_shuffle(*a, *b, across);
  *a = first;
}

// Joins the lanes of each of 2 kHalf vectors, but for the last time where kLast is 1: then lane i
// of acc[0] and of acc[1] have all of what was acc[i]; where it is 0, lane i of acc[0] has.
template <class Fold, int kHalf, int kLast, class V>
MG_INLINE void join_all_lanes(V* acc) {
  for (int i = 0; i < kHalf; ++i) {
    pair_lanes<kHalf>(&acc[i], &acc[i + kHalf]);
    if (kHalf > kLast) acc[i] = Fold::join_quick(acc[i], acc[i + kHalf]);
  }
  if constexpr (kHalf > 1) join_all_lanes<Fold, kHalf / 2, kLast>(acc);
}

MG_INLINE void widen(double* out, vd v) { store(out, v); }
MG_INLINE void widen(double* out, vf v) {
  vhalf part[2];
  __builtin_memcpy(part, &v, sizeof part);
  store(out, __builtin_convertvector(part[0], vd));
  store(out + kD, __builtin_convertvector(part[1], vd));
}

// As many runs as a vector of A has lanes, of n values each, less than a block. False where
// fold_run has to take them: one holds a NaN, or a product of floats has left their range.
template <class Fold, class A, class T>
MG_INLINE bool fold_together(double* result, const T* const* runs, int64_t n) {
  using S = typename Pick<Fold::kProduct, T, A>::type;  // a run's own lanes are joined in S
  using V = typename Vec<S>::type;
  using In = From<S, T>;
  constexpr int lanes = Vec<S>::lanes;
  const V start = V{} + static_cast<S>(Fold::kStart);
  typename Vec<A>::type acc[Vec<A>::lanes];
  NanSeen seen = {};
  bool good = true;
  const auto note = [&seen](V a, V b) MG_INLINE_LAMBDA {
    if constexpr (Fold::kQuick) note_nan(&seen, a, b);
  };
  for (int k = 0; k < Vec<A>::lanes; ++k) {
    const T* x = runs[k];
    V even = start, odd = start;
    int64_t i = 0;
    for (; i + 2 * lanes <= n; i += 2 * lanes) {
      const V a = In::at(x + i), b = In::at(x + i + lanes);
      even = Fold::join_quick(even, Fold::map(a));
      odd = Fold::join_quick(odd, Fold::map(b));
      note(a, b);
    }
    if (i + lanes <= n) {
      const V a = In::at(x + i);
      even = Fold::join_quick(even, Fold::map(a));
      note(a, a);
      i += lanes;
    }
    if (i < n) {
      const V a = In::part(x + i, n - i);
      odd = Fold::join_quick(odd, first_of(Fold::map(a), n - i, start));
      note(a, a);
    }
    if constexpr (sizeof(S) == sizeof(A)) {
      acc[k] = Fold::join_quick(even, odd);
    } else {
      good &= in_range(even) & in_range(odd);
      acc[k] = widened_product(even) * widened_product(odd);
    }
  }
  constexpr bool narrow = Fold::kProduct && sizeof(A) == 4;  // the last factors in doubles
  join_all_lanes<Fold, Vec<A>::lanes / 2, narrow>(acc);
  widen(result, acc[0]);
  if constexpr (narrow) {
    good = in_range(acc[0]) & in_range(acc[1]);
    double other[kF];
    widen(other, acc[1]);
    for (int k = 0; k < kF; ++k) result[k] *= other[k];
  }
  return good && !any_nan(seen);
}

// The same for runs of a few values, `step` apart: lane by lane.
template <class Fold, class T>
MG_INLINE void fold_tiny(double* result, const T* x, int64_t step, int64_t n) {
  using A = typename Fold::Acc;
  using V = typename Vec<A>::type;
  V acc = V{} + static_cast<A>(Fold::kStart);
  for (int64_t j = 0; j < n; ++j) {
    V v;
    for (int k = 0; k < Vec<A>::lanes; ++k) v[k] = static_cast<A>(x[k * step + j]);
    acc = Fold::join(acc, Fold::map(v));
  }
  widen(result, acc);
}

// ---- columns ----

// Joins `n` rows of `stride` values, `columns` of each, into `block`, which has room for whole
// vectors. With join_quick false is returned where NaN was met: the block is good for a second
// time without.
template <class Fold, bool kQuick, class T>
MG_INLINE bool join_rows(typename Fold::Acc* block, const T* x, int64_t n, int64_t stride,
                         int64_t columns) {
  using A = typename Fold::Acc;
  using V = typename Vec<A>::type;
  using In = From<A, T>;
  constexpr int lanes = Vec<A>::lanes;
  NanSeen seen = {};
  const auto join = [](V a, V b) MG_INLINE_LAMBDA {
    return kQuick ? Fold::join_quick(a, b) : Fold::join(a, b);
  };
  const auto note = [&seen](V a, V b) MG_INLINE_LAMBDA {
    if constexpr (kQuick) note_nan(&seen, a, b);
  };
  int64_t row = 0;
  for (; row + 4 <= n; row += 4) {  // four rows for each pass over the accumulators
    const T* p = x + row * stride;
    int64_t j = 0;
    for (; j + lanes <= columns; j += lanes) {
      const T* q = p + j;
      const V v0 = In::at(q), v1 = In::at(q + stride);
      const V v2 = In::at(q + 2 * stride), v3 = In::at(q + 3 * stride);
      note(v0, v1);
      note(v2, v3);
      const V a = join(Fold::map(v0), Fold::map(v1)), b = join(Fold::map(v2), Fold::map(v3));
      store(block + j, join(load(block + j), join(a, b)));
    }
    for (int64_t k = 0; j < columns && k < 4; ++k) {
      const V v = In::part(p + k * stride + j, columns - j);
      note(v, v);
      store(block + j, join(load(block + j), Fold::map(v)));
    }
  }
  for (; row < n; ++row) {
    const T* p = x + row * stride;
    int64_t j = 0;
    for (; j + lanes <= columns; j += lanes) {
      const V v = In::at(p + j);
      note(v, v);
      store(block + j, join(load(block + j), Fold::map(v)));
    }
    if (j < columns) {
      const V v = In::part(p + j, columns - j);
      note(v, v);
      store(block + j, join(load(block + j), Fold::map(v)));
    }
  }
  return !kQuick || !any_nan(seen);
}

// Joins `n` rows of `stride` values, `columns` of each (at most kReduceTile), into total, which has
// room for whole vectors.
template <class Fold, class T>
void fold_columns(double* total, const T* x, int64_t n, int64_t stride, int64_t columns) {
  using A = typename Fold::Acc;
  using V = typename Vec<A>::type;
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
    const T* from = x + begin * stride;
    bool done = false;
    if constexpr (Fold::kQuick) {
      done = join_rows<Fold, true>(block, from, end - begin, stride, columns);
    }
    if (!done) join_rows<Fold, false>(block, from, end - begin, stride, columns);
    if constexpr (sizeof(A) < 8) {
      for (int64_t j = 0; j < columns; j += kD) {
        store(total + j, Fold::join(load(total + j), From<double, A>::at(block + j)));
      }
    }
  }
}

}  // namespace mg::MG_ISA
