// What the norms share: two sums for every channel of (n, c, length), over samples and positions.
// They are made in parts whose number depends on the sizes alone and which are added up in order.
#pragma once

#include "cuda/kernels_norm.h"
#include "cuda/rows.cuh"
#include "cuda/vmath.cuh"
#include "cuda/walk.cuh"

namespace mg::cuda {

// Either the moments of x: sums of x - x[0] and of its square, or with `grad` the sums of the
// gradient and of the gradient times h = (x - mean) rstd.
template <class T>
struct ChannelSums {
  const T *x, *grad;
  const Computed<T>*mean, *rstd;  // mean may be nullptr for 0
  int64_t groups;                 // 0: statistics of channels, else of (sample, group)
  int64_t n, c, length;
  int64_t units, parts, each;  // packs or elements of a channel, and how they are cut
  Divider line;                // units of a sample's channel
  double* sums;                // [part][2][c]
};

struct Pair {
  double a, b;
};
struct AddPairs {
  MG_DEVICE Pair operator()(Pair x, Pair y) const { return {x.a + y.a, x.b + y.b}; }
};

template <class T, int N, class V>
MG_DEVICE void add_pack(Pair& sum, const ChannelSums<T>& s, int64_t at, V shift, V mean, V rstd) {
  V x[N], first = V(0), second = V(0);
  load_pack<N>(x, s.x + at);
  if (s.grad) {
    V g[N];
    load_pack<N>(g, s.grad + at);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      first += g[i];
      second += g[i] * ((x[i] - mean) * rstd);
    }
    sum.a += static_cast<double>(first);
    sum.b += static_cast<double>(second);
    return;
  }
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const double d = static_cast<double>(x[i]) - static_cast<double>(shift);
    sum.a += d;
    sum.b = fma(d, d, sum.b);
  }
}

// Planes: a block for every channel and part.
template <class T, int N>
__global__ void __launch_bounds__(kBlockThreads) channel_sums_kernel(const ChannelSums<T> s) {
  using V = Computed<T>;
  for (int64_t task = blockIdx.x; task < s.c * s.parts; task += gridDim.x) {
    const int64_t channel = task % s.c, part = task / s.c;
    const int64_t end = (part + 1) * s.each < s.units ? (part + 1) * s.each : s.units;
    const V shift = widen(s.x[channel * s.length]);
    Pair sum = {0, 0};
    for (int64_t unit = part * s.each + threadIdx.x; unit < end; unit += kBlockThreads) {
      const uint32_t sample = s.line(static_cast<uint32_t>(unit));
      const int64_t position = unit - static_cast<int64_t>(sample) * s.line.by;
      V mean = V(0), rstd = V(0);
      if (s.grad) {
        const int64_t group = s.groups ? sample * s.groups + channel / (s.c / s.groups) : channel;
        if (s.mean) mean = s.mean[group];
        rstd = s.rstd[group];
      }
      add_pack<T, N>(sum, s, (sample * s.c + channel) * s.length + position * N, shift, mean, rstd);
    }
    sum = combine_threads<kBlockThreads>(sum, AddPairs());
    if (threadIdx.x == 0) {
      s.sums[part * 2 * s.c + channel] = sum.a;
      s.sums[(part * 2 + 1) * s.c + channel] = sum.b;
    }
  }
}

constexpr int kAcross = 32, kDown = 8;

// length = 1: neighbouring threads have neighbouring channels, kDown of them share the samples.
template <class T>
__global__ void __launch_bounds__(kAcross* kDown) column_sums_kernel(const ChannelSums<T> s) {
  using V = Computed<T>;
  MG_SHARED(Pair, shared, [kDown][kAcross]);
  const int64_t tiles = ceil_div(s.c, kAcross);
  for (int64_t task = blockIdx.x; task < tiles * s.parts; task += gridDim.x) {
    const int64_t channel = task % tiles * kAcross + threadIdx.x, part = task / tiles;
    const int64_t end = (part + 1) * s.each < s.units ? (part + 1) * s.each : s.units;
    Pair sum = {0, 0};
    if (channel < s.c) {
      const V shift = widen(s.x[channel]);
#pragma unroll 4
      for (int64_t sample = part * s.each + threadIdx.y; sample < end; sample += kDown) {
        V mean = V(0), rstd = V(0);
        if (s.grad) {
          const int64_t group = s.groups ? sample * s.groups + channel / (s.c / s.groups) : channel;
          if (s.mean) mean = s.mean[group];
          rstd = s.rstd[group];
        }
        add_pack<T, 1>(sum, s, sample * s.c + channel, shift, mean, rstd);
      }
    }
    __syncthreads();  // `shared` may still be read for the task before
    shared[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y != 0 || channel >= s.c) continue;
    for (int k = 1; k < kDown; ++k) sum = AddPairs()(sum, shared[k][threadIdx.x]);
    s.sums[part * 2 * s.c + channel] = sum.a;
    s.sums[(part * 2 + 1) * s.c + channel] = sum.b;
  }
}

// dw and db (either may be nullptr) from the parts.
template <class V>
__global__ void __launch_bounds__(kBlockThreads)
    add_parts_kernel(V* dw, V* db, const double* sums, int64_t c, int64_t parts) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < c; i += step) {
    double first = 0, second = 0;
    for (int64_t part = 0; part < parts; ++part) {
      first += sums[part * 2 * c + i];
      second += sums[(part * 2 + 1) * c + i];
    }
    if (dw) dw[i] = static_cast<V>(second);
    if (db) db[i] = static_cast<V>(first);
  }
}

inline int64_t channel_parts(int64_t n, int64_t c, int64_t length) {
  const int64_t enough = 1024;  // blocks
  const int64_t blocks = length > 1 ? c : ceil_div(c, kAcross);
  const int64_t least = length > 1 ? kBlockThreads * 8 : kDown * 8;  // elements of a part
  const int64_t parts = min_of(ceil_div(n * length, least), ceil_div(enough, max_of(blocks, 1)));
  return max_of(parts, 1);
}
inline int64_t channel_sums_bytes(int64_t n, int64_t c, int64_t length) {
  return channel_parts(n, c, length) * 2 * c * static_cast<int64_t>(sizeof(double));
}

// Fills s.sums; n, c, length, x, grad, mean, rstd, groups and sums are given. Below 2^31 elements
// in a channel.
template <class T>
Error sum_channels(ChannelSums<T>& s, Stream stream) {
  constexpr int kWide = kPack<T>;
  const bool wide = s.length > 1 && s.length % kWide == 0 && aligned_to(s.x, 16) &&
                    (!s.grad || aligned_to(s.grad, 16));
  const int64_t width = wide ? kWide : 1;
  s.units = s.n * s.length / width;
  s.line = divider(static_cast<uint32_t>(max_of(s.length / width, 1)));
  s.parts = channel_parts(s.n, s.c, s.length);
  s.each = ceil_div(s.units, s.parts);
  if (s.length == 1) {
    return MG_LAUNCH((column_sums_kernel<T>), blocks_for(ceil_div(s.c, kAcross) * s.parts, 1),
                     dim3(kAcross, kDown), 0, stream, s);
  }
  const dim3 grid = blocks_for(s.c * s.parts, 1);
  return wide ? MG_LAUNCH((channel_sums_kernel<T, kWide>), grid, dim3(kBlockThreads), 0, stream, s)
              : MG_LAUNCH((channel_sums_kernel<T, 1>), grid, dim3(kBlockThreads), 0, stream, s);
}

// A parameter in the type of x or in the computing type; `otherwise` where there is none.
template <class T>
MG_DEVICE Computed<T> param_at(const void* params, bool wide, int64_t i, Computed<T> otherwise) {
  if (!params) return otherwise;
  return wide ? static_cast<const Computed<T>*>(params)[i]
              : static_cast<Computed<T>>(widen(static_cast<const T*>(params)[i]));
}

}  // namespace mg::cuda
