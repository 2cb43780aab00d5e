// One direction of a recurrent layer over whole sequences, out of products and steps.
//
// Rows lie step after step: step t has sizes[t] rows from row starts[t] on, never more than the
// step before, and row b of a step continues row b of its neighbours. Forward writes out, h_n, c_n
// and what backward wants: gates (rows, 4 hidden) of LSTM and GRU, cells and, with a projection
// w_hr, inner (rows, hidden) of LSTM. Null h0, c0, biases and gradients stand for zeros; gradients
// that nobody wants are null, but for dh and dc: they come in with the gradients of h_n and c_n and
// go out as those of h0 and c0.
#pragma once

#include "kernels/rnn.h"

namespace mg {

template <class T>
struct RnnSequence {
  RnnMode mode;
  bool reverse;
  int64_t steps, batch, rows, inputs, hidden, width;  // width: of out, h0 and h_n
  const int64_t *sizes, *starts;
  const T *x, *h0, *c0, *w_ih, *w_hh, *b_ih, *b_hh, *w_hr;
  T *out, *gates, *cells, *inner;
  T *h_n, *c_n;   // forward
  const T* grad;  // backward: of out
  T *dh, *dc;     // (batch, width) and (batch, hidden)
  T *dx, *dw_ih, *dw_hh, *db_ih, *db_hh, *dw_hr;
};

// False if there is no memory for the scratch space.
template <class T>
bool rnn_forward(const RnnSequence<T>& s);
template <class T>
bool rnn_backward(const RnnSequence<T>& s);

}  // namespace mg
