// Contract of the loss family: cross-entropy of class scores, and losses of pairs of elements.
//
//   scores       x (rows, columns, length), the classes in the middle; target (rows, length) int64;
//                weight (columns) or nullptr for ones; all contiguous; columns >= 1
//   check        whether every target is in [0, columns) or `ignored`; counts those that are not
//                ignored
//   weights      the sum of weight[target] over the samples that are not ignored, in order
//   cross_entropy  lse (rows, length) = ln sum_c e^x, and each (rows, length), the losses
//                (1 - s) w[t] (lse - x[t]) + s / columns sum_c w[c] (lse - x[c]), 0 where ignored,
//                with s = smoothing; returns their sum
//   cross_entropy_backward  out like x: g (a p - (1 - s) w[t] onehot - s w / columns), 0 where
//                ignored, with p = e^(x - lse), a = (1 - s) w[t] + s sum(w) / columns and
//                g = scale * (one per sample: grad, or 1 if that is nullptr)
//   pairs        x, t, out (n): `forward` writes each loss to out unless that is nullptr, and to
//                slots[2 i] the sum over chunk i of kLossChunk elements, to slots[2 i + 1] whether
//                one of them is outside the loss's domain (1, else 0);
//                slope / target_slope: out = scale * grad * the derivative for x / for t, grad (n)
//                or nullptr for ones; target_slope is nullptr where it is the negative of slope
//   aliasing     none
//   workspace    none
//   determinism  bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

template <class T>
struct ClassScores {
  const T* x;
  const int64_t* target;
  const T* weight;
  int64_t rows, columns, length, ignored;
  double smoothing;
};

constexpr int64_t kLossChunk = 8192;

// In the order of LOSSES in minigrad/kernels/loss.py.
enum class PairLoss : int {
  kMse,
  kL1,
  kSmoothL1,   // number: beta
  kHuber,      // number: delta
  kBce,        // of probabilities: outside of [0, 1] is outside the domain
  kBceLogits,  // of logits
  kKl,
  kKlLog,  // the target is a logarithm
  kCount,
};

template <class T>
struct PairLossOf {
  void (*forward)(T* out, double* slots, const T* x, const T* t, int64_t n, double number);
  void (*slope)(T* out, const T* grad, const T* x, const T* t, int64_t n, double number, T scale);
  void (*target_slope)(T* out, const T* grad, const T* x, const T* t, int64_t n, double number,
                       T scale);
};

template <class T>
struct LossOf {
  double (*weights)(const ClassScores<T>& scores);
  double (*cross_entropy)(T* each, T* lse, const ClassScores<T>& scores);
  void (*cross_entropy_backward)(T* out, const T* grad, T scale, const T* lse,
                                 const ClassScores<T>& scores);
  const PairLossOf<T>* pairs;  // PairLoss::kCount of them
};

struct LossKernels {
  bool (*check)(const int64_t* target, int64_t n, int64_t columns, int64_t ignored,
                int64_t* counted);
  LossOf<float> f32;
  LossOf<double> f64;
};

}  // namespace mg
