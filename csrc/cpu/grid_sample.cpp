// Planes read at given points. The places and weights of a block of points are worked out once, in
// loops that the compiler makes vectors of, and serve all the channels.
#include "kernels/grid_sample.h"

#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kBlock = 64;          // points worked out together
constexpr int64_t kGrain = 8192;        // elements read in a chunk
constexpr int64_t kPlanesAtLeast = 16;  // planes that share the places of a block in `planes`

// Of a block of points: the places of the four neighbours (-1: outside), how far the point is from
// the first one, and the slopes of the coordinates in the plane.
template <class T>
struct Block {
  int32_t at[4][kBlock];
  T right[kBlock], down[kBlock], slope_x[kBlock], slope_y[kBlock];
};

MG_INLINE float floor_of(float v) { return __builtin_floorf(v); }
MG_INLINE double floor_of(double v) { return __builtin_floor(v); }
MG_INLINE float rounded(float v) { return __builtin_rintf(v); }
MG_INLINE double rounded(double v) { return __builtin_rint(v); }

// Coordinates along one axis of `size` elements, and their slopes.
template <class T>
MG_INLINE void along_axis(T* MG_RESTRICT to, T* MG_RESTRICT slope, const T* MG_RESTRICT grid,
                          int64_t count, int64_t size, const SampleShape& s) {
  const T last = static_cast<T>(size - 1), length = static_cast<T>(size);
  const T scale = (s.align ? last : length) / 2;
  for (int64_t i = 0; i < count; ++i) {
    const T g = grid[2 * i] + 1;
    to[i] = s.align ? g * scale : (g * length - 1) / 2;
    slope[i] = scale;
  }
  if (s.padding == SamplePadding::kZeros) return;
  if (s.padding == SamplePadding::kReflection) {
    const T low = s.align ? T{0} : T{-0.5}, span = s.align ? last : length;
    if (span <= 0) {  // one element, between mirrors without a distance
      for (int64_t i = 0; i < count; ++i) to[i] = slope[i] = 0;
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      const T from = to[i] - low, distance = from < 0 ? -from : from, twice = 2 * span;
      const T rest = distance - floor_of(distance / twice) * twice;
      const bool back = rest > span;
      to[i] = (back ? twice - rest : rest) + low;
      slope[i] = (from < 0) != back ? -scale : scale;
    }
  }
  for (int64_t i = 0; i < count; ++i) {
    const T v = to[i];
    slope[i] = (v > 0) & (v < last) ? slope[i] : 0;
    const T above = v > 0 ? v : 0;  // NaN too
    to[i] = above < last ? above : last;
  }
}

// A whole coordinate as an index from -2 to size: neither it nor the next one is inside there.
template <class T>
MG_INLINE int32_t held(T v, T size) {
  const T above = v > -2 ? v : -2;
  return static_cast<int32_t>(above < size ? above : size);
}

template <class T>
void place(Block<T>* b, const T* grid, int64_t count, const SampleShape& s) {
  T x[kBlock], y[kBlock];
  along_axis(x, b->slope_x, grid, count, s.w, s);
  along_axis(y, b->slope_y, grid + 1, count, s.h, s);
  const int32_t w = static_cast<int32_t>(s.w), h = static_cast<int32_t>(s.h);
  const T width = static_cast<T>(s.w), height = static_cast<T>(s.h);
  if (s.nearest) {
    for (int64_t i = 0; i < count; ++i) {
      const int32_t c = held(rounded(x[i]), width), r = held(rounded(y[i]), height);
      b->at[0][i] = (c >= 0) & (c < w) & (r >= 0) & (r < h) ? r * w + c : -1;
    }
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    const T left = floor_of(x[i]), top = floor_of(y[i]);
    b->right[i] = x[i] - left;
    b->down[i] = y[i] - top;
    const int32_t c = held(left, width), r = held(top, height), first = r * w + c;
    const bool c0 = (c >= 0) & (c < w), c1 = (c >= -1) & (c < w - 1), r0 = (r >= 0) & (r < h),
               r1 = (r >= -1) & (r < h - 1);
    b->at[0][i] = c0 & r0 ? first : -1;
    b->at[1][i] = c1 & r0 ? first + 1 : -1;
    b->at[2][i] = c0 & r1 ? first + w : -1;
    b->at[3][i] = c1 & r1 ? first + w + 1 : -1;
  }
}

// The element at a place, 0 outside.
template <class T>
MG_INLINE T element(const T* plane, int32_t at) {
  const T v = plane[at < 0 ? 0 : at];
  return at < 0 ? T{0} : v;
}

template <class T>
MG_INLINE void weights(T* MG_RESTRICT weight, const Block<T>& b, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const T right = b.right[i], down = b.down[i], left = 1 - right, up = 1 - down;
    weight[i] = left * up;
    weight[kBlock + i] = right * up;
    weight[2 * kBlock + i] = left * down;
    weight[3 * kBlock + i] = right * down;
  }
}

template <class T>
void sample(T* out, const T* x, const T* grid, const SampleShape& s) {
  const int64_t blocks = ceil_div(s.points, kBlock), plane = s.h * s.w;
  const int64_t grain = 1 + kGrain / (4 * kBlock * (s.c + 4));
  parallel_for(s.n * blocks, grain, [&](int64_t begin, int64_t end) {
    Block<T> b;
    T weight[4 * kBlock], read[kBlock];
    for (int64_t k = begin; k < end; ++k) {
      const int64_t n = k / blocks, first = k % blocks * kBlock;
      const int64_t count = min_of(kBlock, s.points - first);
      place(&b, grid + (n * s.points + first) * 2, count, s);
      if (!s.nearest) weights(weight, b, count);
      for (int64_t c = 0; c < s.c; ++c) {
        const T* MG_RESTRICT from = x + (n * s.c + c) * plane;
        if (s.nearest) {
          for (int64_t i = 0; i < count; ++i) read[i] = element(from, b.at[0][i]);
        } else {
          for (int64_t i = 0; i < count; ++i) {
            read[i] = element(from, b.at[0][i]) * weight[i] +
                      element(from, b.at[1][i]) * weight[kBlock + i] +
                      element(from, b.at[2][i]) * weight[2 * kBlock + i] +
                      element(from, b.at[3][i]) * weight[3 * kBlock + i];
          }
        }
        // Not into `out` at once: the compiler makes gathers only where nothing can overlap.
        memcpy(out + (n * s.c + c) * s.points + first, read,
               static_cast<size_t>(count) * sizeof(T));
      }
    }
  });
}

// Adds a block's gradients, times the weights of the neighbours, to a plane.
template <class T>
MG_INLINE void scatter(T* plane, const T* MG_RESTRICT g, const Block<T>& b,
                       const T* MG_RESTRICT weight, int64_t count, bool nearest) {
  for (int64_t i = 0; i < count; ++i) {
    if (nearest) {
      if (b.at[0][i] >= 0) plane[b.at[0][i]] += g[i];
      continue;
    }
    for (int k = 0; k < 4; ++k) {
      if (b.at[k][i] >= 0) plane[b.at[k][i]] += g[i] * weight[k * kBlock + i];
    }
  }
}

template <class T>
void planes(T* dx, const T* g, const T* grid, const SampleShape& s) {
  const int64_t plane = s.h * s.w;
  const int64_t grain = max_of(kPlanesAtLeast, kGrain / (1 + s.points + plane));
  parallel_for(s.n * s.c, grain, [&](int64_t begin, int64_t end) {
    Block<T> b;
    T weight[4 * kBlock];
    memset(dx + begin * plane, 0, static_cast<size_t>((end - begin) * plane) * sizeof(T));
    for (int64_t from = begin; from < end;) {  // the planes of one image at a time
      const int64_t n = from / s.c, to = min_of(end, (n + 1) * s.c);
      for (int64_t first = 0; first < s.points; first += kBlock) {
        const int64_t count = min_of(kBlock, s.points - first);
        place(&b, grid + (n * s.points + first) * 2, count, s);
        if (!s.nearest) weights(weight, b, count);
        for (int64_t p = from; p < to; ++p) {
          scatter(dx + p * plane, g + p * s.points + first, b, weight, count, s.nearest);
        }
      }
      from = to;
    }
  });
}

template <class T>
void points_grad(T* dgrid, const T* g, const T* x, const T* grid, const SampleShape& s) {
  if (s.nearest) {
    memset(dgrid, 0, static_cast<size_t>(s.n * s.points * 2) * sizeof(T));
    return;
  }
  const int64_t blocks = ceil_div(s.points, kBlock), plane = s.h * s.w;
  const int64_t grain = 1 + kGrain / (4 * kBlock * (s.c + 4));
  parallel_for(s.n * blocks, grain, [&](int64_t begin, int64_t end) {
    Block<T> b;
    for (int64_t k = begin; k < end; ++k) {
      const int64_t n = k / blocks, first = k % blocks * kBlock;
      const int64_t count = min_of(kBlock, s.points - first);
      place(&b, grid + (n * s.points + first) * 2, count, s);
      T dx[kBlock] = {}, dy[kBlock] = {};
      for (int64_t c = 0; c < s.c; ++c) {
        const T* MG_RESTRICT from = x + (n * s.c + c) * plane;
        const T* MG_RESTRICT by = g + (n * s.c + c) * s.points + first;
        for (int64_t i = 0; i < count; ++i) {
          const T v0 = element(from, b.at[0][i]), v1 = element(from, b.at[1][i]);
          const T v2 = element(from, b.at[2][i]), v3 = element(from, b.at[3][i]);
          const T right = b.right[i], down = b.down[i];
          dx[i] += by[i] * ((v1 - v0) * (1 - down) + (v3 - v2) * down);
          dy[i] += by[i] * ((v2 - v0) * (1 - right) + (v3 - v1) * right);
        }
      }
      T* to = dgrid + (n * s.points + first) * 2;
      for (int64_t i = 0; i < count; ++i) {
        to[2 * i] = dx[i] * b.slope_x[i];
        to[2 * i + 1] = dy[i] * b.slope_y[i];
      }
    }
  });
}

}  // namespace

extern const GridSampleKernels kGridSample = {
    {sample<float>, planes<float>, points_grad<float>},
    {sample<double>, planes<double>, points_grad<double>},
};

}  // namespace mg::MG_ISA
