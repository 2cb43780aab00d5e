// Convolution and its two gradients, as matrix products whose second operand is read in place.
//
// The planes that a product reads are copied once, with their zero padding and, for a stride, split
// into one plane for each residue of the coordinates. Then the value that tap (r, s) contributes to
// output (y, x) stands at a distance from the plane's start that is a number for the tap plus
// y * pitch + x: a tile of consecutive outputs reads consecutive memory, whatever the stride,
// dilation and kernel, and nothing like an im2col matrix is built. Outputs are counted through the
// padded rows, so a few columns at the end of each row are computed for nothing and not written.
//
// forward     rows = output channels, steps = (input channel, tap)
// to_input    the same with rows = input channels, steps = (output channel, tap), once for each
//             residue of the input's coordinates by the stride: no step multiplies by a zero
// to_weight   dot products along the outputs of several images: a block of output channels by a
//             block of (input channel, tap) in registers
#include "kernels/conv.h"

#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kRows = 14;  // by two vectors: 28 of 32 registers
constexpr int kDotM = 5, kDotT = 5;
#else
constexpr int kRows = 6;
constexpr int kDotM = 3, kDotT = 3;
#endif
constexpr int64_t kChunkBytes = 4 << 20;   // padded copies made at a time: they stay in the L3
constexpr int64_t kNearBytes = 256 << 10;  // what may stay in the L2 beside other data
constexpr int kSlack = 256;                // elements that a tile may read behind the last plane

MG_INLINE int64_t round_up(int64_t n, int64_t unit) { return ceil_div(n, unit) * unit; }

// ---- padded copies ----

// Planes (h, w) copied with padding: element (t, u) of residue (a, b) is
// plane[t * step_h + a - top][u * step_w + b - left], zero outside.
struct Padded {
  int64_t h, w, step_h, step_w, top, left;
  int64_t rows, pitch;  // of one residue
  int64_t plane;        // elements of all residues of a plane
};

template <class T>
void copy_residue(T* dst, const T* plane, const Padded& l, int64_t a, int64_t b) {
  const int64_t shift = b - l.left;
  const int64_t first = shift >= 0 ? 0 : ceil_div(-shift, l.step_w);
  const int64_t u0 = min_of(first, l.pitch);
  const int64_t u1 = max_of(u0, min_of(l.pitch, l.w > shift ? ceil_div(l.w - shift, l.step_w) : 0));
  for (int64_t t = 0; t < l.rows; ++t, dst += l.pitch) {
    const int64_t y = t * l.step_h + a - l.top;
    if (y < 0 || y >= l.h) {
      for (int64_t u = 0; u < l.pitch; ++u) dst[u] = 0;
      continue;
    }
    const T* row = plane + y * l.w + shift;
    for (int64_t u = 0; u < u0; ++u) dst[u] = 0;
    if (l.step_w == 1) {
      for (int64_t u = u0; u < u1; ++u) dst[u] = row[u];
    } else if (l.step_w == 2) {
      for (int64_t u = u0; u < u1; ++u) dst[u] = row[u * 2];
    } else {
      for (int64_t u = u0; u < u1; ++u) dst[u] = row[u * l.step_w];
    }
    for (int64_t u = u1; u < l.pitch; ++u) dst[u] = 0;
  }
}

// Copies `count` planes, those residues that a tap reads; zeroes the slack behind the last.
template <class T>
void copy_planes(T* dst, const T* src, int64_t count, const Padded& l, int64_t taps_h,
                 int64_t dilation_h, int64_t taps_w, int64_t dilation_w) {
  for (int i = 0; i < kSlack; ++i) dst[count * l.plane + i] = 0;
  parallel_for(count, max_of(1, 16384 / l.plane), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t a = 0; a < l.step_h; ++a) {
        for (int64_t b = 0; b < l.step_w; ++b) {
          bool in_h = false, in_w = false;
          for (int64_t r = 0; r < taps_h; ++r) in_h |= r * dilation_h % l.step_h == a;
          for (int64_t s = 0; s < taps_w; ++s) in_w |= s * dilation_w % l.step_w == b;
          if (!in_h || !in_w) {  // to_weight multiplies what follows a plane by zero: no NaN there
            T* skipped = dst + i * l.plane + (a * l.step_w + b) * l.rows * l.pitch;
            for (int64_t u = 0; u < min_of(l.rows * l.pitch, l.pitch + 64); ++u) skipped[u] = 0;
            continue;
          }
          copy_residue(dst + i * l.plane + (a * l.step_w + b) * l.rows * l.pitch,
                       src + i * l.h * l.w, l, a, b);
        }
      }
    }
  });
}

// The layout of x for forward and to_weight: residue by the stride.
Padded layout_x(const ConvShape& s) {
  Padded l = {s.h, s.w, s.stride_h, s.stride_w, s.pad_h, s.pad_w, 0, 0, 0};
  l.rows = s.p + (s.r - 1) * s.dilation_h / s.stride_h;
  l.pitch = s.q + (s.s - 1) * s.dilation_w / s.stride_w;
  l.plane = l.step_h * l.step_w * l.rows * l.pitch;
  return l;
}

MG_INLINE int64_t offset_x(const ConvShape& s, const Padded& l, int64_t c, int64_t r, int64_t t) {
  const int64_t y = r * s.dilation_h, x = t * s.dilation_w;
  const int64_t residue = y % l.step_h * l.step_w + x % l.step_w;
  return c * l.plane + (residue * l.rows + y / l.step_h) * l.pitch + x / l.step_w;
}

// One axis of to_input: outputs y = t * stride + a take tap i from g at t + (a + pad - i *
// dilation) / stride, if that divides.
struct Axis {
  int64_t size, taps, stride, pad, dilation;
};

MG_INLINE bool reaches(const Axis& x, int64_t a, int64_t tap, int64_t* shift) {
  const int64_t v = a + x.pad - tap * x.dilation;
  if (v % x.stride) return false;
  *shift = v / x.stride;
  return true;
}

MG_INLINE int64_t outputs(const Axis& x, int64_t a) {
  return x.size > a ? ceil_div(x.size - a, x.stride) : 0;
}

// How much padding g needs before its first element, and how many elements with it.
MG_INLINE void extent(const Axis& x, int64_t* before, int64_t* length) {
  int64_t low = 0, high = 0;
  for (int64_t a = 0; a < x.stride; ++a) {
    for (int64_t i = 0; i < x.taps; ++i) {
      int64_t shift;
      if (!outputs(x, a) || !reaches(x, a, i, &shift)) continue;
      low = min_of(low, shift);
      high = max_of(high, outputs(x, a) + shift);
    }
  }
  *before = -low;
  *length = max_of(high - low, ceil_div(x.size, x.stride));
}

Padded layout_g(const ConvShape& s, const Axis& rows, const Axis& columns) {
  Padded l = {s.p, s.q, 1, 1, 0, 0, 0, 0, 0};
  extent(rows, &l.top, &l.rows);
  extent(columns, &l.left, &l.pitch);
  l.plane = l.rows * l.pitch;
  return l;
}

MG_INLINE Axis rows_of(const ConvShape& s) { return {s.h, s.r, s.stride_h, s.pad_h, s.dilation_h}; }
MG_INLINE Axis columns_of(const ConvShape& s) {
  return {s.w, s.s, s.stride_w, s.pad_w, s.dilation_w};
}

template <class T>
MG_INLINE int64_t images_of_chunk(int64_t n, int64_t image) {
  return max_of(1, min_of(n, kChunkBytes / (image * int64_t{sizeof(T)})));
}

// ---- the product of forward and to_input ----

template <class T>
struct Correlation {
  const T* src;  // padded planes
  int64_t src_image, src_group;
  const T* a;             // packed weights, group by group
  const int64_t* offset;  // of each step
  int64_t steps, rows, groups, images;
  const T* bias;  // (groups * rows) or nullptr
  T* out;
  int64_t out_image, out_channel, out_row, out_column;  // strides
  int64_t height, width, pitch;                         // outputs; the source's row
};

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

// The number of rows in a panel decides how the weights are packed.
MG_INLINE int64_t panel_rows(int64_t rows) {
  if (rows == 1) return 1;
  if (rows <= 3) return 3;
  return rows <= 6 ? 6 : kRows;
}

template <class T>
void correlate(const Correlation<T>& c) {
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

// a[panel][step][row of panel] = value(row, step) for one group.
template <class T, class Value>
MG_INLINE void pack_weight(T* a, int64_t rows, int64_t steps, const Value& value) {
  const int64_t panels = ceil_div(rows, panel_rows(rows));
  for (int64_t panel = 0; panel < panels; ++panel) {
    const int64_t i0 = panel * rows / panels, i1 = (panel + 1) * rows / panels;
    T* to = a + i0 * steps;
    for (int64_t k = 0; k < steps; ++k) {
      for (int64_t i = i0; i < i1; ++i) *to++ = value(i, k);
    }
  }
}

// ---- workspace ----

template <class T>
struct Space {
  T* weight;
  int64_t* offset;
  T* first;   // padded copies of a chunk of images
  T* second;  // to_weight only: g beside x
  int64_t bytes;
};

template <class T>
Space<T> divide(void* base, int64_t weight, int64_t offsets, int64_t first, int64_t second) {
  char* at = static_cast<char*>(base);
  const auto take = [&](int64_t bytes) {
    char* mine = at;
    at += round_up(bytes, 64);
    return mine;
  };
  Space<T> s;
  s.weight = reinterpret_cast<T*>(take(weight * int64_t{sizeof(T)}));
  s.offset = reinterpret_cast<int64_t*>(take(offsets * 8));
  s.first = reinterpret_cast<T*>(take((first + kSlack) * int64_t{sizeof(T)}));
  s.second = reinterpret_cast<T*>(take((second + kSlack) * int64_t{sizeof(T)}));
  s.bytes = at - static_cast<char*>(base);
  return s;
}

MG_INLINE int64_t padded_output(const ConvShape& s, const Padded& l, int lanes) {
  return round_up(s.p * l.pitch, lanes);
}

template <class T>
int64_t workspace(const ConvShape& s) {
  const int64_t weight = s.k * (s.c / s.groups) * s.r * s.s;
  const int64_t steps = max_of(s.k, s.c) / s.groups * s.r * s.s;
  const Padded x = layout_x(s), g = layout_g(s, rows_of(s), columns_of(s));
  const int64_t out = padded_output(s, x, Vec<T>::lanes);
  const int64_t both = s.c * x.plane + s.k * out;
  const int64_t forward =
      divide<T>(nullptr, weight, steps, images_of_chunk<T>(s.n, s.c * x.plane) * s.c * x.plane, 0)
          .bytes;
  const int64_t to_input =
      divide<T>(nullptr, weight, steps, images_of_chunk<T>(s.n, s.k * g.plane) * s.k * g.plane, 0)
          .bytes;
  const int64_t chunk = images_of_chunk<T>(s.n, both);
  const int64_t to_weight =
      divide<T>(nullptr, 0, steps, chunk * s.c * x.plane, chunk * s.k * out).bytes;
  return max_of(forward, max_of(to_input, to_weight)) + 64;
}

// ---- forward ----

template <class T>
void forward(T* g, const T* x, const T* w, const T* bias, const ConvShape& s, void* base) {
  const Padded l = layout_x(s);
  const int64_t channels = s.c / s.groups, rows = s.k / s.groups, steps = channels * s.r * s.s;
  const int64_t chunk = images_of_chunk<T>(s.n, s.c * l.plane);
  const Space<T> space = divide<T>(base, s.k * steps, steps, chunk * s.c * l.plane, 0);
  for (int64_t group = 0; group < s.groups; ++group) {
    const T* from = w + group * rows * steps;
    pack_weight(space.weight + group * rows * steps, rows, steps,
                [=](int64_t i, int64_t k) { return from[i * steps + k]; });
  }
  for (int64_t c = 0, k = 0; c < channels; ++c) {
    for (int64_t r = 0; r < s.r; ++r) {
      for (int64_t t = 0; t < s.s; ++t) space.offset[k++] = offset_x(s, l, c, r, t);
    }
  }
  Correlation<T> c = {};
  c.src = space.first;
  c.src_image = s.c * l.plane;
  c.src_group = channels * l.plane;
  c.a = space.weight;
  c.offset = space.offset;
  c.steps = steps;
  c.rows = rows;
  c.groups = s.groups;
  c.bias = bias;
  c.out_image = s.k * s.p * s.q;
  c.out_channel = s.p * s.q;
  c.out_row = s.q;
  c.out_column = 1;
  c.height = s.p;
  c.width = s.q;
  c.pitch = l.pitch;
  for (int64_t n = 0; n < s.n; n += chunk) {
    c.images = min_of(chunk, s.n - n);
    copy_planes(space.first, x + n * s.c * s.h * s.w, c.images * s.c, l, s.r, s.dilation_h, s.s,
                s.dilation_w);
    c.out = g + n * c.out_image;
    correlate(c);
  }
}

// ---- gradient to the input ----

template <class T>
void to_input(T* x, const T* g, const T* w, const T* bias, const ConvShape& s, void* base) {
  const Axis vertical = rows_of(s), horizontal = columns_of(s);
  const Padded l = layout_g(s, vertical, horizontal);
  const int64_t channels = s.k / s.groups, rows = s.c / s.groups, taps = s.r * s.s;
  const int64_t chunk = images_of_chunk<T>(s.n, s.k * l.plane);
  const Space<T> space =
      divide<T>(base, s.k * rows * taps, channels * taps, chunk * s.k * l.plane, 0);
  Correlation<T> c = {};
  c.src = space.first;
  c.src_image = s.k * l.plane;
  c.src_group = channels * l.plane;
  c.a = space.weight;
  c.offset = space.offset;
  c.rows = rows;
  c.groups = s.groups;
  c.bias = bias;
  c.out_image = s.c * s.h * s.w;
  c.out_channel = s.h * s.w;
  c.out_row = s.w * s.stride_h;
  c.out_column = s.stride_w;
  c.pitch = l.pitch;
  for (int64_t n = 0; n < s.n; n += chunk) {
    c.images = min_of(chunk, s.n - n);
    copy_planes(space.first, g + n * s.k * s.p * s.q, c.images * s.k, l, 1, 1, 1, 1);
    for (int64_t a = 0; a < s.stride_h; ++a) {
      for (int64_t b = 0; b < s.stride_w; ++b) {
        c.height = outputs(vertical, a);
        c.width = outputs(horizontal, b);
        if (c.height <= 0 || c.width <= 0) continue;
        // The taps that reach this residue, and their weights. Packed again for each chunk if
        // there are several residues: they share the space.
        c.steps = 0;
        int64_t at_y, at_x;
        for (int64_t r = 0; r < s.r; ++r) {
          for (int64_t t = 0; t < s.s; ++t) {
            c.steps += reaches(vertical, a, r, &at_y) && reaches(horizontal, b, t, &at_x);
          }
        }
        const int64_t mine = c.steps;
        c.steps *= channels;
        if (n == 0 || s.stride_h * s.stride_w > 1) {
          for (int64_t k = 0, step = 0; k < channels; ++k) {
            for (int64_t r = 0; r < s.r; ++r) {
              for (int64_t t = 0; t < s.s; ++t) {
                if (!reaches(vertical, a, r, &at_y) || !reaches(horizontal, b, t, &at_x)) continue;
                space.offset[step++] = k * l.plane + (at_y + l.top) * l.pitch + at_x + l.left;
              }
            }
          }
          const int64_t panels = ceil_div(rows, panel_rows(rows));
          for (int64_t group = 0; group < s.groups; ++group) {
            for (int64_t panel = 0; panel < panels; ++panel) {
              const int64_t i0 = panel * rows / panels, i1 = (panel + 1) * rows / panels;
              T* to = space.weight + (group * rows + i0) * channels * mine;
              for (int64_t k = 0; k < channels; ++k) {
                const T* from = w + (group * channels + k) * rows * taps;
                for (int64_t r = 0; r < s.r; ++r) {
                  for (int64_t t = 0; t < s.s; ++t) {
                    if (!reaches(vertical, a, r, &at_y) || !reaches(horizontal, b, t, &at_x)) {
                      continue;
                    }
                    for (int64_t i = i0; i < i1; ++i) *to++ = from[i * taps + r * s.s + t];
                  }
                }
              }
            }
          }
        }
        c.out = x + n * c.out_image + a * s.w + b;
        correlate(c);
      }
    }
  }
}

// ---- gradient to the weight ----

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

template <class T>
void to_weight(T* w, const T* x, const T* g, const ConvShape& s, void* base) {
  const Padded l = layout_x(s);
  const int64_t channels = s.c / s.groups, rows = s.k / s.groups, steps = channels * s.r * s.s;
  const int64_t length = padded_output(s, l, Vec<T>::lanes);
  // g with x's pitch, zero in the columns between the rows.
  Padded out = {s.p, s.q, 1, 1, 0, 0, s.p, l.pitch, length};
  const int64_t chunk = images_of_chunk<T>(s.n, s.c * l.plane + s.k * length);
  const Space<T> space = divide<T>(base, 0, steps, chunk * s.c * l.plane, chunk * s.k * length);
  for (int64_t c = 0, k = 0; c < channels; ++c) {
    for (int64_t r = 0; r < s.r; ++r) {
      for (int64_t t = 0; t < s.s; ++t) space.offset[k++] = offset_x(s, l, c, r, t);
    }
  }
  for (int64_t i = 0; i < s.k * steps; ++i) w[i] = 0;
  const int64_t blocks_m = ceil_div(rows, kDotM), blocks_t = ceil_div(steps, kDotT);
  for (int64_t n = 0; n < s.n; n += chunk) {
    const int64_t images = min_of(chunk, s.n - n);
    copy_planes(space.first, x + n * s.c * s.h * s.w, images * s.c, l, s.r, s.dilation_h, s.s,
                s.dilation_w);
    copy_planes(space.second, g + n * s.k * s.p * s.q, images * s.k, out, 1, 1, 1, 1);
    if (length > s.p * l.pitch) {
      for (int64_t i = 0; i < images * s.k; ++i) {
        for (int64_t j = s.p * l.pitch; j < length; ++j) space.second[i * length + j] = 0;
      }
    }
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

}  // namespace

extern const ConvKernels kConv = {
    {forward<float>, to_input<float>, to_weight<float>, workspace<float>},
    {forward<double>, to_input<double>, to_weight<double>, workspace<double>},
};

}  // namespace mg::MG_ISA
