// Contract of the optimizer steps: each updates many tensors at once, in place.
//
//   tensors      `count` of them; their elements are numbered through, tensor i from `start` to
//                start + size, and `total` is the number of all elements
//   layout       param, grad and the states of one tensor: contiguous, `size` elements of `dtype`,
//                which is float32, float64, float16 or bfloat16 (computed in float32)
//   states       sgd:      {momentum buffer}, none without momentum
//                adam:     {exp_avg, exp_avg_sq, max_exp_avg_sq}, the last one with amsgrad only
//                rmsprop:  {square_avg, momentum buffer, grad_avg}, the last two optional
//                adagrad:  {sum}
//                nadam, radam, lamb: {exp_avg, exp_avg_sq}; adamax: {exp_avg, exp_inf}
//                adadelta: {square_avg, acc_delta}; asgd: {ax}; rprop: {prev, step_size}
//                lion:     {exp_avg}
//                lerp, scale: none; lerp moves param towards grad, scale does not read grad
//                an absent state is nullptr in every tensor of a call
//   a, b, c      what depends on the tensor's own step count t:
//                adam:     lr / (1 - beta1^t) and sqrt(1 - beta2^t), as lamb has them without lr
//                adagrad:  lr / (1 + (t-1) lr_decay); adamax: lr / (1 - beta1^t)
//                nadam:    factors of the gradient and of exp_avg, and 1 - beta2^t
//                radam:    1 - beta1^t, sqrt(1 - beta2^t), and the rectification or 0 without
//                asgd:     eta and mu; lamb: c is the trust ratio times lr, which the step sets
//   aliasing     no array overlaps another
//   workspace    lamb and norms: `sums`, 2 (chunks + count) doubles with
//                chunks = ceil(total / kOptimGrain)
//   determinism  bitwise equal for every thread count
//
// norms[i]: the norm of param i, of order 1, 2 or infinity (`order` 0); grad is not read. NaN if
// there is a NaN. Sums of one chunk are made in the computing type, those of chunks in float64.
#pragma once

#include "common.h"

namespace mg {

// Elements in a chunk: some 10 microseconds of traffic.
constexpr int64_t kOptimGrain = 1 << 15;

struct OptimTensor {
  void* param;
  const void* grad;
  void* state[3];
  int64_t start, size;
  DType dtype;
  double a, b, c;
};

struct OptimOptions {
  double lr, eps, weight_decay;
  double momentum, dampening;                      // sgd, rmsprop
  double beta1, beta2;                             // adam and its kin, lion
  double alpha;                                    // rmsprop; asgd: is in the tensors already
  double lr_decay;                                 // adagrad: is in `a` already
  double momentum_decay;                           // nadam: is in `a` and `b` already
  double rho;                                      // adadelta
  double lambd, t0;                                // asgd; t0 is in `b` already
  double eta_minus, eta_plus, step_min, step_max;  // rprop
  double weight;                                   // lerp; scale: the factor
  bool nesterov, maximize, decoupled;
  bool first;  // sgd: the momentum buffers are not initialised yet
};

// adafactor: matrices (batches, height, width) of float or (`wide`) double, contiguous, with
// averages `rows` (batches, height) and `columns` (batches, width) of their squared gradients;
// where columns is nullptr, rows is like param and averages the squares themselves. share: the
// weight of the new squares; limit: the largest relative step. work: factored_work(t) doubles.
struct FactoredTensor {
  void* param;
  const void* grad;
  void *rows, *columns;
  int64_t batches, height, width;
  bool wide;
  double share, limit;
  double* work;
};

struct FactoredOptions {
  double lr, eps1, eps2, d, weight_decay;
  bool maximize;
};

// Units that a matrix is cut into, which the number of threads has no part in.
constexpr int64_t factored_cuts(const FactoredTensor& t) {
  const int64_t pieces = (t.height * t.width + kOptimGrain - 1) / kOptimGrain;
  const int64_t most = t.height < 64 ? t.height : 64;
  return pieces < 1 ? 1 : pieces < most ? pieces : most < 1 ? 1 : most;
}
constexpr int64_t factored_work(const FactoredTensor& t) {
  return t.batches * factored_cuts(t) * (2 + t.width);
}

struct OptimKernels {
  using Step = void (*)(OptimTensor* tensors, int64_t count, int64_t total,
                        const OptimOptions* options, double* sums);
  Step sgd, adam, rmsprop, adagrad;
  Step nadam, radam, adamax, adadelta, asgd, rprop, lion, lerp, scale, lamb;
  void (*norms)(double* norms, const OptimTensor* tensors, int64_t count, int64_t total, int order,
                double* sums);
  void (*adafactor)(const FactoredTensor* tensors, int64_t count, const FactoredOptions* options);
};

}  // namespace mg
