// Losses on the GPU. Contract: csrc/kernels/loss.h, except that 16-bit floats are taken (computed
// in float32), that the losses are reduced by the same call, and that a class out of range gives
// NaN, since the device cannot raise an error.
#pragma once

#include "cuda/kernels.h"
#include "kernels/loss.h"

namespace mg::cuda {

enum class Reduction { kNone, kSum, kMean };

// x (rows, columns, length), target (rows, length); lse and denominator have the computing type.
struct CrossEntropy {
  DType type;
  const void* x;
  const int64_t* target;
  const void* weight;  // (columns), or nullptr for ones
  int64_t rows, columns, length, ignored;
  double smoothing;
  Reduction reduction;
};

// loss.cu
// loss like target or one element; lse like target; denominator: the sum of weight[target], one
// element; `work` as cross_entropy_workspace says.
Error cross_entropy(void* loss, void* lse, void* denominator, const CrossEntropy& c, void* work,
                    Stream stream);
// grad: one element, or like target for kNone.
Error cross_entropy_backward(void* out, const void* grad, const void* lse, const void* denominator,
                             const CrossEntropy& c, Stream stream);
int64_t cross_entropy_workspace(const CrossEntropy& c);

// Losses of n pairs of elements of one type; what lies outside a loss's domain gives NaN.
struct PairCall {
  DType type;
  PairLoss loss;
  Reduction reduction;
  double number;
  const void *x, *t;
  int64_t n;
};

// loss_pairs.cu
// out: n losses or one number; work: of the sums (nullptr for kNone).
Error pair_loss(void* out, const PairCall& call, void* work, Stream stream);
// grad: n elements for kNone, else one. `target`: the gradient of t.
Error pair_loss_backward(void* out, const void* grad, const PairCall& call, bool target,
                         Stream stream);
int64_t pair_loss_workspace(const PairCall& call);

}  // namespace mg::cuda
