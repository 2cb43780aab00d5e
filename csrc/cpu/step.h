// Vectors of every element or every other one.
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

}  // namespace mg::MG_ISA
