// Batch normalisation and its gradient. Tiles of a few samples are read in the order of memory,
// once for the sums and once for the result; the sums of the tiles are added in their order.
#include "norm_core.h"
#include "runtime/threads.h"

namespace mg::MG_ISA {
namespace {

struct Tile {
  int64_t row;          // of tiles: the slot of its sums
  int64_t s0, samples;  // samples from s0 on
  int64_t c0, c1;       // channels
};

// body(tile) for all tiles of (n, c, length), in parallel.
template <class Body>
MG_INLINE void each_tile(int64_t n, int64_t c, int64_t length, Body&& body) {
  const BatchTiles t = batch_tiles(n, c, length);
  parallel_for(t.down * t.across, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / t.across, c0 = i % t.across * t.channels, s0 = row * t.samples;
      body(Tile{row, s0, min_of(t.samples, n - s0), c0, min_of(c, c0 + t.channels)});
    }
  });
}

// body(column of the tile, Whole or Some) for vectors of neighbouring channels.
template <class T, class Body>
MG_INLINE void each_column(const Tile& t, Body&& body) {
  sweep<1, T>(t.c1 - t.c0, [&](int, int64_t i, auto c) { body(t.c0 + i, c); });
}

// Columns whose sums are kept while rows pass: rows are read as they lie, four at a time.
constexpr int64_t kStrip = 512;

// add(column, row from the top, lanes, Rows<4> or Rows<1>) for each vector of `width` columns and
// rows in turn.
template <int kCount>
struct Rows {
  static constexpr int count = kCount;
};
template <class T, class Add>
MG_INLINE void each_rows(int64_t samples, int64_t width, Add&& add) {
  int64_t s = 0;
  for (; s + 4 <= samples; s += 4) {
    sweep<1, T>(width, [&](int, int64_t i, auto lanes) { add(i, s, lanes, Rows<4>{}); });
  }
  for (; s < samples; ++s) {
    sweep<1, T>(width, [&](int, int64_t i, auto lanes) { add(i, s, lanes, Rows<1>{}); });
  }
}

// Moments of columns of a matrix with c columns: two passes over a tile that stays in cache.
template <class T>
MG_INLINE void column_moments(const T* x, const Tile& t, int64_t c, double* mean, double* m2) {
  for (int64_t j0 = t.c0; j0 < t.c1; j0 += kStrip) {
    const int64_t width = min_of(kStrip, t.c1 - j0);
    const T* top = x + t.s0 * c + j0;
    T sum[kStrip] = {}, square[kStrip] = {};
    each_rows<T>(t.samples, width, [&](int64_t i, int64_t s, auto lanes, auto rows) {
      Pack<T> total = get(sum + i, lanes);
#pragma GCC unroll 4
      for (int k = 0; k < rows.count; ++k) total += get(top + (s + k) * c + i, lanes);
      put(sum + i, total, lanes);
    });
    const T part = static_cast<T>(t.samples);
    for (int64_t i = 0; i < width; ++i) sum[i] /= part;
    each_rows<T>(t.samples, width, [&](int64_t i, int64_t s, auto lanes, auto rows) {
      const Pack<T> m = get(sum + i, lanes);
      Pack<T> total = get(square + i, lanes);
#pragma GCC unroll 4
      for (int k = 0; k < rows.count; ++k) {
        const Pack<T> d = get(top + (s + k) * c + i, lanes) - m;
        total = fma(d, d, total);
      }
      put(square + i, total, lanes);
    });
    for (int64_t i = 0; i < width; ++i) {
      mean[j0 + i] = static_cast<double>(sum[i]);
      m2[j0 + i] = static_cast<double>(square[i]);
      if (MG_LIKELY(m2[j0 + i] <= 1e300)) continue;
      const Moments again = plain_moments(Part<T>{top + i, t.samples, c, 1}, true);
      mean[j0 + i] = again.mean;
      m2[j0 + i] = again.m2;
    }
  }
}

// Mean and variance of each channel from the moments of the tiles: (down, 2, channels).
template <class T>
void merge_tiles(const BatchNorm<T>& a, const BatchTiles& t, const double* sums, double* mean,
                 double* variance) {
  const int64_t c = a.c;
  const double length = static_cast<double>(a.length), count = static_cast<double>(a.n) * length;
  const auto size_of = [&](int64_t row) {
    return static_cast<double>(min_of(t.samples, a.n - row * t.samples)) * length;
  };
  for (int64_t j = 0; j < c; ++j) mean[j] = variance[j] = 0;
  for (int64_t row = 0; row < t.down; ++row) {
    const double share = size_of(row) / count;
    for (int64_t j = 0; j < c; ++j) mean[j] += sums[row * 2 * c + j] * share;
  }
  for (int64_t row = 0; row < t.down; ++row) {
    const double* part = sums + row * 2 * c;
    const double size = size_of(row);
    for (int64_t j = 0; j < c; ++j) {
      const double delta = part[j] - mean[j];
      variance[j] += part[c + j] + delta * delta * size;
    }
  }
  for (int64_t j = 0; j < c; ++j) variance[j] /= count;
}

// Writes mean and rstd; moves the running statistics.
template <class T>
void statistics(const BatchNorm<T>& a, double* sums) {
  const int64_t c = a.c;
  if (!a.training) {
    for (int64_t j = 0; j < c; ++j) {
      a.mean[j] = a.running_mean[j];
      a.rstd[j] = T{1} / root(a.running_var[j] + static_cast<T>(a.eps));
    }
    return;
  }
  const BatchTiles t = batch_tiles(a.n, c, a.length);
  each_tile(a.n, c, a.length, [&](const Tile& tile) {
    double *mean = sums + tile.row * 2 * c, *m2 = mean + c;
    if (a.length == 1) {
      column_moments(a.x, tile, c, mean, m2);
      return;
    }
    for (int64_t j = tile.c0; j < tile.c1; ++j) {
      const Part<T> part = {a.x + (tile.s0 * c + j) * a.length, tile.samples, c * a.length,
                            a.length};
      const Moments found = moments(part, true);
      mean[j] = found.mean;
      m2[j] = found.m2;
    }
  });
  double *mean = sums + t.down * 2 * c, *variance = mean + c;
  if (t.down == 1) {
    const double share = 1 / static_cast<double>(a.n * a.length);
    for (int64_t j = 0; j < c; ++j) variance[j] = sums[c + j] * share;
    mean = sums;
  } else {
    merge_tiles(a, t, sums, mean, variance);
  }
  const double count = static_cast<double>(a.n * a.length);
  const double unbiased = count / (count > 1 ? count - 1 : 1), old = 1 - a.momentum;
  for (int64_t j = 0; j < c; ++j) {
    a.mean[j] = static_cast<T>(mean[j]);
    const double v = variance[j] + a.eps;
    a.rstd[j] = static_cast<T>(1 / __builtin_sqrt(v));
  }
  if (a.running_mean) {
    for (int64_t j = 0; j < c; ++j) {
      a.running_mean[j] =
          static_cast<T>(old * static_cast<double>(a.running_mean[j]) + a.momentum * mean[j]);
    }
  }
  if (a.running_var) {
    for (int64_t j = 0; j < c; ++j) {
      a.running_var[j] = static_cast<T>(old * static_cast<double>(a.running_var[j]) +
                                        a.momentum * (variance[j] * unbiased));
    }
  }
}

template <class T>
void forward(const BatchNorm<T>& a) {
  using V = Pack<T>;
  const int64_t c = a.c, length = a.length;
  double* sums = static_cast<double*>(a.scratch);
  statistics(a, sums);
  T* scale = static_cast<T*>(a.scratch);  // the sums are done with
  T* shift = scale + c;
  for (int64_t j = 0; j < c; ++j) {
    scale[j] = a.w ? a.rstd[j] * a.w[j] : a.rstd[j];
    shift[j] = a.b ? a.b[j] : T{};
  }
  const bool far = goes_far(a.y, length == 1 ? c : length, a.n * c * length);
  each_tile(a.n, c, length, [&](const Tile& t) {
    for (int64_t s = t.s0; s < t.s0 + t.samples; ++s) {
      if (length == 1) {
        const T* x = a.x + s * c;
        T* y = a.y + s * c;
        each_column<T>(t, [&](int64_t j, auto lanes) {
          const V d = get(x + j, lanes) - get(a.mean + j, lanes);
          put(y + j, fma(d, get(scale + j, lanes), get(shift + j, lanes)), lanes, far);
        });
        continue;
      }
      for (int64_t j = t.c0; j < t.c1; ++j) {
        const T* x = a.x + (s * c + j) * length;
        T* y = a.y + (s * c + j) * length;
        const V m = set1(a.mean[j]), r = set1(scale[j]), b = set1(shift[j]);
        sweep<2, T>(length, [&](int, int64_t i, auto lanes) {
          put(y + i, fma(get(x + i, lanes) - m, r, b), lanes, far);
        });
      }
    }
    if (far) stream_fence();
  });
}

// sum(grad) and sum(grad (x - mean)) of the columns of a tile.
template <class T>
MG_INLINE void column_sums(const BatchNormGrad<T>& a, const Tile& t, double* sum, double* dot) {
  for (int64_t j0 = t.c0; j0 < t.c1; j0 += kStrip) {
    const int64_t c = a.c, width = min_of(kStrip, t.c1 - j0);
    const T *g = a.grad + t.s0 * c + j0, *x = a.x + t.s0 * c + j0, *mean = a.mean + j0;
    T to_b[kStrip] = {}, to_w[kStrip] = {};
    each_rows<T>(t.samples, width, [&](int64_t i, int64_t s, auto lanes, auto rows) {
      const Pack<T> m = get(mean + i, lanes);
      Pack<T> total = get(to_b + i, lanes), product = get(to_w + i, lanes);
#pragma GCC unroll 4
      for (int k = 0; k < rows.count; ++k) {
        const Pack<T> v = get(g + (s + k) * c + i, lanes);
        total += v;
        product = fma(v, get(x + (s + k) * c + i, lanes) - m, product);
      }
      put(to_b + i, total, lanes);
      put(to_w + i, product, lanes);
    });
    for (int64_t i = 0; i < width; ++i) {
      sum[j0 + i] = static_cast<double>(to_b[i]);
      dot[j0 + i] = static_cast<double>(to_w[i]);
    }
  }
}

// The same of one channel of a tile.
template <class T>
MG_INLINE void channel_sums(const BatchNormGrad<T>& a, const Tile& t, int64_t j, double* sum,
                            double* dot) {
  using V = Pack<T>;
  const V m = set1(a.mean[j]);
  V to_b[2] = {}, to_w[2] = {};
  for (int64_t s = t.s0; s < t.s0 + t.samples; ++s) {
    const int64_t at = (s * a.c + j) * a.length;
    sweep<2, T>(a.length, [&](int k, int64_t i, auto lanes) {
      const V v = get(a.grad + at + i, lanes);
      to_b[k] += v;
      to_w[k] = fma(v, get(a.x + at + i, lanes) - m, to_w[k]);
    });
  }
  *sum = static_cast<double>(hsum(to_b[0] + to_b[1]));
  *dot = static_cast<double>(hsum(to_w[0] + to_w[1]));
}

// The coefficients of dx = (grad - shift - (x - mean) slope) scale.
template <class T>
struct Coefficients {
  T *shift, *slope, *scale;
};

template <class T>
MG_INLINE void write_dx(const BatchNormGrad<T>& a, const Coefficients<T>& k, const Tile& t,
                        bool far) {
  using V = Pack<T>;
  const int64_t c = a.c, length = a.length;
  for (int64_t s = t.s0; s < t.s0 + t.samples; ++s) {
    if (length == 1) {
      const int64_t at = s * c;
      each_column<T>(t, [&](int64_t j, auto lanes) {
        V v = get(a.grad + at + j, lanes);
        if (a.training) {
          const V d = get(a.x + at + j, lanes) - get(a.mean + j, lanes);
          v = v - get(k.shift + j, lanes) - d * get(k.slope + j, lanes);
        }
        put(a.dx + at + j, v * get(k.scale + j, lanes), lanes, far);
      });
      continue;
    }
    for (int64_t j = t.c0; j < t.c1; ++j) {
      const int64_t at = (s * c + j) * length;
      const V m = set1(a.mean[j]), r = set1(k.scale[j]), c1 = set1(k.shift[j]),
              c2 = set1(k.slope[j]);
      sweep<2, T>(length, [&](int, int64_t i, auto lanes) {
        V v = get(a.grad + at + i, lanes);
        if (a.training) v = v - c1 - (get(a.x + at + i, lanes) - m) * c2;
        put(a.dx + at + i, v * r, lanes, far);
      });
    }
  }
}

template <class T>
void backward(const BatchNormGrad<T>& a) {
  const int64_t c = a.c, length = a.length;
  double* sums = static_cast<double*>(a.scratch);
  each_tile(a.n, c, length, [&](const Tile& t) {
    double *sum = sums + t.row * 2 * c, *dot = sum + c;
    if (length == 1) {
      column_sums(a, t, sum, dot);
    } else {
      for (int64_t j = t.c0; j < t.c1; ++j) channel_sums(a, t, j, sum + j, dot + j);
    }
  });
  const int64_t down = batch_tiles(a.n, c, length).down;
  for (int64_t row = 1; row < down; ++row) {
    for (int64_t j = 0; j < 2 * c; ++j) sums[j] += sums[row * 2 * c + j];
  }
  T* place =
      static_cast<T*>(a.scratch) + down * 2 * c * static_cast<int64_t>(sizeof(double) / sizeof(T));
  const Coefficients<T> k = {place, place + c, place + 2 * c};
  const double count = static_cast<double>(a.n) * static_cast<double>(length);
  for (int64_t j = 0; j < c; ++j) {
    const double rstd = static_cast<double>(a.rstd[j]);
    a.db[j] = static_cast<T>(sums[j]);
    a.dw[j] = static_cast<T>(sums[c + j] * rstd);
    k.shift[j] = static_cast<T>(sums[j] / count);
    k.slope[j] = static_cast<T>(sums[c + j] * rstd * rstd / count);
    k.scale[j] = a.w ? a.rstd[j] * a.w[j] : a.rstd[j];
  }
  const bool far = goes_far(a.dx, length == 1 ? c : length, a.n * c * length, 3);
  each_tile(a.n, c, length, [&](const Tile& t) {
    write_dx(a, k, t, far);
    if (far) stream_fence();
  });
}

}  // namespace

extern const BatchNormKernels kBatchNorm = {{forward<float>, backward<float>},
                                            {forward<double>, backward<double>}};

}  // namespace mg::MG_ISA
