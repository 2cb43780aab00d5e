// Vectors of every element or every other one, and two rows woven together.
#pragma once

#include "simd.h"

namespace mg::MG_ISA {

// Integers as wide as the elements, for places in vectors.
template <class T>
struct Places;
template <>
struct Places<float> {
  using type = vi;
};
template <>
struct Places<double> {
  typedef int64_t type __attribute__((vector_size(kVectorBytes)));
};

// Element i of the result is p[i * kStep], i < lanes; reads nothing behind the last one.
template <int kStep, class T>
MG_INLINE typename Vec<T>::type load_step(const T* p) {
  using V = typename Vec<T>::type;
  using I = typename Places<T>::type;
  constexpr int L = Vec<T>::lanes;
  if constexpr (kStep == 1) {
    return load(p);
  } else {
    static_assert(kStep == 2, "strides 1 and 2 are vectorised");
    I even;
    for (int i = 0; i < L; ++i) even[i] = i < L / 2 ? 2 * i : 2 * i + 1;
    const V a = load(p), b = load(p + L - 1);  // b's odd elements: p[L], p[L + 2] ...
    return __builtin_shuffle(a, b, even);
  }
}

// The first n of them, 1 <= n < lanes; the others are zero.
template <int kStep, class T>
MG_INLINE typename Vec<T>::type load_step_partial(const T* p, int64_t n) {
  using V = typename Vec<T>::type;
  using I = typename Places<T>::type;
  constexpr int L = Vec<T>::lanes;
  if constexpr (kStep == 1) {
    return load_partial(p, n);
  } else {
    I even;
    for (int i = 0; i < L; ++i) even[i] = i < L / 2 ? 2 * i : 2 * i + 1;
    const V a = load_partial(p, min_of(2 * n - 1, L));
    const V b = 2 * n > L ? load_partial(p + L - 1, 2 * n - L) : V{};
    return __builtin_shuffle(a, b, even);
  }
}

// to[2 i] = even[i] for i < n + more, to[2 i + 1] = odd[i] for i < n; more is 0 or 1.
template <class T>
MG_INLINE void interleave(T* to, const T* even, const T* odd, int64_t n, int64_t more) {
  using I = typename Places<T>::type;
  constexpr int L = Vec<T>::lanes;
  I low, high;
  for (int i = 0; i < L; ++i) low[i] = i / 2 + i % 2 * L, high[i] = low[i] + L / 2;
  int64_t i = 0;
  for (; i + L <= n; i += L) {
    const auto a = load(even + i), b = load(odd + i);
    store(to + 2 * i, __builtin_shuffle(a, b, low));
    store(to + 2 * i + L, __builtin_shuffle(a, b, high));
  }
  for (; i < n; ++i) to[2 * i] = even[i], to[2 * i + 1] = odd[i];
  if (more) to[2 * i] = even[i];
}

}  // namespace mg::MG_ISA
