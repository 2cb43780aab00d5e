// Contract of the int8 family: products of uint8 rows with int8 weights, summed exactly in int32,
// and what turns the sums into float32 or uint8.
//
//   values       real = (q - zero) * scale. With a = sum over k of (x - x_zero) (w - w_zero):
//                float32 out  a * (x_scale * w_scale) + bias, then relu
//                uint8 out    round((a + bias / (x_scale w_scale)) * (x_scale w_scale / out_scale))
//                             + out_zero, to nearest even, held in [out_zero if relu else 0, 255]
//                in float32, each operation rounded on its own but the product and sum of a
//                float32 result, which are fused where the instruction set does. k <= 65 535, so
//                that no sum overflows
//   weight       packed [groups][ceil(n / 16)][ceil(k / 4)][16][4], zeros beyond n and k; of a
//                convolution k runs over (R, S, C / groups). A depthwise one ([R S][C rounded up to
//                16]) has `depthwise` set. sum, scale, zero and bias are [groups][n rounded up to
//                16]
//   linear       out (m, n), x (m, k) uint8; or float32, which is quantized to [0, levels] by its
//                range (include 0; PyTorch's way) for the whole tensor or for each row. Rows with
//                NaN or infinities give NaN
//   conv         channels last: out (N, P, Q, K), x (N, H, W, C) uint8; padding is x_zero
//   max_pool     channels last, uint8; padding is never the largest
//   aliasing     none
//   workspace    what *_workspace says, in bytes
//   determinism  bitwise equal for every thread count; uint8 out for every instruction set, too
#pragma once

#include "common.h"

namespace mg {

struct Int8Weight {
  const int8_t* packed;
  const int32_t* sum;
  const float* scale;
  const int32_t* zero;  // nullptr if all are 0
  const float* bias;    // nullptr for none
  int64_t n, k;         // of a group
  int64_t groups;
  bool depthwise;
};

struct Int8Out {
  void* data;
  bool quantized;
  float scale;
  int32_t zero;
  bool relu;
};

struct Int8Rows {
  int64_t m;
  const uint8_t* x;   // or nullptr, and
  const float* real;  // what is to be quantized
  bool each;          // a range for each row
  int32_t levels;
  float scale;  // of x, or of the whole of `real`
  int32_t zero;
};

struct Int8Planes {
  const uint8_t* x;
  float scale;
  int32_t zero;
  int64_t n, h, w, c;  // x
  int64_t p, q;        // out
  int64_t r, s, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
};

struct Int8Kernels {
  void (*linear)(const Int8Out& out, const Int8Rows& x, const Int8Weight& w, void* workspace);
  int64_t (*linear_workspace)(const Int8Rows& x, const Int8Weight& w);
  void (*conv)(const Int8Out& out, const Int8Planes& x, const Int8Weight& w, void* workspace);
  int64_t (*conv_workspace)(const Int8Planes& x, const Int8Weight& w);
};

}  // namespace mg
