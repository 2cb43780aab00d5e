// Pooling: each row of outputs in vectors where its windows lie inside the plane, one by one at the
// edges. A stride of 2 reads two vectors and keeps every other element.
#include "kernels/pool.h"

#include "cpu/step.h"
#include "pool_adaptive.h"
#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kGrain = 1 << 15;  // elements read in a chunk

// Planes in a chunk: by the elements that are read and written for one.
MG_INLINE int64_t grain(const PoolShape& s) {
  const double taps = static_cast<double>(min_of(s.kernel_h, s.h) * min_of(s.kernel_w, s.w));
  const double work = static_cast<double>(s.h * s.w) + static_cast<double>(s.p * s.q) * taps;
  return work >= kGrain ? 1 : kGrain / max_of(1, static_cast<int64_t>(work));
}

MG_INLINE void store_places(int32_t* to, Places<float>::type v) { memcpy(to, &v, sizeof v); }
MG_INLINE void store_places(int32_t* to, Places<double>::type v) {
  for (int i = 0; i < kD; ++i) to[i] = static_cast<int32_t>(v[i]);
}

// The taps of one axis that lie inside [0, size) for the window that starts at `start`.
MG_INLINE void inside(int64_t start, int64_t kernel, int64_t dilation, int64_t size, int64_t* first,
                      int64_t* end) {
  *first = start >= 0 ? 0 : ceil_div(-start, dilation);
  *end = start >= size ? 0 : min_of(kernel, ceil_div(size - start, dilation));
}

// The outputs of a row whose windows lie inside it altogether.
MG_INLINE void interior(const PoolShape& s, int64_t* first, int64_t* end) {
  const int64_t reach = (s.kernel_w - 1) * s.dilation_w;
  *first = min_of(s.q, ceil_div(s.pad_w, s.stride_w));
  const int64_t room = s.w - 1 - reach + s.pad_w;
  *end = max_of(*first, min_of(s.q, room < 0 ? 0 : room / s.stride_w + 1));
}

template <class T>
MG_INLINE void max_one(T* out, int32_t* index, const T* plane, const PoolShape& s, int64_t y0,
                       int64_t r0, int64_t r1, int64_t x) {
  const int64_t x0 = x * s.stride_w - s.pad_w;
  int64_t c0, c1;
  inside(x0, s.kernel_w, s.dilation_w, s.w, &c0, &c1);
  T best = -static_cast<T>(__builtin_inff());
  int64_t where = 0;
  bool first = true;
  for (int64_t r = r0; r < r1; ++r) {
    for (int64_t c = c0; c < c1; ++c) {
      const int64_t at = (y0 + r * s.dilation_h) * s.w + x0 + c * s.dilation_w;
      const T v = plane[at];
      if (first || v > best || v != v) {
        best = v;
        where = at;
        first = false;
      }
    }
  }
  out[x] = best;
  if (index) index[x] = static_cast<int32_t>(where);
}

// Outputs [x, x + lanes) of a row, or the first n of them, whose windows lie inside.
template <int kStep, bool kIndex, bool kPartial, class T>
MG_INLINE void max_vector(T* out, int32_t* index, const T* plane, const PoolShape& s, int64_t y0,
                          int64_t r0, int64_t r1, int64_t x, int64_t n) {
  using V = typename Vec<T>::type;
  using I = typename Places<T>::type;
  constexpr int L = Vec<T>::lanes;
  const int64_t x0 = x * kStep - s.pad_w;
  I lane;
  for (int i = 0; i < L; ++i) lane[i] = i * kStep;
  V best = {};
  I where = {};
  bool first = true;
  for (int64_t r = r0; r < r1; ++r) {
    for (int64_t c = 0; c < s.kernel_w; ++c) {
      const int64_t at = (y0 + r * s.dilation_h) * s.w + x0 + c * s.dilation_w;
      const V v = kPartial ? load_step_partial<kStep>(plane + at, n) : load_step<kStep>(plane + at);
      if (first) {
        best = v;
        if (kIndex) where = lane + static_cast<decltype(lane[0] + 0)>(at);
        first = false;
        continue;
      }
      const auto better = (v > best) | (v != v);
      best = better ? v : best;
      if (kIndex) where = better ? lane + static_cast<decltype(lane[0] + 0)>(at) : where;
    }
  }
  if (kPartial) {
    int32_t places[L];
    store_partial(out + x, best, n);
    if (kIndex) {
      store_places(places, where);
      for (int64_t i = 0; i < n; ++i) index[x + i] = places[i];
    }
    return;
  }
  store(out + x, best);
  if (kIndex) store_places(index + x, where);
}

template <int kStep, bool kIndex, class T>
void max_planes(T* out, int32_t* index, const T* x, const PoolShape& s, int64_t begin,
                int64_t end) {
  constexpr int L = Vec<T>::lanes;
  int64_t q0, q1;
  interior(s, &q0, &q1);
  for (int64_t i = begin; i < end; ++i) {
    const T* plane = x + i * s.h * s.w;
    for (int64_t y = 0; y < s.p; ++y) {
      const int64_t y0 = y * s.stride_h - s.pad_h, row = (i * s.p + y) * s.q;
      T* to = out + row;
      int32_t* places = kIndex ? index + row : nullptr;
      int64_t r0, r1;
      inside(y0, s.kernel_h, s.dilation_h, s.h, &r0, &r1);
      if (q1 == q0 || r1 <= r0) {
        for (int64_t q = 0; q < s.q; ++q) max_one(to, places, plane, s, y0, r0, r1, q);
        continue;
      }
      for (int64_t q = 0; q < q0; ++q) max_one(to, places, plane, s, y0, r0, r1, q);
      int64_t q = q0;
      for (; q + L <= q1; q += L) {
        max_vector<kStep, kIndex, false>(to, places, plane, s, y0, r0, r1, q, L);
      }
      if (q < q1) max_vector<kStep, kIndex, true>(to, places, plane, s, y0, r0, r1, q, q1 - q);
      for (q = q1; q < s.q; ++q) max_one(to, places, plane, s, y0, r0, r1, q);
    }
  }
}

template <bool kIndex, class T>
void max_scalar(T* out, int32_t* index, const T* x, const PoolShape& s, int64_t begin,
                int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    for (int64_t y = 0; y < s.p; ++y) {
      const int64_t y0 = y * s.stride_h - s.pad_h, row = (i * s.p + y) * s.q;
      int64_t r0, r1;
      inside(y0, s.kernel_h, s.dilation_h, s.h, &r0, &r1);
      for (int64_t q = 0; q < s.q; ++q) {
        max_one(out + row, kIndex ? index + row : nullptr, x + i * s.h * s.w, s, y0, r0, r1, q);
      }
    }
  }
}

template <bool kIndex, class T>
void max_any(T* out, int32_t* index, const T* x, const PoolShape& s) {
  const auto run = s.stride_w == 1   ? max_planes<1, kIndex, T>
                   : s.stride_w == 2 ? max_planes<2, kIndex, T>
                                     : max_scalar<kIndex, T>;
  parallel_for(s.planes, grain(s),
               [&](int64_t begin, int64_t end) { run(out, index, x, s, begin, end); });
}

template <class T>
void max_pool(T* out, int32_t* index, const T* x, const PoolShape& s) {
  if (index) {
    max_any<true>(out, index, x, s);
  } else {
    max_any<false>(out, index, x, s);
  }
}

// ---- gradients ----

// The largest of n places, read as unsigned: negative ones are larger than any other.
MG_INLINE uint32_t largest(const int32_t* at, int64_t n) {
  uint32_t high = 0;
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t place = static_cast<uint32_t>(at[i]);
    high = place > high ? place : high;
  }
  return high;
}

template <class T>
bool scatter(T* out, const T* values, const int32_t* index, int64_t planes, int64_t size,
             int64_t count) {
  bool bad = false;
  each_plane(out, planes, size, max_of(1, kGrain / max_of(1, size + count)), [&](T* to, int64_t i) {
    const T* from = values + i * count;
    const int32_t* at = index + i * count;
    memset(to, 0, static_cast<size_t>(size) * sizeof(T));
    if (count && largest(at, count) >= size) {
      __atomic_store_n(&bad, true, __ATOMIC_RELAXED);
      return;
    }
    for (int64_t j = 0; j < count; ++j) to[at[j]] += from[j];
  });
  return !bad;
}

// ---- averages ----

// The number that the window at (y0, x0) is divided by.
MG_INLINE int64_t divisor_of(const PoolShape& s, int64_t y0, int64_t x0, bool count_pad,
                             int64_t divisor) {
  if (divisor) return divisor;
  int64_t y1 = min_of(y0 + s.kernel_h, s.h + s.pad_h), x1 = min_of(x0 + s.kernel_w, s.w + s.pad_w);
  if (!count_pad) {
    y0 = max_of(y0, 0), x0 = max_of(x0, 0);
    y1 = min_of(y1, s.h), x1 = min_of(x1, s.w);
  }
  return (y1 - y0) * (x1 - x0);
}

template <int kStep, class T>
void avg_planes(T* out, const T* x, const PoolShape& s, bool count_pad, int64_t divisor,
                int64_t begin, int64_t end) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  int64_t q0, q1;
  interior(s, &q0, &q1);
  if (kStep == 0) q1 = q0;
  for (int64_t i = begin; i < end; ++i) {
    const T* plane = x + i * s.h * s.w;
    for (int64_t y = 0; y < s.p; ++y) {
      const int64_t y0 = y * s.stride_h - s.pad_h;
      T* to = out + (i * s.p + y) * s.q;
      int64_t r0, r1;
      inside(y0, s.kernel_h, 1, s.h, &r0, &r1);
      const auto one = [&](int64_t q) {
        const int64_t x0 = q * s.stride_w - s.pad_w;
        int64_t c0, c1;
        inside(x0, s.kernel_w, 1, s.w, &c0, &c1);
        T sum = 0;
        for (int64_t r = r0; r < r1; ++r) {
          for (int64_t c = c0; c < c1; ++c) sum += plane[(y0 + r) * s.w + x0 + c];
        }
        to[q] = sum / static_cast<T>(divisor_of(s, y0, x0, count_pad, divisor));
      };
      for (int64_t q = 0; q < q0; ++q) one(q);
      if constexpr (kStep != 0) {
        if (q0 < q1) {
          const V by = set1(
              static_cast<T>(divisor_of(s, y0, q0 * s.stride_w - s.pad_w, count_pad, divisor)));
          for (int64_t q = q0; q < q1; q += L) {
            const int64_t n = min_of(q1 - q, L);
            V sum = {};
            for (int64_t r = r0; r < r1; ++r) {
              const T* from = plane + (y0 + r) * s.w + q * kStep - s.pad_w;
              for (int64_t c = 0; c < s.kernel_w; ++c) {
                sum = sum +
                      (n < L ? load_step_partial<kStep>(from + c, n) : load_step<kStep>(from + c));
              }
            }
            if (n < L) {
              store_partial(to + q, sum / by, n);
            } else {
              store(to + q, sum / by);
            }
          }
        }
      }
      for (int64_t q = q1; q < s.q; ++q) one(q);
    }
  }
}

template <class T>
void avg(T* out, const T* x, const PoolShape& s, bool count_pad, int64_t divisor) {
  const auto run = s.stride_w == 1   ? avg_planes<1, T>
                   : s.stride_w == 2 ? avg_planes<2, T>
                                     : avg_planes<0, T>;
  parallel_for(s.planes, grain(s),
               [&](int64_t begin, int64_t end) { run(out, x, s, count_pad, divisor, begin, end); });
}

// to[x * kernel + c] = from[x] for c < kernel.
template <class T>
MG_INLINE void repeat(T* to, const T* from, int64_t n, int64_t kernel) {
  if (kernel == 2) {
    for (int64_t i = 0; i < n; ++i) to[2 * i] = to[2 * i + 1] = from[i];
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t c = 0; c < kernel; ++c) to[i * kernel + c] = from[i];
  }
}

// Windows side by side: every gradient is written once, and a row of windows is a row repeated.
template <class T>
void avg_backward_apart(T* plane, const T* g, const PoolShape& s, bool count_pad, int64_t divisor) {
  constexpr int64_t kPiece = 256;
  T shares[kPiece];
  const int64_t whole = min_of(s.q, s.w / s.kernel_w);  // windows that lie inside
  const int64_t rows = min_of(s.h, s.p * s.kernel_h), columns = min_of(s.w, s.q * s.kernel_w);
  for (int64_t y = 0; y < s.p; ++y) {
    const int64_t y0 = y * s.kernel_h;
    T* row = plane + y0 * s.w;
    const T* from = g + y * s.q;
    const T by = static_cast<T>(divisor_of(s, y0, 0, count_pad, divisor));
    for (int64_t q = 0; q < whole; q += kPiece) {
      const int64_t n = min_of(kPiece, whole - q);
      for (int64_t i = 0; i < n; ++i) shares[i] = from[q + i] / by;
      repeat(row + q * s.kernel_w, shares, n, s.kernel_w);
    }
    for (int64_t x = whole * s.kernel_w; x < columns; ++x) {
      const int64_t x0 = whole * s.kernel_w;
      row[x] = from[whole] / static_cast<T>(divisor_of(s, y0, x0, count_pad, divisor));
    }
    for (int64_t x = columns; x < s.w; ++x) row[x] = T{};
    for (int64_t r = 1; r < s.kernel_h && y0 + r < s.h; ++r) {
      memcpy(row + r * s.w, row, static_cast<size_t>(s.w) * sizeof(T));
    }
  }
  memset(plane + rows * s.w, 0, static_cast<size_t>((s.h - rows) * s.w) * sizeof(T));
}

template <class T>
void avg_backward_any(T* plane, const T* g, const PoolShape& s, bool count_pad, int64_t divisor) {
  memset(plane, 0, static_cast<size_t>(s.h * s.w) * sizeof(T));
  for (int64_t y = 0; y < s.p; ++y) {
    const int64_t y0 = y * s.stride_h - s.pad_h;
    int64_t r0, r1;
    inside(y0, s.kernel_h, 1, s.h, &r0, &r1);
    const T* from = g + y * s.q;
    for (int64_t q = 0; q < s.q; ++q) {
      const int64_t x0 = q * s.stride_w - s.pad_w;
      int64_t c0, c1;
      inside(x0, s.kernel_w, 1, s.w, &c0, &c1);
      const T share = from[q] / static_cast<T>(divisor_of(s, y0, x0, count_pad, divisor));
      for (int64_t r = r0; r < r1; ++r) {
        T* row = plane + (y0 + r) * s.w + x0;
        for (int64_t c = c0; c < c1; ++c) row[c] += share;
      }
    }
  }
}

template <class T>
void avg_backward(T* out, const T* g, const PoolShape& s, bool count_pad, int64_t divisor) {
  const bool apart = s.stride_h == s.kernel_h && s.stride_w == s.kernel_w && !s.pad_h && !s.pad_w;
  each_plane(out, s.planes, s.h * s.w, grain(s), [&](T* plane, int64_t i) {
    const T* from = g + i * s.p * s.q;
    if (apart) {
      avg_backward_apart(plane, from, s, count_pad, divisor);
    } else {
      avg_backward_any(plane, from, s, count_pad, divisor);
    }
  });
}

}  // namespace

extern const PoolKernels kPool = {
    {max_pool<float>, scatter<float>, avg<float>, avg_backward<float>},
    {max_pool<double>, scatter<double>, avg<double>, avg_backward<double>},
    {adaptive_avg, adaptive_avg_backward, adaptive_max},
    {adaptive_avg, adaptive_avg_backward, adaptive_max},
};

}  // namespace mg::MG_ISA
