// Distances of all pairs of rows. A tile of rows is turned, so that a vector holds one coordinate
// of as many rows: no sums across lanes, and short rows fill the vectors as well as long ones.
#include "kernels/distance.h"

#include "cpu/gemm_pack.h"
#include "cpu/vmath_pow.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kDepth = 64;         // coordinates of a tile; partial sums run over as many
constexpr int64_t kOthers = 64;        // rows that meet a tile of rows before the next coordinates
constexpr int64_t kChunkWork = 16384;  // differences that a chunk takes at least

// One copy for every place: unrolled, it would be most of the code.
template <class V>
__attribute__((noinline)) static V power(V x, V y) {
  return pow(x, y);
}

// The same for the turning of a tile.
template <int kWide, class T>
__attribute__((noinline)) static void pack_tile(T* tile, const T* rows, int64_t d, int64_t width,
                                                int64_t depth) {
  pack_turned<kWide>(tile, rows, d, width, depth);
}

template <class V>
MG_INLINE V absolute(V x) {
  return abs(x);
}

// How the norms are made: `add` takes a difference in, `join` a part's sum, `finish` the sum.
struct Count {
  template <class V>
  MG_INLINE V add(V sum, V d, V) {
    return sum + (d != V{} ? V{} + 1 : V{});
  }
  template <class V>
  MG_INLINE V join(V a, V b) {
    return a + b;
  }
  template <class V>
  MG_INLINE V finish(V sum, V) {
    return sum;
  }
};
struct City : Count {
  template <class V>
  MG_INLINE V add(V sum, V d, V) {
    return sum + absolute(d);
  }
};
struct Euclid : Count {
  template <class V>
  MG_INLINE V add(V sum, V d, V) {
    return fma(d, d, sum);
  }
  template <class V>
  MG_INLINE V finish(V sum, V) {
    return sqrt(sum);
  }
};
struct Largest {
  template <class V>
  MG_INLINE V join(V a, V b) {
    return b > a ? b : b != b ? b : a;  // NaN stays
  }
  template <class V>
  MG_INLINE V add(V top, V d, V) {
    return join(top, absolute(d));
  }
  template <class V>
  MG_INLINE V finish(V top, V) {
    return top;
  }
};
struct Power : Count {
  template <class V>
  MG_INLINE V add(V sum, V d, V p) {
    return sum + power<V>(absolute(d), p);
  }
  template <class V>
  MG_INLINE V finish(V sum, V p) {
    return power<V>(sum, 1 / p);
  }
};

// kRows rows of a against a turned tile (depth, 2 vectors) of `width` rows of b.
template <class Norm, int kRows, class T>
MG_INLINE void distances_tile(T* out, int64_t m, const T* a, int64_t d, const T* tile,
                              int64_t depth, int64_t width, T p, bool first, bool last) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  const V power_of = set1(p);
  V sum[kRows][2] = {};
  for (int64_t k = 0; k < depth; ++k) {
    const V b0 = load(tile + k * 2 * L), b1 = load(tile + k * 2 * L + L);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const V x = set1(a[r * d + k]);
      sum[r][0] = Norm::add(sum[r][0], x - b0, power_of);
      sum[r][1] = Norm::add(sum[r][1], x - b1, power_of);
    }
  }
  alignas(64) T sums[kRows * 2 * L];  // in memory, so that what follows is not unrolled
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    store(sums + r * 2 * L, sum[r][0]);
    store(sums + r * 2 * L + L, sum[r][1]);
  }
#pragma GCC unroll 1
  for (int q = 0; q < 2 * kRows; ++q) {
    const int64_t n = min_of(L, width - q % 2 * L);
    if (n <= 0) continue;
    T* at = out + q / 2 * m + q % 2 * L;
    V s = load(sums + q * L);
    if (!first) s = Norm::join(load_partial(at, n), s);
    store_partial(at, last ? Norm::finish(s, power_of) : s, n);
  }
}

template <class Norm, class T>
static void distances_of(T* out, const T* a, const T* b, const RowPairs& s) {
  constexpr int L = Vec<T>::lanes, W = 2 * L;
  constexpr int kRows = 4;
  const int64_t blocks = ceil_div(s.m, W), d = s.d;
  const T p = static_cast<T>(s.p);
  parallel_for(s.batch * blocks, 1 + kChunkWork / (1 + s.n * d * W),
               [&](int64_t begin, int64_t end) {
                 alignas(64) T tile[kDepth * W];
                 for (int64_t q = begin; q < end; ++q) {
                   const int64_t batch = q / blocks, j = q % blocks * W, width = min_of(W, s.m - j);
                   const T* rows = a + batch * s.n * d;
                   const T* others = b + (batch * s.m + j) * d;
                   T* result = out + batch * s.n * s.m + j;
                   for (int64_t k = 0; k < max_of(d, 1); k += kDepth) {
                     const int64_t depth = min_of(kDepth, d - k);
                     const bool first = k == 0, last = k + kDepth >= d;
                     pack_tile<W>(tile, others + k, d, width, depth);
                     int64_t i = 0;
                     for (; i + kRows <= s.n; i += kRows) {
                       distances_tile<Norm, kRows>(result + i * s.m, s.m, rows + i * d + k, d, tile,
                                                   depth, width, p, first, last);
                     }
                     for (; i < s.n; ++i) {
                       distances_tile<Norm, 1>(result + i * s.m, s.m, rows + i * d + k, d, tile,
                                               depth, width, p, first, last);
                     }
                   }
                 }
               });
}

template <class T>
static void distances(T* out, const T* a, const T* b, const RowPairs& s) {
  if (s.p == 0) return distances_of<Count>(out, a, b, s);
  if (s.p == 1) return distances_of<City>(out, a, b, s);
  if (s.p == 2) return distances_of<Euclid>(out, a, b, s);
  if (s.p == __builtin_inf()) return distances_of<Largest>(out, a, b, s);
  distances_of<Power>(out, a, b, s);
}

// The slopes: `weight` of a pair (with `scale` for what `slope` needs besides), and the slope by a
// difference d, times the weight.
struct CitySlope {
  template <class T>
  MG_INLINE T weight(T grad, T) {
    return grad;
  }
  template <class T>
  MG_INLINE T scale(T) {
    return 0;
  }
  template <class V>
  MG_INLINE V slope(V d, V weight, V, V) {
    return d > V{} ? weight : d < V{} ? -weight : V{};
  }
};
struct EuclidSlope : CitySlope {
  template <class T>
  MG_INLINE T weight(T grad, T distance) {
    return distance == 0 ? 0 : grad / distance;
  }
  template <class V>
  MG_INLINE V slope(V d, V weight, V, V) {
    return d * weight;
  }
};
struct LargestSlope : CitySlope {
  template <class T>
  MG_INLINE T scale(T distance) {
    return distance;
  }
  template <class V>
  MG_INLINE V slope(V d, V weight, V distance, V) {
    return d == distance ? (d > V{} ? weight : V{}) : d == -distance ? -weight : V{};
  }
};
struct PowerSlope : CitySlope {  // the scale is 1 / distance
  template <class T>
  MG_INLINE T weight(T grad, T distance) {
    return distance == 0 ? 0 : grad;
  }
  template <class T>
  MG_INLINE T scale(T distance) {
    return distance == 0 ? 0 : 1 / distance;
  }
  template <class V>
  MG_INLINE V slope(V d, V weight, V inverse, V less) {
    const V y = power<V>(absolute(d) * inverse, less) * weight;
    return d > V{} ? y : d < V{} ? -y : V{};
  }
};

// kDeep coordinates of a turned tile of rows against `count` rows of b.
template <class Slope, int kDeep, class T>
MG_INLINE void gradient_tile(T* sums, const T* tile, const T* b, int64_t d, const T* weights,
                             const T* scales, int64_t count, T less) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  const V exponent = set1(less);
  V x[kDeep], sum[kDeep];
  for (int k = 0; k < kDeep; ++k) {
    x[k] = load(tile + k * L);
    sum[k] = load(sums + k * L);
  }
  for (int64_t j = 0; j < count; ++j) {
    const V weight = load(weights + j * L), scale = load(scales + j * L);
#pragma GCC unroll 4
    for (int k = 0; k < kDeep; ++k) {
      sum[k] = sum[k] + Slope::slope(x[k] - set1(b[j * d + k]), weight, scale, exponent);
    }
  }
  for (int k = 0; k < kDeep; ++k) store(sums + k * L, sum[k]);
}

template <class Slope, class T>
static void gradient_of(T* out, const T* a, const T* b, const T* grad, const T* distance,
                        bool turned, const RowPairs& s) {
  constexpr int L = Vec<T>::lanes;
  constexpr int kDeep = 4;
  const int64_t blocks = ceil_div(s.n, L), d = s.d;
  const int64_t line = turned ? 1 : s.m, step = turned ? s.n : 1;
  const T less = static_cast<T>(s.p - 1);
  parallel_for(
      s.batch * blocks, 1 + kChunkWork / (1 + s.m * d * L), [&](int64_t begin, int64_t end) {
        alignas(64) T tile[kDepth * L], sums[kDepth * L], weights[kOthers * L], scales[kOthers * L];
        for (int64_t q = begin; q < end; ++q) {
          const int64_t batch = q / blocks, i = q % blocks * L, width = min_of(L, s.n - i);
          const T* rows = a + (batch * s.n + i) * d;
          const T* others = b + batch * s.m * d;
          const int64_t pairs = batch * s.n * s.m + i * line;
          for (int64_t k0 = 0; k0 < d; k0 += kDepth) {
            const int64_t depth = min_of(kDepth, d - k0);
            pack_tile<L>(tile, rows + k0, d, width, depth);
            for (int64_t e = 0; e < depth * L; ++e) sums[e] = 0;
            for (int64_t j0 = 0; j0 < s.m; j0 += kOthers) {
              const int64_t count = min_of(kOthers, s.m - j0);
              for (int64_t j = 0; j < count; ++j) {
                for (int64_t l = 0; l < L; ++l) {
                  const int64_t pair = pairs + (j0 + j) * step + min_of(l, width - 1) * line;
                  weights[j * L + l] = Slope::weight(grad[pair], distance[pair]);
                  scales[j * L + l] = Slope::scale(distance[pair]);
                }
              }
              const T* other = others + j0 * d + k0;
              int64_t k = 0;
              for (; k + kDeep <= depth; k += kDeep) {
                gradient_tile<Slope, kDeep>(sums + k * L, tile + k * L, other + k, d, weights,
                                            scales, count, less);
              }
              for (; k < depth; ++k) {
                gradient_tile<Slope, 1>(sums + k * L, tile + k * L, other + k, d, weights, scales,
                                        count, less);
              }
            }
            T* result = out + (batch * s.n + i) * d + k0;
            for (int64_t l = 0; l < width; ++l) {
              for (int64_t k = 0; k < depth; ++k) result[l * d + k] = sums[k * L + l];
            }
          }
        }
      });
}

template <class T>
static void gradient(T* out, const T* a, const T* b, const T* grad, const T* distance, bool turned,
                     const RowPairs& s) {
  if (s.p == 1) return gradient_of<CitySlope>(out, a, b, grad, distance, turned, s);
  if (s.p == 2) return gradient_of<EuclidSlope>(out, a, b, grad, distance, turned, s);
  if (s.p == __builtin_inf()) {
    return gradient_of<LargestSlope>(out, a, b, grad, distance, turned, s);
  }
  gradient_of<PowerSlope>(out, a, b, grad, distance, turned, s);
}

template <class T>
MG_INLINE T square_of(const T* x, int64_t n) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  V sum = V{};
  for (int64_t k = 0; k < n; k += L) {
    const V v = load_partial(x + k, min_of(L, n - k));
    sum = fma(v, v, sum);
  }
  return hsum(sum);
}

template <class T>
static void euclidean_finish(T* products, const T* a, const T* b, T* work, const RowPairs& s) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  const int64_t grain = 1 + kChunkWork / (1 + s.d);
  T* rows = work;
  T* columns = work + s.batch * s.n;
  parallel_for(s.batch * s.n, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) rows[i] = square_of(a + i * s.d, s.d);
  });
  parallel_for(s.batch * s.m, grain, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) columns[j] = square_of(b + j * s.d, s.d);
  });
  parallel_for(s.batch * s.n, 1 + kChunkWork / (1 + s.m), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const V row = set1(rows[i]);
      const T* squares = columns + i / s.n * s.m;
      T* line = products + i * s.m;
      for (int64_t j = 0; j < s.m; j += L) {
        const int64_t n = min_of(L, s.m - j);
        const V product = load_partial(line + j, n);
        const V square = row + load_partial(squares + j, n) - (product + product);
        store_partial(line + j, sqrt(max(V{}, square)), n);
      }
    }
  });
}

template <class T>
static void euclidean_weights(T* out, const T* grad, const T* distance, int64_t count) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  parallel_for(count, kChunkWork, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += L) {
      const int64_t n = min_of(L, end - i);
      const V d = load_partial(distance + i, n);
      store_partial(out + i, d == V{} ? V{} : load_partial(grad + i, n) / d, n);
    }
  });
}

}  // namespace

extern const DistanceKernels kDistance = {
    {distances<float>, gradient<float>, euclidean_finish<float>, euclidean_weights<float>},
    {distances<double>, gradient<double>, euclidean_finish<double>, euclidean_weights<double>}};

}  // namespace mg::MG_ISA
