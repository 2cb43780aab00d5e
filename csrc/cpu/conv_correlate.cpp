// The product of convolution's forward and gradient to the input: a panel of output channels by a
// tile of consecutive outputs in registers, the padded planes read in place (see conv_core.h).
#include "cpu/conv_core.h"

namespace mg::MG_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kRows = 14;  // by two vectors: 28 of 32 registers
#else
constexpr int kRows = 6;
#endif

// buffer[i][0 .. kVecs) = bias[i] + sum over steps of a[step][i] * src[offset[step] ..]
template <class T, int R, int kVecs>
void micro(const T* MG_RESTRICT a, const T* src, const int64_t* offset, int64_t steps,
           const T* bias, T* buffer) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  V acc[R][kVecs];
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) acc[i][v] = bias ? set1(bias[i]) : V{};
  }
  for (int64_t k = 0; k < steps; ++k) {
    const T* from = src + offset[k];
    V row[kVecs];
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) row[v] = load(from + v * L);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const V x = set1(a[i]);
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) acc[i][v] = fma(x, row[v], acc[i][v]);
    }
    a += R;
  }
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) store(buffer + (i * kVecs + v) * L, acc[i][v]);
  }
}

template <class T, int R, int kVecs>
MG_INLINE void micro_rows(int64_t rows, const T* a, const T* src, const int64_t* offset,
                          int64_t steps, const T* bias, T* buffer) {
  if constexpr (R > 1) {
    if (rows < R) return micro_rows<T, R - 1, kVecs>(rows, a, src, offset, steps, bias, buffer);
  }
  micro<T, R, kVecs>(a, src, offset, steps, bias, buffer);
}

// Writes the outputs j ... j + width of `rows` channels from the buffer, leaving out those that lie
// between the rows.
template <class T>
void write_tile(const Correlation<T>& c, T* out, const T* buffer, int64_t rows, int64_t j,
                int64_t width) {
  constexpr int L = Vec<T>::lanes;
  int64_t y = j / c.pitch, x = j % c.pitch;
  for (int64_t at = 0; at < width && y < c.height;) {
    const int64_t run = min_of(c.pitch - x, width - at), n = min_of(run, c.width - x);
    T* to = out + y * c.out_row + x * c.out_column;
    for (int64_t i = 0; i < rows; ++i, to += c.out_channel) {
      const T* from = buffer + i * width + at;
      if (c.out_column == 1) {
        int64_t q = 0;
        for (; q + L <= n; q += L) store(to + q, load(from + q));
        if (q < n) store_partial(to + q, load_partial(from + q, n - q), n - q);
      } else {
        for (int64_t q = 0; q < n; ++q) to[q * c.out_column] = from[q];
      }
    }
    at += run;
    x = 0;
    ++y;
  }
}

// Tasks are a panel of the weights by a block of tiles. Where the weights exceed the L2 a panel is
// used for several tiles while it is near.
template <class T, int R, int kVecs>
void correlate_tiles(const Correlation<T>& c) {
  constexpr int kWidth = kVecs * Vec<T>::lanes;
  const int64_t tiles = ceil_div((c.height - 1) * c.pitch + c.width, kWidth);
  const int64_t panels = ceil_div(c.rows, R), all = c.images * c.groups * tiles;
  const int64_t weight = c.rows * c.steps * int64_t{sizeof(T)};
  const int64_t block = weight > kNearBytes ? 8 : 1;
  const int64_t cost = block * min_of(c.rows, R) * (c.steps + 4) * kWidth;
  parallel_for(
      ceil_div(all, block) * panels, max_of(1, (1 << 20) / cost), [&](int64_t begin, int64_t end) {
        alignas(64) T buffer[R * kWidth];
        for (int64_t task = begin; task < end; ++task) {
          const int64_t panel = task % panels, first = task / panels * block;
          const int64_t i0 = panel * c.rows / panels, i1 = (panel + 1) * c.rows / panels;
          for (int64_t at = first; at < min_of(first + block, all); ++at) {
            const int64_t group = at / tiles % c.groups, image = at / tiles / c.groups;
            const int64_t j = at % tiles * kWidth, row = group * c.rows + i0;
            micro_rows<T, R, kVecs>(i1 - i0, c.a + row * c.steps,
                                    c.src + image * c.src_image + group * c.src_group + j, c.offset,
                                    c.steps, c.bias ? c.bias + row : nullptr, buffer);
            write_tile<T>(c, c.out + image * c.out_image + row * c.out_channel, buffer, i1 - i0, j,
                          kWidth);
          }
        }
      });
}

template <class T>
void correlate_any(const Correlation<T>& c) {
  if (c.height <= 0 || c.width <= 0 || c.images == 0) return;
  switch (panel_rows(c.rows)) {
    case 1:
      return correlate_tiles<T, 1, 8>(c);
    case 3:
      return correlate_tiles<T, 3, 4>(c);
#if defined(__AVX512F__)
    case 6:
      return correlate_tiles<T, 6, 4>(c);
#endif
    default:
      return correlate_tiles<T, kRows, 2>(c);
  }
}

}  // namespace

int64_t panel_rows(int64_t rows) {
  if (rows == 1) return 1;
  if (rows <= 3) return 3;
  return rows <= 6 ? 6 : kRows;
}

void correlate(const Correlation<float>& c) { correlate_any(c); }
void correlate(const Correlation<double>& c) { correlate_any(c); }

}  // namespace mg::MG_ISA
