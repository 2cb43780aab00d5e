// The commonest operations on 16-bit floats, without blocks of float32 in between: arithmetic is
// widened in registers, and what only changes bits is not widened at all.
#pragma once

#include "kernels/elementwise.h"
#include "runs.h"

namespace mg::MG_ISA {

extern const Row kUnary[][kFloatTypes];
extern const Row kBinary[][kFloatTypes];

namespace {

typedef uint16_t vbits __attribute__((vector_size(kVectorBytes)));

struct NegBits {
  MG_INLINE vbits apply(vbits x) { return x ^ 0x8000; }
};
struct AbsBits {
  MG_INLINE vbits apply(vbits x) { return x & 0x7fff; }
};
// Zero for what lies between -0 and NaN, the bits of minus infinity among them.
template <uint16_t kInfinity>
struct ReluBits {
  MG_INLINE vbits apply(vbits x) {
    const vbits below = x - 0x8001;  // of the negative numbers: 0 .. infinity - 1
    return x & ~(vbits)(below < kInfinity - vbits{});
  }
};

template <class Op>
void bits_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double*,
              bool past_caches) {
  constexpr int64_t lanes = kVectorBytes / 2;
  uint16_t* y = static_cast<uint16_t*>(out);
  const uint16_t* x = static_cast<const uint16_t*>(in[0]);
  const bool dense = unit[0] == Unit::kDense;
  vbits v = *x - vbits{};
  past_caches = past_caches && reinterpret_cast<uintptr_t>(y) % kVectorBytes == 0;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    if (dense) v = load_as<vbits>(x + i);
    const vbits r = Op::apply(v);
    if (past_caches) {
      stream_as(y + i, r);
    } else {
      __builtin_memcpy(y + i, &r, sizeof r);
    }
  }
  if (i == n) return;
  if (dense) __builtin_memcpy(&v, x + i, static_cast<size_t>(n - i) * 2);
  const vbits r = Op::apply(v);
  __builtin_memcpy(y + i, &r, static_cast<size_t>(n - i) * 2);
}

struct Plus {
  MG_INLINE vf apply(vf a, vf b) { return a + b; }
};
struct Minus {
  MG_INLINE vf apply(vf a, vf b) { return a - b; }
};
struct Times {
  MG_INLINE vf apply(vf a, vf b) { return a * b; }
};
struct Over {
  MG_INLINE vf apply(vf a, vf b) { return a / b; }
};

// `is_float` tells for each operand whether it is a number, which is a float.
template <class Op, class H>
void halves_row(void* out, const void* const* in, const Unit* unit, int64_t n,
                const double* is_float, bool) {
  H* y = static_cast<H*>(out);
  const H *a = static_cast<const H*>(in[0]), *b = static_cast<const H*>(in[1]);
  const bool dense_a = unit[0] == Unit::kDense, dense_b = unit[1] == Unit::kDense;
  vf u = set1(is_float[0] != 0 ? *static_cast<const float*>(in[0]) : to_float(*a));
  vf v = set1(is_float[1] != 0 ? *static_cast<const float*>(in[1]) : to_float(*b));
  int64_t i = 0;
  for (; i + kF <= n; i += kF) {
    if (dense_a) u = load(a + i);
    if (dense_b) v = load(b + i);
    store(y + i, Op::apply(u, v));
  }
  if (i == n) return;
  if (dense_a) u = load_partial(a + i, n - i);
  if (dense_b) v = load_partial(b + i, n - i);
  store_partial(y + i, Op::apply(u, v), n - i);
}

// The row for 16-bit floats in the place of the one for float32, or nullptr. Its params are
// `is_float`.
inline Row direct_row(Row row, FloatType type, const double* is_float) {
  const auto is = [row](UnaryOp op) { return row == kUnary[static_cast<int>(op)][0]; };
  const bool half_type = type == FloatType::kFloat16;
  if (is_float[0] == 0) {
    if (is(UnaryOp::kNeg)) return bits_row<NegBits>;
    if (is(UnaryOp::kAbs)) return bits_row<AbsBits>;
    if (is(UnaryOp::kRelu))
      return half_type ? bits_row<ReluBits<0x7c00>> : bits_row<ReluBits<0x7f80>>;
  }
  static constexpr Row rows[][2] = {{halves_row<Plus, half>, halves_row<Plus, bfloat16>},
                                    {halves_row<Minus, half>, halves_row<Minus, bfloat16>},
                                    {halves_row<Times, half>, halves_row<Times, bfloat16>},
                                    {halves_row<Over, half>, halves_row<Over, bfloat16>}};
  for (int op = 0; op <= static_cast<int>(BinaryOp::kDiv); ++op) {
    if (row == kBinary[op][0]) return rows[op][!half_type];
  }
  return nullptr;
}

}  // namespace
}  // namespace mg::MG_ISA
