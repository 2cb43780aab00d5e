// The optimizer steps that optim.cpp does not define itself.
#pragma once

#include "cpu/optim_core.h"

namespace mg::MG_ISA {

#define MG_OPTIM_STEP(name)                                                                  \
  void name(OptimTensor* tensors, int64_t count, int64_t total, const OptimOptions* options, \
            double* sums)
// optim_more.cpp
MG_OPTIM_STEP(nadam_step);
MG_OPTIM_STEP(radam_step);
MG_OPTIM_STEP(adamax_step);
MG_OPTIM_STEP(adadelta_step);
MG_OPTIM_STEP(asgd_step);
MG_OPTIM_STEP(rprop_step);
MG_OPTIM_STEP(lion_step);
// optim_norms.cpp
MG_OPTIM_STEP(lerp_step);
MG_OPTIM_STEP(scale_step);
MG_OPTIM_STEP(lamb_step);
void tensor_norms(double* norms, const OptimTensor* tensors, int64_t count, int64_t total,
                  int order, double* sums);

// optim_factored.cpp
void adafactor_step(const FactoredTensor* tensors, int64_t count, const FactoredOptions* options);

}  // namespace mg::MG_ISA
