// Contract of the patches family: planes cut into their windows, and windows added up to planes.
//
//   shapes       planes (planes, h, w); columns (planes, r, s, p, q): r x s elements of the windows
//                that start at p x q places, `stride` apart, `dilation` between their elements,
//                `pad` elements outside the plane; all contiguous, sizes >= 0
//   cut          columns[i][a][b][y][x] = plane[y * stride - pad + a * dilation][...], 0 outside;
//                for elements of 1, 2, 4 or 8 bytes
//   add          the plane in which each element of the columns is added at its place, in order
//   aliasing     none
//   workspace    none
//   determinism  planes are independent: bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

struct PatchShape {
  int64_t planes, h, w, p, q;
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
};

struct PatchKernels {
  void (*cut)(void* columns, const void* x, int64_t bytes, const PatchShape& shape);
  void (*add_f32)(float* x, const float* columns, const PatchShape& shape);
  void (*add_f64)(double* x, const double* columns, const PatchShape& shape);
};

}  // namespace mg
