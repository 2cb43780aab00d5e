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

// An operand: an array, or one value, told apart at each vector; the branch is always the same.
template <class T>
struct Operand {
  const T* p;
  bool dense;
  typename Lane<T>::V v;
};
template <class T>
MG_INLINE Operand<T> operand(const void* p, Unit unit) {
  const T* at = static_cast<const T*>(p);
  return {at, unit == Unit::kDense, set1(*at)};
}
// Its vector from element i on, or what is left of it: `left` elements, or more.
template <class T>
MG_INLINE typename Lane<T>::V get(const Operand<T>& s, int64_t i, int64_t left) {
  if (!s.dense) return s.v;
  return left >= Lane<T>::lanes ? load(s.p + i) : load_partial(s.p + i, left);
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
// Writes the results from i on: `value(i, left)` computes the vector at i, of the elements left.
template <class T, class Value>
MG_INLINE void write_rest(T* y, int64_t i, int64_t n, bool past_caches, Value value) {
  constexpr int lanes = Lane<T>::lanes;
  for (; i < n; i += lanes) {
    const auto v = value(i, n - i);
    if (n - i < lanes) {
      store_partial(y + i, v, n - i);
    } else if (past_caches) {
      stream(y + i, v);
    } else {
      store(y + i, v);
    }
  }
}

// All n of them. The body of `value` stands twice, in the loop for what stays in the caches and in
// the one for all that is rare.
template <class T, class Value>
MG_INLINE void write_row(T* y, int64_t n, bool past_caches, Value value) {
  constexpr int lanes = Lane<T>::lanes;
  int64_t i = 0;
  past_caches = past_caches && can_stream(y);
  if (!past_caches) {
    for (; i + lanes <= n; i += lanes) store(y + i, value(i, lanes));
  }
  write_rest(y, i, n, past_caches, value);
}

template <class Op, class T>
void unary_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double* params,
               bool past_caches) {
  const auto p = broadcast<T>(params);
  const Operand<T> a = operand<T>(in[0], unit[0]);
  write_row(static_cast<T*>(out), n, past_caches, [&](int64_t i, int64_t left) MG_INLINE_LAMBDA {
    return Op::apply(get(a, i, left), p);
  });
}

// The result of one value with an array, as of an outer product, is left to the caches: little is
// read. Rows may be short, so arrays and values have loops of their own.
template <class Op, class T>
void binary_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double* params,
                bool past_caches) {
  constexpr int lanes = Lane<T>::lanes;
  T* y = static_cast<T*>(out);
  const auto p = broadcast<T>(params);
  const Operand<T> a = operand<T>(in[0], unit[0]), b = operand<T>(in[1], unit[1]);
  past_caches = past_caches && a.dense && can_stream(y);
  int64_t i = 0;
  if (past_caches) {
    // below
  } else if (a.dense && b.dense) {
    for (; i + lanes <= n; i += lanes) store(y + i, Op::apply(load(a.p + i), load(b.p + i), p));
  } else if (a.dense) {
    for (; i + lanes <= n; i += lanes) store(y + i, Op::apply(load(a.p + i), b.v, p));
  } else if (b.dense) {
    for (; i + lanes <= n; i += lanes) store(y + i, Op::apply(a.v, load(b.p + i), p));
  }
  write_rest(y, i, n, past_caches, [&](int64_t at, int64_t left) MG_INLINE_LAMBDA {
    return Op::apply(get(a, at, left), get(b, at, left), p);
  });
}

template <class Op, class T>
void ternary_row(void* out, const void* const* in, const Unit* unit, int64_t n,
                 const double* params, bool past_caches) {
  const auto p = broadcast<T>(params);
  const Operand<T> a = operand<T>(in[0], unit[0]), b = operand<T>(in[1], unit[1]);
  const Operand<T> c = operand<T>(in[2], unit[2]);
  write_row(static_cast<T*>(out), n, past_caches, [&](int64_t i, int64_t left) MG_INLINE_LAMBDA {
    return Op::apply(get(a, i, left), get(b, i, left), get(c, i, left), p);
  });
}

template <class Op, class T>
void compare_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double*,
                 bool) {
  constexpr int lanes = Lane<T>::lanes;
  uint8_t* y = static_cast<uint8_t*>(out);
  const Operand<T> a = operand<T>(in[0], unit[0]), b = operand<T>(in[1], unit[1]);
  const auto value = [&](int64_t i, int64_t left)
                         MG_INLINE_LAMBDA { return Op::apply(get(a, i, left), get(b, i, left)); };
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store_mask(y + i, value(i, lanes));
  if (i < n) {
    uint8_t tail[lanes];
    store_mask(tail, value(i, n - i));
    __builtin_memcpy(y + i, tail, static_cast<size_t>(n - i));
  }
}

template <class T>
void where_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double*, bool) {
  constexpr int lanes = Lane<T>::lanes;
  T* y = static_cast<T*>(out);
  const uint8_t* mask = static_cast<const uint8_t*>(in[0]);
  const Operand<T> a = operand<T>(in[1], unit[1]), b = operand<T>(in[2], unit[2]);
  if (unit[0] != Unit::kDense) {  // one condition for all of them
    const Operand<T>& chosen = *mask ? a : b;
    write_row(y, n, false,
              [&](int64_t i, int64_t left) MG_INLINE_LAMBDA { return get(chosen, i, left); });
    return;
  }
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto m = load_mask(mask + i, typename Lane<T>::V{});
    store(y + i, m ? get(a, i, lanes) : get(b, i, lanes));
  }
  if (i < n) {
    uint8_t tail[lanes] = {};
    __builtin_memcpy(tail, mask + i, static_cast<size_t>(n - i));
    const auto m = load_mask(tail, typename Lane<T>::V{});
    store_partial(y + i, m ? get(a, i, n - i) : get(b, i, n - i), n - i);
  }
}

}  // namespace mg::MG_ISA
