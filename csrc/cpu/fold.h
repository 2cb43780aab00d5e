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

// Of vectors of 8-byte lanes: lane i of the result is lane i - k of v; of `fill` below k.
template <int k, class V>
MG_INLINE V raised(V v, V fill) {
#if defined(__AVX512F__)
  return (V)_mm512_alignr_epi64((__m512i)v, (__m512i)fill, 8 - k);
#elif defined(__AVX2__)
  return __builtin_shuffle(fill, v, k == 1 ? vl{0, 4, 5, 6} : vl{0, 1, 4, 5});
#else
  vl lane;
  for (int i = 0; i < kD; ++i) lane[i] = i < k ? i : kD + i - k;
  return __builtin_shuffle(fill, v, lane);
#endif
}

// Whether NaN was among the values shown: one comparison for two vectors.
#if defined(__AVX512F__)
typedef unsigned NanSeen;
MG_INLINE void note_nan(NanSeen* seen, vf a, vf b) {
  *seen |= _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_UNORD_Q);
}
MG_INLINE void note_nan(NanSeen* seen, vd a, vd b) {
  *seen |= _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_UNORD_Q);
}
MG_INLINE bool any_nan(NanSeen seen) { return seen != 0; }
#else
typedef vi NanSeen;
template <class V>
MG_INLINE void note_nan(NanSeen* seen, V a, V b) {
  *seen |= (vi)((a != a) | (b != b));
}
MG_INLINE bool any_nan(NanSeen seen) { return any(seen); }
#endif

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

// What `join` may leave out among values of which none is NaN.
#define MG_FOLD(name, A, start, mapped, joined) \
  MG_FOLD_QUICK(name, A, start, mapped, joined, joined, false)
#define MG_FOLD_QUICK(name, A, start, mapped, joined, quick, has_quick) \
  template <class T>                                                    \
  struct name {                                                         \
    using Acc = A;                                                      \
    static constexpr double kStart = start;                             \
    static constexpr bool kProduct = start == 1 && sizeof(T) == 4;      \
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

// Extrema need no wider accumulators: a run is joined in one go, and looked through for NaN.
template <class Fold, class T>
double fold_extremum(const T* x, int64_t n) {
  using V = typename Vec<T>::type;
  constexpr int lanes = Vec<T>::lanes;
  const V start = V{} + static_cast<T>(Fold::kStart);
  V best[4] = {start, start, start, start};
  NanSeen seen = {};
  int64_t i = 0;
#pragma GCC unroll 1  // as in fold_run
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    V v[4];
    for (int k = 0; k < 4; ++k) v[k] = load(x + i + k * lanes);
    for (int k = 0; k < 4; ++k) best[k] = Fold::join_quick(best[k], Fold::map(v[k]));
    note_nan(&seen, v[0], v[1]);
    note_nan(&seen, v[2], v[3]);
  }
  for (; i < n; i += lanes) {
    const int64_t at = min_of(i, n - lanes);  // the last vector perhaps a second time
    const V v = n < lanes ? load_partial(x, n) : load(x + at);
    best[1] =
        Fold::join_quick(best[1], n < lanes ? first_of(Fold::map(v), n, start) : Fold::map(v));
    note_nan(&seen, v, v);
  }
  if (MG_UNLIKELY(any_nan(seen))) return __builtin_nan("");
  return join_lanes_quick<Fold>(
      Fold::join_quick(Fold::join_quick(best[0], best[1]), Fold::join_quick(best[2], best[3])));
}

// Whether no lane has left the range of normal numbers, zero included.
MG_INLINE bool in_range(vf v) {
  const vf size = abs(v);
  return !any((size >= 0x1p-126f) & (size <= 0x1.fffffep127f) ? vi{} : vi{} - 1);
}

// Both halves of a vector multiplied in doubles.
MG_INLINE vd widened_product(vf v) {
  vhalf part[2];
  __builtin_memcpy(part, &v, sizeof part);
  return __builtin_convertvector(part[0], vd) * __builtin_convertvector(part[1], vd);
}

// A block of kBlockVectors multiplied in floats, sixteen values at a time; false if a product left
// their range: doubles decide then.
MG_INLINE bool multiply_quickly(const float* x, vd* total) {
  vf product[4];
  for (int k = 0; k < 4; ++k) product[k] = load(x + k * kF);
#pragma GCC unroll 1
  for (int64_t j = 4; j < kBlockVectors; j += 4) {
    for (int k = 0; k < 4; ++k) product[k] *= load(x + (j + k) * kF);
  }
  const vf even = product[0] * product[1], odd = product[2] * product[3];
  const bool good = in_range(even) & in_range(odd);
  const vd all = widened_product(even) * widened_product(odd);
  if (MG_LIKELY(good)) *total *= all;
  return good;
}

template <class Fold, class T>
double fold_run(const T* x, int64_t n) {
  using A = typename Fold::Acc;
  using V = typename Vec<A>::type;
  using In = From<A, T>;
  constexpr int lanes = Vec<A>::lanes;
  constexpr int64_t block = kBlockVectors * lanes;
  if constexpr (Fold::kQuick) return fold_extremum<Fold>(x, n);
  const V start = V{} + static_cast<A>(Fold::kStart);
  vd total = vd{} + Fold::kStart;
  int64_t i = 0;
  for (; i + block <= n; i += block) {
    if constexpr (Fold::kProduct) {
      while (i + 2 * block <= n && multiply_quickly(x + i, &total)) i += 2 * block;
      if (i + block > n) break;
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

}  // namespace mg::MG_ISA
