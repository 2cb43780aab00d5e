// Products with a vector: bound by reading the matrix once.
#include "cuda/gemm_forms.cuh"

namespace mg::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;

template <class Sum, class T>
MG_DEVICE Sum widened(T x) {
  if constexpr (sizeof(T) == 2) {
    return to_float(x);
  } else {
    return x;
  }
}

// `matrix` has a row for each result; the vector is read along k.
template <class T, class Output>
struct Call {
  MatrixOperand<T> matrix, vector;
  Output out;
  int count, depth;
  int64_t batches;
  bool column;  // the results are a column of C, else a row

  MG_DEVICE void store(int i, typename Output::Accumulator sum) const {
    out.store(column ? i : 0, column ? 0 : i, sum);
  }
};

// A warp for each result: the matrix lies along k.
template <class T, class Output>
__global__ void __launch_bounds__(kThreads) rows_kernel(const Call<T, Output> all) {
  using Sum = typename Output::Accumulator;
  constexpr int kWide = 16 / sizeof(T);
  const int lane = threadIdx.x % 32;
  const int i = blockIdx.x * kWarps + threadIdx.x / 32;
  if (i >= all.count) return;
  for (int64_t batch = blockIdx.z; batch < all.batches; batch += gridDim.z) {
    Call<T, Output> c;
    c.depth = all.depth;
    c.column = all.column;
    c.count = all.count;
    c.matrix.at(all.matrix, batch);
    c.vector.at(all.vector, batch);
    c.out.at(all.out, batch);
    Sum sum = 0;
    int k = 0;
    if (c.matrix.wide) {
      for (; k + 32 * kWide <= c.depth; k += 32 * kWide) {
        const int at = k + lane * kWide;
        const Pack<T, kWide> x = *reinterpret_cast<const Pack<T, kWide>*>(c.matrix.address(i, at));
#pragma unroll
        for (int j = 0; j < kWide; ++j) {
          sum += widened<Sum>(x.v[j]) * widened<Sum>(*c.vector.address(0, at + j));
        }
      }
    }
    for (k += lane; k < c.depth; k += 32) {
      sum += widened<Sum>(*c.matrix.address(i, k)) * widened<Sum>(*c.vector.address(0, k));
    }
    sum = warp_sum(sum);
    if (lane == 0) c.store(i, sum);
  }
}

// A lane for each result, the warps of a block share k: the matrix lies along the results.
template <class T, class Output>
__global__ void __launch_bounds__(kThreads) columns_kernel(const Call<T, Output> all) {
  using Sum = typename Output::Accumulator;
  MG_SHARED(Sum, parts, [kWarps][32]);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int i = blockIdx.x * 32 + lane;
  for (int64_t batch = blockIdx.z; batch < all.batches; batch += gridDim.z) {
    Call<T, Output> c;
    c.depth = all.depth;
    c.column = all.column;
    c.count = all.count;
    c.matrix.at(all.matrix, batch);
    c.vector.at(all.vector, batch);
    c.out.at(all.out, batch);
    Sum sum = 0;
    if (i < c.count) {
#pragma unroll 4
      for (int k = warp; k < c.depth; k += kWarps) {
        sum += widened<Sum>(*c.matrix.address(i, k)) * widened<Sum>(*c.vector.address(0, k));
      }
    }
    parts[warp][lane] = sum;
    __syncthreads();
    if (warp == 0 && i < c.count) {
#pragma unroll
      for (int j = 1; j < kWarps; ++j) sum += parts[j][lane];
      c.store(i, sum);
    }
    __syncthreads();  // before the next matrix writes the parts
  }
}

template <class T, class Output>
Error run(const Product& p, const Output& out, Stream stream) {
  const bool column = p.extents.n == 1;
  Call<T, Output> call = {as_type<T>(column ? p.a : p.b),
                          as_type<T>(column ? p.b : p.a),
                          out,
                          column ? p.extents.m : p.extents.n,
                          p.extents.k,
                          p.extents.batches,
                          column};
  const unsigned across = grid_for(call.batches, 1, kMostBatches);
  if (call.matrix.along_k) {
    const dim3 grid(static_cast<unsigned>(ceil_div(call.count, kWarps)), 1, across);
    return MG_LAUNCH((rows_kernel<T, Output>), grid, dim3(kThreads), 0, stream, call);
  }
  const dim3 grid(static_cast<unsigned>(ceil_div(call.count, 32)), 1, across);
  return MG_LAUNCH((columns_kernel<T, Output>), grid, dim3(kThreads), 0, stream, call);
}

}  // namespace

Error gemm_vector(const Product& p, Stream stream) {
  switch (p.dtype) {
    case DType::kFloat64:
      return run<double>(p, in_double(p), stream);
    case DType::kFloat16:
      return run<__half>(p, p.out, stream);
    case DType::kBFloat16:
      return run<__nv_bfloat16>(p, p.out, stream);
    default:
      return run<float>(p, p.out, stream);
  }
}

}  // namespace mg::cuda
