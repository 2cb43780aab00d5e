// What every C++ file may use: dtypes, half-precision storage and a few macros.
// Kernel sources are compiled once per instruction set, so nothing here may become a weak symbol:
// functions are MG_INLINE and the structs have no member functions.
#pragma once

#include <cstdint>
#include <cstring>

#define MG_INLINE static inline __attribute__((always_inline))
#define MG_INLINE_LAMBDA __attribute__((always_inline))  // after its parameters
#define MG_RESTRICT __restrict__
#define MG_LIKELY(x) __builtin_expect(!!(x), 1)
#define MG_UNLIKELY(x) __builtin_expect(!!(x), 0)

namespace mg {

enum class DType : int8_t {
  kBool,
  kUInt8,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat16,
  kBFloat16,
  kFloat32,
  kFloat64,
  kOther,  // anything that no kernel takes
};

struct half {
  uint16_t bits;  // IEEE binary16
};

struct bfloat16 {
  uint16_t bits;  // the upper half of a float32
};

MG_INLINE int64_t item_size(DType dtype) {
  switch (dtype) {
    case DType::kBool:
    case DType::kUInt8:
    case DType::kInt8:
      return 1;
    case DType::kInt16:
    case DType::kFloat16:
    case DType::kBFloat16:
      return 2;
    case DType::kInt32:
    case DType::kFloat32:
      return 4;
    case DType::kInt64:
    case DType::kFloat64:
      return 8;
    case DType::kOther:
      break;
  }
  return 0;
}

MG_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
MG_INLINE int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
MG_INLINE int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }

MG_INLINE uint32_t float_bits(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

MG_INLINE float bits_float(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

// Scalar conversions. They use integer arithmetic where a denormal could appear, so they are exact
// whether or not denormals are flushed. NaNs stay NaN (made quiet), infinities infinite.

MG_INLINE float to_float(bfloat16 x) { return bits_float(static_cast<uint32_t>(x.bits) << 16); }

MG_INLINE bfloat16 to_bfloat16(float x) {
  const uint32_t u = float_bits(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((u >> 16) | 0x40u)};
  return {static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16)};  // nearest, ties to even
}

MG_INLINE float to_float(half x) {
  const uint32_t sign = (x.bits & 0x8000u) << 16;
  const uint32_t rest = x.bits & 0x7fffu;
  if (rest > 0x7c00u) return bits_float(sign | 0x7fc00000u | (rest << 13));  // NaN
  if (rest == 0x7c00u) return bits_float(sign | 0x7f800000u);
  if (rest >= 0x0400u) return bits_float(sign | ((rest << 13) + (112u << 23)));
  const float subnormal = static_cast<float>(static_cast<int32_t>(rest)) * 0x1p-24f;
  return bits_float(sign | float_bits(subnormal));
}

MG_INLINE half to_half(float x) {
  const uint32_t sign = (float_bits(x) >> 16) & 0x8000u;
  const uint32_t u = float_bits(x) & 0x7fffffffu;
  uint32_t r;
  if (u > 0x7f800000u) {
    r = 0x7e00u | ((u >> 13) & 0x3ffu);
  } else if (u >= 0x477ff000u) {  // 65520 and more round to infinity
    r = 0x7c00u;
  } else if (u >= 0x38800000u) {  // a normal half: 2^-14 and more
    r = (u - (112u << 23) + 0x0fffu + ((u >> 13) & 1u)) >> 13;
  } else {  // adding 0.5, whose last bit is worth 2^-24, rounds at the subnormals' last bit
    r = float_bits(bits_float(u) + 0.5f) - 0x3f000000u;
  }
  return {static_cast<uint16_t>(sign | r)};
}

}  // namespace mg
