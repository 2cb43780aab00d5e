// Triangular systems and LU factorization: loops over rows, whose inner one runs along memory.
// Few right sides are turned, so that rows of the matrix meet them; many are vectors themselves.
#include "kernels/factor.h"

#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {
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
    for (int64_t j = begin; j < end; ++j) {
      subtract_scaled(out, x + j * k, a[i * row + j * column], k);
    }
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

}  // namespace

extern const FactorKernels kFactor = {solve<float>, solve<double>, lu<float>, lu<double>};

}  // namespace mg::MG_ISA
