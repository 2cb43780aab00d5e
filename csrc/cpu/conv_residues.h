// Convolution's gradient to the input, residue by residue of its coordinates by the stride: which
// taps reach a residue, and where in padded planes of the gradient. Include from
// csrc/cpu/conv_*.cpp only.
#pragma once

#include "cpu/conv_core.h"

namespace mg::MG_ISA {

// One axis: outputs y = t * stride + a take tap i from g at t + (a + pad - i * dilation) / stride,
// if that divides.
struct Axis {
  int64_t size, taps, stride, pad, dilation;
};

MG_INLINE bool reaches(const Axis& x, int64_t a, int64_t tap, int64_t* shift) {
  const int64_t v = a + x.pad - tap * x.dilation;
  if (v % x.stride) return false;
  *shift = v / x.stride;
  return true;
}

// Residues that the input has, and how many of its coordinates have residue a.
MG_INLINE int64_t residues(const Axis& x) { return min_of(x.stride, x.size); }
MG_INLINE int64_t outputs(const Axis& x, int64_t a) { return ceil_div(x.size - a, x.stride); }

// g along one axis, with the padding that the taps reach into.
MG_INLINE PaddedAxis extent(const Axis& x, int64_t g_size) {
  int64_t low = 0, high = 0;
  for (int64_t a = 0; a < residues(x); ++a) {
    for (int64_t i = 0; i < x.taps; ++i) {
      int64_t shift;
      if (!reaches(x, a, i, &shift)) continue;
      low = min_of(low, shift);
      high = max_of(high, outputs(x, a) + shift);
    }
  }
  return {g_size, 1, -low, 1, 1, max_of(high - low, ceil_div(x.size, x.stride))};
}

struct InputLayout {
  Axis z, y, x;
  Padded g;
};

MG_INLINE InputLayout layout_of(const ConvShape& s) {
  InputLayout l;
  l.z = {s.d, s.t, s.stride_d, s.pad_d, s.dilation_d};
  l.y = {s.h, s.r, s.stride_h, s.pad_h, s.dilation_h};
  l.x = {s.w, s.s, s.stride_w, s.pad_w, s.dilation_w};
  const PaddedAxis depth = extent(l.z, s.o);
  l.g = padded(extent(l.y, s.p), extent(l.x, s.q), {s.o, depth.pad, depth.length});
  return l;
}

// A residue of the input's coordinates.
struct Residue {
  int64_t z, y, x;
};

// Calls body(tap, shift) for each tap, numbered through all of the kernel, that reaches a residue;
// shift is where in the planes of a channel of g it begins.
template <class Body>
MG_INLINE void each_tap(const InputLayout& l, const Residue& a, const Body& body) {
  int64_t at_z, at_y, at_x;
  for (int64_t i = 0; i < l.z.taps; ++i) {
    if (!reaches(l.z, a.z, i, &at_z)) continue;
    const int64_t plane = (at_z + l.g.z.pad) * l.g.plane;
    for (int64_t r = 0; r < l.y.taps; ++r) {
      if (!reaches(l.y, a.y, r, &at_y)) continue;
      const int64_t row = plane + (at_y + l.g.y.pad) * l.g.x.length + l.g.x.pad;
      for (int64_t t = 0; t < l.x.taps; ++t) {
        if (reaches(l.x, a.x, t, &at_x)) body((i * l.y.taps + r) * l.x.taps + t, row + at_x);
      }
    }
  }
}

}  // namespace mg::MG_ISA
