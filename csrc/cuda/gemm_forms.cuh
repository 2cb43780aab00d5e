// The forms of the matrix product among which gemm.cu chooses, each compiled in a file of its own.
#pragma once

#include "cuda/gemm_core.cuh"

namespace mg::cuda {

// What every form is told. Operands are read as `dtype`; the output knows its own.
struct Product {
  DType dtype;
  MatrixOperand<void> a, b;
  MatrixOutput<float> out;
  double alpha, beta;  // in full, for float64
  Extents extents;
  void* workspace;
  int64_t workspace_bytes;
};

Error gemm_simt(const Product& p, Stream stream);
// m or n is 1: as many dot products.
Error gemm_vector(const Product& p, Stream stream);
// On matrix units; capability 8.0.
Error gemm_half_mma(const Product& p, Stream stream);
Error gemm_bfloat16_mma(const Product& p, Stream stream);
Error gemm_tf32_mma(const Product& p, Stream stream);
// By Hopper's own instructions; capability 9.0 alone, where the module was built for it
// (MG_CUDA_HOPPER). kDeclined where the operands do not lie as TMA needs them.
constexpr Error kDeclined = -1;
Error gemm_half_wgmma(const Product& p, Stream stream);
Error gemm_bfloat16_wgmma(const Product& p, Stream stream);
Error gemm_tf32_wgmma(const Product& p, Stream stream);

template <class T>
MatrixOperand<T> as_type(const MatrixOperand<void>& x) {
  MatrixOperand<T> y;
  y.data = static_cast<const T*>(x.data);
  y.outer = x.outer;
  y.inner = x.inner;
  y.extent = x.extent;
  y.along_k = x.along_k;
  y.wide = x.wide;
  y.batch = x.batch;
  return y;
}

inline MatrixOutput<double> in_double(const Product& p) {
  const MatrixOutput<float>& o = p.out;
  MatrixOutput<double> out;
  out.data = o.data;
  out.bias = o.bias;
  out.dtype = o.dtype;
  out.rows = o.rows;
  out.columns = o.columns;
  out.alpha = p.alpha;
  out.beta = p.beta;
  out.relu = o.relu;
  out.batch = o.batch;
  return out;
}

}  // namespace mg::cuda
