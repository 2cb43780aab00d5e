// Norms of many tensors, scaling (with a check for infinities and NaN) and interpolating them.
#include "cuda/optim_core.cuh"

namespace mg::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    lerp_kernel(const TensorTable table, const StepOptions options) {
  using V = Computed<T>;
  const int index = tensor_of(table, static_cast<int>(blockIdx.x));
  const StepTensor& t = table.tensors[index];
  const V weight = V(options.numbers.weight), other = V(1 - options.numbers.weight);
  const bool small = options.numbers.weight < 0.5;
  const int64_t begin = (static_cast<int64_t>(blockIdx.x) - table.first_block[index]) * kOptimChunk;
  const int64_t end = begin + kOptimChunk < t.size ? begin + kOptimChunk : t.size;
  walk_chunk(begin, end, in_packs(t), [&](int64_t at, int n) {
    V p[kLanes], g[kLanes];
    load_part<T>(p, t.param, at, n, V(0));
    load_part<T>(g, t.grad, at, n, V(0));
#pragma unroll
    for (int i = 0; i < kLanes; ++i) p[i] = lerp(p[i], g[i], weight, other, small);
    store_part<T>(t.param, at, p, n);
  });
}

// `found` only ever becomes 1, so that the order of the blocks does not matter.
template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    scale_kernel(const TensorTable table, const StepOptions options, float* found) {
  using V = Computed<T>;
  const int index = tensor_of(table, static_cast<int>(blockIdx.x));
  const StepTensor& t = table.tensors[index];
  V factor = V(options.numbers.weight);
  if (options.scale) factor *= static_cast<V>(*options.scale);
  bool bad = false;
  const int64_t begin = (static_cast<int64_t>(blockIdx.x) - table.first_block[index]) * kOptimChunk;
  const int64_t end = begin + kOptimChunk < t.size ? begin + kOptimChunk : t.size;
  walk_chunk(begin, end, in_packs(t), [&](int64_t at, int n) {
    V p[kLanes];
    load_part<T>(p, t.param, at, n, V(0));
#pragma unroll
    for (int i = 0; i < kLanes; ++i) {
      bad = bad || !(abs(p[i]) < V(INFINITY));
      p[i] *= factor;
    }
    store_part<T>(t.param, at, p, n);
  });
  if (found && bad) atomicExch(found, 1.0f);
}

// The larger magnitude, NaN if one is.
struct Larger {
  MG_DEVICE double operator()(double a, double b) const { return a != a || a > b ? a : b; }
};

// One number for every chunk: the sum of magnitudes or squares, or the largest magnitude.
template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    norm_chunks_kernel(double* __restrict__ sums, const TensorTable table, int order) {
  using V = Computed<T>;
  const int index = tensor_of(table, static_cast<int>(blockIdx.x));
  const StepTensor& t = table.tensors[index];
  const int64_t begin = (static_cast<int64_t>(blockIdx.x) - table.first_block[index]) * kNormChunk;
  const int64_t end = begin + kNormChunk < t.size ? begin + kNormChunk : t.size;
  double sum = 0;
  walk_chunk(begin, end, in_packs(t), [&](int64_t at, int n) {
    V p[kLanes];
    load_part<T>(p, t.param, at, n, V(0));
    V part = V(0);
#pragma unroll
    for (int i = 0; i < kLanes; ++i) {
      if (i >= n) continue;
      part = order == 0   ? maximum(part, abs(p[i]))
             : order == 1 ? part + abs(p[i])
                          : fma(p[i], p[i], part);
    }
    sum = order == 0 ? Larger()(sum, static_cast<double>(part)) : sum + static_cast<double>(part);
  });
  sum =
      order == 0 ? combine_threads<kBlockThreads>(sum, Larger()) : sum_threads<kBlockThreads>(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// A warp for every tensor of the table adds up its chunks.
__global__ void __launch_bounds__(32)
    norm_finish_kernel(double* __restrict__ norms, const double* __restrict__ sums,
                       const TensorTable table, int order) {
  const int i = static_cast<int>(blockIdx.x);
  double sum = 0;
  for (int at = table.first_block[i] + static_cast<int>(threadIdx.x); at < table.first_block[i + 1];
       at += 32) {
    sum = order == 0 ? Larger()(sum, sums[at]) : sum + sums[at];
  }
  sum = order == 0 ? combine_threads<32>(sum, Larger()) : sum_threads<32>(sum);
  // `count` of the table's tensors says which norm is theirs.
  if (threadIdx.x == 0) {
    norms[static_cast<int64_t>(table.tensors[i].count)] = order == 2 ? ::sqrt(sum) : sum;
  }
}

__global__ void __launch_bounds__(kBlockThreads) zero_kernel(double* out, int64_t n) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) {
    out[i] = 0;
  }
}

template <class T>
struct Run {
  static Error lerp(const StepTensor* tensors, int64_t count, const StepOptions& options,
                    Stream stream) {
    return launch_tables(tensors, count, kOptimChunk,
                         [&](const TensorTable& table, unsigned blocks) -> Error {
                           return MG_LAUNCH((lerp_kernel<T>), dim3(blocks), dim3(kBlockThreads), 0,
                                            stream, table, options);
                         });
  }
  static Error scale(const StepTensor* tensors, int64_t count, const StepOptions& options,
                     float* found, Stream stream) {
    return launch_tables(tensors, count, kOptimChunk,
                         [&](const TensorTable& table, unsigned blocks) -> Error {
                           return MG_LAUNCH((scale_kernel<T>), dim3(blocks), dim3(kBlockThreads), 0,
                                            stream, table, options, found);
                         });
  }
  static Error norms(double* norms, const StepTensor* tensors, int64_t count, int order,
                     double* sums, Stream stream) {
    return launch_tables(
        tensors, count, kNormChunk, [&](const TensorTable& table, unsigned blocks) -> Error {
          if (const Error error = MG_LAUNCH((norm_chunks_kernel<T>), dim3(blocks),
                                            dim3(kBlockThreads), 0, stream, sums, table, order)) {
            return error;
          }
          const Error error = MG_LAUNCH(norm_finish_kernel, dim3(unsigned(table.count)), dim3(32),
                                        0, stream, norms, sums, table, order);
          sums += blocks;
          return error;
        });
  }
};

#define MG_BY_TYPE(type, function, ...)                 \
  switch (type) {                                       \
    case DType::kFloat64:                               \
      return Run<double>::function(__VA_ARGS__);        \
    case DType::kFloat16:                               \
      return Run<__half>::function(__VA_ARGS__);        \
    case DType::kBFloat16:                              \
      return Run<__nv_bfloat16>::function(__VA_ARGS__); \
    default:                                            \
      return Run<float>::function(__VA_ARGS__);         \
  }

}  // namespace

Error lerp(const StepTensor* tensors, int64_t count, const StepOptions& options, Stream stream) {
  MG_BY_TYPE(options.type, lerp, tensors, count, options, stream);
}
Error scale(const StepTensor* tensors, int64_t count, const StepOptions& options, float* found,
            Stream stream) {
  MG_BY_TYPE(options.type, scale, tensors, count, options, found, stream);
}
Error norms(double* norms, const StepTensor* tensors, int64_t count, DType type, int order,
            void* work, Stream stream) {
  if (count == 0) return 0;
  if (const Error error = MG_LAUNCH(zero_kernel, blocks_for(count, kBlockThreads),
                                    dim3(kBlockThreads), 0, stream, norms, count)) {
    return error;
  }
  double* sums = static_cast<double*>(work);
  MG_BY_TYPE(type, norms, norms, tensors, count, order, sums, stream);
}
int64_t norms_workspace(const StepTensor* tensors, int64_t count) {
  int64_t chunks = 0;
  for (int64_t i = 0; i < count; ++i) chunks += ceil_div(tensors[i].size, kNormChunk);
  return chunks * static_cast<int64_t>(sizeof(double));
}

}  // namespace mg::cuda
