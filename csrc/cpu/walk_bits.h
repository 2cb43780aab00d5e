// Operations on 16-bit floats that only change bits: nothing is widened.
#pragma once

#include "kernels/elementwise.h"
#include "runs.h"

namespace mg::MG_ISA {

extern const Row kUnary[][kFloatTypes];

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

// The row for 16-bit floats in the place of the one for float32, or nullptr.
inline Row row_of_bits(Row row, FloatType type) {
  const auto is = [row](UnaryOp op) { return row == kUnary[static_cast<int>(op)][0]; };
  if (is(UnaryOp::kNeg)) return bits_row<NegBits>;
  if (is(UnaryOp::kAbs)) return bits_row<AbsBits>;
  if (!is(UnaryOp::kRelu)) return nullptr;
  return type == FloatType::kFloat16 ? bits_row<ReluBits<0x7c00>> : bits_row<ReluBits<0x7f80>>;
}

}  // namespace
}  // namespace mg::MG_ISA
