// Contract of the rnn family: what one step of a recurrent layer does beside its products.
//
//   shapes       h, h_prev, c, c_prev, grad, dh, dc (rows, hidden); gates, dgates (rows, hidden)
//   for
//                kTanh and kRelu, (rows, 4 hidden) for kLstm (i, f, g, o) and for kGru (n, r, z and
//                the part of n that comes from h_prev); all contiguous; dbias one row of dgates
//   forward      gates: sums in, values of the gates out (the last of kGru stays a sum). kTanh and
//                kRelu: h is gates. kLstm: c = f c_prev + i g, h = o tanh(c). kGru: n = tanh(n + r
//                part), h = n + z (h_prev - n). A null c_prev or h_prev is zeros
//   backward     from the gradient dh + grad of h (grad may be null) and, for kLstm, dc of c:
//                dgates of the sums; dc of c_prev; for kGru dh, the part of the gradient of h_prev
//                that does not pass through the gates. kTanh and kRelu read h. dbias += the sum of
//                the rows of dgates
//   turn         out (panels, k, width) from w (panels width, k): columns of a panel are rows of w
//   aliasing     gates and h for kTanh and kRelu; else none
//   workspace    none
//   determinism  each runs on the calling thread; rows are added to dbias in order
#pragma once

#include "common.h"

namespace mg {

enum class RnnMode : int8_t { kTanh, kRelu, kLstm, kGru };

template <class T>
struct RnnCell {
  RnnMode mode;
  int64_t rows, hidden;
  T *gates, *h, *c;  // not written by backward
  const T *h_prev, *c_prev;
  const T* grad;
  T *dh, *dc, *dgates, *dbias;
};

template <class T>
struct RnnTyped {
  void (*forward)(const RnnCell<T>& cell);
  void (*backward)(const RnnCell<T>& cell);
  void (*turn)(T* out, const T* w, int64_t panels, int64_t width, int64_t k);
};

struct RnnKernels {
  RnnTyped<float> f32;
  RnnTyped<double> f64;
};

}  // namespace mg
