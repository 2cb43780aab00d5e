// Normalisation of rows: layer, group, instance and root-mean-square norm, and their gradients.
// A row is read from memory once; parameter gradients are added over four rows at a time.
#include "norm_core.h"
#include "runtime/threads.h"

namespace mg::MG_ISA {
namespace {

// y = (x - mean) rstd w + b with a parameter for each element; w or b may be null.
template <class T>
MG_INLINE void scale_elements(T* y, const T* x, const T* w, const T* b, int64_t n, T mean, T rstd,
                              bool far) {
  using V = Pack<T>;
  const V m = set1(mean), r = set1(rstd);
  sweep<2, T>(n, [&](int, int64_t i, auto c) {
    V v = (get(x + i, c) - m) * r;
    if (w) v *= get(w + i, c);
    if (b) v += get(b + i, c);
    put(y + i, v, c, far);
  });
}

// The same with one scale and one shift.
template <class T>
MG_INLINE void scale_run(T* y, const T* x, int64_t n, T mean, T scale, T shift, bool far) {
  using V = Pack<T>;
  const V m = set1(mean), r = set1(scale), s = set1(shift);
  sweep<2, T>(n, [&](int, int64_t i, auto c) { put(y + i, fma(get(x + i, c) - m, r, s), c, far); });
}

template <class T>
void forward(const RowNorm<T>& a) {
  const RowShape s = a.shape;
  const int64_t wide = s.n / s.run;  // parameters of a row
  const bool far = goes_far(a.y, s.run == 1 ? s.n : s.run, s.rows * s.n);
  parallel_for(s.rows, max_of(1, (int64_t{1} << 15) / s.n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* x = a.x + r * s.n;
      T* y = a.y + r * s.n;
      const Moments found = moments(Part<T>{x, 1, 0, s.n}, a.centre);
      const T mean = static_cast<T>(found.mean);
      const T variance = static_cast<T>(found.m2 / found.count);
      const T rstd = T{1} / root(variance + static_cast<T>(a.eps));
      if (a.centre) a.mean[r] = mean;
      a.rstd[r] = rstd;
      const T* w = a.w ? a.w + r % s.groups * wide : nullptr;
      const T* b = a.b ? a.b + r % s.groups * wide : nullptr;
      if (s.run == 1) {
        scale_elements(y, x, w, b, s.n, mean, rstd, far);
        continue;
      }
      for (int64_t d = 0; d < wide; ++d) {
        scale_run(y + d * s.run, x + d * s.run, s.run, mean, w ? rstd * w[d] : rstd, b ? b[d] : T{},
                  far);
      }
    }
    if (far) stream_fence();
  });
}

// dx of kRows rows from r on, which share w. With kParams adds sum(grad h) to dw, sum(grad) to db.
template <int kRows, bool kParams, class T>
MG_INLINE void element_rows(const RowNormGrad<T>& a, int64_t r, const T* w, T* dw, T* db,
                            bool far) {
  using V = Pack<T>;
  const int64_t n = a.shape.n;
  const T part = T{1} / static_cast<T>(n);
  const T* g = a.grad + r * n;
  const T* x = a.x + r * n;
  T* dx = a.dx + r * n;
  V mean[kRows], rstd[kRows], shift[kRows], slope[kRows];
#pragma GCC unroll 4
  for (int q = 0; q < kRows; ++q) {
    const V m = set1(a.centre ? a.mean[r + q] : T{});
    V sum[2] = {}, dot[2] = {};
    sweep<2, T>(n, [&](int k, int64_t i, auto c) {
      V u = get(g + q * n + i, c);
      if (w) u *= get(w + i, c);
      sum[k] += u;
      dot[k] = fma(u, get(x + q * n + i, c) - m, dot[k]);
    });
    mean[q] = m;
    rstd[q] = set1(a.rstd[r + q]);
    shift[q] = set1(a.centre ? hsum(sum[0] + sum[1]) * part : T{});
    slope[q] = set1(hsum(dot[0] + dot[1]) * a.rstd[r + q] * part);
  }
  sweep<1, T>(n, [&](int, int64_t i, auto c) {
    V to_w = {}, to_b = {};
    if (kParams) {
      to_w = get(dw + i, c);
      to_b = get(db + i, c);
    }
#pragma GCC unroll 4
    for (int q = 0; q < kRows; ++q) {
      V u = get(g + q * n + i, c);
      const V h = (get(x + q * n + i, c) - mean[q]) * rstd[q];
      if (kParams) {
        to_w = fma(u, h, to_w);
        to_b += u;
      }
      if (w) u *= get(w + i, c);
      put(dx + q * n + i, (u - shift[q] - h * slope[q]) * rstd[q], c, far);
    }
    if (kParams) {
      put(dw + i, to_w, c);
      put(db + i, to_b, c);
    }
  });
}

// out = the sum of `count` vectors of n elements, `stride` apart.
template <class T>
void add_up(T* out, const T* parts, int64_t count, int64_t stride, int64_t n) {
  parallel_for(n, max_of(64, (int64_t{1} << 16) / max_of(count, 1)), [&](int64_t from, int64_t to) {
    sweep<1, T>(to - from, [&](int, int64_t i, auto c) {
      Pack<T> total = {};
      for (int64_t k = 0; k < count; ++k) total += get(parts + k * stride + from + i, c);
      put(out + from + i, total, c);
    });
  });
}

template <bool kParams, class T>
void element_backward(const RowNormGrad<T>& a) {
  const RowShape s = a.shape;
  const int64_t chunk = row_chunk(s), chunks = ceil_div(s.rows, chunk), params = row_params(s);
  T* sums = static_cast<T*>(a.scratch);
  const bool far = goes_far(a.dx, s.n, s.rows * s.n, 3);
  parallel_for(s.rows, chunk, [&](int64_t begin, int64_t end) {
    T* dw = kParams ? sums + begin / chunk * 2 * params : nullptr;
    T* db = kParams ? dw + params : nullptr;
    if (kParams) __builtin_memset(dw, 0, static_cast<size_t>(2 * params) * sizeof(T));
    int64_t r = begin;
    if (s.groups == 1) {
      for (; r + 4 <= end; r += 4) element_rows<4, kParams>(a, r, a.w, dw, db, far);
    }
    for (; r < end; ++r) {
      const int64_t at = r % s.groups * s.n;
      element_rows<1, kParams>(a, r, a.w ? a.w + at : nullptr, kParams ? dw + at : nullptr,
                               kParams ? db + at : nullptr, far);
    }
    if (far) stream_fence();
  });
  if (!kParams) return;
  add_up(a.dw, sums, chunks, 2 * params, params);
  add_up(a.db, sums + params, chunks, 2 * params, params);
}

// One parameter for each run: the sums of a run serve the row and the parameter.
template <class T>
void run_backward(const RowNormGrad<T>& a) {
  using V = Pack<T>;
  const RowShape s = a.shape;
  const int64_t wide = s.n / s.run;
  T* to_w = static_cast<T*>(a.scratch);  // (rows, parameters of a row)
  T* to_b = to_w + s.rows * wide;
  parallel_for(s.rows, max_of(1, (int64_t{1} << 15) / s.n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* w = a.w ? a.w + r % s.groups * wide : nullptr;
      const T mean = a.centre ? a.mean[r] : T{}, rstd = a.rstd[r];
      const V m = set1(mean);
      T shift = 0, slope = 0;
      for (int64_t d = 0; d < wide; ++d) {
        const T *g = a.grad + r * s.n + d * s.run, *x = a.x + r * s.n + d * s.run;
        V sum[2] = {}, dot[2] = {};
        sweep<2, T>(s.run, [&](int k, int64_t i, auto c) {
          const V v = get(g + i, c);
          sum[k] += v;
          dot[k] = fma(v, get(x + i, c) - m, dot[k]);
        });
        const T total = hsum(sum[0] + sum[1]), product = hsum(dot[0] + dot[1]) * rstd;
        to_b[r * wide + d] = total;
        to_w[r * wide + d] = product;
        shift += w ? w[d] * total : total;
        slope += w ? w[d] * product : product;
      }
      const T part = T{1} / static_cast<T>(s.n);
      const V c1 = set1(a.centre ? shift * part : T{}), c2 = set1(slope * part * rstd);
      const V scale = set1(rstd);
      for (int64_t d = 0; d < wide; ++d) {
        const int64_t at = r * s.n + d * s.run;
        const V u = set1(w ? w[d] : T{1});
        sweep<2, T>(s.run, [&](int, int64_t i, auto c) {
          const V h = (get(a.x + at + i, c) - m) * c2;
          put(a.dx + at + i, (get(a.grad + at + i, c) * u - c1 - h) * scale, c);
        });
      }
    }
  });
  if (!a.dw) return;
  const int64_t params = s.groups * wide, samples = s.rows / s.groups;
  add_up(a.dw, to_w, samples, params, params);
  add_up(a.db, to_b, samples, params, params);
}

template <class T>
void backward(const RowNormGrad<T>& a) {
  if (a.shape.run > 1) {
    run_backward(a);
  } else if (a.dw) {
    element_backward<true>(a);
  } else {
    element_backward<false>(a);
  }
}

}  // namespace

extern const RowNormKernels kRowNorm = {{forward<float>, backward<float>},
                                        {forward<double>, backward<double>}};

}  // namespace mg::MG_ISA
