// What the normalisations share: sweeps over runs of elements, and their mean and variance.
// Two passes over a block that stays in the first cache, blocks merged: one pass over memory.
#pragma once

#include "kernels/norm.h"
#include "simd.h"

namespace mg::MG_ISA {

template <class T>
using Pack = typename Vec<T>::type;

// What a sweep hands to its body beside the place: a whole vector, or the first n lanes of one.
struct Whole {};
struct Some {
  int64_t n;
};
template <class T>
MG_INLINE Pack<T> get(const T* p, Whole) {
  return load(p);
}
template <class T>
MG_INLINE Pack<T> get(const T* p, Some s) {
  return load_partial(p, s.n);
}
template <class T>
MG_INLINE void put(T* p, Pack<T> v, Whole) {
  store(p, v);
}
template <class T>
MG_INLINE void put(T* p, Pack<T> v, Some s) {
  store_partial(p, v, s.n);
}
// Past the caches if `far`: then p is aligned and there are no tails.
template <class T>
MG_INLINE void put(T* p, Pack<T> v, Whole, bool far) {
  if (far) {
    stream(p, v);
  } else {
    store(p, v);
  }
}
template <class T>
MG_INLINE void put(T* p, Pack<T> v, Some s, bool) {
  store_partial(p, v, s.n);
}

// Whether rows of n elements go past the caches: fresh outputs that do not stay in them anyway, by
// their own size or that of all `operands` arrays of this size together.
template <class T>
MG_INLINE bool goes_far(const T* out, int64_t n, int64_t total, int64_t operands = 1) {
  const int64_t item = sizeof(T), bytes = total * item;
  return (bytes >= (int64_t{16} << 20) || bytes * operands >= (int64_t{24} << 20)) &&
         n * item % kVectorBytes == 0 && reinterpret_cast<uintptr_t>(out) % kVectorBytes == 0;
}

// Lanes that a tail does not have become zero.
template <class V>
MG_INLINE V keep(V v, Whole) {
  return v;
}
MG_INLINE vf keep(vf v, Some s) {
  static const float kLane[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return load(kLane) < set1(static_cast<float>(s.n)) ? v : vf{};
}
MG_INLINE vd keep(vd v, Some s) {
  static const double kLane[] = {0, 1, 2, 3, 4, 5, 6, 7};
  return load(kLane) < set1(static_cast<double>(s.n)) ? v : vd{};
}

// body(accumulator, place, Whole or Some) for n elements, over kUnroll accumulators in turn.
template <int kUnroll, class T, class Body>
MG_INLINE void sweep(int64_t n, Body&& body) {
  constexpr int lanes = Vec<T>::lanes;
  int64_t i = 0;
  if (kUnroll > 1) {
    for (; i + kUnroll * lanes <= n; i += kUnroll * lanes) {
      for (int k = 0; k < kUnroll; ++k) body(k, i + k * lanes, Whole{});
    }
  }
  for (; i + lanes <= n; i += lanes) body(0, i, Whole{});
  if (i < n) body(kUnroll - 1, i, Some{n - i});
}

// `count` runs of `length` elements, `stride` apart.
template <class T>
struct Part {
  const T* x;
  int64_t count, stride, length;
};

// m2: the sum of (x - mean)^2.
struct Moments {
  double count, mean, m2;
};

MG_INLINE Moments merged(const Moments& a, const Moments& b) {
  const double count = a.count + b.count, delta = b.mean - a.mean, share = b.count / count;
  return {count, a.mean + delta * share, a.m2 + b.m2 + delta * delta * a.count * share};
}

// Around the mean, or around 0 without `centre`.
template <class T>
MG_INLINE Moments block_moments(const Part<T>& p, bool centre) {
  using V = Pack<T>;
  const double n = static_cast<double>(p.count * p.length);
  T mean = 0;
  if (centre) {
    V sum[4] = {};
    for (int64_t s = 0; s < p.count; ++s) {
      const T* run = p.x + s * p.stride;
      sweep<4, T>(p.length, [&](int k, int64_t i, auto c) { sum[k] += get(run + i, c); });
    }
    mean = hsum((sum[0] + sum[1]) + (sum[2] + sum[3])) / static_cast<T>(n);
  }
  const V m = set1(mean);
  V square[4] = {};
  for (int64_t s = 0; s < p.count; ++s) {
    const T* run = p.x + s * p.stride;
    sweep<4, T>(p.length, [&](int k, int64_t i, auto c) {
      const V d = keep(get(run + i, c) - m, c);
      square[k] = fma(d, d, square[k]);
    });
  }
  return {n, mean, hsum((square[0] + square[1]) + (square[2] + square[3]))};
}

// In double, element by element: for float values whose squares or sums overflow.
template <class T>
static __attribute__((noinline)) Moments plain_moments(const Part<T>& p, bool centre) {
  const double n = static_cast<double>(p.count * p.length);
  double sum = 0, square = 0;
  for (int64_t s = 0; centre && s < p.count; ++s) {
    for (int64_t i = 0; i < p.length; ++i) sum += static_cast<double>(p.x[s * p.stride + i]);
  }
  const double mean = sum / n;
  for (int64_t s = 0; s < p.count; ++s) {
    for (int64_t i = 0; i < p.length; ++i) {
      const double d = static_cast<double>(p.x[s * p.stride + i]) - mean;
      square += d * d;
    }
  }
  return {n, mean, square};
}

template <class T>
MG_INLINE Moments moments(const Part<T>& p, bool centre) {
  constexpr int64_t kBlock = 4096;
  Moments total;
  if (p.count * p.length <= kBlock) {
    total = block_moments(p, centre);
  } else {
    const int64_t runs = max_of(1, kBlock / p.length), length = min_of(p.length, kBlock);
    total = {};
    for (int64_t s = 0; s < p.count; s += runs) {
      for (int64_t i = 0; i < p.length; i += length) {
        const Part<T> block = {p.x + s * p.stride + i, min_of(runs, p.count - s), p.stride,
                               min_of(length, p.length - i)};
        const Moments m = block_moments(block, centre);
        total = total.count == 0 ? m : merged(total, m);
      }
    }
  }
  if (MG_LIKELY(total.m2 <= 1e300)) return total;
  return plain_moments(p, centre);
}

template <class T>
MG_INLINE T root(T x) {
  return sqrt(set1(x))[0];
}

}  // namespace mg::MG_ISA
