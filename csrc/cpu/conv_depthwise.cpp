// Depthwise convolution (each channel has a kernel of its own) and its gradients: a band of rows of
// one plane is padded into the L1, and four rows of outputs share what they read of it.
#include "cpu/conv_core.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kBuffer = 24 << 10;  // bytes of a padded band
constexpr int64_t kMaxTaps = 64, kSums = 128;
constexpr int kBlock = 4;  // rows of outputs at a time

template <class T>
struct Band {
  Padded l;  // of a band's source; a row is wide enough for whole vectors of outputs
  int64_t r, s, p, q;
  int64_t rows;  // of outputs in a band
  bool tall;     // the taps of a column read rows one after the other
  int64_t offset[kMaxTaps];
};

// False if a band does not fit the buffer.
template <class T>
bool make_band(const ConvShape& s, Band<T>* b) {
  b->l = layout_x(s);
  PaddedAxis &y = b->l.y, &x = b->l.x;
  x.length = round_up(s.q, Vec<T>::lanes) + (s.s - 1) * s.dilation_w / s.stride_w;
  const int64_t more = y.length - s.p, row = times(y.residues * x.residues, x.length);
  const int64_t rows = kBuffer / int64_t{sizeof(T)} / row - more;
  if (rows < kBlock || s.r * s.s > kMaxTaps) return false;
  b->r = s.r, b->s = s.s, b->p = s.p, b->q = s.q;
  b->rows = min_of(s.p, rows / kBlock * kBlock);
  b->tall = s.stride_h == 1 && s.dilation_h == 1;
  y.length = b->rows + more;
  b->l.plane = row * y.length;
  for (int64_t i = 0; i < s.r * s.s; ++i) b->offset[i] = offset_x(b->l, 0, i / s.s, i % s.s);
  return true;
}

// Copies what the outputs from row y0 on read. Columns outside the plane are zero already.
template <class T>
void copy_band(T* dst, const T* plane, const Band<T>& b, int64_t y0) {
  constexpr int L = Vec<T>::lanes;
  const PaddedAxis &y = b.l.y, &x = b.l.x;
  const int64_t top = y0 * y.stride - y.pad;
  if (x.stride > 1 || y.stride > 1) {
    for (int64_t i = 0; i < y.residues; ++i) {
      for (int64_t j = 0; j < x.residues; ++j, dst += y.length * x.length) {
        copy_residue(dst, plane, b.l, top + i * y.dilation % y.stride,
                     j * x.dilation % x.stride - x.pad);
      }
    }
    return;
  }
  const int64_t from = max_of(0, -x.pad), to = max_of(0, x.pad);
  const int64_t n = min_of(x.size - from, x.length - to);
  for (int64_t t = 0; t < y.length; ++t, dst += x.length) {
    if (top + t < 0 || top + t >= y.size) {
      // A band that is the whole plane finds them as zeros.
      for (int64_t u = 0; b.rows < b.p && u < x.length; u += L) {
        store_partial(dst + u, typename Vec<T>::type{}, min_of(L, x.length - u));
      }
      continue;
    }
    const T* row = plane + (top + t) * x.size + from;
    int64_t u = 0;
    for (; u + L <= n; u += L) store(dst + to + u, load(row + u));
    if (u < n) store(dst + to + u, load_partial(row + u, n - u));  // zeros up to the next row's
  }
}

// kB rows of a vector of outputs at src, for kR rows of taps; kR = 0: any taps.
template <class T, int kR, int kB>
MG_INLINE void block_forward(typename Vec<T>::type* acc, const T* src, const T* w,
                             const Band<T>& b) {
  const int64_t pitch = b.l.x.length;
  if constexpr (kR == 0) {
    for (int64_t i = 0; i < b.r * b.s; ++i) {
      const auto tap = set1(w[i]);
      const T* from = src + b.offset[i];
#pragma GCC unroll 4
      for (int o = 0; o < kB; ++o) acc[o] = fma(tap, load(from + o * pitch), acc[o]);
    }
  } else {
    for (int64_t t = 0; t < b.s; ++t) {
      const T* from = src + b.offset[t];
#pragma GCC unroll 16
      for (int i = 0; i < kR + kB - 1; ++i) {
        const auto x = load(from + i * pitch);
#pragma GCC unroll 4
        for (int o = 0; o < kB; ++o) {
          if (i >= o && i - o < kR) acc[o] = fma(set1(w[(i - o) * b.s + t]), x, acc[o]);
        }
      }
    }
  }
}

// The last vector of a row overlaps the one before. Of a row shorter than a vector all lanes are
// written too, as long as the plane goes on: the rows below are written later.
template <class T, int kR, int kB>
void rows_forward(T* out, const T* end, const T* src, const T* w, T bias, const Band<T>& b) {
  constexpr int L = Vec<T>::lanes;
  const int64_t last = max_of(0, b.q - L);
  for (int64_t x = 0;; x = min_of(x + L, last)) {
    typename Vec<T>::type acc[kB];
#pragma GCC unroll 4
    for (int o = 0; o < kB; ++o) acc[o] = set1(bias);
    block_forward<T, kR, kB>(acc, src + x, w, b);
    T* at = out + x;
#pragma GCC unroll 4
    for (int o = 0; o < kB; ++o, at += b.q) {
      if (end - at >= L) {
        store(at, acc[o]);
      } else {
        store_partial(at, acc[o], b.q);
      }
    }
    if (x == last) return;
  }
}

template <class T, int kR>
void plane_forward(T* out, const T* plane, const T* w, T bias, const Band<T>& b, T* buffer,
                   bool copied) {
  const int64_t pitch = b.l.x.length;
  const T* const end = out + b.p * b.q;
  for (int64_t y0 = 0; y0 < b.p; y0 += b.rows) {
    if (!copied) copy_band(buffer, plane, b, y0);
    const int64_t rows = min_of(b.rows, b.p - y0);
    int64_t y = 0;
    for (; y + kBlock <= rows; y += kBlock) {
      rows_forward<T, kR, kBlock>(out + (y0 + y) * b.q, end, buffer + y * pitch, w, bias, b);
    }
    if (y < rows && rows >= kBlock) {  // the last rows again: four at a time cost less than one
      y = rows - kBlock;
      rows_forward<T, kR, kBlock>(out + (y0 + y) * b.q, end, buffer + y * pitch, w, bias, b);
      continue;
    }
    for (; y < rows; ++y) {
      rows_forward<T, kR, 1>(out + (y0 + y) * b.q, end, buffer + y * pitch, w, bias, b);
    }
  }
}

// sums[r * s + t] += g's kB rows but for the first `skip` times what tap (r, t) reads; kS x kS
// taps, or any for kS = 0.
template <class T, int kS, int kB>
void rows_weight(typename Vec<T>::type* sums, const T* g, const T* src, const Band<T>& b,
                 int64_t skip) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes, kN = kS ? kS : 1;
  const int64_t pitch = b.l.x.length;
  V acc[kN][kN];
#pragma GCC unroll 8
  for (int r = 0; r < kS; ++r) {
#pragma GCC unroll 8
    for (int t = 0; t < kS; ++t) acc[r][t] = sums[r * kS + t];
  }
  for (int64_t x = 0; x < b.q; x += L) {
    V grad[kB];
#pragma GCC unroll 4
    for (int o = 0; o < kB; ++o) {
      const T* from = g + o * b.q + x;
      grad[o] = o < skip ? V{} : x + L <= b.q ? load(from) : load_partial(from, b.q - x);
    }
    if constexpr (kS == 0) {
      for (int64_t i = 0; i < b.r * b.s; ++i) {
        const T* from = src + b.offset[i] + x;
        V sum = sums[i];
#pragma GCC unroll 4
        for (int o = 0; o < kB; ++o) sum = fma(grad[o], load(from + o * pitch), sum);
        sums[i] = sum;
      }
    } else {
#pragma GCC unroll 16
      for (int i = 0; i < kS + kB - 1; ++i) {
#pragma GCC unroll 8
        for (int t = 0; t < kS; ++t) {
          const V value = load(src + b.offset[t] + i * pitch + x);
#pragma GCC unroll 4
          for (int o = 0; o < kB; ++o) {
            if (i >= o && i - o < kS) acc[i - o][t] = fma(grad[o], value, acc[i - o][t]);
          }
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kS; ++r) {
#pragma GCC unroll 8
    for (int t = 0; t < kS; ++t) sums[r * kS + t] = acc[r][t];
  }
}

template <class T, int kS>
void plane_weight(typename Vec<T>::type* sums, const T* g, const T* plane, const Band<T>& b,
                  T* buffer, bool copied) {
  const int64_t pitch = b.l.x.length;
  for (int64_t y0 = 0; y0 < b.p; y0 += b.rows) {
    if (!copied) copy_band(buffer, plane, b, y0);
    const int64_t rows = min_of(b.rows, b.p - y0);
    int64_t y = 0;
    for (; y + kBlock <= rows; y += kBlock) {
      rows_weight<T, kS, kBlock>(sums, g + (y0 + y) * b.q, buffer + y * pitch, b, 0);
    }
    if (y < rows && rows >= kBlock) {
      const int64_t last = rows - kBlock;
      rows_weight<T, kS, kBlock>(sums, g + (y0 + last) * b.q, buffer + last * pitch, b, y - last);
      continue;
    }
    for (; y < rows; ++y) rows_weight<T, kS, 1>(sums, g + (y0 + y) * b.q, buffer + y * pitch, b, 0);
  }
}

template <class T>
constexpr int64_t kElements = kBuffer / int64_t{sizeof(T)};

// Calls body(i, buffer) for i in [0, n), in parallel; the buffer starts as zeros.
template <class T, class Body>
void each_plane(int64_t n, int64_t cost, const Body& body) {
  parallel_for(n, max_of(1, (1 << 19) / cost), [&](int64_t begin, int64_t end) {
    alignas(64) T buffer[kElements<T> + Vec<T>::lanes] = {};
    for (int64_t i = begin; i < end; ++i) body(i, buffer);
  });
}

// Planes that are copied before the first is computed with, 1 where a band is not a whole plane:
// what has just been stored in other pieces is slow to load.
template <class T>
int64_t planes_at_once(const Band<T>& b) {
  return b.rows < b.p ? 1 : max_of(1, min_of(8, kElements<T> / b.l.plane));
}

template <class T>
bool run_forward(T* g, const T* x, const T* w, const T* bias, const ConvShape& s, bool turned) {
  Band<T> b;
  if (!make_band(s, &b)) return false;
  const int64_t taps = s.r * s.s, from = s.h * s.w, to = s.p * s.q;
  const auto run = b.tall && s.r == 3   ? plane_forward<T, 3>
                   : b.tall && s.r == 5 ? plane_forward<T, 5>
                   : b.tall && s.r == 7 ? plane_forward<T, 7>
                                        : plane_forward<T, 0>;
  const int64_t group = planes_at_once(b), all = s.n * s.c;
  each_plane<T>(ceil_div(all, group), times(group, to * (taps + 4)), [&](int64_t task, T* buffer) {
    const int64_t first = task * group, end = min_of(first + group, all);
    for (int64_t i = first; group > 1 && i < end; ++i) {
      copy_band(buffer + (i - first) * b.l.plane, x + i * from, b, 0);
    }
    for (int64_t i = first; i < end; ++i) {
      const int64_t c = i % s.c;
      T kernel[kMaxTaps];
      for (int64_t j = 0; j < taps; ++j) kernel[j] = w[c * taps + (turned ? taps - 1 - j : j)];
      run(g + i * to, x + i * from, kernel, bias ? bias[c] : T{0}, b,
          buffer + (i - first) * b.l.plane, group > 1);
    }
  });
  return true;
}

// The convolution of g with the kernel turned about, which is the gradient of x.
ConvShape turned_about(const ConvShape& s) {
  ConvShape turned = s;
  turned.h = s.p, turned.w = s.q, turned.p = s.h, turned.q = s.w;
  turned.pad_h = (s.r - 1) * s.dilation_h - s.pad_h;
  turned.pad_w = (s.s - 1) * s.dilation_w - s.pad_w;
  return turned;
}

template <class T>
bool run_to_weight(T* w, const T* x, const T* g, const ConvShape& s) {
  using V = typename Vec<T>::type;
  Band<T> b;
  if (!make_band(s, &b)) return false;
  const int64_t taps = s.r * s.s, from = s.h * s.w, to = s.p * s.q;
  const auto run = b.tall && s.r == 3 && s.s == 3   ? plane_weight<T, 3>
                   : b.tall && s.r == 5 && s.s == 5 ? plane_weight<T, 5>
                                                    : plane_weight<T, 0>;
  // Neighbouring channels together: their planes are read one after the other in memory.
  const int64_t group = planes_at_once(b);
  const int64_t block = kSums / taps, cost = times(times(s.n, to * (taps + 4)), block);
  each_plane<T>(ceil_div(s.c, block), max_of(1, cost), [&](int64_t task, T* buffer) {
    const int64_t c0 = task * block, c1 = min_of(c0 + block, s.c);
    V sums[kSums];
    for (int64_t j = 0; j < (c1 - c0) * taps; ++j) sums[j] = V{};
    for (int64_t n = 0; n < s.n; ++n) {
      const T* planes = x + n * s.c * from;
      for (int64_t first = c0; first < c1; first += group) {
        const int64_t end = min_of(first + group, c1);
        for (int64_t c = first; group > 1 && c < end; ++c) {
          copy_band(buffer + (c - first) * b.l.plane, planes + c * from, b, 0);
        }
        for (int64_t c = first; c < end; ++c) {
          run(sums + (c - c0) * taps, g + (n * s.c + c) * to, planes + c * from, b,
              buffer + (c - first) * b.l.plane, group > 1);
        }
      }
    }
    for (int64_t j = 0; j < (c1 - c0) * taps; ++j) w[c0 * taps + j] = hsum(sums[j]);
  });
  return true;
}

}  // namespace

#define MG_DEPTHWISE(T)                                                                        \
  bool depthwise_forward(T* g, const T* x, const T* w, const T* bias, const ConvShape& s) {    \
    if (!is_depthwise(s)) return false;                                                        \
    return small_depthwise(g, x, w, bias, s, false) || run_forward(g, x, w, bias, s, false);   \
  }                                                                                            \
  bool depthwise_to_input(T* x, const T* g, const T* w, const T* bias, const ConvShape& s) {   \
    if (!is_depthwise(s)) return false;                                                        \
    if (s.stride_h > 1 || s.stride_w > 1) return depthwise_strided_to_input(x, g, w, bias, s); \
    const ConvShape turned = turned_about(s);                                                  \
    return small_depthwise(x, g, w, bias, turned, true) ||                                     \
           run_forward(x, g, w, bias, turned, true);                                           \
  }                                                                                            \
  bool depthwise_to_weight(T* w, const T* x, const T* g, const ConvShape& s) {                 \
    return is_depthwise(s) &&                                                                  \
           (small_depthwise_to_weight(w, x, g, s) || run_to_weight(w, x, g, s));               \
  }
MG_DEPTHWISE(float)
MG_DEPTHWISE(double)
#undef MG_DEPTHWISE

}  // namespace mg::MG_ISA
