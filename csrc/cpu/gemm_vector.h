// Products with a vector or a narrow matrix: the other operand is read once, where it lies.
#pragma once

#include "cpu/gemm_core.h"
#include "cpu/transpose.h"

namespace mg::MG_ISA {

// out[i * out_step] = alpha * sum_k matrix[i * line + k] * x[k] + ...
template <class T>
struct VectorProduct {
  T* out;
  const T* matrix;
  const T* x;  // contiguous
  int64_t out_step, line, n, k;
  T alpha, beta;
  const T* bias;
  int64_t bias_step;
  bool relu;
};

template <class T>
MG_INLINE void finish_element(const VectorProduct<T>& v, int64_t i, T sum) {
  T* out = v.out + i * v.out_step;
  sum *= v.alpha;
  if (v.beta != 0) sum += v.beta * *out;
  if (v.bias) sum += v.bias[i * v.bias_step];
  *out = v.relu && sum < 0 ? T{0} : sum;
}

// Rows of the matrix are contiguous: inner products, four rows and two sums a row at a time. Every
// loop over rows is unrolled: a sum that is indexed at run time would live in memory.
template <class T, int kRows>
MG_INLINE void dot_rows(const VectorProduct<T>& v, int64_t i) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  V sum[kRows][2] = {};
  const T* row[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) row[r] = v.matrix + (i + r) * v.line;
  int64_t k = 0;
  for (; k + 2 * L <= v.k; k += 2 * L) {
    const V x0 = load(v.x + k), x1 = load(v.x + k + L);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      sum[r][0] = fma(load(row[r] + k), x0, sum[r][0]);
      sum[r][1] = fma(load(row[r] + k + L), x1, sum[r][1]);
    }
  }
  for (; k < v.k; k += L) {
    const int64_t left = min_of(L, v.k - k);
    const V x = load_partial(v.x + k, left);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) sum[r][0] = fma(load_partial(row[r] + k, left), x, sum[r][0]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) finish_element(v, i + r, hsum(sum[r][0] + sum[r][1]));
}

template <class T>
static void dot_product(const VectorProduct<T>& v) {
  const int64_t grain = max_of(4, (kWorthThreads / 4 / v.k + 3) / 4 * 4);
  parallel_for(v.n, grain, [&](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + 4 <= end; i += 4) dot_rows<T, 4>(v, i);
    for (; i < end; ++i) dot_rows<T, 1>(v, i);
  });
}

// ---- a long matrix x and a narrow one y ----

constexpr int64_t kNarrow = 12;        // rows at most
constexpr int64_t kNarrowDepth = 256;  // from here on the sums across vectors cost little

// out[i * out_i + j * out_j] = alpha * sum_k x[i * x_line + k * x_step] * y[j * y_line + k *
// y_step]
// + ...
template <class T>
struct NarrowProduct {
  T* out;
  const T* x;
  const T* y;
  T* copy;  // room for y with contiguous rows
  int64_t rows, narrow, k;
  int64_t x_line, x_step, y_line, y_step, out_i, out_j;
  T alpha, beta;
  const T* bias;
  int64_t bias_i, bias_j;  // one of them is 1, the other 0
  bool relu;
};

template <class T>
MG_INLINE void finish_sum(const NarrowProduct<T>& n, int64_t i, int64_t j, T sum) {
  T* out = n.out + i * n.out_i + j * n.out_j;
  sum *= n.alpha;
  if (n.beta != 0) sum += n.beta * *out;
  if (n.bias) sum += n.bias[i * n.bias_i + j * n.bias_j];
  *out = n.relu && sum < 0 ? T{0} : sum;
}

template <class T>
struct NarrowTile {  // kP rows of x by kQ of y: as many sums as a vector has lanes
  static constexpr int L = Vec<T>::lanes;
  static constexpr int kP = L >= 8 ? 4 : 2, kQ = L / kP;
};

// Sums of rows i ... of x with rows j ... of y; p and q of them count, the others repeat the last.
template <class T>
static void narrow_tile(const NarrowProduct<T>& n, int64_t i, int64_t p, int64_t j, int64_t q) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes, P = NarrowTile<T>::kP, Q = NarrowTile<T>::kQ;
  const T *x[P], *y[Q];
  for (int a = 0; a < P; ++a) x[a] = n.x + (i + min_of(a, p - 1)) * n.x_line;
  for (int b = 0; b < Q; ++b) y[b] = n.y + (j + min_of(b, q - 1)) * n.y_line;
  V sum[P * Q] = {};
  int64_t k = 0;
  for (; k + L <= n.k; k += L) {
    V row[Q];
#pragma GCC unroll 4
    for (int b = 0; b < Q; ++b) row[b] = load(y[b] + k);
#pragma GCC unroll 4
    for (int a = 0; a < P; ++a) {
      const V one = load(x[a] + k);
#pragma GCC unroll 4
      for (int b = 0; b < Q; ++b) sum[a * Q + b] = fma(one, row[b], sum[a * Q + b]);
    }
  }
  if (k < n.k) {
    for (int a = 0; a < P; ++a) {
      const V one = load_partial(x[a] + k, n.k - k);
      for (int b = 0; b < Q; ++b) {
        sum[a * Q + b] = fma(one, load_partial(y[b] + k, n.k - k), sum[a * Q + b]);
      }
    }
  }
  turn(sum);  // lane a * Q + b of every vector belongs to one sum
  for (int step = L / 2; step > 0; step /= 2) {
    for (int a = 0; a < step; ++a) sum[a] = sum[a] + sum[a + step];
  }
  T total[L];
  store(total, sum[0]);
  for (int a = 0; a < p; ++a) {
    for (int b = 0; b < q; ++b) {
      finish_sum(n, i + a, j + b, total[a * Q + b]);
    }
  }
}

// x_step is 1: both run along k, and a square of vectors of sums stays in registers.
template <class T>
static void narrow_product(NarrowProduct<T> n) {
  constexpr int P = NarrowTile<T>::kP, Q = NarrowTile<T>::kQ;
  if (n.y_step != 1) {
    turned_copy(n.copy, n.k, n.y, n.y_step, n.y_line, n.k, n.narrow);
    n.y = n.copy;
    n.y_line = n.k;
    n.y_step = 1;
  }
  const int64_t grain = round_up(max_of(1, kWorthThreads / 4 / (n.k * n.narrow)), P);
  parallel_for(n.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += P) {
      for (int64_t j = 0; j < n.narrow; j += Q) {
        narrow_tile(n, i, min_of(P, end - i), j, min_of(Q, n.narrow - j));
      }
    }
  });
}

// sums[i] += sum over kRows rows of x (`line` apart) of x[row][i] * y[row * step], i < width. The
// sums have room for whole vectors.
template <int kRows, class T>
MG_INLINE void add_rows(T* MG_RESTRICT sums, const T* x, int64_t line, const T* y, int64_t step,
                        int64_t width) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  V factor[kRows];
  for (int r = 0; r < kRows; ++r) factor[r] = set1(y[r * step]);
  int64_t i = 0;
  for (; i + L <= width; i += L) {
    V s = load(sums + i);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) s = fma(load(x + r * line + i), factor[r], s);
    store(sums + i, s);
  }
  if (i < width) {
    V s = load(sums + i);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      s = fma(load_partial(x + r * line + i, width - i), factor[r], s);
    }
    store(sums + i, s);
  }
}

// How spread_product cuts its work: columns of a block, whose sums stay in L1, and steps of k of a
// part. Long runs of memory are read fastest, so that k is cut rather than the columns.
struct SpreadPlan {
  int64_t columns, blocks, steps, parts;
};

MG_INLINE SpreadPlan spread_plan(int64_t rows, int64_t narrow, int64_t k) {
  constexpr int64_t kSums = 4096, kTasks = 16;
  const int64_t most = max_of(64, kSums / narrow / 64 * 64);
  SpreadPlan p = {min_of(rows, most), ceil_div(rows, most), k, 1};
  if (rows * k * narrow < kWorthThreads / 2 || p.blocks >= kTasks) return p;
  const int64_t parts = max_of(1, min_of(ceil_div(kTasks, p.blocks), k / 128));
  p.steps = round_up(ceil_div(k, parts), 4);
  p.parts = ceil_div(k, p.steps);
  return p;
}

// Elements of workspace: a row of sums for each part, if there are several.
MG_INLINE int64_t spread_sums(int64_t rows, int64_t narrow, int64_t k) {
  const SpreadPlan p = spread_plan(rows, narrow, k);
  return p.parts > 1 ? p.parts * narrow * round_up(rows, 64) : 0;
}

// sums (narrow, line) = x^T y over columns [i0, i0 + width) and steps [k0, k1).
template <class T>
MG_INLINE void spread_block(const NarrowProduct<T>& n, T* sums, int64_t line, int64_t i0,
                            int64_t width, int64_t k0, int64_t k1) {
  for (int64_t j = 0; j < n.narrow; ++j) {
    __builtin_memset(sums + j * line, 0, static_cast<size_t>(round_up(width, 64)) * sizeof(T));
  }
  int64_t k = k0;
  for (; k + 4 <= k1; k += 4) {
    for (int64_t j = 0; j < n.narrow; ++j) {
      add_rows<4>(sums + j * line, n.x + i0 + k * n.x_step, n.x_step,
                  n.y + j * n.y_line + k * n.y_step, n.y_step, width);
    }
  }
  for (; k < k1; ++k) {
    for (int64_t j = 0; j < n.narrow; ++j) {
      add_rows<1>(sums + j * line, n.x + i0 + k * n.x_step, n.x_step,
                  n.y + j * n.y_line + k * n.y_step, n.y_step, width);
    }
  }
}

// x_line is 1: adds multiples of rows of x to sums in L1, so that x is read as it lies. n.copy:
// spread_sums(rows, narrow, k) elements.
template <class T>
static void spread_product(const NarrowProduct<T>& n) {
  const SpreadPlan p = spread_plan(n.rows, n.narrow, n.k);
  if (p.parts == 1) {
    const bool threads = n.rows * n.k * n.narrow >= kWorthThreads / 2;
    parallel_for(n.rows, threads ? p.columns : n.rows, [&](int64_t begin, int64_t end) {
      T sums[4096];
      for (int64_t i0 = begin; i0 < end; i0 += p.columns) {
        const int64_t width = min_of(p.columns, end - i0), line = round_up(width, 64);
        spread_block(n, sums, line, i0, width, 0, n.k);
        for (int64_t j = 0; j < n.narrow; ++j) {
          for (int64_t i = 0; i < width; ++i) finish_sum(n, i0 + i, j, sums[j * line + i]);
        }
      }
    });
    return;
  }
  const int64_t line = round_up(n.rows, 64), area = n.narrow * line;
  parallel_for(p.parts * p.blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t part = task / p.blocks, i0 = task % p.blocks * p.columns;
      spread_block(n, n.copy + part * area + i0, line, i0, min_of(p.columns, n.rows - i0),
                   part * p.steps, min_of(n.k, (part + 1) * p.steps));
    }
  });
  for (int64_t part = 1; part < p.parts; ++part) {
    const T* more = n.copy + part * area;
    for (int64_t i = 0; i < area; ++i) n.copy[i] += more[i];
  }
  for (int64_t j = 0; j < n.narrow; ++j) {
    for (int64_t i = 0; i < n.rows; ++i) finish_sum(n, i, j, n.copy[j * line + i]);
  }
}

}  // namespace mg::MG_ISA
