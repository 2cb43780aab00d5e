// Contract of the pool family: maxima and averages over windows of planes.
//
//   shapes       x (planes, h, w), out and index (planes, p, q), all contiguous; out[i][y][x] is
//                over x[i][y * stride - pad + r * dilation][...] for r < kernel_h, s < kernel_w,
//                leaving out what lies outside the plane. Sizes >= 0
//   max          the first maximum in the order of the window; the last NaN if there is one; its
//                place (row * w + column) goes to index unless that is nullptr. A window that lies
//                outside the plane altogether gives -infinity and place 0
//   scatter      out (planes, size) = 0, then out[i][index[i][j]] += values[i][j] in the order of j
//                for values (planes, count); false if a place lies outside [0, size)
//   avg          the sum divided by `divisor`, or if that is 0 by the number of elements in the
//                window, counting padding (but not what lies behind it) if `count_pad`
//   avg_backward out (planes, h, w) = avg's gradient for g (planes, p, q)
//   adaptive_avg, adaptive_max  over p x q parts of the plane, part i of n of an axis being
//                [i size / n, ceil((i + 1) size / n)); of the window only the sizes count. h and w
//                >= 1 for adaptive_max; a part without elements averages to NaN
//   adaptive_avg_backward  out (planes, h, w) = its gradient for g (planes, p, q)
//   aliasing     none
//   workspace    none
//   determinism  planes are independent: bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

struct PoolShape {
  int64_t planes, h, w, p, q;
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
};

template <class T>
struct PoolOf {
  void (*max)(T* out, int32_t* index, const T* x, const PoolShape& shape);
  bool (*scatter)(T* out, const T* values, const int32_t* index, int64_t planes, int64_t size,
                  int64_t count);
  void (*avg)(T* out, const T* x, const PoolShape& shape, bool count_pad, int64_t divisor);
  void (*avg_backward)(T* out, const T* g, const PoolShape& shape, bool count_pad, int64_t divisor);
};

template <class T>
struct AdaptivePoolOf {
  void (*avg)(T* out, const T* x, const PoolShape& shape);
  void (*avg_backward)(T* out, const T* g, const PoolShape& shape);
  void (*max)(T* out, int32_t* index, const T* x, const PoolShape& shape);
};

struct PoolKernels {
  PoolOf<float> f32;
  PoolOf<double> f64;
  AdaptivePoolOf<float> adaptive32;
  AdaptivePoolOf<double> adaptive64;
};

}  // namespace mg
