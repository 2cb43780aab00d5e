// The inner loops of elementwise operations: one vector load per operand, the operation, one store.
// An operation is a struct with a static `apply` on vectors; these templates make its rows.
#pragma once

#include "kernels/elementwise.h"
#include "simd.h"

namespace mg::MG_ISA {

// The vector of an element type and its lanes.
template <class T>
struct Lane;
template <>
struct Lane<float> {
  using V = vf;
  static constexpr int lanes = kF;
};
template <>
struct Lane<double> {
  using V = vd;
  static constexpr int lanes = kD;
};

typedef uint8_t vbf __attribute__((vector_size(kF)));  // kF bools
typedef uint8_t vbd __attribute__((vector_size(kD)));  // kD bools

MG_INLINE void store_mask(uint8_t* p, vi mask) {
  const vbf bytes = __builtin_convertvector(mask & 1, vbf);
  __builtin_memcpy(p, &bytes, sizeof bytes);
}
MG_INLINE void store_mask(uint8_t* p, vl mask) {
  const vbd bytes = __builtin_convertvector(mask & 1, vbd);
  __builtin_memcpy(p, &bytes, sizeof bytes);
}
MG_INLINE vi load_mask(const uint8_t* p, vf) {
  return __builtin_convertvector(load_as<vbf>(p), vi) != 0;
}
MG_INLINE vl load_mask(const uint8_t* p, vd) {
  return __builtin_convertvector(load_as<vbd>(p), vl) != 0;
}

// Sources of vectors: an array, or one value.
template <class T>
struct Dense {
  const T* p;
  MG_INLINE typename Lane<T>::V at(const Dense& s, int64_t i) { return load(s.p + i); }
  MG_INLINE typename Lane<T>::V part(const Dense& s, int64_t i, int64_t n) {
    return load_partial(s.p + i, n);
  }
};
template <class T>
struct Single {
  typename Lane<T>::V v;
  MG_INLINE typename Lane<T>::V at(const Single& s, int64_t) { return s.v; }
  MG_INLINE typename Lane<T>::V part(const Single& s, int64_t, int64_t) { return s.v; }
};
template <class T>
MG_INLINE Single<T> single(const void* p) {
  return {set1(*static_cast<const T*>(p))};
}

// A constant in every lane.
template <class V>
inline __attribute__((always_inline)) V lanes_of(double value);
template <>
inline __attribute__((always_inline)) vf lanes_of<vf>(double value) {
  return set1(static_cast<float>(value));
}
template <>
inline __attribute__((always_inline)) vd lanes_of<vd>(double value) {
  return set1(value);
}

// x limited to [low, high]; high where low > high; NaN stays.
template <class V>
MG_INLINE V clip(V x, V low, V high) {
  const V t = x < low ? low : x;
  return t > high ? high : t;
}

// The numbers of an operation, in every lane.
template <class V>
struct Params {
  V at[3];
};
template <class T>
MG_INLINE Params<typename Lane<T>::V> broadcast(const double* params) {
  Params<typename Lane<T>::V> p = {};
  if (params) {
    for (int i = 0; i < 3; ++i) p.at[i] = set1(static_cast<T>(params[i]));
  }
  return p;
}

MG_INLINE bool can_stream(const float* p) {
  return reinterpret_cast<uintptr_t>(p) % kVectorBytes == 0;
}
MG_INLINE bool can_stream(const double* p) {
  return reinterpret_cast<uintptr_t>(p) % kVectorBytes == 0;
}
template <bool kStream, class Op, class T, class A>
MG_INLINE void unary_loop(T* out, A a, int64_t n, const Params<typename Lane<T>::V>& p) {
  constexpr int lanes = Lane<T>::lanes;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto y = Op::apply(A::at(a, i), p);
    if (kStream) {
      stream(out + i, y);
    } else {
      store(out + i, y);
    }
  }
  if (i < n) store_partial(out + i, Op::apply(A::part(a, i, n - i), p), n - i);
}

template <class Op, class T>
void unary_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double* params,
               bool use_stream) {
  T* y = static_cast<T*>(out);
  const auto p = broadcast<T>(params);
  if (unit[0] != Unit::kDense) {
    unary_loop<false, Op>(y, single<T>(in[0]), n, p);
    return;
  }
  const Dense<T> a = {static_cast<const T*>(in[0])};
  if (use_stream && can_stream(y)) {
    unary_loop<true, Op>(y, a, n, p);
  } else {
    unary_loop<false, Op>(y, a, n, p);
  }
}

template <bool kStream, class Op, class T, class A, class B>
MG_INLINE void binary_loop(T* out, A a, B b, int64_t n, const Params<typename Lane<T>::V>& p) {
  constexpr int lanes = Lane<T>::lanes;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto y = Op::apply(A::at(a, i), B::at(b, i), p);
    if (kStream) {
      stream(out + i, y);
    } else {
      store(out + i, y);
    }
  }
  if (i < n) {
    store_partial(out + i, Op::apply(A::part(a, i, n - i), B::part(b, i, n - i), p), n - i);
  }
}

template <class Op, class T>
void binary_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double* params,
                bool use_stream) {
  T* y = static_cast<T*>(out);
  const auto p = broadcast<T>(params);
  const Dense<T> a = {static_cast<const T*>(in[0])}, b = {static_cast<const T*>(in[1])};
  const bool dense_a = unit[0] == Unit::kDense, dense_b = unit[1] == Unit::kDense;
  if (dense_a && dense_b) {
    if (use_stream && can_stream(y)) {
      binary_loop<true, Op>(y, a, b, n, p);
    } else {
      binary_loop<false, Op>(y, a, b, n, p);
    }
  } else if (dense_a) {
    const auto value = single<T>(in[1]);
    if (use_stream && can_stream(y)) {
      binary_loop<true, Op>(y, a, value, n, p);
    } else {
      binary_loop<false, Op>(y, a, value, n, p);
    }
  } else if (dense_b) {
    binary_loop<false, Op>(y, single<T>(in[0]), b, n, p);
  } else {
    binary_loop<false, Op>(y, single<T>(in[0]), single<T>(in[1]), n, p);
  }
}

// A gradient from (grad, saved). Both dense, or one repeating gradient, are the cases that occur.
template <class Op, class T>
void gradient_row(void* out, const void* const* in, const Unit* unit, int64_t n,
                  const double* params, bool use_stream) {
  T* y = static_cast<T*>(out);
  const auto p = broadcast<T>(params);
  const Dense<T> grad = {static_cast<const T*>(in[0])};
  if (unit[1] != Unit::kDense) {  // one saved value: rare, element by element
    constexpr Unit dense[] = {Unit::kDense, Unit::kDense};
    for (int64_t i = 0; i < n; ++i) {
      const void* at[] = {grad.p + (unit[0] == Unit::kDense ? i : 0), in[1]};
      gradient_row<Op, T>(y + i, at, dense, 1, params, false);
    }
    return;
  }
  const Dense<T> saved = {static_cast<const T*>(in[1])};
  if (unit[0] != Unit::kDense) {
    binary_loop<false, Op>(y, single<T>(in[0]), saved, n, p);
  } else if (use_stream && can_stream(y)) {
    binary_loop<true, Op>(y, grad, saved, n, p);
  } else {
    binary_loop<false, Op>(y, grad, saved, n, p);
  }
}

template <class Op, class T, class A, class B>
MG_INLINE void compare_loop(uint8_t* out, A a, B b, int64_t n) {
  constexpr int lanes = Lane<T>::lanes;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store_mask(out + i, Op::apply(A::at(a, i), B::at(b, i)));
  if (i < n) {
    uint8_t tail[lanes];
    store_mask(tail, Op::apply(A::part(a, i, n - i), B::part(b, i, n - i)));
    __builtin_memcpy(out + i, tail, static_cast<size_t>(n - i));
  }
}

template <class Op, class T>
void compare_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double*,
                 bool) {
  uint8_t* y = static_cast<uint8_t*>(out);
  const Dense<T> a = {static_cast<const T*>(in[0])}, b = {static_cast<const T*>(in[1])};
  const bool dense_a = unit[0] == Unit::kDense, dense_b = unit[1] == Unit::kDense;
  if (dense_a && dense_b) {
    compare_loop<Op, T>(y, a, b, n);
  } else if (dense_a) {
    compare_loop<Op, T>(y, a, single<T>(in[1]), n);
  } else if (dense_b) {
    compare_loop<Op, T>(y, single<T>(in[0]), b, n);
  } else {
    compare_loop<Op, T>(y, single<T>(in[0]), single<T>(in[1]), n);
  }
}

template <class T, class A, class B>
MG_INLINE void where_loop(T* out, const uint8_t* mask, A a, B b, int64_t n) {
  using V = typename Lane<T>::V;
  constexpr int lanes = Lane<T>::lanes;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    store(out + i, load_mask(mask + i, V{}) ? A::at(a, i) : B::at(b, i));
  }
  if (i < n) {
    uint8_t tail[lanes] = {};
    __builtin_memcpy(tail, mask + i, static_cast<size_t>(n - i));
    const auto m = load_mask(tail, V{});
    store_partial(out + i, m ? A::part(a, i, n - i) : B::part(b, i, n - i), n - i);
  }
}

template <class T>
void where_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double*, bool) {
  T* y = static_cast<T*>(out);
  const uint8_t* mask = static_cast<const uint8_t*>(in[0]);
  const Dense<T> a = {static_cast<const T*>(in[1])}, b = {static_cast<const T*>(in[2])};
  if (unit[0] != Unit::kDense) {  // one condition for all of them
    const int chosen = *mask ? 1 : 2;
    const Dense<T> c = {static_cast<const T*>(in[chosen])};
    if (unit[chosen] == Unit::kDense) {
      __builtin_memmove(y, c.p, static_cast<size_t>(n) * sizeof(T));
      return;
    }
    constexpr int lanes = Lane<T>::lanes;
    const auto v = single<T>(in[chosen]).v;
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) store(y + i, v);
    if (i < n) store_partial(y + i, v, n - i);
    return;
  }
  const bool dense_a = unit[1] == Unit::kDense, dense_b = unit[2] == Unit::kDense;
  if (dense_a && dense_b) {
    where_loop<T>(y, mask, a, b, n);
  } else if (dense_a) {
    where_loop<T>(y, mask, a, single<T>(in[2]), n);
  } else if (dense_b) {
    where_loop<T>(y, mask, single<T>(in[1]), b, n);
  } else {
    where_loop<T>(y, mask, single<T>(in[1]), single<T>(in[2]), n);
  }
}

// An array or one value, told apart at each vector: for operations that are too rare for a loop of
// each combination.
template <class T>
struct Either {
  const T* p;
  bool dense;
  typename Lane<T>::V v;
  MG_INLINE typename Lane<T>::V at(const Either& s, int64_t i) {
    return s.dense ? load(s.p + i) : s.v;
  }
  MG_INLINE typename Lane<T>::V part(const Either& s, int64_t i, int64_t n) {
    return s.dense ? load_partial(s.p + i, n) : s.v;
  }
};
template <class T>
MG_INLINE Either<T> either(const void* p, Unit unit) {
  const T* at = static_cast<const T*>(p);
  return {at, unit == Unit::kDense, set1(*at)};
}

template <class Op, class T>
void ternary_row(void* out, const void* const* in, const Unit* unit, int64_t n,
                 const double* params, bool) {
  constexpr int lanes = Lane<T>::lanes;
  using E = Either<T>;
  T* y = static_cast<T*>(out);
  const auto p = broadcast<T>(params);
  const E a = either<T>(in[0], unit[0]), b = either<T>(in[1], unit[1]);
  const E c = either<T>(in[2], unit[2]);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    store(y + i, Op::apply(E::at(a, i), E::at(b, i), E::at(c, i), p));
  }
  if (i < n) {
    const int64_t left = n - i;
    const auto tail = Op::apply(E::part(a, i, left), E::part(b, i, left), E::part(c, i, left), p);
    store_partial(y + i, tail, left);
  }
}

}  // namespace mg::MG_ISA
