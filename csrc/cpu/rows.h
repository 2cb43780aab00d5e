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

// An operand as a walk over vectors: an array, or one value, repeated in `room`, that stands still.
template <class T>
struct Steps {
  const T* p;
  int64_t step;  // elements from a vector to the next
};
template <class T>
MG_INLINE Steps<T> steps_of(const void* p, Unit unit, T* room) {
  const T* at = static_cast<const T*>(p);
  if (unit == Unit::kDense) return {at, Lane<T>::lanes};
  store(room, set1(*at));
  return {room, 0};
}
// The next vector, or what is left of it: `left` elements, or more.
template <class T>
MG_INLINE typename Lane<T>::V next(Steps<T>& s, int64_t left) {
  const auto v = left >= Lane<T>::lanes ? load(s.p) : load_partial(s.p, left);
  s.p += s.step;
  return v;
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
// Writes n results: `value` of the elements left computes a vector of them. Its body stands twice,
// in the loop for what stays in the caches and in the one for all that is rare.
template <class T, class Value>
MG_INLINE void write_row(T* y, int64_t n, bool past_caches, Value value) {
  constexpr int lanes = Lane<T>::lanes;
  int64_t i = 0;
  if (!past_caches || !can_stream(y)) {
    for (; i + lanes <= n; i += lanes) store(y + i, value(lanes));
  }
  for (; i < n; i += lanes) {
    const auto v = value(n - i);
    if (n - i < lanes) {
      store_partial(y + i, v, n - i);
    } else {
      stream(y + i, v);
    }
  }
}

template <class Op, class T>
void unary_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double* params,
               bool past_caches) {
  T room[Lane<T>::lanes];
  const auto p = broadcast<T>(params);
  Steps<T> a = steps_of(in[0], unit[0], room);
  write_row(static_cast<T*>(out), n, past_caches,
            [&](int64_t left) MG_INLINE_LAMBDA { return Op::apply(next(a, left), p); });
}

template <class Op, class T>
void binary_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double* params,
                bool past_caches) {
  T room[2][Lane<T>::lanes];
  const auto p = broadcast<T>(params);
  Steps<T> a = steps_of(in[0], unit[0], room[0]), b = steps_of(in[1], unit[1], room[1]);
  write_row(static_cast<T*>(out), n, past_caches, [&](int64_t left) MG_INLINE_LAMBDA {
    const auto x = next(a, left);
    return Op::apply(x, next(b, left), p);
  });
}

template <class Op, class T>
void ternary_row(void* out, const void* const* in, const Unit* unit, int64_t n,
                 const double* params, bool past_caches) {
  T room[3][Lane<T>::lanes];
  const auto p = broadcast<T>(params);
  Steps<T> a = steps_of(in[0], unit[0], room[0]), b = steps_of(in[1], unit[1], room[1]);
  Steps<T> c = steps_of(in[2], unit[2], room[2]);
  write_row(static_cast<T*>(out), n, past_caches, [&](int64_t left) MG_INLINE_LAMBDA {
    const auto x = next(a, left), y = next(b, left);
    return Op::apply(x, y, next(c, left), p);
  });
}

template <class Op, class T>
void compare_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double*,
                 bool) {
  constexpr int lanes = Lane<T>::lanes;
  uint8_t* y = static_cast<uint8_t*>(out);
  T room[2][lanes];
  Steps<T> a = steps_of(in[0], unit[0], room[0]), b = steps_of(in[1], unit[1], room[1]);
  const auto value = [&](int64_t left) MG_INLINE_LAMBDA {
    const auto x = next(a, left);
    return Op::apply(x, next(b, left));
  };
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store_mask(y + i, value(lanes));
  if (i < n) {
    uint8_t tail[lanes];
    store_mask(tail, value(n - i));
    __builtin_memcpy(y + i, tail, static_cast<size_t>(n - i));
  }
}

template <class T>
void where_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double*, bool) {
  constexpr int lanes = Lane<T>::lanes;
  T* y = static_cast<T*>(out);
  const uint8_t* mask = static_cast<const uint8_t*>(in[0]);
  T room[2][lanes];
  Steps<T> a = steps_of(in[1], unit[1], room[0]), b = steps_of(in[2], unit[2], room[1]);
  if (unit[0] != Unit::kDense) {  // one condition for all of them
    Steps<T> chosen = *mask ? a : b;
    write_row(y, n, false, [&](int64_t left) MG_INLINE_LAMBDA { return next(chosen, left); });
    return;
  }
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto x = next(a, lanes), z = next(b, lanes);
    store(y + i, load_mask(mask + i, typename Lane<T>::V{}) ? x : z);
  }
  if (i < n) {
    uint8_t tail[lanes] = {};
    __builtin_memcpy(tail, mask + i, static_cast<size_t>(n - i));
    const auto x = next(a, n - i), z = next(b, n - i);
    store_partial(y + i, load_mask(tail, typename Lane<T>::V{}) ? x : z, n - i);
  }
}

}  // namespace mg::MG_ISA
