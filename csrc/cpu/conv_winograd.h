// Winograd's transforms for 3 x 3 kernels with stride 1, in tiles of 4 x 4 outputs, and the pass
// that brings planes into them. Include from csrc/cpu/conv_winograd*.cpp only.
//
// Along one axis, 4 outputs y of 3 taps w over 6 inputs x are y = A' ((G w) * (B' x)): the product
// of polynomials, evaluated at the points 0, +-a, +-b and infinity. In two dimensions the 36
// products of a tile replace 144, and each of them, over all channels and tiles, is a matrix
// product of its own. The points are a = sqrt(1/2), b = sqrt(2): the usual 1 and 2 cost the same
// and have errors two to six times as large.
#pragma once

#include "cpu/conv_core.h"
#include "cpu/transpose.h"

namespace mg::MG_ISA {

constexpr int kPoints = 36;  // of a tile
constexpr float kPointA = 0.70710678f, kPointB = 1.41421356f;
constexpr int kSegmentTiles = 15;                            // staged at a time,
constexpr int kSegmentColumns = 4 * kSegmentTiles + 2;       // so many columns
constexpr int kStage = 6 * (kSegmentColumns + kF + 2) * kF;  // floats on the stack

// ---- one axis: values `step` apart to values `to_step` apart ----

// B': 6 inputs.
MG_INLINE void to_points(const float* x, int64_t step, float* to, int64_t to_step) {
  const vf x0 = load(x), x1 = load(x + step), x2 = load(x + 2 * step), x3 = load(x + 3 * step);
  const vf x4 = load(x + 4 * step), x5 = load(x + 5 * step);
  const vf half = set1(-0.5f), two = set1(-2.0f), sum = set1(-2.5f);
  const vf even_a = fma(x2, two, x4), odd_a = fma(x1, two, x3) * kPointA;
  const vf even_b = fma(x2, half, x4), odd_b = fma(x1, half, x3) * kPointB;
  store(to, fma(x2, sum, x4) + x0);
  store(to + to_step, even_a + odd_a);
  store(to + 2 * to_step, even_a - odd_a);
  store(to + 3 * to_step, even_b + odd_b);
  store(to + 4 * to_step, even_b - odd_b);
  store(to + 5 * to_step, fma(x3, sum, x5) + x1);
}

// A: 4 gradients of outputs.
MG_INLINE void gradient_to_points(const float* g, int64_t step, float* to, int64_t to_step) {
  const vf g0 = load(g), g1 = load(g + step), g2 = load(g + 2 * step), g3 = load(g + 3 * step);
  const vf half = set1(0.5f), two = set1(2.0f);
  const vf even_a = fma(g2, half, g0), odd_a = fma(g3, half, g1) * kPointA;
  const vf even_b = fma(g2, two, g0), odd_b = fma(g3, two, g1) * kPointB;
  store(to, g0);
  store(to + to_step, even_a + odd_a);
  store(to + 2 * to_step, even_a - odd_a);
  store(to + 3 * to_step, even_b + odd_b);
  store(to + 4 * to_step, even_b - odd_b);
  store(to + 5 * to_step, g3);
}

// Whether the transforms cost less than they save, for results (or gradients of results) of height
// x width. Counted in multiply-adds, with the channels that each form computes with.
// The error is about 1e-6 of the results' root mean square, 1e-5 at most, whatever the shape; the
// figures are in docs/performance.md.
MG_INLINE bool winograd_pays(const ConvShape& s, int64_t channels, int64_t outputs, int64_t height,
                             int64_t width) {
  if (!is_flat(s) || s.groups != 1 || s.r != 3 || s.s != 3 || s.c < 16 || s.k < 16) return false;
  if (s.stride_h != 1 || s.stride_w != 1 || s.dilation_h != 1 || s.dilation_w != 1) return false;
  const double c = static_cast<double>(channels), k = static_cast<double>(outputs);
  const double tiles = static_cast<double>(s.n) * static_cast<double>(ceil_div(height, 4)) *
                       static_cast<double>(ceil_div(width, 4));
  const double direct = 9.0 * static_cast<double>(s.n) * static_cast<double>(height) *
                        static_cast<double>(width) * static_cast<double>(s.c * s.k);
  return kPoints * tiles * c * k + 500 * tiles * static_cast<double>(s.c + s.k) + 250 * c * k <
         direct;
}

// ---- planes to points ----

// Tiles in one order: image, row of tiles, column.
struct Tiles {
  int64_t images, rows, columns;
  int64_t row_count() const { return images * rows; }
};

struct Planes {
  const void* data;  // float, or bfloat16
  bool half;
  int64_t channels, height, width;
  int64_t pad_h, pad_w;  // may be negative
};

// Where the values of point e of tile t (counted from the first of the chunk) and channels
// [kF b, kF b + kF) stand: data + t / tile * panel + e * point + (b * tile + t % tile) * kF.
struct PointLayout {
  float* data;
  int64_t tile;          // tiles in a panel
  int64_t panel, point;  // floats
};

MG_INLINE int64_t blocks_of(int64_t channels) { return ceil_div(channels, kF); }

// The extra vector keeps the 36 points of a tile out of one set of the L1.
MG_INLINE PointLayout point_layout(float* data, int64_t channels, int64_t tile) {
  const int64_t point = (blocks_of(channels) * tile + 1) * kF;
  return {data, tile, kPoints * point, point};
}

// stage[column][lane] = row y of kF channels from column x0 on, zero outside.
template <class T>
MG_INLINE void stage_row(float* stage, const Planes& p, const T* plane, int64_t count, int64_t y,
                         int64_t x0, int64_t columns) {
  const int64_t low = y < 0 || y >= p.height ? columns : min_of(columns, max_of(0, -x0));
  const int64_t high = max_of(low, min_of(columns, p.width - x0));
  for (int64_t j = 0; j < low; ++j) store(stage + j * kF, vf{});
  const T* row = plane + y * p.width + x0;
  for (int64_t j = low; j < high; j += kF) {
    vf v[kF];
    if (count == kF && j + kF <= high) {
      for (int i = 0; i < kF; ++i) v[i] = load(row + i * p.height * p.width + j);
    } else {
      for (int i = 0; i < kF; ++i) {
        v[i] =
            i < count ? load_partial(row + i * p.height * p.width + j, min_of(kF, high - j)) : vf{};
      }
    }
    turn(v);
    for (int i = 0; i < kF; ++i) store(stage + (j + i) * kF, v[i]);
  }
  for (int64_t j = high; j < columns; ++j) store(stage + j * kF, vf{});
}

// A row of at most kSegmentTiles tiles of kF channels, from element `plane` on, to points; y and x0
// are where its window begins.
template <bool kGradient>
MG_INLINE void row_to_points(const Planes& p, int64_t plane, int64_t count, int64_t y, int64_t x0,
                             int64_t first, int64_t n, int64_t block, const PointLayout& l) {
  constexpr int kWindow = kGradient ? 4 : 6;
  alignas(64) float stage[kStage];
  const int64_t columns = n * 4 + kWindow - 4, pitch = (columns + kF) * kF;
  for (int i = 0; i < kWindow; ++i) {
    float* const to = stage + i * pitch;
    if (p.half) {
      stage_row(to, p, static_cast<const bfloat16*>(p.data) + plane, count, y + i, x0, columns);
    } else {
      stage_row(to, p, static_cast<const float*>(p.data) + plane, count, y + i, x0, columns);
    }
  }
  for (int64_t x = 0; x < columns; ++x) {
    if constexpr (kGradient) {
      gradient_to_points(stage + x * kF, pitch, stage + x * kF, pitch);
    } else {
      to_points(stage + x * kF, pitch, stage + x * kF, pitch);
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    const int64_t t = first + i;
    float* to = l.data + t / l.tile * l.panel + (block * l.tile + t % l.tile) * kF;
    for (int e = 0; e < 6; ++e, to += 6 * l.point) {
      if constexpr (kGradient) {
        gradient_to_points(stage + e * pitch + i * 4 * kF, kF, to, l.point);
      } else {
        to_points(stage + e * pitch + i * 4 * kF, kF, to, l.point);
      }
    }
  }
}

// The tiles of `rows` rows of tiles from row0 on to points, in parallel: tasks are a few rows of kF
// channels, which share lines of the planes.
template <bool kGradient>
static void planes_to_points(const Planes& p, const Tiles& tiles, int64_t row0, int64_t rows,
                             const PointLayout& l) {
  const int64_t blocks = blocks_of(p.channels);
  const int64_t band = max_of(1, min_of(8, ceil_div(rows * blocks, 16)));
  parallel_for(
      ceil_div(rows, band) * blocks, max_of(1, 16 / (band * tiles.columns)),
      [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t block = task % blocks, first = task / blocks * band;
          for (int64_t row = first; row < min_of(first + band, rows); ++row) {
            const int64_t image = (row0 + row) / tiles.rows, y = (row0 + row) % tiles.rows * 4;
            const int64_t plane = (image * p.channels + block * kF) * p.height * p.width;
            for (int64_t x = 0; x < tiles.columns; x += kSegmentTiles) {
              row_to_points<kGradient>(p, plane, min_of(kF, p.channels - block * kF), y - p.pad_h,
                                       x * 4 - p.pad_w, row * tiles.columns + x,
                                       min_of(kSegmentTiles, tiles.columns - x), block, l);
            }
          }
        }
      });
}

}  // namespace mg::MG_ISA
