// Normalisations on the GPU. Contract: csrc/kernels/norm.h, except that 16-bit floats are taken:
// statistics, dw and db are in the computing type, float32 for them; w and b are in either type.
#pragma once

#include "cuda/kernels.h"
#include "kernels/norm.h"

namespace mg::cuda {

struct RowNormCall {
  DType type;
  bool wide_params;  // w and b are in the computing type
  RowShape shape;
  bool centre;
  double eps;
  void *y, *mean, *rstd;  // backward: reads mean and rstd
  const void *x, *w, *b;
  const void* grad;    // backward
  void *dx, *dw, *db;  // backward; each may be nullptr
  void* work;
};

struct BatchNormCall {
  DType type;
  bool wide_params, training;
  int64_t n, c, length;
  double momentum, eps;
  void *y, *mean, *rstd, *running_mean, *running_var;
  const void *x, *w, *b;
  const void* grad;
  void *dx, *dw, *db;  // backward: dx may be nullptr
  void* work;
};

// norm_rows.cu
Error row_norm(const RowNormCall& call, Stream stream);
Error row_norm_backward(const RowNormCall& call, Stream stream);
int64_t row_norm_workspace(const RowNormCall& call);

// norm_channels.cu
Error batch_norm(const BatchNormCall& call, Stream stream);
Error batch_norm_backward(const BatchNormCall& call, Stream stream);
int64_t batch_norm_workspace(const BatchNormCall& call);

}  // namespace mg::cuda
