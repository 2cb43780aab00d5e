// Dropout on the GPU: the masks of csrc/kernels/dropout.h, for the same seed and offset. *offsets,
// if given, is added to the offset: in the device's memory, so that a captured graph draws new
// masks.
#pragma once

#include "cuda/kernels.h"
#include "kernels/dropout.h"

namespace mg::cuda {

struct DropoutCall {
  DType type;
  int64_t n;
  DropoutMask mask;
  bool none;  // no element stays
  const int64_t* offsets;
  DropoutScale scale;
};

// dropout.cu
Error mask(uint8_t* out, const DropoutCall& call, Stream stream);
Error dropout(void* out, const void* x, const DropoutCall& call, Stream stream);

}  // namespace mg::cuda
