// Linear layers and convolutions of uint8 rows with int8 weights: exact int32 tiles, whose sums are
// scaled, shifted, rounded and stored while they are in the first cache.
#include "cpu/int8_core.h"
#include "cpu/int8_round.h"
#include "runtime/threads.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kBlockRows = 48;         // left rows that are made ready together
constexpr int64_t kTaskWork = 1 << 20;     // products of a task: 5 us with VNNI
constexpr int64_t kSlots = 32;             // chunks of a convolution, each with its workspace
constexpr int64_t kGatherGrain = 1 << 16;  // elements

// ---- sums to results ----

// What the columns of one group need, and (of quantized results) what is added and multiplied.
struct Columns {
  const int32_t *sum, *zero;
  const float *scale, *bias, *shift, *factor;
  int64_t k;
};

// Rows of left operands that are ready, and where their results go.
struct Block {
  const Act* a;
  int64_t a_rs, rows;
  const float* scale;  // of each row; `step` is 0 where all share the first
  const int32_t* zero;
  int64_t step;
  const int32_t* sum;  // of each row, where weights have zero points
  char* out;
  int64_t out_rs;
};

MG_INLINE float bias_at(const float* bias, int64_t j) { return bias ? bias[j] : 0.0f; }

// shift = bias / (x_scale w_scale), factor = x_scale w_scale / out_scale
void prepare_columns(float* shift, float* factor, const Int8Out& out, float x_scale,
                     const Int8Weight& w) {
  const int64_t count = w.groups * padded_n(w.n);
  for (int64_t j = 0; j < count; ++j) {
    const float both = x_scale * w.scale[j];
    shift[j] = bias_at(w.bias, j) / both;
    factor[j] = both / out.scale;
  }
}

Columns columns_of(const Int8Weight& w, const float* shift, const float* factor, int64_t group) {
  const int64_t at = group * padded_n(w.n);
  return {w.sum + at,
          w.zero ? w.zero + at : nullptr,
          w.scale + at,
          w.bias ? w.bias + at : nullptr,
          shift ? shift + at : nullptr,
          factor ? factor + at : nullptr,
          w.k};
}

// Columns j .. j + count of rows whose sums lie in `tile`, kTileColumns to a row.
void finish_tile(const int32_t* tile, int64_t rows, const Block& b, int64_t row, const Columns& c,
                 int64_t j, int64_t count, const Int8Out& out) {
  const int32_t least = out.relu ? out.zero : 0;
  const vf low = set1(static_cast<float>(least - out.zero));
  const vf high = set1(static_cast<float>(255 - out.zero));
  for (int64_t i = 0; i < count; i += kF) {
    const int64_t left = count - i, column = j + i;
    const vi column_sum = load(c.sum + column);
    const vi column_zero = c.zero ? load(c.zero + column) : vi{};
    const vf scale = load(c.scale + column);
    const vf bias = c.bias ? load(c.bias + column) : vf{};
    const vf shift = out.quantized ? load(c.shift + column) : vf{};
    const vf factor = out.quantized ? load(c.factor + column) : vf{};
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t of = (row + r) * b.step, at = (row + r) * b.out_rs + column;
      vi sum = load(tile + r * kTileColumns + i) - column_sum * b.zero[of];
      if (c.zero) sum -= column_zero * (b.sum[row + r] - static_cast<int32_t>(c.k) * b.zero[of]);
      vf y = __builtin_convertvector(sum, vf);
      if (out.quantized) {
        y = (y + shift) * factor;
        const vi q = round_to_int(min(max(y, low), high)) + out.zero;
        uint8_t* to = reinterpret_cast<uint8_t*>(b.out) + at;
        if (left >= kF) {
          store_narrow(to, q);
        } else {
          uint8_t rest[kF];
          store_narrow(rest, q);
          for (int64_t l = 0; l < left; ++l) to[l] = rest[l];
        }
      } else {
        const vf both = b.scale[of] * scale;
        y = c.bias ? fma(y, both, bias) : y * both;
        if (out.relu) y = max(vf{}, y);  // NaN stays
        float* to = reinterpret_cast<float*>(b.out) + at;
        if (left >= kF) {
          store(to, y);
        } else {
          store_partial(to, y, left);
        }
      }
    }
  }
}

// The rows of a block times the columns [from, to) of a group; from is a multiple of kPanel.
void multiply_block(const Block& b, const int8_t* packed, int64_t n, const Columns& c, int64_t from,
                    int64_t to, const Int8Out& out) {
  int32_t tile[kTileRows * kTileColumns];
  Tile8 t;
  t.steps = padded_k(c.k) / 4;
  t.panel = 4 * kPanel * t.steps;
  t.c = tile;
  to = min_of(to, n);
  for (int64_t j = from; j < to;) {
    const int panels = tile_panels(ceil_div(to - j, kPanel));
    const int64_t count = min_of(to - j, panels * kPanel);
    t.b = packed + j / kPanel * t.panel;
    for (int64_t i = 0; i < b.rows; i += kMicroRows) {
      const int64_t rows = min_of(b.rows - i, kMicroRows);
      for (int64_t r = 0; r < kTileRows; ++r) t.rows[r] = b.a + min_of(i + r, b.rows - 1) * b.a_rs;
      multiply(rows, panels, t);
      finish_tile(tile, rows, b, i, c, j, count, out);
    }
    j += panels * kPanel;
  }
}

// ---- left operands ----

// Sixteen bytes.
MG_INLINE void copy_part(uint8_t* to, const uint8_t* from) { memcpy(to, from, 16); }
MG_INLINE void copy_part(int16_t* to, const uint8_t* from) {
#if defined(__AVX2__)
  const __m128i part = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_cvtepu8_epi16(part));
#else
  for (int i = 0; i < 16; ++i) to[i] = from[i];
#endif
}

MG_INLINE void copy_bytes(Act* to, const uint8_t* from, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) copy_part(to + i, from + i);
  for (; i < n; ++i) to[i] = from[i];
}

// The same in whole parts: writes, and reads up to `end`, up to 15 elements more.
MG_INLINE void copy_parts(Act* to, const uint8_t* from, int64_t n, const uint8_t* end) {
  if (end - from < n + 15) return copy_bytes(to, from, n);
  for (int64_t i = 0; i < n; i += 16) copy_part(to + i, from + i);
}

void sum_rows(int32_t* sums, const Act* a, int64_t a_rs, int64_t rows, int64_t k) {
  for (int64_t i = 0; i < rows; ++i) {
    int32_t sum = 0;
    for (int64_t j = 0; j < k; ++j) sum += a[i * a_rs + j];
    sums[i] = sum;
  }
}

// One row of a linear layer's input, quantized by its own range if x.each.
void ready_row(Act* to, float* scale, int32_t* zero, const Int8Rows& x, int64_t row, int64_t k) {
  if (x.x) {
    copy_bytes(to, x.x + row * k, k);
  } else {
    const float* real = x.real + row * k;
    Grid grid = {x.scale, x.zero, 0, x.levels};
    if (x.each) {
      float range[3];
      row_range(range, real, k);
      grid = grid_of(range[0], range[1], x.levels);
      *zero = grid.zero;
      *scale = grid.scale + range[2];  // NaN if there is one in the row, or an infinity
    }
    quantize_row(to, real, k, grid);
  }
  for (int64_t j = k; j < padded_k(k); ++j) to[j] = 0;
}

bool in_place(const Int8Rows& x, const Int8Weight& w) {
  return sizeof(Act) == 1 && x.x && w.k % 4 == 0;
}

struct LinearSpace {
  float *shift, *factor, *scale;
  int32_t *zero, *sum;
  Act* a;
  int64_t bytes;
};

LinearSpace linear_space(const Int8Rows& x, const Int8Weight& w, void* workspace) {
  char* const at = static_cast<char*>(workspace);
  const int64_t n = padded_n(w.n), rows = (x.m + 15) / 16 * 16;
  int64_t bytes = 0;
  const auto take = [&](int64_t count) {
    bytes += 4 * count;
    return at + (bytes - 4 * count);
  };
  LinearSpace s;
  s.shift = reinterpret_cast<float*>(take(n));
  s.factor = reinterpret_cast<float*>(take(n));
  s.scale = reinterpret_cast<float*>(take(x.each ? rows : 16));
  s.zero = reinterpret_cast<int32_t*>(take(x.each ? rows : 16));
  s.sum = reinterpret_cast<int32_t*>(take(w.zero ? rows : 0));
  s.a = reinterpret_cast<Act*>(at + bytes);
  s.bytes = bytes;
  if (!in_place(x, w)) s.bytes += x.m * padded_k(w.k) * int64_t{sizeof(Act)};
  return s;
}

int64_t linear_workspace(const Int8Rows& x, const Int8Weight& w) {
  return linear_space(x, w, nullptr).bytes;
}

void linear(const Int8Out& out, const Int8Rows& x, const Int8Weight& w, void* workspace) {
  const LinearSpace s = linear_space(x, w, workspace);
  const int64_t kq = padded_k(w.k);
  s.scale[0] = x.scale;
  s.zero[0] = x.zero;
  if (out.quantized) prepare_columns(s.shift, s.factor, out, x.scale, w);
  // Each step of gathering is worth some ten of multiplying.
  const bool ready = in_place(x, w);
  const Act* const a = ready ? reinterpret_cast<const Act*>(x.x) : s.a;
  if (!ready || w.zero) {
    parallel_for(x.m, max_of(1, kGatherGrain / kq), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        if (!ready) ready_row(s.a + i * kq, s.scale + i, s.zero + i, x, i, w.k);
        if (w.zero) sum_rows(s.sum + i, a + i * kq, kq, 1, w.k);
      }
    });
  }
  const int64_t blocks = ceil_div(x.m, kBlockRows);
  int64_t width = padded_n(w.n);
  const int64_t rows = min_of(x.m, kBlockRows);
  if (x.m * w.n * w.k >= 2 * kTaskWork) {
    const int64_t least = ceil_div(kTaskWork, rows * kq);
    width = min_of(width, ceil_div(least, kTileColumns) * kTileColumns);
  } else {
    width = max_of(width, kTileColumns);
  }
  const int64_t across = ceil_div(w.n, width);
  const int64_t whole = x.m * w.n * w.k < 2 * kTaskWork ? blocks * across : 1;
  const Columns columns = columns_of(w, s.shift, s.factor, 0);
  const int64_t item = out.quantized ? 1 : 4;
  parallel_for(blocks * across, whole, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t i = task / across * kBlockRows, j = task % across * width;
      Block b;
      b.a = a + i * kq;
      b.a_rs = kq;
      b.rows = min_of(kBlockRows, x.m - i);
      b.step = x.each ? 1 : 0;
      b.scale = s.scale + i * b.step;
      b.zero = s.zero + i * b.step;
      b.sum = s.sum + i;
      b.out = static_cast<char*>(out.data) + i * w.n * item;
      b.out_rs = w.n;
      multiply_block(b, w.packed, w.n, columns, j, j + width, out);
    }
  });
}

// ---- convolution ----

// Where the pixels [at, at + rows) of the output look for one group's channels. What a row's last
// part writes too much, the next row's first one or the slack behind the rows takes.
void gather(Act* to, const Int8Planes& x, int64_t at, int64_t rows, int64_t channel, int64_t each) {
  const int64_t k = x.r * x.s * each, kq = padded_k(k), taps = x.s * each;
  const bool run = each == x.c && x.dilation_w == 1;  // taps of a row lie side by side
  const Act zero = static_cast<Act>(x.zero);
  const uint8_t* const end = x.x + x.n * x.h * x.w * x.c;
  int64_t q = at % x.q, p = at / x.q % x.p, n = at / (x.q * x.p);
  for (int64_t i = 0; i < rows; ++i, to += kq) {
    const int64_t h0 = p * x.stride_h - x.pad_h, w0 = q * x.stride_w - x.pad_w;
    const bool across = w0 >= 0 && w0 + (x.s - 1) * x.dilation_w < x.w;
    Act* y = to;
    for (int64_t r = 0; r < x.r; ++r, y += taps) {
      const int64_t h = h0 + r * x.dilation_h;
      const uint8_t* row = x.x + ((n * x.h + h) * x.w) * x.c + channel;
      if (h < 0 || h >= x.h) {
        for (int64_t l = 0; l < taps; ++l) y[l] = zero;
      } else if (run && across) {
        copy_parts(y, row + w0 * x.c, taps, end);
      } else {
        for (int64_t s = 0; s < x.s; ++s) {
          const int64_t w = w0 + s * x.dilation_w;
          if (w < 0 || w >= x.w) {
            for (int64_t l = 0; l < each; ++l) y[s * each + l] = zero;
          } else {
            copy_parts(y + s * each, row + w * x.c, each, end);
          }
        }
      }
    }
    for (int64_t l = k; l < kq; ++l) to[l] = 0;
    if (++q == x.q) {
      q = 0;
      if (++p == x.p) p = 0, ++n;
    }
  }
}

// Vectors of kF channels from `channel` on: sums over the taps of one pixel.
template <int V>
MG_INLINE void depthwise_sums(int32_t* tile, const Int8Planes& x, const int8_t* weight,
                              int64_t stride, const uint8_t* image, int64_t h0, int64_t w0) {
  vi sum[V];
#pragma GCC unroll 4
  for (int j = 0; j < V; ++j) sum[j] = vi{};
  for (int64_t r = 0; r < x.r; ++r) {
    const int64_t h = h0 + r * x.dilation_h;
    for (int64_t s = 0; s < x.s; ++s, weight += stride) {
      const int64_t w = w0 + s * x.dilation_w;
      const bool inside = h >= 0 && h < x.h && w >= 0 && w < x.w;
      const uint8_t* from = image + (h * x.w + w) * x.c;
#pragma GCC unroll 4
      for (int j = 0; j < V; ++j) {
        const vi right = load_wide(weight + j * kF);
        const vi left = inside ? load_wide(from + j * kF) : set1(x.zero);
        sum[j] += left * right;
      }
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < V; ++j) store(tile + j * kF, sum[j]);
}

// One channel to a group. What is left of a vector is added one by one.
void depthwise_pixel(const Int8Planes& x, const Int8Weight& w, int64_t pixel, const Block& b,
                     const Columns& c, const Int8Out& out) {
  const int64_t q = pixel % x.q, p = pixel / x.q % x.p, n = pixel / (x.q * x.p);
  const int64_t h0 = p * x.stride_h - x.pad_h, w0 = q * x.stride_w - x.pad_w;
  const int64_t stride = padded_n(w.n);
  const uint8_t* const image = x.x + n * x.h * x.w * x.c;
  int32_t tile[4 * kF];
  int64_t j = 0;
  for (; j + 4 * kF <= w.n; j += 4 * kF) {
    depthwise_sums<4>(tile, x, w.packed + j, stride, image + j, h0, w0);
    finish_tile(tile, 1, b, 0, c, j, 4 * kF, out);
  }
  for (; j + kF <= w.n; j += kF) {
    depthwise_sums<1>(tile, x, w.packed + j, stride, image + j, h0, w0);
    finish_tile(tile, 1, b, 0, c, j, kF, out);
  }
  if (j == w.n) return;
  for (int64_t i = 0; i < kF; ++i) tile[i] = 0;
  for (int64_t tap = 0; tap < x.r * x.s; ++tap) {
    const int64_t h = h0 + tap / x.s * x.dilation_h, v = w0 + tap % x.s * x.dilation_w;
    const bool inside = h >= 0 && h < x.h && v >= 0 && v < x.w;
    for (int64_t i = j; i < w.n; ++i) {
      const int32_t left = inside ? image[(h * x.w + v) * x.c + i] : x.zero;
      tile[i - j] += left * w.packed[tap * stride + i];
    }
  }
  finish_tile(tile, 1, b, 0, c, j, w.n - j, out);
}

int64_t conv_chunk(const Int8Planes& x) {  // blocks of pixels
  return ceil_div(ceil_div(x.n * x.p * x.q, kBlockRows), kSlots);
}

bool taken_in_place(const Int8Planes& x, const Int8Weight& w) {
  return sizeof(Act) == 1 && w.groups == 1 && x.r * x.s == 1 && x.stride_h == 1 &&
         x.stride_w == 1 && x.pad_h == 0 && x.pad_w == 0 && w.k % 4 == 0;
}

// Bytes of gathered rows and the slack behind them.
int64_t slot_of(const Int8Weight& w) {
  return (kBlockRows * padded_k(w.k) * int64_t{sizeof(Act)} + 16 * sizeof(Act) + 63) / 64 * 64;
}

int64_t conv_workspace(const Int8Planes&, const Int8Weight& w) {
  return 8 * w.groups * padded_n(w.n) + kSlots * slot_of(w);
}

void conv(const Int8Out& out, const Int8Planes& x, const Int8Weight& w, void* workspace) {
  const int64_t columns = w.groups * padded_n(w.n), kq = padded_k(w.k);
  float* const shift = static_cast<float*>(workspace);
  float* const factor = shift + columns;
  char* const slots = reinterpret_cast<char*>(factor + columns);
  if (out.quantized) prepare_columns(shift, factor, out, x.scale, w);
  const int64_t m = x.n * x.p * x.q, chunk = conv_chunk(x);
  const int64_t channels = w.groups * w.n, item = out.quantized ? 1 : 4;
  const int64_t slot = slot_of(w);
  const int64_t each = w.depthwise ? 1 : x.c / w.groups;
  const bool direct = taken_in_place(x, w);
  parallel_for(ceil_div(m, kBlockRows), chunk, [&](int64_t begin, int64_t end) {
    int32_t sums[kBlockRows];
    Act* const space = reinterpret_cast<Act*>(slots + begin / chunk * slot);
    for (int64_t block = begin; block < end; ++block) {
      const int64_t at = block * kBlockRows;
      Block b;
      b.a = space;
      b.a_rs = kq;
      b.rows = min_of(kBlockRows, m - at);
      b.scale = &x.scale;
      b.zero = &x.zero;
      b.step = 0;
      b.sum = sums;
      b.out_rs = channels;
      char* const to = static_cast<char*>(out.data) + at * channels * item;
      if (w.depthwise) {
        const Columns c = columns_of(w, shift, factor, 0);
        for (int64_t i = 0; i < b.rows; ++i) {
          b.out = to + i * channels * item;
          depthwise_pixel(x, w, at + i, b, c, out);
        }
        continue;
      }
      for (int64_t g = 0; g < w.groups; ++g) {
        if (direct) {
          b.a = reinterpret_cast<const Act*>(x.x) + at * kq;
        } else {
          gather(space, x, at, b.rows, g * each, each);
        }
        if (w.zero) sum_rows(sums, b.a, kq, b.rows, w.k);
        b.out = to + g * w.n * item;
        multiply_block(b, w.packed + g * padded_n(w.n) * kq, w.n, columns_of(w, shift, factor, g),
                       0, w.n, out);
      }
    }
  });
}

}  // namespace

extern const Int8Kernels kInt8 = {linear, linear_workspace, conv, conv_workspace};

}  // namespace mg::MG_ISA
