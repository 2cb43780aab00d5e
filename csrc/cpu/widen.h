// Rows of 16-bit floats widened to float32 and back.
#pragma once

#include "simd.h"

namespace mg::MG_ISA {
namespace {

template <class T>
__attribute__((unused)) void widen_row(float* out, const T* in, int64_t n) {
  int64_t i = 0;
  for (; i + kF <= n; i += kF) store(out + i, load(in + i));
  if (i < n) store_partial(out + i, load_partial(in + i, n - i), n - i);
}

template <class T>
__attribute__((unused)) void narrow_row(T* out, const float* in, int64_t n) {
  int64_t i = 0;
  for (; i + kF <= n; i += kF) store(out + i, load(in + i));
  if (i < n) store_partial(out + i, load_partial(in + i, n - i), n - i);
}

}  // namespace
}  // namespace mg::MG_ISA
