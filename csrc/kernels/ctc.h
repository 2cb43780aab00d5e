// Contract of the ctc family: the loss of connectionist temporal classification and its gradient
// (Graves et al. 2006).
//
//   states       a sample's labels with blanks between, before and behind them: 2 S + 1
//   shapes       log_probs, out (steps, batch, classes); targets (batch, longest); inputs and
//                lengths (batch): the steps and labels of each sample; loss, grad (batch); alpha
//                (batch, steps, 2 longest + 1). All contiguous, classes >= 1
//   values       loss = -ln of the probability of all alignments, infinity where there is none;
//                backward writes grad times the gradient of the scores under a log_softmax:
//                e^log_probs less the probability that a class is emitted, 0 behind a sample's end
//   alpha        what forward leaves for backward: ln of the probability of all beginnings that
//                end in a state, -infinity where there is none; behind a sample's end nothing
//   aliasing     none
//   workspace    workspace(shape) elements
//   determinism  samples are independent: bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

struct CtcShape {
  int64_t steps, batch, classes, longest, blank;
  const int64_t *inputs, *lengths;  // 0 <= inputs <= steps, 0 <= lengths <= longest
};

template <class T>
struct CtcOf {
  void (*forward)(T* loss, T* alpha, const T* log_probs, const int64_t* targets,
                  const CtcShape& shape, T* workspace);
  void (*backward)(T* out, const T* grad, const T* log_probs, const T* alpha, const T* loss,
                   const int64_t* targets, const CtcShape& shape, T* workspace);
  int64_t (*workspace)(const CtcShape& shape);
};

struct CtcKernels {
  CtcOf<float> f32;
  CtcOf<double> f64;
};

}  // namespace mg
