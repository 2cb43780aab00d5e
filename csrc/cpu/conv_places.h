// The driver of products with the vectors along the channels: finds the places of each tile, has
// them multiplied, and writes several tiles' results at a time, so that the lines of each channel
// are written whole. Include from csrc/cpu/conv_*.cpp only.
#pragma once

#include "cpu/conv_core.h"
#include "cpu/transpose.h"

namespace mg::MG_ISA {

constexpr int kStageTiles = 8;  // whose results are written together

// Tiles turned in whole blocks of vectors: rows of this many places.
template <class T>
constexpr int kTurned = (kTile + Vec<T>::lanes - 1) / Vec<T>::lanes * Vec<T>::lanes;
template <class T>
constexpr int kStageRow = (kStageTiles - 1) * kTile + kTurned<T> + Vec<T>::lanes;

// stage[channel][place] = sums[place][channel] for a tile.
template <class T>
MG_INLINE void turn_tile(T* stage, const T* sums, int64_t width) {
  constexpr int L = Vec<T>::lanes, kRow = kStageRow<T>;
  if constexpr (sizeof(T) == 4) {
    for (int64_t c = 0; c < width; c += L) {
      for (int i = 0; i < kTurned<T>; i += L) {
        transpose_block<float>(reinterpret_cast<char*>(stage + c * kRow + i), kRow * 4,
                               reinterpret_cast<const char*>(sums + i * width + c), width * 4,
                               false);
      }
    }
  } else {
    for (int64_t c = 0; c < width; ++c) {
      for (int i = 0; i < kTile; ++i) stage[c * kRow + i] = sums[i * width + c];
    }
  }
}

// Where the places of a tile read: from place `first` of an image's plane on.
struct Spot {
  int64_t image, y, x;
};

template <class C>
MG_INLINE Spot spot_of(const C& c, int64_t place) {
  const int64_t plane = c.height * c.width;
  return {place / plane, place % plane / c.width, place % c.width};
}

// The next `count` places, the last again for what is left of a tile; moves `at` behind them.
template <class T, class C>
MG_INLINE void find_places(const C& c, const T* src, Spot& at, int64_t count, const T** from) {
  for (int64_t i = 0; i < count;) {
    const int64_t length = min_of(c.width - at.x, count - i);
    const T* row = src + at.image * c.src_image + at.y * c.pitch + at.x;
    for (int64_t j = 0; j < length; ++j) from[i + j] = row + j;
    i += length;
    at.x += length;
    if (at.x == c.width) {
      at.x = 0;
      if (++at.y == c.height) at.y = 0, ++at.image;
    }
  }
  for (int64_t i = count; i < kTile; ++i) from[i] = from[count - 1];
}

template <class Out, class T>
MG_INLINE void write_run(Out* to, const T* from, int64_t n, int64_t step, T bias) {
  constexpr int L = Vec<T>::lanes;
  int64_t i = 0;
  if (step == 1) {
    for (; i + L <= n; i += L) store(to + i, load(from + i) + set1(bias));
    if (i < n) store_partial(to + i, load_partial(from + i, n - i) + set1(bias), n - i);
  } else if constexpr (sizeof(Out) == sizeof(T)) {
    for (; i < n; ++i) to[i * step] = from[i] + bias;
  }
}

MG_INLINE float plain(float x) { return x; }
MG_INLINE double plain(double x) { return x; }
MG_INLINE float plain(bfloat16 x) { return to_float(x); }

// Writes `count` places, from `at` on, of `rows` channels.
template <class T, class C, class Out>
MG_INLINE void write_stage(const C& c, Out* out, const Out* bias, const T* stage, int64_t rows,
                           Spot at, int64_t count) {
  const bool dense = c.out_column == 1 && c.out_row == c.width;
  for (int64_t i = 0; i < count;) {
    const int64_t left = dense ? (c.height - at.y) * c.width - at.x : c.width - at.x;
    const int64_t length = min_of(left, count - i);
    Out* to = out + at.image * c.out_image + at.y * c.out_row + at.x * c.out_column;
    for (int64_t r = 0; r < rows; ++r, to += c.out_channel) {
      write_run(to, stage + r * kStageRow<T> + i, length, c.out_column,
                bias ? plain(bias[r]) : T{0});
    }
    i += length;
    at.x = 0;
    if (dense || ++at.y == c.height) at.y = 0, ++at.image;
  }
}

// Fetches the lines that a stage is written to, of the channels r0 ... r1: they come while it is
// computed.
template <class C, class Out>
MG_INLINE void await_stage(const C& c, const Out* out, Spot at, int64_t count, int64_t r0,
                           int64_t r1) {
  if (c.out_column != 1 || c.out_row != c.width) return;
  const Out* from = out + at.image * c.out_image + at.y * c.out_row + at.x;
  for (int64_t r = r0; r < r1; ++r) {
    for (int64_t i = 0; i < count; i += 64 / int64_t{sizeof(Out)}) {
      __builtin_prefetch(from + r * c.out_channel + i, 1);
    }
  }
}

// Tasks are a panel of channels by a block of tiles, the panels of a block one after the other.
// gather is gather_product with these types, and the place whose data is needed next.
template <class T, class C, class Gather>
static void correlate_places(const C& c, const Gather& gather) {
  constexpr int L = Vec<T>::lanes, W = 2 * L;
  if (c.height <= 0 || c.width <= 0 || c.images == 0) return;
  const int64_t places = c.images * c.height * c.width, tiles = ceil_div(places, kTile);
  const int64_t panels = ceil_div(c.rows, W), stored = round_up(c.rows, L);
  int64_t block = 2 * kStageTiles;
  while (block > 1 && c.groups * panels * ceil_div(tiles, block) < 16) block /= 2;
  const int64_t blocks = ceil_div(tiles, block), cost = block * kTile * W * (c.steps + 8);
  parallel_for(c.groups * blocks * panels, max_of(1, (1 << 20) / cost),
               [&](int64_t begin, int64_t end) {
                 alignas(64) T sums[kTurned<T> * W] = {}, stage[W * kStageRow<T>];
                 decltype(c.src) from[2][kTile];  // of this tile and of the next
                 for (int64_t task = begin; task < end; ++task) {
                   const int64_t panel = task % panels, group = task / panels / blocks;
                   const int64_t first = task / panels % blocks * block, row = panel * W;
                   const int64_t rows = min_of(W, c.rows - row), width = rows > L ? W : L;
                   const auto* weight = c.a + (group * stored + row) * c.steps;
                   const auto* bias = c.bias ? c.bias + group * c.rows + row : nullptr;
                   auto* out = c.out + (group * c.rows + row) * c.out_channel;
                   const auto* src = c.src + group * c.src_group;
                   const int64_t last = min_of(places, (first + block) * kTile);
                   for (int64_t place = first * kTile; place < last; place += kStageTiles * kTile) {
                     const int64_t count = min_of(kStageTiles * kTile, last - place);
                     const Spot start = spot_of(c, place);
                     Spot at = start;
                     find_places(c, src, at, min_of(kTile, count), from[0]);
                     for (int64_t i = 0, t = 0; i < count; i += kTile, t = 1 - t) {
                       const int64_t next = min_of(kTile, last - place - i - kTile);
                       if (next > 0) find_places(c, src, at, next, from[1 - t]);
                       const int64_t tile = i / kTile;
                       await_stage(c, out, start, count, rows * tile / kStageTiles,
                                   rows * (tile + 1) / kStageTiles);
                       gather(from[t], c.offset, c.steps, weight, width, false, sums,
                              from[next > 0 ? 1 - t : t][kTile - 1]);
                       turn_tile(stage + i, sums, width);
                     }
                     write_stage(c, out, bias, stage, rows, start, count);
                   }
                 }
               });
}

}  // namespace mg::MG_ISA
