// Contract of the gemm family: C = alpha * A B + beta * C, then + bias, then relu.
//
//   shapes       A (..., m, k), B (..., k, n), C (..., m, n), bias (n) or null, added to each row
//   layout       A and B with any strides, in elements (0 and negative ones too); rows of C are
//                contiguous, c_rs apart; batches with any strides, 0 for a shared operand
//   sizes        0 and 1 are legal everywhere; with k = 0, C = beta * C + bias
//   dtypes       float32, float64; float16 and bfloat16 with sums in float32 and C of the same type
//                (rounded once) or float32; bias has C's type
//   beta         C is not read when it is 0
//   aliasing     C overlaps nothing; A and B may be the same
//   workspace    workspace() bytes, 64-byte aligned
//   determinism  bitwise equal for every thread count; k is summed in order, in fixed chunks
//                (with a vector or a narrow matrix: in vector lanes, then across, or in parts of k,
//                added in their order). bfloat16 on avx512bf16 flushes denormal inputs and
//                results (the instruction always does).
#pragma once

#include "common.h"

namespace mg {

struct GemmArgs {
  void* c;
  const void* a;
  const void* b;
  const void* bias;
  int64_t m, n, k;
  int64_t a_rs, a_cs, b_rs, b_cs, c_rs;  // rs: from row to row, cs: from column to column
  int batch_dims;
  const int64_t* batch_shape;
  const int64_t* a_batch;  // a stride for each batch dimension, in elements
  const int64_t* b_batch;
  const int64_t* c_batch;
  double alpha, beta;
  bool relu;
  void* workspace;
  int64_t workspace_bytes;  // what workspace() said: it depends on the number of threads then set
};

struct GemmKernels {
  int64_t (*workspace)(const GemmArgs& args, DType operands, DType result);
  void (*run)(const GemmArgs& args, DType operands, DType result);
};

}  // namespace mg
