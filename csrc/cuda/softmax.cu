// Softmax and log-softmax along rows or columns, and their gradients.
// Memory-bound: a warp or a block takes a row in packs of 16 bytes and keeps it in registers while
// it finds the maximum and the sum, so that it is read once; rows that are too long are read twice.
#include "cuda/kernels_softmax.h"
#include "cuda/rows.cuh"
#include "cuda/vmath.cuh"

namespace mg::cuda {
namespace {

constexpr int kHeld = 16;  // values of a row that a thread keeps

// The maximum of some values and the sum of e^(x - maximum).
template <class V>
struct ExpSum {
  V top, sum;
};

// What exponentials are taken relative to: the maximum, or 0 if there is nothing but -infinity.
template <class V>
MG_DEVICE V base_of(V top) {
  return top == V(-INFINITY) ? V(0) : top;
}

struct JoinSums {
  template <class V>
  MG_DEVICE ExpSum<V> operator()(ExpSum<V> a, ExpSum<V> b) const {
    const V top = LargerValue()(a.top, b.top), base = base_of(top);
    return {top, a.sum * exp(a.top - base) + b.sum * exp(b.top - base)};
  }
};

template <class V, int N>
MG_DEVICE void take_in(ExpSum<V>& s, const V (&v)[N]) {
  V top = s.top;
#pragma unroll
  for (int i = 0; i < N; ++i) top = LargerValue()(top, v[i]);
  const V base = base_of(top);
  V sum = s.sum * exp(s.top - base);
#pragma unroll
  for (int i = 0; i < N; ++i) sum += exp(v[i] - base);
  s = {top, sum};
}

// Calls body(k, at) for the packs of a row that a thread has; k counts them. With kFits all are
// held in registers: k is known to the compiler.
template <int N, bool kFits, class Body>
MG_DEVICE void each_pack(const Team& team, int64_t n, Body body) {
  if constexpr (kFits) {
#pragma unroll
    for (int k = 0; k < kHeld / N; ++k) {
      const int64_t at = (static_cast<int64_t>(k) * team.threads + team.lane) * N;
      if (at < n) body(k, at);
    }
  } else {
    for (int64_t at = static_cast<int64_t>(team.lane) * N; at < n; at += team.threads * N) {
      body(0, at);
    }
  }
}

template <class T, int N, bool kFits>
__global__ void __launch_bounds__(kBlockThreads)
    softmax_kernel(T* out, const T* x, int64_t rows, int64_t n, bool logarithm, bool whole_block) {
  using V = Computed<T>;
  MG_SHARED(ExpSum<V>, shared, [kBlockThreads / 32]);
  const Team team(whole_block);
  for (int64_t row = team.first; row < rows; row += team.step) {
    const T* from = x + row * n;
    T* to = out + row * n;
    V held[kFits ? kHeld / N : 1][N];
    ExpSum<V> s = {V(-INFINITY), V(0)};
    each_pack<N, kFits>(team, n, [&](int k, int64_t at) {
      load_pack<N>(held[k], from + at);
      take_in(s, held[k]);
    });
    s = combine_team(whole_block, s, shared, JoinSums());
    const V base = base_of(s.top);
    const V factor = V(1) / s.sum, shift = s.top + log(s.sum);
    each_pack<N, kFits>(team, n, [&](int k, int64_t at) {
      if (!kFits) load_pack<N>(held[k], from + at);
      V y[N];
#pragma unroll
      for (int i = 0; i < N; ++i) {
        y[i] = logarithm ? held[k][i] - shift : exp(held[k][i] - base) * factor;
      }
      store_pack<N>(to + at, y);
    });
  }
}

template <class T, int N, bool kFits>
__global__ void __launch_bounds__(kBlockThreads)
    softmax_backward_kernel(T* out, const T* grad, const T* y, int64_t rows, int64_t n,
                            bool logarithm, bool whole_block) {
  using V = Computed<T>;
  MG_SHARED(V, shared, [kBlockThreads / 32]);
  const Team team(whole_block);
  for (int64_t row = team.first; row < rows; row += team.step) {
    const int64_t start = row * n;
    V g[kFits ? kHeld / N : 1][N], v[kFits ? kHeld / N : 1][N];
    V sum = V(0);
    each_pack<N, kFits>(team, n, [&](int k, int64_t at) {
      load_pack<N>(g[k], grad + start + at);
      load_pack<N>(v[k], y + start + at);
#pragma unroll
      for (int i = 0; i < N; ++i) sum += logarithm ? g[k][i] : g[k][i] * v[k][i];
    });
    sum = combine_team(whole_block, sum, shared, AddValues());
    each_pack<N, kFits>(team, n, [&](int k, int64_t at) {
      if (!kFits) {
        load_pack<N>(g[k], grad + start + at);
        load_pack<N>(v[k], y + start + at);
      }
      V d[N];
#pragma unroll
      for (int i = 0; i < N; ++i) {
        d[i] = logarithm ? g[k][i] - exp(v[k][i]) * sum : v[k][i] * (g[k][i] - sum);
      }
      store_pack<N>(out + start + at, d);
    });
  }
}

constexpr int kAcross = 32, kDown = 8;

// Along a dimension that is not the innermost: kDown threads share a column, neighbours run along
// the memory.
template <class T>
__global__ void __launch_bounds__(kAcross* kDown)
    softmax_columns_kernel(T* out, const T* x, const SoftmaxShape shape) {
  using V = Computed<T>;
  MG_SHARED(ExpSum<V>, shared, [kDown][kAcross]);
  const int64_t tiles = ceil_div(shape.inner, kAcross);
  for (int64_t tile = blockIdx.x; tile < shape.outer * tiles; tile += gridDim.x) {
    const int64_t column = tile % tiles * kAcross + threadIdx.x;
    const bool inside = column < shape.inner;
    const int64_t start = tile / tiles * shape.n * shape.inner + column;
    ExpSum<V> s = {V(-INFINITY), V(0)};
    for (int64_t i = threadIdx.y; inside && i < shape.n; i += kDown) {
      const V v[1] = {widen(x[start + i * shape.inner])};
      take_in(s, v);
    }
    __syncthreads();  // `shared` may still be read for the tile before
    shared[threadIdx.y][threadIdx.x] = s;
    __syncthreads();
    s = shared[0][threadIdx.x];
    for (int k = 1; k < kDown; ++k) s = JoinSums()(s, shared[k][threadIdx.x]);
    const V base = base_of(s.top);
    const V factor = V(1) / s.sum, shift = s.top + log(s.sum);
    for (int64_t i = threadIdx.y; inside && i < shape.n; i += kDown) {
      const V v = widen(x[start + i * shape.inner]);
      out[start + i * shape.inner] =
          narrow<T>(shape.logarithm ? v - shift : exp(v - base) * factor);
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kAcross* kDown)
    softmax_backward_columns_kernel(T* out, const T* grad, const T* y, const SoftmaxShape shape) {
  using V = Computed<T>;
  MG_SHARED(V, shared, [kDown][kAcross]);
  const int64_t tiles = ceil_div(shape.inner, kAcross);
  for (int64_t tile = blockIdx.x; tile < shape.outer * tiles; tile += gridDim.x) {
    const int64_t column = tile % tiles * kAcross + threadIdx.x;
    const bool inside = column < shape.inner;
    const int64_t start = tile / tiles * shape.n * shape.inner + column;
    V sum = V(0);
    for (int64_t i = threadIdx.y; inside && i < shape.n; i += kDown) {
      const int64_t at = start + i * shape.inner;
      sum += shape.logarithm ? widen(grad[at]) : widen(grad[at]) * widen(y[at]);
    }
    __syncthreads();  // `shared` may still be read for the tile before
    shared[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    sum = shared[0][threadIdx.x];
    for (int k = 1; k < kDown; ++k) sum += shared[k][threadIdx.x];
    for (int64_t i = threadIdx.y; inside && i < shape.n; i += kDown) {
      const int64_t at = start + i * shape.inner;
      const V g = widen(grad[at]), v = widen(y[at]);
      out[at] = narrow<T>(shape.logarithm ? g - exp(v) * sum : v * (g - sum));
    }
  }
}

// How rows are shared out.
struct Share {
  bool wide, whole_block, fits;
};

template <class T>
Share share(std::initializer_list<const void*> arrays, int64_t n) {
  Share s;
  s.wide = n % kPack<T> == 0;
  for (const void* array : arrays) s.wide = s.wide && aligned_to(array, 16);
  s.whole_block = n > 32 * kHeld;
  s.fits = n <= kBlockThreads * kHeld;
  return s;
}

template <class T>
dim3 column_blocks(const SoftmaxShape& shape) {
  return blocks_for(shape.outer * ceil_div(shape.inner, kAcross), 1);
}

template <class T>
Error softmax_as(void* out, const void* x, const SoftmaxShape& shape, Stream stream) {
  if (shape.outer * shape.n * shape.inner == 0) return 0;
  T* to = static_cast<T*>(out);
  const T* from = static_cast<const T*>(x);
  if (shape.inner > 1) {
    return MG_LAUNCH((softmax_columns_kernel<T>), column_blocks<T>(shape), dim3(kAcross, kDown), 0,
                     stream, to, from, shape);
  }
  const Share s = share<T>({out, x}, shape.n);
  const dim3 grid = blocks_for_teams(shape.outer, s.whole_block);
  const auto run = [&](auto kernel) -> Error {
    return MG_LAUNCH(kernel, grid, dim3(kBlockThreads), 0, stream, to, from, shape.outer, shape.n,
                     shape.logarithm, s.whole_block);
  };
  if (s.wide) {
    return s.fits ? run(softmax_kernel<T, kPack<T>, true>)
                  : run(softmax_kernel<T, kPack<T>, false>);
  }
  return s.fits ? run(softmax_kernel<T, 1, true>) : run(softmax_kernel<T, 1, false>);
}

template <class T>
Error softmax_backward_as(void* out, const void* grad, const void* y, const SoftmaxShape& shape,
                          Stream stream) {
  if (shape.outer * shape.n * shape.inner == 0) return 0;
  T* to = static_cast<T*>(out);
  const T *g = static_cast<const T*>(grad), *v = static_cast<const T*>(y);
  if (shape.inner > 1) {
    return MG_LAUNCH((softmax_backward_columns_kernel<T>), column_blocks<T>(shape),
                     dim3(kAcross, kDown), 0, stream, to, g, v, shape);
  }
  const Share s = share<T>({out, grad, y}, shape.n);
  const dim3 grid = blocks_for_teams(shape.outer, s.whole_block);
  const auto run = [&](auto kernel) -> Error {
    return MG_LAUNCH(kernel, grid, dim3(kBlockThreads), 0, stream, to, g, v, shape.outer, shape.n,
                     shape.logarithm, s.whole_block);
  };
  if (s.wide) {
    return s.fits ? run(softmax_backward_kernel<T, kPack<T>, true>)
                  : run(softmax_backward_kernel<T, kPack<T>, false>);
  }
  return s.fits ? run(softmax_backward_kernel<T, 1, true>)
                : run(softmax_backward_kernel<T, 1, false>);
}

}  // namespace

Error softmax(void* out, const void* x, DType type, const SoftmaxShape& shape, Stream stream) {
  switch (type) {
    case DType::kFloat64:
      return softmax_as<double>(out, x, shape, stream);
    case DType::kFloat16:
      return softmax_as<__half>(out, x, shape, stream);
    case DType::kBFloat16:
      return softmax_as<__nv_bfloat16>(out, x, shape, stream);
    default:
      return softmax_as<float>(out, x, shape, stream);
  }
}
Error softmax_backward(void* out, const void* grad, const void* y, DType type,
                       const SoftmaxShape& shape, Stream stream) {
  switch (type) {
    case DType::kFloat64:
      return softmax_backward_as<double>(out, grad, y, shape, stream);
    case DType::kFloat16:
      return softmax_backward_as<__half>(out, grad, y, shape, stream);
    case DType::kBFloat16:
      return softmax_backward_as<__nv_bfloat16>(out, grad, y, shape, stream);
    default:
      return softmax_backward_as<float>(out, grad, y, shape, stream);
  }
}

}  // namespace mg::cuda
