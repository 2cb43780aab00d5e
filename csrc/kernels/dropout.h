// Contract of the dropout family: masks from a counter-based stream, made where they are used.
//
//   stream       Philox 4x32-10 with key `seed`; element i of an array uses word i % 4 of the block
//                of counter offset + i / 4, and stays where word <= limit
//   shapes       out, x (n), contiguous, n >= 0
//   aliasing     out may be x
//   values       mask: 1 where the element stays, else 0
//                apply: x * scale + kept where it stays, x * 0 + dropped elsewhere; the sum is
//                formed only if kept or dropped is not 0. 16-bit floats are rounded once.
//   workspace    none
//   determinism  a function of (seed, offset, i) alone: equal for every thread count
#pragma once

#include "common.h"

namespace mg {

struct DropoutMask {
  uint64_t seed, offset;
  uint32_t limit;
};

struct DropoutScale {
  double scale, kept, dropped;
};

template <class T>
using DropoutApply = void (*)(T* out, const T* x, int64_t n, const DropoutMask& mask,
                              const DropoutScale& scale);

struct DropoutKernels {
  void (*mask)(uint8_t* out, int64_t n, const DropoutMask& mask);
  DropoutApply<float> f32;
  DropoutApply<double> f64;
  DropoutApply<half> f16;
  DropoutApply<bfloat16> bf16;
};

}  // namespace mg
