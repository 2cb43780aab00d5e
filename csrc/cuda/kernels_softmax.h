// Softmax on the GPU. Contract: csrc/kernels/softmax.h, and 16-bit floats, computed in float32; the
// forms along rows and along columns are one function, of (outer, n, inner).
#pragma once

#include "cuda/kernels.h"
#include "kernels/softmax.h"

namespace mg::cuda {

struct SoftmaxShape {
  int64_t outer, n, inner;
  bool logarithm;
};

// softmax.cu
// out = softmax or log_softmax of x.
Error softmax(void* out, const void* x, DType type, const SoftmaxShape& shape, Stream stream);
Error softmax_backward(void* out, const void* grad, const void* y, DType type,
                       const SoftmaxShape& shape, Stream stream);

}  // namespace mg::cuda
