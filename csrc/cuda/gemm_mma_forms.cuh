// Plain matrix products by mma.sync of one element type, in the three ways operands lie.
#pragma once

#include "cuda/gemm_forms.cuh"
#include "cuda/gemm_mma_core.cuh"

namespace mg::cuda {

template <class T, class Tile>
Error mma_of_layout(const Product& p, Stream stream) {
  const MatrixOperand<T> a = as_type<T>(p.a), b = as_type<T>(p.b);
  const auto run = [&](auto launch) {
    return launch(a, b, p.out, p.extents, p.workspace, p.workspace_bytes, stream);
  };
  using Operand = MatrixOperand<T>;
  using Output = MatrixOutput<float>;
  if (!a.along_k) return run(launch_mma<T, Tile, false, false, Operand, Operand, Output>);
  if (!b.along_k) return run(launch_mma<T, Tile, true, false, Operand, Operand, Output>);
  return run(launch_mma<T, Tile, true, true, Operand, Operand, Output>);
}

// A against its grain and B along k: C transposed is the product of B transposed and A transposed,
// which lie the other way.
inline Product without_fourth_layout(const Product& p) {
  if (p.a.along_k || !p.b.along_k) return p;
  Product q = p;
  q.a = p.b;
  q.b = p.a;
  q.extents.m = p.extents.n;
  q.extents.n = p.extents.m;
  q.out.rows = p.out.columns;
  q.out.columns = p.out.rows;
  q.out.bias_of_rows = !p.out.bias_of_rows;
  q.out.wide = false;
  return q;
}

}  // namespace mg::cuda
