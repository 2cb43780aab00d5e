// Contract of the optimizer steps: each updates many tensors at once, in place.
//
//   tensors      `count` of them; their elements are numbered through, tensor i from `start` to
//                start + size, and `total` is the number of all elements
//   layout       param, grad and the states of one tensor: contiguous, `size` elements of `dtype`,
//                which is float32, float64, float16 or bfloat16 (computed in float32)
//   states       sgd:     {momentum buffer}, none without momentum
//                adam:    {exp_avg, exp_avg_sq, max_exp_avg_sq}, the last one with amsgrad only
//                rmsprop: {square_avg, momentum buffer, grad_avg}, the last two optional
//                adagrad: {sum}
//                an absent state is nullptr in every tensor of a call
//   a, b         what depends on the tensor's own step count t:
//                adam: lr / (1 - beta1^t) and sqrt(1 - beta2^t); adagrad: lr / (1 + (t-1) lr_decay)
//   aliasing     no array overlaps another
//   workspace    none
//   determinism  elementwise: bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

struct OptimTensor {
  void* param;
  const void* grad;
  void* state[3];
  int64_t start, size;
  DType dtype;
  double a, b;
};

struct OptimOptions {
  double lr, eps, weight_decay;
  double momentum, dampening;  // sgd, rmsprop
  double beta1, beta2;         // adam
  double alpha;                // rmsprop
  double lr_decay;             // adagrad: is in `a` already
  bool nesterov, maximize, decoupled;
  bool first;  // sgd: the momentum buffers are not initialised yet
};

struct OptimKernels {
  using Step = void (*)(const OptimTensor* tensors, int64_t count, int64_t total,
                        const OptimOptions* options);
  Step sgd, adam, rmsprop, adagrad;
};

}  // namespace mg
