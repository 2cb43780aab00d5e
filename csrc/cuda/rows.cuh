// What memory-bound kernels share: the types that elements are computed in, packs of elements that
// move 16 bytes at a time, sums over the threads of a row, and sizes of grids.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cuda/kernels.h"
#include "cuda/mgcuda.cuh"

namespace mg::cuda {

// -- types
// -----------------------------------------------------------------------------------------

// 16-bit floats are storage only: they are computed in float and rounded once.
template <class T>
struct ComputedIn {
  using type = T;
};
template <>
struct ComputedIn<__half> {
  using type = float;
};
template <>
struct ComputedIn<__nv_bfloat16> {
  using type = float;
};
template <class T>
using Computed = typename ComputedIn<T>::type;

template <class T>
MG_DEVICE T widen(T x) {
  return x;
}
MG_DEVICE float widen(__half x) { return __half2float(x); }
MG_DEVICE float widen(__nv_bfloat16 x) { return __bfloat162float(x); }

template <class T, class V>
MG_DEVICE T narrow(V x) {
  if constexpr (sizeof(T) == 2 && !std::is_integral_v<T>) {
    if constexpr (std::is_same_v<T, __half>) {
      return __float2half_rn(static_cast<float>(x));
    } else {
      return __float2bfloat16_rn(static_cast<float>(x));
    }
  } else {
    return static_cast<T>(x);
  }
}

// -- packs
// -----------------------------------------------------------------------------------------

template <int kBytes>
struct RawBytes;
template <>
struct RawBytes<1> {
  using type = uint8_t;
};
template <>
struct RawBytes<2> {
  using type = uint16_t;
};
template <>
struct RawBytes<4> {
  using type = uint32_t;
};
template <>
struct RawBytes<8> {
  using type = uint2;
};
template <>
struct RawBytes<16> {
  using type = uint4;
};

// Elements that one 16-byte instruction moves.
template <class T>
constexpr int kPack = 16 / static_cast<int>(sizeof(T));

// out = the N elements from `from` on, which is aligned to all of them; N * sizeof(T) may be 32.
template <int N, class T>
MG_DEVICE void load_raw(T* out, const T* from) {
  constexpr int kBytes = N * static_cast<int>(sizeof(T));
  constexpr int kStep = kBytes < 16 ? kBytes : 16;
  using Raw = typename RawBytes<kStep>::type;
#pragma unroll
  for (int i = 0; i < kBytes / kStep; ++i) {
    const Raw raw = reinterpret_cast<const Raw*>(from)[i];
    memcpy(reinterpret_cast<char*>(out) + i * kStep, &raw, kStep);
  }
}

template <int N, class T>
MG_DEVICE void store_raw(T* to, const T* from) {
  constexpr int kBytes = N * static_cast<int>(sizeof(T));
  constexpr int kStep = kBytes < 16 ? kBytes : 16;
  using Raw = typename RawBytes<kStep>::type;
#pragma unroll
  for (int i = 0; i < kBytes / kStep; ++i) {
    Raw raw;
    memcpy(&raw, reinterpret_cast<const char*>(from) + i * kStep, kStep);
    reinterpret_cast<Raw*>(to)[i] = raw;
  }
}

// The same, converted to and from the computing type.
template <int N, class T, class V>
MG_DEVICE void load_pack(V* out, const T* from) {
  alignas(16) T raw[N];
  load_raw<N>(raw, from);
#pragma unroll
  for (int i = 0; i < N; ++i) out[i] = static_cast<V>(widen(raw[i]));
}
template <int N, class T, class V>
MG_DEVICE void store_pack(T* to, const V* from) {
  alignas(16) T raw[N];
#pragma unroll
  for (int i = 0; i < N; ++i) raw[i] = narrow<T>(from[i]);
  store_raw<N>(to, raw);
}

// The first `count` of N elements, one by one; the others become `fill`.
template <int N, class T, class V>
MG_DEVICE void load_some(V* out, const T* from, int count, V fill) {
#pragma unroll
  for (int i = 0; i < N; ++i) out[i] = i < count ? static_cast<V>(widen(from[i])) : fill;
}
template <int N, class T, class V>
MG_DEVICE void store_some(T* to, const V* from, int count) {
#pragma unroll
  for (int i = 0; i < N; ++i) {
    if (i < count) to[i] = narrow<T>(from[i]);
  }
}

// -- the threads of a block
// ------------------------------------------------------------------------

// A value combined over groups of kThreads threads, which all get it. A group is a warp or the
// whole block (a multiple of 32 threads, all of which must call this); combine(a, b) commutes.
template <int kThreads, class V, class Combine>
MG_DEVICE V combine_threads(V v, Combine combine) {
#pragma unroll
  for (int step = 16; step; step >>= 1) {
    V other;
    constexpr int kWords = sizeof(V) / 4;
    uint32_t mine[kWords], theirs[kWords];
    memcpy(mine, &v, sizeof v);
#pragma unroll
    for (int i = 0; i < kWords; ++i) theirs[i] = __shfl_xor_sync(0xffffffffu, mine[i], step);
    memcpy(&other, theirs, sizeof v);
    v = combine(v, other);
  }
  if constexpr (kThreads > 32) {
    constexpr int kWarps = kThreads / 32;
    MG_SHARED(V, parts, [kWarps]);
    __syncthreads();  // `parts` may still be read for the call before
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = v;
    __syncthreads();
    v = parts[0];
#pragma unroll
    for (int i = 1; i < kWarps; ++i) v = combine(v, parts[i]);
  }
  return v;
}

struct AddValues {
  template <class V>
  MG_DEVICE V operator()(V a, V b) const {
    return a + b;
  }
};
// The larger of the two; NaN if one is.
struct LargerValue {
  template <class V>
  MG_DEVICE V operator()(V a, V b) const {
    return a > b || a != a ? a : b;
  }
};

template <int kThreads, class V>
MG_DEVICE V sum_threads(V v) {
  return combine_threads<kThreads>(v, AddValues());
}
template <int kThreads, class V>
MG_DEVICE V max_threads(V v) {
  return combine_threads<kThreads>(v, LargerValue());
}

// A team is a warp (of several in a block) or the whole block, as the launch says; all its threads
// get the combined value. `shared` has room for one value of every warp.
template <class V, class Combine>
MG_DEVICE V combine_team(bool whole_block, V v, V* shared, Combine combine) {
  v = combine_threads<32>(v, combine);
  if (!whole_block) return v;
  const int warps = static_cast<int>(blockDim.x) / 32;
  __syncthreads();  // `shared` may still be read for the call before
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = v;
  __syncthreads();
  v = shared[0];
  for (int i = 1; i < warps; ++i) v = combine(v, shared[i]);
  return v;
}

// The rows that a team does, one after the other.
struct Team {
  bool whole_block;
  int lane, threads;
  int64_t first, step;

  MG_DEVICE explicit Team(bool whole) : whole_block(whole) {
    lane = static_cast<int>(whole ? threadIdx.x : threadIdx.x % 32);
    threads = whole ? static_cast<int>(blockDim.x) : 32;
    const int64_t teams = whole ? 1 : blockDim.x / 32;
    first = blockIdx.x * teams + (whole ? 0 : threadIdx.x / 32);
    step = gridDim.x * teams;
  }
};

// -- grids
// -----------------------------------------------------------------------------------------

constexpr int kBlockThreads = 256;
// Blocks of a grid-stride loop: 16 waves on the largest chips, so that the last, partial one
// costs little, and few enough that a block's start is spread over some work.
constexpr int64_t kMostBlocks = 16384;

inline dim3 blocks_for(int64_t units, int64_t units_of_a_block) {
  const int64_t blocks = ceil_div(units, units_of_a_block);
  return dim3(static_cast<unsigned>(blocks < 1 ? 1 : blocks < kMostBlocks ? blocks : kMostBlocks));
}

inline dim3 blocks_for_teams(int64_t rows, bool whole_block) {
  return blocks_for(rows, whole_block ? 1 : kBlockThreads / 32);
}

inline bool aligned_to(const void* p, int64_t bytes) {
  return reinterpret_cast<uintptr_t>(p) % static_cast<uintptr_t>(bytes) == 0;
}

}  // namespace mg::cuda
