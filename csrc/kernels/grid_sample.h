// Contract of the grid_sample family: planes read at given points, by linear interpolation between
// the four neighbours or at the nearest one, and the gradients of that.
//
//   shapes       x and dx (n, c, h, w), grid and dgrid (n, points, 2), out and g (n, c, points),
//                all contiguous; h, w >= 1 and (h + 2) * (w + 2) < 2^31; the other sizes >= 0
//   points       (x, y), where -1 and 1 are the edges of the plane, or with `align` the centres of
//                its outermost elements. What lies outside reads as 0, or is first clamped to the
//                plane (border), or mirrored into it (reflection); NaN is clamped to 0
//   sample       out: elements outside the plane count 0, also where they or others are not finite
//   planes       dx = the gradient for x: each g times its weight, added up in the order of points
//   points_grad  dgrid = the gradient for grid: 0 where a point was clamped, and for nearest
//   aliasing     none
//   workspace    none
//   determinism  bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

enum class SamplePadding : int { kZeros, kBorder, kReflection, kCount };

struct SampleShape {
  int64_t n, c, h, w, points;
  SamplePadding padding;
  bool nearest, align;
};

template <class T>
struct GridSampleOf {
  void (*sample)(T* out, const T* x, const T* grid, const SampleShape& shape);
  void (*planes)(T* dx, const T* g, const T* grid, const SampleShape& shape);
  void (*points_grad)(T* dgrid, const T* g, const T* x, const T* grid, const SampleShape& shape);
};

struct GridSampleKernels {
  GridSampleOf<float> f32;
  GridSampleOf<double> f64;
};

}  // namespace mg
