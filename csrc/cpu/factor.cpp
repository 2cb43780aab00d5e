// Triangular systems and LU factorization: loops over rows, whose inner one runs along memory.
// Few right sides are turned, so that rows of the matrix meet them; many are vectors themselves.
#include "kernels/factor.h"

#include "kernels/gemm.h"
#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {

extern const GemmKernels kGemm;

namespace {

constexpr int64_t kFewSides = 8;      // up to this many right sides are turned
constexpr int64_t kChunkWork = 8192;  // multiplications that a chunk of a batch takes at least

template <class T>
MG_INLINE void subtract_scaled(T* out, const T* x, T v, int64_t n) {
  using V = typename Vec<T>::type;
  constexpr int64_t lanes = Vec<T>::lanes;
  const V factor = set1(-v);
  int64_t j = 0;
  for (; j + lanes <= n; j += lanes) store(out + j, fma(factor, load(x + j), load(out + j)));
  if (j < n) {
    const V sum = fma(factor, load_partial(x + j, n - j), load_partial(out + j, n - j));
    store_partial(out + j, sum, n - j);
  }
}

template <class T>
MG_INLINE T dot(const T* a, const T* b, int64_t n) {
  using V = typename Vec<T>::type;
  constexpr int64_t lanes = Vec<T>::lanes;
  V sum = V{};
  int64_t j = 0;
  for (; j + lanes <= n; j += lanes) sum = fma(load(a + j), load(b + j), sum);
  if (j < n) sum = fma(load_partial(a + j, n - j), load_partial(b + j, n - j), sum);
  return hsum(sum);
}

// out[j] -= sum over i < count of factors[i * step] * rows[i * line + j], for j < n.
template <class T>
__attribute__((noinline)) static void subtract_rows(T* out, const T* rows, int64_t line,
                                                    const T* factors, int64_t step, int64_t count,
                                                    int64_t n) {
  using V = typename Vec<T>::type;
  constexpr int64_t lanes = Vec<T>::lanes;
  int64_t j = 0;
  for (; j + 4 * lanes <= n; j += 4 * lanes) {
    V sum[4];
    for (int v = 0; v < 4; ++v) sum[v] = load(out + j + v * lanes);
    for (int64_t i = 0; i < count; ++i) {
      const V factor = set1(-factors[i * step]);
      for (int v = 0; v < 4; ++v) {
        sum[v] = fma(factor, load(rows + i * line + j + v * lanes), sum[v]);
      }
    }
    for (int v = 0; v < 4; ++v) store(out + j + v * lanes, sum[v]);
  }
  for (; j < n; j += lanes) {
    const int64_t left = min_of(lanes, n - j);
    V sum[2] = {load_partial(out + j, left), V{}};  // two chains, so that neither waits
    int64_t i = 0;
    for (; i + 2 <= count; i += 2) {
      for (int v = 0; v < 2; ++v) {
        sum[v] = fma(set1(-factors[(i + v) * step]), load_partial(rows + (i + v) * line + j, left),
                     sum[v]);
      }
    }
    if (i < count) {
      sum[0] = fma(set1(-factors[i * step]), load_partial(rows + i * line + j, left), sum[0]);
    }
    store_partial(out + j, sum[0] + sum[1], left);
  }
}

// One right side x (n), dense: each solved element is taken off those that follow (the matrix is
// stored transposed), or each is finished by a dot product with those that are solved.
template <class T>
void solve_one(T* x, const T* a, const TriangularSystem& s) {
  const int64_t n = s.n;
  for (int64_t step = 0; step < n; ++step) {
    const int64_t i = s.upper ? n - 1 - step : step;
    const int64_t from = s.upper ? i + 1 : 0, count = s.upper ? n - 1 - i : i;
    if (!s.transposed) x[i] -= dot(a + i * n + from, x + from, count);
    if (!s.unit) x[i] /= a[i * n + i];
    if (s.transposed) {
      const int64_t rest = s.upper ? 0 : i + 1, left = s.upper ? i : n - 1 - i;
      subtract_scaled(x + rest, a + i * n + rest, x[i], left);
    }
  }
}

// Many right sides: rows of x (n, k).
template <class T>
void solve_rows(T* x, const T* a, const TriangularSystem& s) {
  const int64_t n = s.n, k = s.k;
  const int64_t row = s.transposed ? 1 : n, column = s.transposed ? n : 1;
  for (int64_t step = 0; step < n; ++step) {
    const int64_t i = s.upper ? n - 1 - step : step;
    const int64_t begin = s.upper ? i + 1 : 0, end = s.upper ? n : i;
    T* out = x + i * k;
    subtract_rows(out, x + begin * k, k, a + i * row + begin * column, column, end - begin, k);
    if (s.unit) continue;
    const T diagonal = a[i * n + i];
    for (int64_t j = 0; j < k; ++j) out[j] /= diagonal;
  }
}

template <class T>
void solve(T* x, const T* a, T* work, const TriangularSystem& s) {
  const int64_t size = s.n * s.k;
  const int64_t grain = 1 + kChunkWork / (1 + s.n * size);
  parallel_for(s.batch, grain, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      T* sides = x + b * size;
      const T* matrix = a + b * s.a_step;
      if (s.k > kFewSides) {
        solve_rows(sides, matrix, s);
        continue;
      }
      T* turned = s.k == 1 ? sides : work + b * size;
      for (int64_t j = 0; j < s.k; ++j) {
        T* one = turned + j * s.n;
        for (int64_t i = 0; s.k > 1 && i < s.n; ++i) one[i] = sides[i * s.k + j];
        solve_one(one, matrix, s);
        for (int64_t i = 0; s.k > 1 && i < s.n; ++i) work[b * size + j * s.n + i] = one[i];
      }
      for (int64_t i = 0; s.k > 1 && i < s.n; ++i) {
        for (int64_t j = 0; j < s.k; ++j) sides[i * s.k + j] = turned[j * s.n + i];
      }
    }
  });
}

// The row of the largest element of column j from row j on; NaN counts as the largest.
template <class T>
int64_t largest(const T* a, int64_t j, int64_t m, int64_t n) {
  int64_t best = j;
  T top = __builtin_fabs(a[j * n + j]);
  for (int64_t i = j + 1; i < m && top == top; ++i) {
    const T size = __builtin_fabs(a[i * n + j]);
    if (size > top || size != size) {
      top = size;
      best = i;
    }
  }
  return best;
}

template <class T>
void lu_one(T* a, int32_t* pivots, int32_t* info, int64_t m, int64_t n, bool pivot) {
  const int64_t k = m < n ? m : n;
  *info = 0;
  for (int64_t j = 0; j < k; ++j) {
    const int64_t p = pivot ? largest(a, j, m, n) : j;
    pivots[j] = static_cast<int32_t>(p + 1);
    for (int64_t c = 0; p != j && c < n; ++c) {
      const T t = a[j * n + c];
      a[j * n + c] = a[p * n + c];
      a[p * n + c] = t;
    }
    const T divisor = a[j * n + j];
    if (divisor == T{0}) {
      if (*info == 0) *info = static_cast<int32_t>(j + 1);
      continue;  // nothing below either, if rows were exchanged
    }
    for (int64_t i = j + 1; i < m; ++i) {
      const T factor = a[i * n + j] / divisor;
      a[i * n + j] = factor;
      subtract_scaled(a + i * n + j + 1, a + j * n + j + 1, factor, n - j - 1);
    }
  }
}

template <class T>
void lu(T* a, int32_t* pivots, int32_t* info, int64_t batch, int64_t m, int64_t n, bool pivot) {
  const int64_t k = m < n ? m : n;
  const int64_t grain = 1 + kChunkWork / (1 + m * n * k);
  parallel_for(batch, grain, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      lu_one(a + b * m * n, pivots + b * k, info + b, m, n, pivot);
    }
  });
}

constexpr int64_t kPanel = 64;   // rows that are finished before the rest is updated by products
constexpr int64_t kTiny = 8;     // rows of a matrix that is not worth vectors
constexpr int64_t kStrip = 128;  // rows of such a product

// The products that update what is left of u after the panels: each(first row, row, rows).
template <class Each>
MG_INLINE void cholesky_products(int64_t n, int64_t k, Each&& each) {
  for (int64_t i = k + kPanel; i < n; i += kStrip) each(i, min_of(kStrip, n - i));
}

// u[i .. i + rows][i .. n] -= (panel of rows k ...)^T (the same)
MG_INLINE GemmArgs cholesky_product(void* c, const void* left, const void* right, int64_t rows,
                                    int64_t columns, int64_t n) {
  GemmArgs g = {};
  g.c = c;
  g.a = left;
  g.b = right;
  g.m = rows;
  g.n = columns;
  g.k = kPanel;
  g.a_rs = 1;
  g.a_cs = g.b_rs = g.c_rs = n;
  g.b_cs = 1;
  g.alpha = -1;
  g.beta = 1;
  return g;
}

int64_t cholesky_workspace(int64_t n, int64_t item) {
  const DType dtype = item == 8 ? DType::kFloat64 : DType::kFloat32;
  int64_t most = 0;
  for (int64_t k = 0; k + kPanel < n; k += kPanel) {
    cholesky_products(n, k, [&](int64_t i, int64_t rows) {
      const GemmArgs g = cholesky_product(nullptr, nullptr, nullptr, rows, n - i, n);
      most = max_of(most, kGemm.workspace(g, dtype, dtype));
    });
  }
  return most;
}

// The upper triangle of u (n, n) becomes its factor; the order of the minor at fault, or 0.
template <class T>
int32_t cholesky_one(T* u, void* work, int64_t work_bytes, int64_t n) {
  constexpr DType dtype = sizeof(T) == 8 ? DType::kFloat64 : DType::kFloat32;
  for (int64_t k = 0; k < n; k += kPanel) {
    const int64_t stop = min_of(k + kPanel, n);
    for (int64_t j = k; j < stop; ++j) {
      T* row = u + j * n;
      subtract_rows(row + j, u + k * n + j, n, u + k * n + j, n, j - k, stop - j);
      if (!(row[j] > T{0})) return static_cast<int32_t>(j + 1);
      const T root = static_cast<T>(__builtin_sqrt(row[j]));
      row[j] = root;
      for (int64_t c = j + 1; c < stop; ++c) row[c] /= root;
    }
    for (int64_t c = stop; c < n; c += kPanel) {
      const int64_t width = min_of(kPanel, n - c);
      for (int64_t j = k; j < stop; ++j) {
        T* row = u + j * n + c;
        subtract_rows(row, u + k * n + c, n, u + k * n + j, n, j - k, width);
        const T root = u[j * n + j];
        for (int64_t q = 0; q < width; ++q) row[q] /= root;
      }
    }
    cholesky_products(n, k, [&](int64_t i, int64_t rows) {
      GemmArgs g = cholesky_product(u + i * n + i, u + k * n + i, u + k * n + i, rows, n - i, n);
      g.workspace = work;
      g.workspace_bytes = work_bytes;
      kGemm.run(g, dtype, dtype);
    });
  }
  return 0;
}

// The same for a matrix of few rows, where vectors would be mostly empty. Products are rounded, so
// that what is singular exactly is found so, as by LAPACK: fused, a pivot of 0 would be a residue.
template <class T>
__attribute__((noinline, optimize("fp-contract=off"))) static int32_t cholesky_tiny(T* u,
                                                                                    int64_t n) {
  for (int64_t j = 0; j < n; ++j) {
    T root = 1;
    for (int64_t i = j; i < n; ++i) {
      T sum = 0;
      for (int64_t k = 0; k < j; ++k) sum += u[k * n + j] * u[k * n + i];
      const T rest = u[j * n + i] - sum;
      if (i == j) {
        if (!(rest > T{0})) return static_cast<int32_t>(j + 1);
        root = static_cast<T>(__builtin_sqrt(rest));
      }
      u[j * n + i] = i == j ? root : rest / root;
    }
  }
  return 0;
}

// u = x's triangle as an upper one; what is not above row and column `from` only.
template <class T>
void copy_triangle(T* u, const T* x, int64_t n, int64_t from, bool upper) {
  constexpr int64_t kBlock = 16;
  for (int64_t i0 = 0; i0 < n; i0 += kBlock) {
    for (int64_t j0 = max_of(i0, from / kBlock * kBlock); j0 < n; j0 += kBlock) {
      for (int64_t i = i0; i < min_of(i0 + kBlock, n); ++i) {
        for (int64_t j = max_of(max_of(i, from), j0); j < min_of(j0 + kBlock, n); ++j) {
          u[i * n + j] = upper ? x[i * n + j] : x[j * n + i];
        }
      }
    }
  }
}

template <class T>
void cholesky(T* u, int32_t* info, const T* x, void* work, int64_t work_bytes, int64_t batch,
              int64_t n, bool upper) {
  const int64_t grain = n > kPanel ? batch : 1 + kChunkWork / (1 + n * n * n / 6);
  parallel_for(batch, grain, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      T* factor = u + b * n * n;
      const T* given = x + b * n * n;
      copy_triangle(factor, given, n, 0, upper);
      info[b] = n <= kTiny ? cholesky_tiny(factor, n) : cholesky_one(factor, work, work_bytes, n);
      if (info[b]) copy_triangle(factor, given, n, info[b] - 1, upper);
      for (int64_t i = 1; i < n; ++i) {
        for (int64_t j = 0; j < i; ++j) factor[i * n + j] = 0;
      }
    }
  });
}

}  // namespace

extern const FactorKernels kFactor = {solve<float>,    solve<double>,      lu<float>,
                                      lu<double>,      cholesky_workspace, cholesky<float>,
                                      cholesky<double>};

}  // namespace mg::MG_ISA
