// Contract of the movement family: copies whose every place of the result is filled from one place
// of the input, chosen dimension by dimension (flips, rolls, pads, repeats), and triangles.
//
//   shapes       in and out C-contiguous; each dimension of the result is a list of stretches
//   aliasing     none
//   types        elements of 1, 2, 4 or 8 bytes; add_back: float32 and float64
//   workspace    `table`: as many int64 as the dimensions but the last have places together
//   determinism  bitwise equal for every thread count: add_back adds in the result's order
#pragma once

#include "common.h"

namespace mg {

constexpr int kMoveDims = 8;

// `count` places of the result: place j holds what stands at from + step * (j / each), with step
// -1, 0 or 1; nothing (the fill value) for from = -1. `each` > 1 only with step 1, and divides
// count.
struct Stretch {
  int64_t count, from, step, each;
};

struct Movement {
  int ndim;  // 1 .. kMoveDims
  int64_t item;
  int64_t in[kMoveDims], out[kMoveDims];  // extents
  const Stretch* stretch[kMoveDims];
  int64_t stretches[kMoveDims];
  uint64_t fill;  // the element's bytes
  int64_t* table;
};

struct MovementKernels {
  void (*move)(void* out, const void* in, const Movement& m);
  // back = what `move` would take from each place, added up over `grad`, which has move's shape.
  void (*add_back)(void* back, const void* grad, bool is_double, const Movement& m);
  // `count` matrices of rows x columns elements: those with column - row <= diagonal (lower), or
  // >= diagonal (upper), and zeros.
  void (*triangle)(void* out, const void* in, int64_t item, int64_t count, int64_t rows,
                   int64_t columns, int64_t diagonal, bool upper);
};

}  // namespace mg
