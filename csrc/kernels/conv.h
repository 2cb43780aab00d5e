// Contract of the conv family: two-dimensional convolution and its gradients.
//
//   g[n, k, p, q] = bias[k] + sum over c, r, s of
//       x[n, c, p * stride - pad + r * dilation, ...] * w[k, c, r, s], zero where x is read outside
//
//   shapes       x (n, c, h, w), w (k, c / groups, r, s), g (n, k, p, q), contiguous; forward
//   writes
//                g (bias (k) or nullptr), to_input writes x's gradient (bias (c) or nullptr, for
//                transposed convolution), to_weight writes w's. Sizes >= 1 except n, which may be
//                0; p and q are any sizes: what lies outside x counts as zero
//   aliasing     none
//   workspace    workspace(shape) bytes for each, 64-byte aligned; padded copies of a few images
//   and
//                the packed weight, never the whole im2col matrix
//   determinism  every element is summed in one order: bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

struct ConvShape {
  int64_t n, c, h, w;  // x
  int64_t k, r, s;     // the weight; its second size is c / groups
  int64_t p, q;        // g
  int64_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, groups;
};

template <class T>
struct ConvOf {
  void (*forward)(T* g, const T* x, const T* w, const T* bias, const ConvShape& shape,
                  void* workspace);
  void (*to_input)(T* x, const T* g, const T* w, const T* bias, const ConvShape& shape,
                   void* workspace);
  void (*to_weight)(T* w, const T* x, const T* g, const ConvShape& shape, void* workspace);
  int64_t (*workspace)(const ConvShape& shape);  // enough for each of the three
};

struct ConvKernels {
  ConvOf<float> f32;
  ConvOf<double> f64;
};

}  // namespace mg
