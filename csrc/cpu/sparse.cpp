// Products with a sparse matrix: for each of its elements a row of the dense matrix is read and
// added to (or multiplied with) another one. The threads share the columns, so that none waits.
#include "kernels/sparse.h"

#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kColumns = 64;    // a chunk: four cache lines of floats of every row
constexpr int64_t kElements = 512;  // a chunk of dot products

// out[0 .. n) += the sum of values[i] x[columns[i]] for i < count: elements of one row, whose sums
// stay in registers.
template <class T, int kVecs>
MG_INLINE void add_run(T* out, const int64_t* columns, const T* values, int64_t count, const T* x,
                       int64_t width, int64_t n) {
  using V = typename Vec<T>::type;
  constexpr int64_t lanes = Vec<T>::lanes;
  const int64_t tail = n - (kVecs - 1) * lanes;  // of the last vector
  V sum[kVecs];
  for (int v = 0; v < kVecs - 1; ++v) sum[v] = load(out + v * lanes);
  sum[kVecs - 1] = load_partial(out + (kVecs - 1) * lanes, tail);
  for (int64_t i = 0; i < count; ++i) {
    const V factor = set1(values[i]);
    const T* row = x + columns[i] * width;
    for (int v = 0; v < kVecs - 1; ++v) sum[v] = fma(factor, load(row + v * lanes), sum[v]);
    sum[kVecs - 1] = fma(factor, load_partial(row + (kVecs - 1) * lanes, tail), sum[kVecs - 1]);
  }
  for (int v = 0; v < kVecs - 1; ++v) store(out + v * lanes, sum[v]);
  store_partial(out + (kVecs - 1) * lanes, sum[kVecs - 1], tail);
}

template <class T>
void add_product(T* out, const SparseElements& at, const T* values, const T* x, int64_t width) {
  constexpr int64_t lanes = Vec<T>::lanes;
  parallel_for(width, kColumns, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < at.count;) {
      const int64_t row = at.rows[i];
      int64_t stop = i + 1;
      while (stop < at.count && at.rows[stop] == row) ++stop;
      if (width == 1) {
        T sum = out[row];
        for (; i < stop; ++i) sum += values[i] * x[at.columns[i]];
        out[row] = sum;
        continue;
      }
      for (int64_t j = begin; j < end;) {
        T* to = out + row * width + j;
        const int64_t left = end - j;
        if (left >= 4 * lanes) {
          add_run<T, 4>(to, at.columns + i, values + i, stop - i, x + j, width, 4 * lanes);
          j += 4 * lanes;
        } else {
          const int64_t n = min_of(lanes, left);
          add_run<T, 1>(to, at.columns + i, values + i, stop - i, x + j, width, n);
          j += n;
        }
      }
      i = stop;
    }
  });
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

template <class T>
void sampled(T* out, const SparseElements& at, const T* a, const T* b, int64_t width) {
  parallel_for(at.count, kElements, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      out[i] = dot(a + at.rows[i] * width, b + at.columns[i] * width, width);
    }
  });
}

}  // namespace

extern const SparseKernels kSparse = {add_product<float>, add_product<double>, sampled<float>,
                                      sampled<double>};

}  // namespace mg::MG_ISA
