// Contract of the norm family: normalisation of matrix rows (layer, group, instance, root mean
// square) and of channels (batch), and their gradients.
//
//   shapes       rows: x, y, grad, dx (rows, n), mean, rstd (rows); element j of row r is scaled by
//                parameter (r % groups) * (n / run) + j / run: run 1 and 1 group is a layer norm,
//                run = length of a channel a group norm. n >= 1, run divides n, groups divides rows
//                channels: x, y, grad, dx (samples, channels, length), the rest (channels)
//   values       y = (x - mean) rstd w + b with rstd = 1 / sqrt(variance + eps); w or b may be
//                null. `centre` false: mean is 0, and not written (it may be null).
//                Gradients with h = (x - mean) rstd, u = grad w, means over a row or channel:
//                dx = rstd (u - mean(u) - h mean(u h)), dw = sum(grad h), db = sum(grad);
//                without `centre` there is no mean(u), without `training` dx = rstd u.
//                dw and db of rows are both given or both null; those of channels are both given.
//                batch_norm in training moves the running statistics (if not null) by `momentum`
//                towards mean and unbiased variance; else it normalises by them. It writes mean and
//                rstd in both cases.
//   aliasing     none
//   precision    variance in two passes within a block of 4096 values, blocks merged in double;
//                float32 statistics of channels that overflow are computed again in double
//   workspace    row_scratch, batch_scratch bytes; 8-byte aligned
//   determinism  blocks and chunks depend on the sizes only
#pragma once

#include "common.h"

namespace mg {

struct RowShape {
  int64_t rows, n, groups, run;
};

MG_INLINE int64_t row_params(const RowShape& s) { return s.groups * (s.n / s.run); }

// Rows whose parameter gradients one task adds up. Long rows: few tasks, whose sums are long too.
MG_INLINE int64_t row_chunk(const RowShape& s) {
  const int64_t most = s.n > 8192 ? 8 : 128;
  const int64_t few = ceil_div(s.rows, most), full = ceil_div(int64_t{1} << 15, s.n);
  return (max_of(max_of(few, full), 1) + 3) / 4 * 4;
}

// Bytes of workspace of the gradient of rows.
MG_INLINE int64_t row_scratch(const RowShape& s, int64_t item) {
  if (s.run > 1) return 2 * s.rows * (s.n / s.run) * item;
  return ceil_div(s.rows, row_chunk(s)) * 2 * row_params(s) * item;
}

// A task does some samples of some neighbouring channels.
struct BatchTiles {
  int64_t samples, channels;  // of one tile
  int64_t down, across;       // tiles along samples and along channels
};

MG_INLINE BatchTiles batch_tiles(int64_t n, int64_t c, int64_t length) {
  const int64_t size = int64_t{1} << 15;  // elements
  BatchTiles t;
  const int64_t most = length == 1 ? 512 : size;
  t.samples = max_of(1, min_of(min_of(n, most), size / max_of(c * length, 1)));
  if (length == 1) t.samples = max_of(t.samples, min_of(n, 32));
  t.channels = max_of(1, min_of(c, size / max_of(t.samples * length, 1)));
  t.down = ceil_div(n, t.samples);
  t.across = ceil_div(c, t.channels);
  return t;
}

// Bytes of workspace of either pass: two sums a tile row, and four coefficients, for each channel.
MG_INLINE int64_t batch_scratch(int64_t n, int64_t c, int64_t length) {
  return (batch_tiles(n, c, length).down * 2 + 4) * c * static_cast<int64_t>(sizeof(double));
}

template <class T>
struct RowNorm {
  T *y, *mean, *rstd;
  const T *x, *w, *b;
  RowShape shape;
  bool centre;
  double eps;
};

template <class T>
struct RowNormGrad {
  T *dx, *dw, *db;
  const T *grad, *x, *mean, *rstd, *w;
  RowShape shape;
  bool centre;
  void* scratch;
};

template <class T>
struct BatchNorm {
  T *y, *mean, *rstd, *running_mean, *running_var;
  const T *x, *w, *b;
  int64_t n, c, length;
  bool training;
  double momentum, eps;
  void* scratch;
};

template <class T>
struct BatchNormGrad {
  T *dx, *dw, *db;
  const T *grad, *x, *mean, *rstd, *w;
  int64_t n, c, length;
  bool training;
  void* scratch;
};

template <class T>
struct RowNormOf {
  void (*forward)(const RowNorm<T>& a);
  void (*backward)(const RowNormGrad<T>& a);
};

template <class T>
struct BatchNormOf {
  void (*forward)(const BatchNorm<T>& a);
  void (*backward)(const BatchNormGrad<T>& a);
};

struct RowNormKernels {
  RowNormOf<float> f32;
  RowNormOf<double> f64;
};

struct BatchNormKernels {
  BatchNormOf<float> f32;
  BatchNormOf<double> f64;
};

}  // namespace mg
