// Casts between float32 and the two half-precision formats.
// Memory-bound: 8 elements a thread and step, in loads and stores of 16 bytes.
#include "cuda/kernels.h"
#include "cuda/mgcuda.cuh"

namespace mg::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kItems = 8;

// Eight elements in accesses of 16 bytes.
template <class T>
MG_DEVICE void load8(T (&x)[kItems], const T* in) {
  constexpr int kWide = 16 / sizeof(T);
#pragma unroll
  for (int i = 0; i < kItems; i += kWide) {
    const Pack<T, kWide> pack = *reinterpret_cast<const Pack<T, kWide>*>(in + i);
#pragma unroll
    for (int j = 0; j < kWide; ++j) x[i + j] = pack.v[j];
  }
}
template <class T>
MG_DEVICE void store8(T* out, const T (&x)[kItems]) {
  constexpr int kWide = 16 / sizeof(T);
#pragma unroll
  for (int i = 0; i < kItems; i += kWide) {
    Pack<T, kWide> pack;
#pragma unroll
    for (int j = 0; j < kWide; ++j) pack.v[j] = x[i + j];
    *reinterpret_cast<Pack<T, kWide>*>(out + i) = pack;
  }
}

// `wide`: both begin at multiples of 16 bytes.
template <class Out, class In>
__global__ void __launch_bounds__(kThreads)
    cast_kernel(Out* __restrict__ out, const In* __restrict__ in, int64_t n, bool wide) {
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  const int64_t whole = wide ? n / kItems : 0;
  for (int64_t i = first; i < whole; i += step) {
    In x[kItems];
    Out y[kItems];
    load8(x, in + i * kItems);
#pragma unroll
    for (int j = 0; j < kItems; ++j) y[j] = from_float<Out>(to_float(x[j]));
    store8(out + i * kItems, y);
  }
  for (int64_t i = whole * kItems + first; i < n; i += step) {
    out[i] = from_float<Out>(to_float(in[i]));
  }
}

template <class Out, class In>
Error cast(void* out, const void* in, int64_t n, Stream stream) {
  if (n == 0) return 0;
  const bool wide = (reinterpret_cast<uintptr_t>(out) | reinterpret_cast<uintptr_t>(in)) % 16 == 0;
  return MG_LAUNCH((cast_kernel<Out, In>), dim3(grid_for(n, kThreads * kItems)), dim3(kThreads), 0,
                   stream, static_cast<Out*>(out), static_cast<const In*>(in), n, wide);
}

}  // namespace

Error float_to_half(half* out, const float* in, int64_t n, Stream stream) {
  return cast<__half, float>(out, in, n, stream);
}
Error half_to_float(float* out, const half* in, int64_t n, Stream stream) {
  return cast<float, __half>(out, in, n, stream);
}
Error float_to_bfloat16(bfloat16* out, const float* in, int64_t n, Stream stream) {
  return cast<__nv_bfloat16, float>(out, in, n, stream);
}
Error bfloat16_to_float(float* out, const bfloat16* in, int64_t n, Stream stream) {
  return cast<float, __nv_bfloat16>(out, in, n, stream);
}

}  // namespace mg::cuda
