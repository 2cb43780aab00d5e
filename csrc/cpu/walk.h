// The loops over the elements of strided operands; csrc/cpu/walk.cpp has them.
#pragma once

#include "kernels/elementwise.h"

namespace mg::MG_ISA {

// ElementwiseKernels::run and ::copy.
void walk_run(Row row, FloatType type, void* out, const void* const* in, const int64_t* item,
              const Walk& walk, const double* params);
void walk_copy(void* out, const void* in, int64_t item, const Walk& walk);

}  // namespace mg::MG_ISA
