// The gradient of a strided depthwise convolution's input. The places y = stride * i + a of one `a`
// are the outputs of a convolution of g without a stride, by every stride-th tap: a row of each
// such phase is computed from padded rows of g in the L1, and the phases of a row are woven
// together.
#include "cpu/conv_core.h"
#include "cpu/step.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kSpace = 24 << 10;  // bytes of a band of g
constexpr int64_t kMaxTaps = 64, kMaxStride = 4;

// One dimension: place stride * i + a is the sum over k < count of tap first + stride * k times
// g[i + base - k].
struct Phase {
  int64_t first, base, count;
};
struct Axis {
  int64_t groups;         // values of i
  int64_t before, after;  // what is read of g around [0, groups)
  Phase phase[kMaxStride];
};

Axis axis_of(int64_t size, int64_t stride, int64_t pad, int64_t taps) {
  Axis axis = {ceil_div(size, stride), 0, 0, {}};
  for (int64_t a = 0; a < stride; ++a) {
    Phase& p = axis.phase[a];
    p.first = (a + pad) % stride;
    p.base = (a + pad) / stride;
    p.count = p.first < taps ? ceil_div(taps - p.first, stride) : 0;
    axis.before = max_of(axis.before, p.count - 1 - p.base);
    axis.after = max_of(axis.after, p.base);
  }
  return axis;
}

template <class T>
struct Plan {
  Axis y, x;
  int64_t row;    // elements of a padded row of g
  int64_t width;  // places of one phase in a row, in whole vectors
  int64_t rows;   // values of i in a band
};

// False if no band fits.
template <class T>
bool make_plan(const ConvShape& s, Plan<T>* p) {
  if (s.dilation_h != 1 || s.dilation_w != 1 || s.r * s.s > kMaxTaps) return false;
  if (max_of(s.stride_h, s.stride_w) > kMaxStride || s.pad_h < 0 || s.pad_w < 0) return false;
  p->y = axis_of(s.h, s.stride_h, s.pad_h, s.r);
  p->x = axis_of(s.w, s.stride_w, s.pad_w, s.s);
  p->width = round_up(p->x.groups, Vec<T>::lanes);
  p->row = p->x.before + p->width + p->x.after;
  const int64_t rows = kSpace / int64_t{sizeof(T)} / p->row - p->y.before - p->y.after;
  p->rows = min_of(p->y.groups, rows);
  return p->rows > 0;
}

// The rows of g that the band from row i0 on reads; zeros where g has none.
template <class T>
void copy_band(T* to, const T* g, const ConvShape& s, const Plan<T>& p, int64_t i0) {
  constexpr int L = Vec<T>::lanes;
  const typename Vec<T>::type zero = {};
  const int64_t n = min_of(s.q, p.row - p.x.before);
  for (int64_t t = 0; t < p.rows + p.y.before + p.y.after; ++t, to += p.row) {
    const int64_t y = i0 - p.y.before + t;
    int64_t j = 0;
    for (; j + L <= p.row; j += L) store(to + j, zero);
    if (j < p.row) store_partial(to + j, zero, p.row - j);
    if (y < 0 || y >= s.p) continue;
    const T* row = g + y * s.q;
    T* const at = to + p.x.before;
    for (j = 0; j + L <= n; j += L) store(at + j, load(row + j));
    if (j < n) store_partial(at + j, load_partial(row + j, n - j), n - j);
  }
}

// The taps of one phase of rows and columns, and where in the band each reads.
template <class T>
struct Taps {
  int64_t count, offset[kMaxTaps];
  T weight[kMaxTaps];
};
template <class T>
void list_taps(Taps<T>* taps, const T* w, const ConvShape& s, const Plan<T>& p, const Phase& y,
               const Phase& x) {
  taps->count = 0;
  for (int64_t k = 0; k < y.count; ++k) {
    for (int64_t l = 0; l < x.count; ++l) {
      taps->offset[taps->count] = (y.base - k) * p.row + x.base - l;
      taps->weight[taps->count++] = w[(y.first + s.stride_h * k) * s.s + x.first + s.stride_w * l];
    }
  }
}

// A vector of places of one phase in kB rows.
template <int kB, class T>
MG_INLINE void phase_at(typename Vec<T>::type* sums, const T* src, int64_t pitch,
                        const Taps<T>& taps, T bias) {
#pragma GCC unroll 4
  for (int i = 0; i < kB; ++i) sums[i] = set1(bias);
  for (int64_t t = 0; t < taps.count; ++t) {
    const auto weight = set1(taps.weight[t]);
    const T* from = src + taps.offset[t];
#pragma GCC unroll 4
    for (int i = 0; i < kB; ++i) sums[i] = fma(weight, load(from + i * pitch), sums[i]);
  }
}

template <class T>
MG_INLINE void store_most(T* to, typename Vec<T>::type v, int64_t n) {
  if (n >= Vec<T>::lanes) {
    store(to, v);
  } else if (n > 0) {
    store_partial(to, v, n);
  }
}

// kB rows of x of one phase, from the band's row of the first of them on.
template <int kB, class T>
void rows_to_input(T* to, const T* src, const Taps<T>* taps, T bias, const ConvShape& s,
                   const Plan<T>& p) {
  using V = typename Vec<T>::type;
  using I = typename Places<T>::type;
  constexpr int L = Vec<T>::lanes;
  const int64_t pitch = s.stride_h * s.w;
  I low, high;
  for (int i = 0; i < L; ++i) low[i] = i / 2 + i % 2 * L, high[i] = low[i] + L / 2;
  V sums[kB], odd[kB];
  for (int64_t j = 0; j < p.width; j += L) {
    if (s.stride_w == 2) {
      phase_at<kB>(sums, src + j, p.row, taps[0], bias);
      phase_at<kB>(odd, src + j, p.row, taps[1], bias);
#pragma GCC unroll 4
      for (int i = 0; i < kB; ++i) {
        T* at = to + i * pitch + 2 * j;
        store_most(at, __builtin_shuffle(sums[i], odd[i], low), s.w - 2 * j);
        store_most(at + L, __builtin_shuffle(sums[i], odd[i], high), s.w - 2 * j - L);
      }
      continue;
    }
    for (int64_t b = 0; b < s.stride_w; ++b) {
      phase_at<kB>(sums, src + j, p.row, taps[b], bias);
      const int64_t n = min_of(int64_t{L}, ceil_div(s.w - b, s.stride_w) - j);
      for (int i = 0; i < kB; ++i) {
        for (int64_t l = 0; l < n; ++l) to[i * pitch + (j + l) * s.stride_w + b] = sums[i][l];
      }
    }
  }
}

template <class T>
void plane_to_input(T* x, const T* g, const T* w, T bias, const ConvShape& s, const Plan<T>& p,
                    T* band) {
  constexpr int kBlock = 4;
  Taps<T> taps[kMaxStride][kMaxStride];
  for (int64_t a = 0; a < s.stride_h; ++a) {
    for (int64_t b = 0; b < s.stride_w; ++b) {
      list_taps(&taps[a][b], w, s, p, p.y.phase[a], p.x.phase[b]);
    }
  }
  const int64_t step = s.stride_h * s.w;
  for (int64_t i0 = 0; i0 < p.y.groups; i0 += p.rows) {
    copy_band(band, g, s, p, i0);
    const T* src = band + p.y.before * p.row + p.x.before;
    T* const to = x + i0 * step;
    const int64_t rows = min_of(p.rows, p.y.groups - i0);
    for (int64_t i = 0; i < rows; i += kBlock) {  // memory likes rows that lie together
      for (int64_t a = 0; a < s.stride_h; ++a) {
        const int64_t end = min_of(min_of(rows, i + kBlock), ceil_div(s.h - a, s.stride_h) - i0);
        T* const at = to + a * s.w;
        if (end - i == kBlock) {
          rows_to_input<kBlock>(at + i * step, src + i * p.row, taps[a], bias, s, p);
          continue;
        }
        for (int64_t j = i; j < end; ++j) {
          rows_to_input<1>(at + j * step, src + j * p.row, taps[a], bias, s, p);
        }
      }
    }
  }
}

template <class T>
bool to_input(T* x, const T* g, const T* w, const T* bias, const ConvShape& s) {
  Plan<T> p;
  if (!is_depthwise(s) || !make_plan(s, &p)) return false;
  const int64_t taps = s.r * s.s, from = s.p * s.q, to = s.h * s.w;
  const int64_t cost = to + from * taps;
  parallel_for(s.n * s.c, max_of(1, (1 << 18) / cost), [&](int64_t begin, int64_t end) {
    alignas(64) T band[kSpace / sizeof(T)];
    for (int64_t i = begin; i < end; ++i) {
      const int64_t c = i % s.c;
      plane_to_input(x + i * to, g + i * from, w + c * taps, bias ? bias[c] : T{0}, s, p, band);
    }
  });
  return true;
}

}  // namespace

bool depthwise_strided_to_input(float* x, const float* g, const float* w, const float* bias,
                                const ConvShape& s) {
  return to_input(x, g, w, bias, s);
}
bool depthwise_strided_to_input(double* x, const double* g, const double* w, const double* bias,
                                const ConvShape& s) {
  return to_input(x, g, w, bias, s);
}

}  // namespace mg::MG_ISA
