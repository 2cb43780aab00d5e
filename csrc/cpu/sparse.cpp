// Products with a sparse matrix: for each of its elements a row of the dense matrix is read and
// added to (or multiplied with) another one. The threads share the columns, so that none waits.
#include "kernels/sparse.h"

#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kColumns = 64;    // a chunk: four cache lines of floats of every row
constexpr int64_t kElements = 512;  // a chunk of dot products

// out[0 .. n) += v x[0 .. n)
template <class T>
MG_INLINE void add_scaled(T* out, const T* x, T v, int64_t n) {
  using V = typename Vec<T>::type;
  constexpr int64_t lanes = Vec<T>::lanes;
  const V factor = set1(v);
  int64_t j = 0;
  for (; j + lanes <= n; j += lanes) {
    store(out + j, fma(factor, load(x + j), load(out + j)));
  }
  if (j < n) {
    const V sum = fma(factor, load_partial(x + j, n - j), load_partial(out + j, n - j));
    store_partial(out + j, sum, n - j);
  }
}

template <class T>
void add_product(T* out, const SparseElements& at, const T* values, const T* x, int64_t width) {
  parallel_for(width, kColumns, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < at.count; ++i) {
      add_scaled(out + at.rows[i] * width + begin, x + at.columns[i] * width + begin, values[i],
                 end - begin);
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
