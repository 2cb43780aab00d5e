// Contract of the attention family: softmax(q k^T scale + mask) v in float32, and its gradients.
//
//   shapes       q (batch, L, E), k (batch, S, E), v (batch, S, F), out and grad (batch, L, F);
//                top, inverse (batch, L) contiguous. `batch` has any number of dimensions up to
//                kAttentionDims; each operand has its own strides there and between its rows; the
//                elements of a row are neighbours. Strides of inputs may be 0. Sizes are positive.
//   mask         kNone; kFloat: added to the scores; kBool: false is -inf; element (i, j) lies at
//                row * i + column * j of its matrix. `causal` leaves row i the columns 0 ... i.
//   values       forward writes out and, for each row, the largest score `top` (0 if that is -inf)
//                and `inverse` = 1 / sum e^(score - top) (1 if the sum is 0: such a row gives 0).
//                backward computes the same scores again, bit for bit, so that its probabilities
//                e^(score - top) inverse are those of forward however large the scores are
//   aliasing     none; gradients have distinct elements (no strides of 0) and are overwritten
//   workspace    workspace(args, backward) bytes, 64-byte aligned
//   determinism  each matrix of the batch is computed by one thread or in fixed blocks of rows:
//                bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

constexpr int kAttentionDims = 6;

struct AttentionOperand {
  float* data;  // not written through if an input; nullptr for gradients that nobody wants
  int64_t row;
  int64_t batch[kAttentionDims];
};

enum class AttentionMask : int8_t { kNone, kFloat, kBool };

struct AttentionArgs {
  int dims;
  int64_t shape[kAttentionDims];
  int64_t count;  // matrices: the product of shape
  int64_t queries, keys, width, value_width;
  AttentionOperand q, k, v, out;
  float *top, *inverse;
  AttentionMask mask_kind;
  const void* mask;
  int64_t mask_row, mask_column, mask_batch[kAttentionDims];
  bool causal;
  float scale;
  AttentionOperand grad, dq, dk, dv;  // backward only
  void* workspace;
  int64_t slots;  // scratch areas in the workspace: as many matrices are under way at a time
};

struct AttentionKernels {
  int64_t (*workspace)(const AttentionArgs& args, bool backward);
  void (*forward)(const AttentionArgs& args);
  void (*backward)(const AttentionArgs& args);
};

}  // namespace mg
