// Convolution's products with the vectors along the channels: a tile of places by two vectors of
// channels in registers. Each place is a pointer into the padded planes that is read at one offset
// after another, so no place is computed for nothing, wherever rows and images end.
#include "cpu/conv_core.h"
#include "cpu/transpose.h"

namespace mg::MG_ISA {
namespace {

// sums[i][..] (+)= sum over steps of from[i][offset[step]] * b[step][..]
template <class T, int kVecs>
void gather(const T* const* from, const int64_t* MG_RESTRICT offset, int64_t steps,
            const T* MG_RESTRICT b, bool add, T* sums) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  V acc[kTile][kVecs] = {};
  const T* place[kTile];
  for (int i = 0; i < kTile; ++i) place[i] = from[i];
  if (add) {
#pragma GCC unroll 16
    for (int i = 0; i < kTile; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) acc[i][v] = load(sums + (i * kVecs + v) * L);
    }
  }
  for (int64_t k = 0; k < steps; ++k) {
    const int64_t at = offset[k];
    V row[kVecs];
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) row[v] = load(b + v * L);
#pragma GCC unroll 16
    for (int i = 0; i < kTile; ++i) {
      const V x = set1(place[i][at]);
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) acc[i][v] = fma(x, row[v], acc[i][v]);
    }
    b += kVecs * L;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) store(sums + (i * kVecs + v) * L, acc[i][v]);
  }
}

template <class T>
constexpr int kTurned = (kTile + Vec<T>::lanes - 1) / Vec<T>::lanes * Vec<T>::lanes;

// turned[channel][place] = sums[place][channel]
template <class T>
MG_INLINE void turn(T* turned, const T* sums, int64_t width) {
  constexpr int L = Vec<T>::lanes, kRow = kTurned<T>;
  if constexpr (sizeof(T) == 4) {
    for (int64_t c = 0; c < width; c += L) {
      for (int i = 0; i < kRow; i += L) {
        transpose_block<float>(reinterpret_cast<char*>(turned + c * kRow + i), kRow * 4,
                               reinterpret_cast<const char*>(sums + i * width + c), width * 4,
                               false);
      }
    }
  } else {
    for (int64_t c = 0; c < width; ++c) {
      for (int i = 0; i < kTile; ++i) turned[c * kRow + i] = sums[i * width + c];
    }
  }
}

// Places of a tile whose outputs lie at even distances.
struct Run {
  int64_t place, count, at;
};

// The places first ... first + kTile of all images: where each reads, and the runs that they write.
template <class T>
int find_places(const Correlation<T>& c, const T* src, int64_t first, const T** from, Run* runs) {
  const int64_t plane = c.height * c.width;
  const int64_t n = min_of(kTile, c.images * plane - first);
  const bool dense = c.out_column == 1 && c.out_row == c.width;
  int64_t image = first / plane, y = first % plane / c.width, x = first % c.width;
  int count = 0;
  bool same = false;  // the run may go on
  for (int64_t i = 0; i < n;) {
    const int64_t length = min_of(c.width - x, n - i);
    const T* row = src + image * c.src_image + y * c.pitch + x;
    for (int64_t j = 0; j < length; ++j) from[i + j] = row + j;
    if (same) {
      runs[count - 1].count += length;
    } else {
      runs[count++] = {i, length, image * c.out_image + y * c.out_row + x * c.out_column};
    }
    i += length;
    x = 0;
    same = dense;
    if (++y == c.height) {
      y = 0;
      same = false;
      ++image;
    }
  }
  for (int64_t i = n; i < kTile; ++i) from[i] = from[n - 1];
  return count;
}

template <class T>
MG_INLINE void write_run(T* to, const T* from, int64_t n, int64_t step, T bias) {
  constexpr int L = Vec<T>::lanes;
  if (step == 1) {
    int64_t i = 0;
    for (; i + L <= n; i += L) store(to + i, load(from + i) + set1(bias));
    if (i < n) store_partial(to + i, load_partial(from + i, n - i) + set1(bias), n - i);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i * step] = from[i] + bias;
  }
}

// A tile of places whose outputs lie one after the other, turned in registers: without a detour
// through memory. bias may be nullptr.
MG_INLINE void write_turned(float* out, int64_t channel, const float* sums, int64_t width,
                            int64_t rows, int64_t count, const float* bias) {
  for (int64_t c = 0; c < rows; c += kF, out += kF * channel) {
    vf v[kF];
    for (int i = 0; i < kF; ++i) v[i] = load(sums + i * width + c);
    mg::MG_ISA::turn(v);
    if (c + kF <= rows) {
#pragma GCC unroll 16
      for (int i = 0; i < kF; ++i) {
        store_partial(out + i * channel, bias ? v[i] + bias[c + i] : v[i], count);
      }
    } else {
      for (int64_t i = 0; i < rows - c; ++i) {
        store_partial(out + i * channel, bias ? v[i] + bias[c + i] : v[i], count);
      }
    }
  }
}

// Tasks are a panel of channels by a block of tiles, the panels of a block one after the other.
template <class T>
void correlate_any(const Correlation<T>& c) {
  constexpr int L = Vec<T>::lanes, W = 2 * L;
  if (c.height <= 0 || c.width <= 0 || c.images == 0) return;
  const int64_t tiles = ceil_div(c.images * c.height * c.width, kTile);
  const int64_t panels = ceil_div(c.rows, W), stored = round_up(c.rows, L);
  int64_t block = 16;
  while (block > 1 && c.groups * panels * ceil_div(tiles, block) < 16) block /= 2;
  const int64_t blocks = ceil_div(tiles, block), cost = block * kTile * W * (c.steps + 8);
  parallel_for(
      c.groups * blocks * panels, max_of(1, (1 << 20) / cost), [&](int64_t begin, int64_t end) {
        alignas(64) T sums[kTurned<T> * W] = {}, turned[W * kTurned<T>];
        const T* from[kTile];
        Run runs[kTile];
        for (int64_t task = begin; task < end; ++task) {
          const int64_t panel = task % panels, group = task / panels / blocks;
          const int64_t first = task / panels % blocks * block, row = panel * W;
          const int64_t rows = min_of(W, c.rows - row), width = rows > L ? W : L;
          const T* weight = c.a + (group * stored + row) * c.steps;
          const T* bias = c.bias ? c.bias + group * c.rows + row : nullptr;
          T* out = c.out + (group * c.rows + row) * c.out_channel;
          for (int64_t tile = first; tile < min_of(first + block, tiles); ++tile) {
            const int count = find_places(c, c.src + group * c.src_group, tile * kTile, from, runs);
            gather_product(from, c.offset, c.steps, weight, width, false, sums);
            if constexpr (sizeof(T) == 4 && kTurned<T> == L) {
              if (count == 1 && c.out_column == 1) {
                write_turned(out + runs[0].at, c.out_channel, sums, width, rows, runs[0].count,
                             bias);
                continue;
              }
            }
            turn(turned, sums, width);
            for (int64_t i = 0; i < rows; ++i) {
              for (int r = 0; r < count; ++r) {
                write_run(out + i * c.out_channel + runs[r].at,
                          turned + i * kTurned<T> + runs[r].place, runs[r].count, c.out_column,
                          bias ? bias[i] : T{0});
              }
            }
          }
        }
      });
}

template <class T>
void gather_any(const T* const* from, const int64_t* offset, int64_t steps, const T* b,
                int64_t width, bool add, T* sums) {
  if (width > Vec<T>::lanes) {
    gather<T, 2>(from, offset, steps, b, add, sums);
  } else {
    gather<T, 1>(from, offset, steps, b, add, sums);
  }
}

}  // namespace

void gather_product(const float* const* from, const int64_t* offset, int64_t steps, const float* b,
                    int64_t width, bool add, float* sums) {
  gather_any(from, offset, steps, b, width, add, sums);
}
void gather_product(const double* const* from, const int64_t* offset, int64_t steps,
                    const double* b, int64_t width, bool add, double* sums) {
  gather_any(from, offset, steps, b, width, add, sums);
}

void correlate_channels(const Correlation<float>& c) { correlate_any(c); }
void correlate_channels(const Correlation<double>& c) { correlate_any(c); }

}  // namespace mg::MG_ISA
