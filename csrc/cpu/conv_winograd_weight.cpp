// Winograd convolution with 3 x 3 kernels: the gradient to the weight. Inputs and gradients of
// tiles go to points (conv_winograd.h), each point's sums over tiles are a matrix product, and what
// they make goes back to taps: dw = G' [sum over tiles of (B' x B) * (A g A')] G.
#include "cpu/conv_winograd.h"

namespace mg::MG_ISA {
namespace {

constexpr int kPanel = 2 * kF;            // output channels
constexpr int kRows = kF > 8 ? 8 : 4;     // input channels at a time in registers
constexpr int64_t kPointBytes = 8 << 20;  // of a chunk of tiles: they stay in the L3
constexpr int64_t kMostTiles = 256;       // in a chunk
constexpr int64_t kSums = kF * kPanel;    // of a point of kF input channels by a panel
constexpr int kParts = 4;                 // of the points, where a task does not end with taps

struct Work {
  Tiles tiles;
  int64_t rows;  // of tiles in a chunk
  PointLayout x, g;
  float* sums;  // [panel][block of channels][point][channel][output channel]
  int64_t blocks, panels;
  int64_t bytes;
};

Work work_of(const ConvShape& s, void* base) {
  Work w;
  w.tiles = {s.n, ceil_div(s.p, 4), ceil_div(s.q, 4)};
  w.blocks = blocks_of(s.c), w.panels = ceil_div(s.k, kPanel);
  const int64_t row = kPoints * (w.blocks + blocks_of(s.k)) * kF * 4 * w.tiles.columns;
  const int64_t all = w.tiles.row_count();
  const int64_t most = max_of(1, min_of(kPointBytes / row, kMostTiles / w.tiles.columns));
  w.rows = ceil_div(all, ceil_div(all, most));  // even chunks
  const int64_t tile = w.rows * w.tiles.columns;
  w.x = point_layout(static_cast<float*>(base), s.c, tile);
  w.g = point_layout(w.x.data + w.x.panel, s.k, tile);
  w.sums = w.g.data + w.g.panel;
  const int64_t sums = w.rows < all ? w.panels * w.blocks * kPoints * kSums : 0;
  w.bytes = (w.x.panel + w.g.panel + sums) * int64_t{sizeof(float)};
  return w;
}

// sums[channel][output channel] (+)= sum over tiles of x[tile][channel] * (g0, g1)[tile][..]
void product(const float* x, const float* g0, const float* g1, int64_t tiles, bool add,
             float* sums) {
  for (int first = 0; first < kF; first += kRows, x += kRows, sums += kRows * kPanel) {
    vf acc[kRows][2] = {};
    for (int64_t t = 0; t < tiles; ++t) {
      const vf b0 = load(g0 + t * kF), b1 = load(g1 + t * kF);
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const vf value = set1(x[t * kF + i]);
        acc[i][0] = fma(value, b0, acc[i][0]);
        acc[i][1] = fma(value, b1, acc[i][1]);
      }
    }
    if (add) {
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        acc[i][0] = acc[i][0] + load(sums + i * kPanel);
        acc[i][1] = acc[i][1] + load(sums + i * kPanel + kF);
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      store(sums + i * kPanel, acc[i][0]);
      store(sums + i * kPanel + kF, acc[i][1]);
    }
  }
}

// Points [e0, e1) of a block of channels by a panel of output channels.
void add_points(const Work& w, int64_t panel, int64_t block, int64_t count, int e0, int e1,
                bool add, float* sums) {
  const int64_t tile = w.x.tile, last = (w.g.point / kF - 1) / tile - 1;  // block of g
  for (int e = e0; e < e1; ++e) {
    const float* g = w.g.data + e * w.g.point;
    product(w.x.data + e * w.x.point + block * tile * kF, g + panel * 2 * tile * kF,
            g + min_of(panel * 2 + 1, last) * tile * kF, count, add, sums + e * kSums);
  }
}

// G': 6 points to 3 taps.
MG_INLINE void points_to_taps(const vf (&m)[6], vf (&w)[3]) {
  constexpr float kA = -2.0f / 3, kB = 1.0f / 6;
  const vf even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
  w[0] = fma(even_a, set1(kA), fma(even_b, set1(kB), m[0]));
  w[1] = fma(odd_a, set1(kA * kPointA), odd_b * (kB * kPointB));
  w[2] = fma(even_a, set1(kA / 2), fma(even_b, set1(kB * 2), m[5]));
}

// The taps of a block of channels and a panel of output channels.
template <class T>
void write_taps(T* out, const ConvShape& s, int64_t panel, int64_t block, const float* sums) {
  for (int64_t c = block * kF; c < min_of(s.c, (block + 1) * kF); ++c, sums += kPanel) {
    for (int half = 0; half < 2; ++half) {
      const int64_t k = panel * kPanel + half * kF, count = min_of(kF, s.k - k);
      vf rows[6][3], taps[9 + kF] = {};
      for (int e = 0; e < 6; ++e) {
        vf points[6];
        for (int f = 0; f < 6; ++f) points[f] = load(sums + (e * 6 + f) * kSums + half * kF);
        points_to_taps(points, rows[e]);
      }
      for (int t = 0; t < 3; ++t) {
        const vf column[6] = {rows[0][t], rows[1][t], rows[2][t],
                              rows[3][t], rows[4][t], rows[5][t]};
        vf tap[3];
        points_to_taps(column, tap);
        for (int r = 0; r < 3; ++r) taps[r * 3 + t] = tap[r];
      }
      for (int j = 0; j < 9; j += kF) {
        vf v[kF];
        for (int i = 0; i < kF; ++i) v[i] = taps[j + i];
        turn(v);
        for (int64_t i = 0; i < count; ++i) {
          store_partial(out + ((k + i) * s.c + c) * 9 + j, v[i], min_of(kF, 9 - j));
        }
      }
    }
  }
}

}  // namespace

bool winograd_to_weight_pays(const ConvShape& s) {
  return winograd_pays(s, round_up(s.c, kF), round_up(s.k, kPanel), s.p, s.q);
}

int64_t winograd_to_weight_workspace(const ConvShape& s) { return work_of(s, nullptr).bytes; }

template <class T>
void winograd_to_weight(T* out, const T* x, const T* g, const ConvShape& s, void* base) {
  const Work w = work_of(s, base);
  constexpr bool half = sizeof(T) == 2;
  const Planes planes = {x, half, s.c, s.h, s.w, s.pad_h, s.pad_w};
  const Planes gradients = {g, half, s.k, s.p, s.q, 0, 0};
  const int64_t tasks = w.panels * w.blocks, all = w.tiles.row_count();
  for (int64_t row = 0; row < all; row += w.rows) {
    const int64_t rows = min_of(w.rows, all - row), count = rows * w.tiles.columns;
    planes_to_points<false>(planes, w.tiles, row, rows, w.x);
    planes_to_points<true>(gradients, w.tiles, row, rows, w.g);
    if (rows == all) {
      parallel_for(tasks, 1, [&](int64_t begin, int64_t end) {
        alignas(64) float sums[kPoints * kSums];
        for (int64_t i = begin; i < end; ++i) {
          add_points(w, i / w.blocks, i % w.blocks, count, 0, kPoints, false, sums);
          write_taps(out, s, i / w.blocks, i % w.blocks, sums);
        }
      });
      return;
    }
    parallel_for(tasks * kParts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t block = i % w.blocks, panel = i / w.blocks % w.panels;
        const int part = static_cast<int>(i / w.blocks / w.panels);
        add_points(w, panel, block, count, part * kPoints / kParts, (part + 1) * kPoints / kParts,
                   row > 0, w.sums + i % tasks * kPoints * kSums);
      }
    });
  }
  parallel_for(tasks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      write_taps(out, s, i / w.blocks, i % w.blocks, w.sums + i * kPoints * kSums);
    }
  });
}

template void winograd_to_weight(float*, const float*, const float*, const ConvShape&, void*);
template void winograd_to_weight(bfloat16*, const bfloat16*, const bfloat16*, const ConvShape&,
                                 void*);

}  // namespace mg::MG_ISA
