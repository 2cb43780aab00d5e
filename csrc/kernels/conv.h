// Contract of the conv family: convolution in two and three dimensions, and its gradients.
//
//   g[n, k, o, p, q] = bias[k] + sum over c, t, r, s of
//       x[n, c, o * stride - pad + t * dilation, ...] * w[k, c, t, r, s], zero where x is read
//       outside
//
//   shapes       x (n, c, d, h, w), w (k, c / groups, t, r, s), g (n, k, o, p, q), contiguous;
//                two dimensions are three with d, t, o and the depth's steps 1, no padding.
//                forward writes g (bias (k) or nullptr), to_input writes x's gradient (bias (c) or
//                nullptr, for transposed convolution), to_weight writes w's. Sizes >= 1 except n,
//                which may be 0; o, p and q are any sizes: what lies outside x counts as zero.
//                Sizes, strides, padding and dilation are below 2^31
//   aliasing     none
//   workspace    workspace(shape) bytes, 64-byte aligned; padded copies of a few images and the
//                packed weight, never the whole im2col matrix; to_input with a stride: those
//                images of x besides
//   values       to_weight: a NaN or an infinity in x may reach the gradients of taps that do not
//                read it (it multiplies zeros between the rows of g). Winograd's form (float32,
//                two dimensions, 3 x 3, stride 1, 16 channels and more; conv_winograd.h): a NaN or
//                an infinity reaches the whole 4 x 4 tile of results and every tap's gradient, and
//                results are in doubt where inputs exceed 1e37. Its error is about 1e-6 of the
//                results' size, two to three times that of one sum after the other
//   bfloat16     sums in float32, rounded once; products of pairs flush denormals
//   determinism  every element is summed in one order: bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

struct ConvShape {
  int64_t n, c, d, h, w;  // x
  int64_t k, t, r, s;     // the weight; its second size is c / groups
  int64_t o, p, q;        // g
  int64_t stride_d, stride_h, stride_w, pad_d, pad_h, pad_w;
  int64_t dilation_d, dilation_h, dilation_w, groups;
};

template <class Run>
struct ConvMethod {
  Run run;
  int64_t (*workspace)(const ConvShape& shape);
};

template <class T>
struct ConvOf {
  using WithBias = void (*)(T* out, const T* a, const T* b, const T* bias, const ConvShape& shape,
                            void* workspace);
  using Plain = void (*)(T* out, const T* a, const T* b, const ConvShape& shape, void* workspace);
  ConvMethod<WithBias> forward;   // g, x, w, bias
  ConvMethod<WithBias> to_input;  // x, g, w, bias
  ConvMethod<Plain> to_weight;    // w, x, g
};

struct ConvKernels {
  ConvOf<float> f32;
  ConvOf<double> f64;
  ConvOf<bfloat16> bf16;  // workspace() < 0: not done; to be converted to float32
};

}  // namespace mg
