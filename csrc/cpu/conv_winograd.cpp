// Winograd convolution with 3 x 3 kernels: forward and the gradient to the input, a quarter of the
// direct form's multiplications (conv_winograd.h). A block of tiles goes through its 36 products
// and back while it is in the cache.
#include "cpu/conv_winograd.h"

namespace mg::MG_ISA {
namespace {

constexpr int kPanel = 2 * kF;  // output channels
constexpr int kDepth = 128;     // channels added up at a time: longer sums are less accurate
constexpr int64_t kWeightBytes = 4 << 20;  // of the weights' points at a time: in the L3
constexpr int64_t kPointBytes = 10 << 20;  // of a chunk of tiles: in the L3 too, or
constexpr int64_t kNearPointBytes = 1
                                    << 20;  // the L2, where that means no more passes over weights
#if defined(__AVX512F__)
constexpr int kMostTiles = 14, kLeastTiles = 8;
#else
constexpr int kMostTiles = 6, kLeastTiles = 4;
#endif

// out = correlation of src with w, whose element for (output channel k, channel c, tap i) is
// w[k * w_out + c * w_in + i], or [.. + 8 - i] if it is turned about.
template <class T>
struct Work {
  Planes src;
  const T* w;
  int64_t w_out, w_in;
  bool turned;
  const T* bias;
  T* out;
  int64_t channels, height, width;  // of out
  Tiles tiles;
};

struct Blocks {
  int64_t tile;             // tiles in a panel
  int64_t rows;             // of tiles in a chunk
  int64_t panels;           // of output channels at a time
  int64_t depth;            // floats between the points of a panel of weights
  int64_t points, weights;  // floats
};

Blocks blocks_for(const Tiles& tiles, int64_t channels, int64_t outputs) {
  Blocks b;
  const int64_t item = sizeof(float), all = ceil_div(outputs, kPanel);
  b.depth = (channels | 1) * kPanel;  // odd: the points of a channel lie in different sets
  b.panels = min_of(all, max_of(1, kWeightBytes / (kPoints * b.depth * item)));
  const int64_t bytes = b.panels < all ? kPointBytes : kNearPointBytes;
  const int64_t most = bytes / (kPoints * blocks_of(channels) * kF * item * tiles.columns);
  b.rows = min_of(tiles.row_count(), max_of(1, most));
  b.rows = ceil_div(tiles.row_count(), ceil_div(tiles.row_count(), b.rows));  // even chunks
  const int64_t count = b.rows * tiles.columns;
  b.tile = max_of(kLeastTiles, ceil_div(count, ceil_div(count, kMostTiles)));
  b.points = ceil_div(count, b.tile) * point_layout(nullptr, channels, b.tile).panel;
  b.weights = b.panels * kPoints * b.depth;
  return b;
}

// ---- weights: G w G' ----

// 3 taps to 6 points.
MG_INLINE void taps_to_points(const vf& w0, const vf& w1, const vf& w2, vf (&to)[6]) {
  constexpr float kA = -2.0f / 3, kB = 1.0f / 6;
  const vf even_a = fma(w2, set1(kA / 2), w0 * kA), odd_a = w1 * (kA * kPointA);
  const vf even_b = fma(w2, set1(kB * 2), w0 * kB), odd_b = w1 * (kB * kPointB);
  to[0] = w0;
  to[1] = even_a + odd_a;
  to[2] = even_a - odd_a;
  to[3] = even_b + odd_b;
  to[4] = even_b - odd_b;
  to[5] = w2;
}

// to[panel][point][channel][output channel of panel] for the panels from `first` on.
template <class T>
void transform_weights(const Work<T>& work, const Blocks& b, int64_t first, int64_t panels,
                       float* out) {
  const int64_t channels = work.src.channels;
  parallel_for(panels * channels, 32, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t panel = i / channels, c = i % channels;
      float* const column = out + panel * kPoints * b.depth + c * kPanel;
      for (int half = 0; half < 2; ++half) {
        const int64_t k = (first + panel) * kPanel + half * kF, count = work.channels - k;
        const T* from = work.w + k * work.w_out + c * work.w_in;
        vf taps[9 + kF];
        for (int j = 0; j < 9; j += kF) {
          vf v[kF];
          for (int lane = 0; lane < kF; ++lane) {
            v[lane] =
                lane < count ? load_partial(from + lane * work.w_out + j, min_of(kF, 9 - j)) : vf{};
          }
          turn(v);
          for (int lane = 0; lane < kF; ++lane) taps[j + lane] = v[lane];
        }
        if (work.turned) {
          for (int j = 0; j < 4; ++j) {
            const vf other = taps[j];
            taps[j] = taps[8 - j];
            taps[8 - j] = other;
          }
        }
        vf rows[3][6], points[6];
        for (int t = 0; t < 3; ++t) taps_to_points(taps[t], taps[3 + t], taps[6 + t], rows[t]);
        float* const to = column + half * kF;
        for (int e = 0; e < 6; ++e) {
          taps_to_points(rows[0][e], rows[1][e], rows[2][e], points);
          for (int f = 0; f < 6; ++f) store(to + (e * 6 + f) * b.depth, points[f]);
        }
      }
    }
  });
}

// ---- products ----

// m[tile][output channel] (+)= sum over channels of a[channel / kF][tile][channel % kF] *
// b[channel][..]
template <int kTiles>
void product(const float* a, const float* MG_RESTRICT b, int64_t channels, bool add, float* m) {
  vf acc[kTiles][2] = {};
  for (int64_t c0 = 0; c0 < channels; c0 += kF, a += kTiles * kF) {
    const int64_t n = min_of(kF, channels - c0);
    for (int64_t c = 0; c < n; ++c, b += kPanel) {
      const vf b0 = load(b), b1 = load(b + kF);
#pragma GCC unroll 16
      for (int i = 0; i < kTiles; ++i) {
        const vf x = set1(a[i * kF + c]);
        acc[i][0] = fma(x, b0, acc[i][0]);
        acc[i][1] = fma(x, b1, acc[i][1]);
      }
    }
  }
  if (add) {
#pragma GCC unroll 16
    for (int i = 0; i < kTiles; ++i) {
      acc[i][0] = acc[i][0] + load(m + i * kPanel);
      acc[i][1] = acc[i][1] + load(m + i * kPanel + kF);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kTiles; ++i) {
    store(m + i * kPanel, acc[i][0]);
    store(m + i * kPanel + kF, acc[i][1]);
  }
}

using ProductRun = void (*)(const float*, const float*, int64_t, bool, float*);

template <int kTiles>
ProductRun product_of(int64_t tile) {
  if constexpr (kTiles > kLeastTiles) {
    if (tile < kTiles) return product_of<kTiles - 1>(tile);
  }
  return product<kTiles>;
}

// ---- outputs: A' m A ----

MG_INLINE void points_to_outputs(const vf (&m)[6], vf (&y)[4]) {
  const vf even_a = m[1] + m[2], odd_a = (m[1] - m[2]) * kPointA;
  const vf even_b = m[3] + m[4], odd_b = (m[3] - m[4]) * kPointB;
  y[0] = m[0] + even_a + even_b;
  y[1] = odd_a + odd_b;
  y[2] = fma(even_a, set1(0.5f), even_b * 2.0f);
  y[3] = fma(odd_a, set1(0.5f), fma(odd_b, set1(2.0f), m[5]));
}

constexpr int kGroup = 4;           // neighbouring tiles that are written together:
constexpr int kGroupRow = 16 * kF;  // rows of 16 outputs, for kF channels

// to[row][output of row][channel] = the 4 x 4 outputs of a tile.
MG_INLINE void tile_outputs(const float* m, int64_t point, vf bias, float* to) {
  vf z[6][4];
  for (int f = 0; f < 6; ++f) {
    vf column[6];
    for (int e = 0; e < 6; ++e) column[e] = load(m + (e * 6 + f) * point);
    points_to_outputs(column, z[f]);
  }
  for (int r = 0; r < 4; ++r) {
    const vf row[6] = {z[0][r], z[1][r], z[2][r], z[3][r], z[4][r], z[5][r]};
    vf y[4];
    points_to_outputs(row, y);
    for (int i = 0; i < 4; ++i) store(to + r * kGroupRow + i * kF, y[i] + bias);
  }
}

// Writes rows x columns outputs of `count` channels, `plane` apart.
template <class T>
MG_INLINE void write_group(T* out, int64_t row, int64_t plane, const float* from, int64_t count,
                           int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < columns; j += kF) {
      const int64_t n = min_of(kF, columns - j);
      vf v[kF];
      for (int i = 0; i < kF; ++i) v[i] = load(from + r * kGroupRow + (j + i) * kF);
      turn(v);
      T* to = out + r * row + j;
      if (count == kF && n == kF) {
        for (int i = 0; i < kF; ++i) store(to + i * plane, v[i]);
      } else {
        for (int64_t i = 0; i < count; ++i) store_partial(to + i * plane, v[i], n);
      }
    }
  }
}

// A panel of tiles, from `first` of all on, by a panel of output channels.
template <class T>
void finish_tiles(const Work<T>& w, const float* m, int64_t tile, int64_t first, int64_t count,
                  int64_t channel) {
  alignas(64) float buffer[4 * kGroupRow] = {};
  const int64_t plane = w.height * w.width;
  for (int64_t i = 0; i < count;) {
    const int64_t t = first + i, row = t / w.tiles.columns, image = row / w.tiles.rows;
    const int64_t x = t % w.tiles.columns, y = row % w.tiles.rows;
    const int64_t group = min_of(kGroup, min_of(count - i, w.tiles.columns - x));
    for (int half = 0; half < 2; ++half) {
      const int64_t k = channel + half * kF, n = min_of(kF, w.channels - k);
      if (n <= 0) break;
      const vf bias = w.bias ? load_partial(w.bias + k, n) : vf{};
      for (int64_t j = 0; j < group; ++j) {
        tile_outputs(m + (i + j) * kPanel + half * kF, tile * kPanel, bias, buffer + j * 4 * kF);
      }
      write_group(w.out + (image * w.channels + k) * plane + y * 4 * w.width + x * 4, w.width,
                  plane, buffer, n, min_of(4, w.height - y * 4),
                  min_of(group * 4, w.width - x * 4));
    }
    i += group;
  }
}

template <class T>
void run(const Work<T>& w, void* base) {
  const Blocks b = blocks_for(w.tiles, w.src.channels, w.channels);
  float* const points = static_cast<float*>(base);
  float* const weights = points + b.points;
  const PointLayout l = point_layout(points, w.src.channels, b.tile);
  const ProductRun multiply = product_of<kMostTiles>(b.tile);
  const int64_t all = ceil_div(w.channels, kPanel);
  for (int64_t row = 0; row < w.tiles.row_count(); row += b.rows) {
    const int64_t rows = min_of(b.rows, w.tiles.row_count() - row);
    const int64_t count = rows * w.tiles.columns, tile_panels = ceil_div(count, b.tile);
    planes_to_points<false>(w.src, w.tiles, row, rows, l);
    for (int64_t first = 0; first < all; first += b.panels) {
      const int64_t panels = min_of(b.panels, all - first);
      if (row == 0 || b.panels < all) transform_weights(w, b, first, panels, weights);
      parallel_for(panels * tile_panels, 1, [&](int64_t begin, int64_t end) {
        alignas(64) float m[kPoints * kMostTiles * kPanel];
        for (int64_t task = begin; task < end; ++task) {
          const int64_t panel = task / tile_panels, t = task % tile_panels * b.tile;
          const float* a = points + t / b.tile * l.panel;
          const float* u = weights + panel * kPoints * b.depth;
          for (int e = 0; e < kPoints; ++e) {
            for (int64_t c = 0; c < w.src.channels; c += kDepth) {
              multiply(a + e * l.point + c * b.tile, u + e * b.depth + c * kPanel,
                       min_of(kDepth, w.src.channels - c), c > 0, m + e * b.tile * kPanel);
            }
          }
          finish_tiles(w, m, b.tile, row * w.tiles.columns + t, min_of(b.tile, count - t),
                       (first + panel) * kPanel);
        }
      });
    }
  }
}

Tiles tiles_of(int64_t images, int64_t height, int64_t width) {
  return {images, ceil_div(height, 4), ceil_div(width, 4)};
}

int64_t workspace(const Tiles& tiles, int64_t channels, int64_t outputs) {
  const Blocks b = blocks_for(tiles, channels, outputs);
  return (b.points + b.weights) * int64_t{sizeof(float)};
}

}  // namespace

bool winograd_forward_pays(const ConvShape& s) {
  return winograd_pays(s, s.c, round_up(s.k, kPanel), s.p, s.q);
}
bool winograd_to_input_pays(const ConvShape& s) {
  return winograd_pays(s, s.k, round_up(s.c, kPanel), s.h, s.w);
}

int64_t winograd_forward_workspace(const ConvShape& s) {
  return workspace(tiles_of(s.n, s.p, s.q), s.c, s.k);
}
int64_t winograd_to_input_workspace(const ConvShape& s) {
  return workspace(tiles_of(s.n, s.h, s.w), s.k, s.c);
}

template <class T>
void winograd_forward(T* g, const T* x, const T* w, const T* bias, const ConvShape& s, void* base) {
  run<T>({{x, sizeof(T) == 2, s.c, s.h, s.w, s.pad_h, s.pad_w},
          w,
          s.c * 9,
          9,
          false,
          bias,
          g,
          s.k,
          s.p,
          s.q,
          tiles_of(s.n, s.p, s.q)},
         base);
}

template <class T>
void winograd_to_input(T* x, const T* g, const T* w, const T* bias, const ConvShape& s,
                       void* base) {
  run<T>({{g, sizeof(T) == 2, s.k, s.p, s.q, 2 - s.pad_h, 2 - s.pad_w},
          w,
          9,
          s.c * 9,
          true,
          bias,
          x,
          s.c,
          s.h,
          s.w,
          tiles_of(s.n, s.h, s.w)},
         base);
}

#define MG_WINOGRAD(T)                                                                       \
  template void winograd_forward(T*, const T*, const T*, const T*, const ConvShape&, void*); \
  template void winograd_to_input(T*, const T*, const T*, const T*, const ConvShape&, void*);
MG_WINOGRAD(float)
MG_WINOGRAD(bfloat16)

}  // namespace mg::MG_ISA
