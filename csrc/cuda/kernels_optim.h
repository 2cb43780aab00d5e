// Optimizer steps on the GPU: one launch for some 40 tensors. Contract: csrc/kernels/optim.h,
// except that
//
//   gradients    may be 16-bit floats beside wider parameters; they are multiplied by *scale (if
//   that
//                is given) on their way in, and are not written
//   copies       of the new parameters are written in a 16-bit type, where `copy` is given
//   steps        the step count of a tensor is a number, already increased, or stands in the
//   device's
//                memory and is increased by the call: so a captured graph counts on
//   rate         *rate, if that is given, takes the place of options.lr
//   found        nothing is changed if *found is not 0
//   determinism  norms: sums of chunks of kNormChunk elements, added up in order
#pragma once

#include "cuda/kernels.h"
#include "kernels/optim.h"

namespace mg::cuda {

constexpr int64_t kOptimChunk = 4096;  // elements of a block
constexpr int64_t kNormChunk = 1 << 16;

struct StepTensor {
  void* param;
  const void* grad;
  void* state[3];
  void* copy;
  float* step;
  double count;
  int64_t size;
};

struct StepOptions {
  DType type, grad_type, copy_type;
  OptimOptions numbers;
  const float *scale, *rate, *found;
};

// optim.cu
Error sgd(const StepTensor* tensors, int64_t count, const StepOptions& options, Stream stream);
Error adam(const StepTensor* tensors, int64_t count, const StepOptions& options, Stream stream);
Error rmsprop(const StepTensor* tensors, int64_t count, const StepOptions& options, Stream stream);
Error adagrad(const StepTensor* tensors, int64_t count, const StepOptions& options, Stream stream);

// optim_norms.cu
// param moves towards grad by options.numbers.weight.
Error lerp(const StepTensor* tensors, int64_t count, const StepOptions& options, Stream stream);
// param *= weight, and *scale if that is given; *found = 1 if a result is not finite (`found` may
// be nullptr, and is not read).
Error scale(const StepTensor* tensors, int64_t count, const StepOptions& options, float* found,
            Stream stream);
Error norms(double* norms, const StepTensor* tensors, int64_t count, DType type, int order,
            void* work, Stream stream);
int64_t norms_workspace(const StepTensor* tensors, int64_t count);

}  // namespace mg::cuda
