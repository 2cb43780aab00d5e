// The loop of every elementwise kernel: packs of 16 bytes where all operands allow it, else
// elements. The operation is chosen inside the kernel: a branch that all threads take alike costs a
// memory-bound kernel nothing, and a kernel for each would take minutes to compile.
#pragma once

#include "cuda/kernels_elementwise.h"
#include "cuda/walk.cuh"

namespace mg::cuda {

enum class Feed : uint8_t { kDense, kRepeated, kStrided, kNumber };

template <int kInputs>
struct Inputs {
  const void* at[kInputs];
  double number[kInputs];
  Feed feed[kInputs];  // along the innermost dimension
};

struct Params {
  double at[3];
};

// `First` is the type of input 0, T that of the others; apply(v, r) computes the results r of the
// elements v[operand] in the type V.
template <class Out, class First, class T, int N, int kInputs, class Apply>
__global__ void __launch_bounds__(kBlockThreads)
    map_kernel(Out* out, const Inputs<kInputs> in, const Spans<kInputs + 1> spans, int64_t size,
               const Apply apply) {
  using V = Computed<T>;
  const uint32_t step = gridDim.x * blockDim.x;
  for (uint32_t unit = blockIdx.x * blockDim.x + threadIdx.x; unit < spans.units; unit += step) {
    int64_t at[kInputs + 1];
    find_places(at, spans, unit);
    const int64_t begin = static_cast<int64_t>(unit) * N;
    const int count = size - begin < N ? static_cast<int>(size - begin) : N;
    V v[kInputs][N], r[N];
#pragma unroll
    for (int k = 0; k < kInputs; ++k) {
      const First* first = static_cast<const First*>(in.at[k]) + at[k + 1];
      const T* other = static_cast<const T*>(in.at[k]) + at[k + 1];
      if (in.feed[k] == Feed::kNumber) {
#pragma unroll
        for (int i = 0; i < N; ++i) v[k][i] = static_cast<V>(in.number[k]);
      } else if (N == 1 || in.feed[k] == Feed::kRepeated) {
        const V one = k == 0 ? static_cast<V>(widen(*first)) : static_cast<V>(widen(*other));
#pragma unroll
        for (int i = 0; i < N; ++i) v[k][i] = one;
      } else if (count == N) {
        k == 0 ? load_pack<N>(v[k], first) : load_pack<N>(v[k], other);
      } else {
        k == 0 ? load_some<N>(v[k], first, count, V(1)) : load_some<N>(v[k], other, count, V(1));
      }
    }
    apply(v, r);
    if (N == 1) {
      out[at[0]] = narrow<Out>(r[0]);
    } else if (count == N) {
      store_pack<N>(out + at[0], r);
    } else {
      store_some<N>(out + at[0], r, count);
    }
  }
}

template <class Out, class First, class T, int kInputs, class Apply>
Error map_elements(const MapCall<kInputs>& call, const Apply& apply, Stream stream) {
  if (call.walk.size == 0) return 0;
  constexpr int kWide = kPack<T>;
  const StridedWalk<kInputs + 1>& walk = call.walk;
  const int last = walk.ndim - 1;
  Inputs<kInputs> in;
  bool wide = walk.stride[0][last] == 1 && (last == 0 || walk.shape[last] % kWide == 0) &&
              aligned_to(call.out, kWide * sizeof(Out));
  for (int k = 0; k < kInputs; ++k) {
    const int64_t item = k == 0 ? sizeof(First) : sizeof(T);
    const int64_t stride = walk.stride[k + 1][last];
    in.at[k] = call.in[k];
    in.number[k] = call.number[k];
    in.feed[k] = !call.in[k]   ? Feed::kNumber
                 : stride == 0 ? Feed::kRepeated
                 : stride == 1 ? Feed::kDense
                               : Feed::kStrided;
    if (in.feed[k] == Feed::kStrided) wide = false;
    if (in.feed[k] != Feed::kDense) continue;
    wide = wide && aligned_to(call.in[k], kWide * item);
    for (int d = 0; d < last; ++d) wide = wide && walk.stride[k + 1][d] % kWide == 0;
  }
  for (int d = 0; d < last; ++d) wide = wide && walk.stride[0][d] % kWide == 0;
  return walk_parts<kInputs + 1>(
      walk, wide ? kWide : 1,
      [&](const Spans<kInputs + 1>& spans, const int64_t* offsets) -> Error {
        Inputs<kInputs> part = in;
        for (int k = 0; k < kInputs; ++k) {
          const int64_t item = k == 0 ? sizeof(First) : sizeof(T);
          if (in.at[k]) part.at[k] = static_cast<const char*>(in.at[k]) + offsets[k + 1] * item;
        }
        Out* out = static_cast<Out*>(call.out) + offsets[0];
        const dim3 grid = blocks_for(spans.units, kBlockThreads);
        // Only a walk of one dimension ends within a pack.
        const int64_t size = walk.ndim == 1 ? walk.size - offsets[0] : INT64_MAX;
        return wide ? MG_LAUNCH((map_kernel<Out, First, T, kWide, kInputs, Apply>), grid,
                                dim3(kBlockThreads), 0, stream, out, part, spans, size, apply)
                    : MG_LAUNCH((map_kernel<Out, First, T, 1, kInputs, Apply>), grid,
                                dim3(kBlockThreads), 0, stream, out, part, spans, INT64_MAX, apply);
      });
}

}  // namespace mg::cuda
