// Depthwise convolution of small planes and its gradients: planes of as many channels as a vector
// has lanes are turned in registers, so that each place is a vector of channels. However short the
// rows are, no lane stands idle.
#include "cpu/conv_core.h"
#include "cpu/transpose.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kSpace = 1280 * kVectorBytes;  // of turned planes: they stay near
constexpr int64_t kMaxTaps = 64, kMaxPlaces = 1024;
constexpr int kMost = 9;  // results at a time in registers

// Where the places of x stand among the padded ones that the taps read, and what each tap adds to
// the place of an output; all in vectors.
struct Small {
  int64_t height, width, taps, outputs;
  int64_t step_y, step_x;  // from an output to the next one
  int64_t offset[kMaxTaps];
  int32_t place[kMaxPlaces];  // of x; places that no tap reads share one behind the others
  int32_t output[kMaxPlaces], tap[kMaxTaps];  // of g and of the weight: in order, or turned about
  int64_t all() const { return height * width + 1; }
};

#if defined(__AVX512F__)
constexpr int64_t kTurn = 8;
#elif defined(__AVX2__)
constexpr int64_t kTurn = 6;
#else
constexpr int64_t kTurn = 12;
#endif

// Whether this form is the quicker one, counted in vectors: the other's rows fill few lanes and
// cost `row` each besides their taps, here planes are turned on both sides. With a stride that
// form sorts the columns first.
template <class T>
bool pays(const ConvShape& s, int64_t row) {
  constexpr int L = Vec<T>::lanes;
  if (s.c < L || !fills_vectors<T>(s.c) || s.r * s.s > kMaxTaps) return false;
  if (s.stride_h > 1 || s.stride_w > 1) return true;
  const int64_t taps = s.r * s.s, places = s.p * s.q;
  return places * taps * 5 / 4 + (s.h * s.w + places) * kTurn <
         s.p * ceil_div(s.q, L) * L * (taps + row);
}

template <class T>
bool lay_out(const ConvShape& s, int64_t row, bool turned, Small* p) {
  if (s.p > kMaxPlaces || s.q > kMaxPlaces || s.h > kMaxPlaces || s.w > kMaxPlaces) return false;
  if (s.h * s.w > kMaxPlaces || !pays<T>(s, row)) return false;
  p->taps = s.r * s.s, p->outputs = s.p * s.q;
  p->height = (s.p - 1) * s.stride_h + (s.r - 1) * s.dilation_h + 1;
  p->width = (s.q - 1) * s.stride_w + (s.s - 1) * s.dilation_w + 1;
  if (p->outputs > kMaxPlaces) return false;
  const int64_t most = kSpace / kVectorBytes;
  if (p->height > most || p->width > most) return false;
  if (p->all() + p->outputs + p->taps + Vec<T>::lanes > most) return false;
  p->step_y = s.stride_h * p->width, p->step_x = s.stride_w;
  for (int64_t i = 0; i < p->taps; ++i) {
    p->offset[i] = i / s.s * s.dilation_h * p->width + i % s.s * s.dilation_w;
  }
  for (int64_t i = 0; i < s.h * s.w; ++i) {
    const int64_t y = i / s.w + s.pad_h, x = i % s.w + s.pad_w;
    const bool read = y >= 0 && y < p->height && x >= 0 && x < p->width;
    p->place[i] = static_cast<int32_t>(read ? y * p->width + x : p->all() - 1);
  }
  for (int64_t i = 0; i < p->outputs; ++i) p->output[i] = static_cast<int32_t>(i);
  for (int64_t i = 0; i < p->taps; ++i) {
    p->tap[i] = static_cast<int32_t>(turned ? p->taps - 1 - i : i);
  }
  return true;
}

// to[place[j]][lane] = from[lane][j] for j < size; zero in lanes from `count` on.
template <class T>
void turn_in(T* to, const T* from, int64_t size, int64_t count, const int32_t* place) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  int64_t j = 0;
  for (; size - j > 2; j += L) {
    const int64_t n = min_of(L, size - j);
    V v[L];
    if (n == L && count == L) {
      for (int i = 0; i < L; ++i) v[i] = load(from + i * size + j);
    } else {
      for (int i = 0; i < L; ++i) v[i] = i < count ? load_partial(from + i * size + j, n) : V{};
    }
    turn(v);
    for (int i = 0; i < L; ++i) {
      if (i < n) store(to + place[j + i] * L, v[i]);
    }
  }
  for (; j < size; ++j) {  // one or two places cost less than a block
    T* lanes = to + place[j] * L;
    for (int64_t i = 0; i < L; ++i) lanes[i] = i < count ? from[i * size + j] : T{0};
  }
}

// to[lane][j] = from[j][lane] for j < size and lane < count. Reads whole blocks of `from`.
template <class T>
MG_INLINE void turn_out(T* to, const T* from, int64_t size, int64_t count) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  int64_t j = 0;
  for (; size - j > 2; j += L) {
    const int64_t n = min_of(L, size - j);
    V v[L];
    for (int i = 0; i < L; ++i) v[i] = load(from + (j + i) * L);
    turn(v);
    for (int i = 0; i < L; ++i) {
      if (i >= count) continue;
      if (n == L) {
        store(to + i * size + j, v[i]);
      } else {
        store_partial(to + i * size + j, v[i], n);
      }
    }
  }
  for (; j < size; ++j) {
    for (int64_t i = 0; i < count; ++i) to[i * size + j] = from[j * L + i];
  }
}

// kB outputs of a row.
template <class T, int kB>
void outputs_at(T* out, const T* src, const T* w, typename Vec<T>::type bias, const Small& p) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  const int64_t step = p.step_x * L;
  V acc[kB];
#pragma GCC unroll 16
  for (int i = 0; i < kB; ++i) acc[i] = bias;
  for (int64_t t = 0; t < p.taps; ++t) {
    const V tap = load(w + t * L);
    const T* from = src + p.offset[t] * L;
#pragma GCC unroll 16
    for (int i = 0; i < kB; ++i) acc[i] = fma(tap, load(from + i * step), acc[i]);
  }
#pragma GCC unroll 16
  for (int i = 0; i < kB; ++i) store(out + i * L, acc[i]);
}
template <class T, int kB = kMost>
MG_INLINE void outputs_of(int64_t n, T* out, const T* src, const T* w, typename Vec<T>::type bias,
                          const Small& p) {
  if constexpr (kB > 1) {
    if (n < kB) return outputs_of<T, kB - 1>(n, out, src, w, bias, p);
  }
  outputs_at<T, kB>(out, src, w, bias, p);
}

// sums[t] += the gradients times what tap t reads, for kB taps from the first of `offset` on.
template <class T, int kB>
void taps_at(T* sums, const T* g, const T* src, const int64_t* offset, const Small& p, int64_t q) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  V acc[kB];
  const T* from[kB];
#pragma GCC unroll 16
  for (int i = 0; i < kB; ++i) acc[i] = load(sums + i * L), from[i] = src + offset[i] * L;
  for (int64_t y = 0, done = 0; done < p.outputs; done += q, ++y) {
    int64_t at = y * p.step_y * L;
    for (int64_t x = 0; x < q; ++x, g += L, at += p.step_x * L) {
      const V grad = load(g);
#pragma GCC unroll 16
      for (int i = 0; i < kB; ++i) acc[i] = fma(grad, load(from[i] + at), acc[i]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kB; ++i) store(sums + i * L, acc[i]);
}
template <class T, int kB = kMost>
MG_INLINE void taps_of(int64_t n, T* sums, const T* g, const T* src, const int64_t* offset,
                       const Small& p, int64_t q) {
  if constexpr (kB > 1) {
    if (n < kB) return taps_of<T, kB - 1>(n, sums, g, src, offset, p, q);
  }
  taps_at<T, kB>(sums, g, src, offset, p, q);
}

template <class T>
bool run_forward(T* g, const T* x, const T* w, const T* bias, const ConvShape& s, bool turned) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  Small p;
  if (!lay_out<T>(s, 18, turned, &p)) return false;
  const int64_t blocks = ceil_div(s.c, L), parts = ceil_div(s.q, kMost);
  const int64_t size = s.h * s.w, cost = 2 * p.all() + p.outputs * (p.taps + 8);
  parallel_for(s.n * blocks, max_of(1, 16384 / cost), [&](int64_t begin, int64_t end) {
    alignas(64) T space[kSpace / sizeof(T)];
    T *const out = space + p.all() * L, *const kernel = out + p.outputs * L;
    memset(space, 0, static_cast<size_t>(p.all()) * kVectorBytes);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t c = task % blocks * L, plane = task / blocks * s.c + c;
      const int64_t count = min_of(L, s.c - c);
      turn_in(space, x + plane * size, size, count, p.place);
      turn_in(kernel, w + c * p.taps, p.taps, count, p.tap);
      const V start = bias ? load_partial(bias + c, count) : V{};
      for (int64_t y = 0; y < s.p; ++y) {
        for (int64_t i = 0; i < parts; ++i) {
          const int64_t x0 = i * s.q / parts, x1 = (i + 1) * s.q / parts;
          outputs_of(x1 - x0, out + (y * s.q + x0) * L, space + (y * p.step_y + x0 * p.step_x) * L,
                     kernel, start, p);
        }
      }
      turn_out(g + plane * p.outputs, out, p.outputs, count);
    }
  });
  return true;
}

template <class T>
bool run_to_weight(T* w, const T* x, const T* g, const ConvShape& s) {
  constexpr int L = Vec<T>::lanes;
  Small p;
  if (!lay_out<T>(s, 24, false, &p)) return false;
  const int64_t parts = ceil_div(p.taps, kMost), size = s.h * s.w;
  parallel_for(ceil_div(s.c, L), 1, [&](int64_t begin, int64_t end) {
    alignas(64) T space[kSpace / sizeof(T)];
    T *const grad = space + p.all() * L, *const sums = grad + p.outputs * L;
    memset(space, 0, static_cast<size_t>(p.all()) * kVectorBytes);
    for (int64_t block = begin; block < end; ++block) {
      const int64_t c = block * L, count = min_of(L, s.c - c);
      memset(sums, 0, static_cast<size_t>(p.taps) * kVectorBytes);
      for (int64_t n = 0; n < s.n; ++n) {
        const int64_t plane = n * s.c + c;
        turn_in(space, x + plane * size, size, count, p.place);
        turn_in(grad, g + plane * p.outputs, p.outputs, count, p.output);
        for (int64_t i = 0; i < parts; ++i) {
          const int64_t t0 = i * p.taps / parts, t1 = (i + 1) * p.taps / parts;
          taps_of(t1 - t0, sums + t0 * L, grad, space, p.offset + t0, p, s.q);
        }
      }
      for (int64_t i = 0; i < count; ++i) {
        for (int64_t t = 0; t < p.taps; ++t) w[(c + i) * p.taps + t] = sums[t * L + i];
      }
    }
  });
  return true;
}

}  // namespace

#define MG_SMALL(T)                                                                     \
  bool small_depthwise(T* g, const T* x, const T* w, const T* bias, const ConvShape& s, \
                       bool turned) {                                                   \
    return run_forward(g, x, w, bias, s, turned);                                       \
  }                                                                                     \
  bool small_depthwise_to_weight(T* w, const T* x, const T* g, const ConvShape& s) {    \
    return run_to_weight(w, x, g, s);                                                   \
  }
MG_SMALL(float)
MG_SMALL(double)
#undef MG_SMALL

}  // namespace mg::MG_ISA
