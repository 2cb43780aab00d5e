// The only header that kernels include besides the project's own: CUDA under nvcc, the emulation
// of csrc/cuda/emulate under a C++ compiler. What differs between the two is spelled
//
//   MG_SHARED(float, tile, [2][16][68]);    a static array in shared memory
//   MG_DYN_SHARED(float, tile);             the memory whose size the launch gives
//   MG_LAUNCH((kernel<1, 2>), grid, block, shared_bytes, stream, arguments...)   -> cudaError_t
//   mg::...                                 instructions that have no function in CUDA C++
//   (ptx.cuh)
//
// Arithmetic is in float32 or float64: __half and __nv_bfloat16 are storage, converted by
// mg::to_float and mg::from_float (their other operators do not exist outside nvcc).
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <initializer_list>

#ifdef __CUDACC__

#define MG_SHARED(T, name, dims) __shared__ __align__(128) T name dims
#define MG_DYN_SHARED(T, name)                                         \
  extern __shared__ __align__(1024) unsigned char mg_dynamic_shared[]; \
  T* name = reinterpret_cast<T*>(mg_dynamic_shared)

namespace mg {
template <class... Parameters, class... Arguments>
cudaError_t launch(const char*, void (*kernel)(Parameters...), dim3 grid, dim3 block,
                   size_t shared_bytes, cudaStream_t stream, Arguments... arguments) {
  if (shared_bytes > 48 * 1024) {  // above that it must be asked for
    const cudaError_t error =
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                             cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared_bytes));
    if (error != cudaSuccess) return error;
  }
  kernel<<<grid, block, shared_bytes, stream>>>(arguments...);
  return cudaGetLastError();
}
}  // namespace mg
#define MG_LAUNCH(kernel, ...) ::mg::launch(#kernel, kernel, __VA_ARGS__)
#include "cuda/ptx.cuh"

#else

#include "cuda/emulate/device.h"

#define MG_SHARED(T, name, dims) auto& name = ::emu::shared_array<T dims>([] {})
#define MG_DYN_SHARED(T, name) T* name = static_cast<T*>(::emu::dynamic_shared_memory())
#define MG_LAUNCH(kernel, ...) ::emu::launch(#kernel, kernel, __VA_ARGS__)
#include "cuda/emulate/ptx.h"

#endif

#define MG_DEVICE __device__ __forceinline__

// The chip that a kernel's body is compiled for, as nvcc counts them (800); 0 where it is to serve
// all (on the host, and in the emulation). Kernels that no host launches there stay empty by it.
#ifdef __CUDA_ARCH__
#define MG_ARCH __CUDA_ARCH__
#else
#define MG_ARCH 0
#endif

namespace mg {

MG_DEVICE float to_float(float x) { return x; }
MG_DEVICE float to_float(__half x) { return __half2float(x); }
MG_DEVICE float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }

template <class T>
MG_DEVICE T from_float(float x);
template <>
MG_DEVICE float from_float<float>(float x) {
  return x;
}
template <>
MG_DEVICE __half from_float<__half>(float x) {
  return __float2half_rn(x);
}
template <>
MG_DEVICE __nv_bfloat16 from_float<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}

// N elements that one instruction loads or stores, up to 16 bytes; more lie at multiples of 16.
template <class T, int N>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Pack {
  T v[N];
};

template <class T>
MG_DEVICE T warp_sum(T x) {
#pragma unroll
  for (int step = 16; step; step >>= 1) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}
template <class T>
MG_DEVICE T warp_max(T x) {
#pragma unroll
  for (int step = 16; step; step >>= 1) {
    const T other = __shfl_xor_sync(0xffffffffu, x, step);
    x = other > x ? other : x;
  }
  return x;
}

namespace cuda {

inline __host__ __device__ int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
// Blocks for a loop with a stride of the whole grid: enough for every multiprocessor of every chip.
inline unsigned grid_for(int64_t work, int64_t per_block, int64_t most = 4096) {
  const int64_t blocks = ceil_div(work, per_block);
  return static_cast<unsigned>(blocks < most ? blocks : most);
}

}  // namespace cuda
}  // namespace mg
