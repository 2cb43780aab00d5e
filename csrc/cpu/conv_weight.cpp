// Convolution's gradient to the weight: dot products along the outputs of several images, a block
// of output channels by a block of (input channel, tap) in registers.
#include "cpu/conv_core.h"

namespace mg::MG_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kDotM = 5, kDotT = 5;
#else
constexpr int kDotM = 3, kDotT = 3;
#endif

// out[i][t] += sum over images and j of g[i][j] * x[offset[t] + j], for M channels and T taps.
template <class T, int M, int N>
void dots(T* out, int64_t out_row, const T* g, int64_t g_image, int64_t g_channel, const T* x,
          int64_t x_image, const int64_t* offset, int64_t images, int64_t length) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  V acc[M][N] = {};
  for (int64_t n = 0; n < images; ++n) {
    const T* from[N];
    for (int t = 0; t < N; ++t) from[t] = x + n * x_image + offset[t];
    const T* grad = g + n * g_image;
    for (int64_t j = 0; j < length; j += L) {
      V value[N];
#pragma GCC unroll 8
      for (int t = 0; t < N; ++t) value[t] = load(from[t] + j);
#pragma GCC unroll 8
      for (int i = 0; i < M; ++i) {
        const V y = load(grad + i * g_channel + j);
#pragma GCC unroll 8
        for (int t = 0; t < N; ++t) acc[i][t] = fma(y, value[t], acc[i][t]);
      }
    }
  }
  for (int i = 0; i < M; ++i) {
    for (int t = 0; t < N; ++t) out[i * out_row + t] += hsum(acc[i][t]);
  }
}

template <class T, int M, int N, class... Rest>
MG_INLINE void dots_n(int64_t n, Rest... rest) {
  if constexpr (N > 1) {
    if (n < N) return dots_n<T, M, N - 1>(n, rest...);
  }
  dots<T, M, N>(rest...);
}
template <class T, int M, class... Rest>
MG_INLINE void dots_m(int64_t m, int64_t n, Rest... rest) {
  if constexpr (M > 1) {
    if (m < M) return dots_m<T, M - 1>(m, n, rest...);
  }
  dots_n<T, M, kDotT>(n, rest...);
}

// The padded copies: x's, and g's rows at x's pitch with zeros in the columns between them.
template <class T>
struct Layouts {
  Padded x, g;
  int64_t length;  // of g's plane, in whole vectors
  int64_t chunk;   // images at a time
};

template <class T>
Layouts<T> layouts_of(const ConvShape& s) {
  Layouts<T> l;
  l.x = layout_x(s);
  l.g = padded({s.p, 1, 0, 1, 1, s.p}, {s.q, 1, 0, 1, 1, l.x.x.length});
  l.length = round_up(l.g.plane, Vec<T>::lanes);
  l.chunk = images_of_chunk<T>(s.n, times(s.c, l.x.plane) + times(s.k, l.length));
  return l;
}

template <class T>
Space<T> space_of(void* base, const ConvShape& s, const Layouts<T>& l) {
  return divide<T>(base, 0, s.c / s.groups * s.r * s.s, l.chunk * times(s.c, l.x.plane),
                   l.chunk * times(s.k, l.length));
}

}  // namespace

template <class T>
int64_t conv_to_weight_workspace(const ConvShape& s) {
  return space_of<T>(nullptr, s, layouts_of<T>(s)).bytes;
}

template <class T>
void conv_to_weight(T* w, const T* x, const T* g, const ConvShape& s, void* base) {
  const Layouts<T> both = layouts_of<T>(s);
  const Padded& l = both.x;
  const int64_t channels = s.c / s.groups, rows = s.k / s.groups, steps = channels * s.r * s.s;
  const int64_t length = both.length, chunk = both.chunk;
  const Space<T> space = space_of<T>(base, s, both);
  for (int64_t c = 0, k = 0; c < channels; ++c) {
    for (int64_t r = 0; r < s.r; ++r) {
      for (int64_t t = 0; t < s.s; ++t) space.offset[k++] = offset_x(l, c, r, t);
    }
  }
  for (int64_t i = 0; i < s.k * steps; ++i) w[i] = 0;
  const int64_t blocks_m = ceil_div(rows, kDotM), blocks_t = ceil_div(steps, kDotT);
  for (int64_t n = 0; n < s.n; n += chunk) {
    const int64_t images = min_of(chunk, s.n - n);
    copy_planes(space.first, x + n * s.c * s.h * s.w, images * s.c, l, l.plane);
    copy_planes(space.second, g + n * s.k * s.p * s.q, images * s.k, both.g, length);
    // Tasks are tiles of blocks whose rows of g and planes of x stay in the L2 together.
    int64_t tile_m = kNearBytes / (kDotM * images * length * int64_t{sizeof(T)});
    int64_t tile_t = kNearBytes / (images * l.plane * int64_t{sizeof(T)}) * s.r * s.s / kDotT;
    tile_m = max_of(1, min_of(tile_m, blocks_m));
    tile_t = max_of(1, min_of(tile_t, blocks_t));
    while (s.groups * ceil_div(blocks_m, tile_m) * ceil_div(blocks_t, tile_t) < 8 &&
           tile_m * tile_t > 1) {
      if (tile_m > tile_t) {
        tile_m = ceil_div(tile_m, 2);
      } else {
        tile_t = ceil_div(tile_t, 2);
      }
    }
    const int64_t tiles_m = ceil_div(blocks_m, tile_m), tiles_t = ceil_div(blocks_t, tile_t);
    const int64_t cost = images * length * kDotM * kDotT * tile_m * tile_t;
    parallel_for(
        s.groups * tiles_m * tiles_t, max_of(1, (1 << 19) / cost), [&](int64_t begin, int64_t end) {
          for (int64_t task = begin; task < end; ++task) {
            const int64_t group = task / tiles_t / tiles_m;
            const int64_t m0 = task / tiles_t % tiles_m * tile_m, n0 = task % tiles_t * tile_t;
            for (int64_t bt = n0; bt < min_of(n0 + tile_t, blocks_t); ++bt) {
              const int64_t t0 = bt * steps / blocks_t, t1 = (bt + 1) * steps / blocks_t;
              for (int64_t bm = m0; bm < min_of(m0 + tile_m, blocks_m); ++bm) {
                const int64_t i0 = bm * rows / blocks_m, i1 = (bm + 1) * rows / blocks_m;
                const int64_t row = group * rows + i0;
                dots_m<T, kDotM>(i1 - i0, t1 - t0, w + row * steps + t0, steps,
                                 space.second + row * length, s.k * length, length,
                                 space.first + group * channels * l.plane, s.c * l.plane,
                                 space.offset + t0, images, length);
              }
            }
          }
        });
  }
}

template void conv_to_weight<float>(float*, const float*, const float*, const ConvShape&, void*);
template void conv_to_weight<double>(double*, const double*, const double*, const ConvShape&,
                                     void*);
template int64_t conv_to_weight_workspace<float>(const ConvShape&);
template int64_t conv_to_weight_workspace<double>(const ConvShape&);

}  // namespace mg::MG_ISA
