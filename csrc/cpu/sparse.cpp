// Products with a sparse matrix: for each of its elements a row of the dense matrix is read and
// added to (or multiplied with) another one. The threads share the columns, so that none waits. The
// sum of a bag stays in registers while its rows, called for in advance, are added.
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

constexpr int64_t kAhead = 8;  // rows from a row that is being added to one that is called for
constexpr int64_t kGathered = 8192;  // elements of a table's rows in a chunk

// out[0 .. n) = the sum of the bag's rows there, in `kVectors` vectors; n fills all but the last.
template <int kVectors, class T>
MG_INLINE void bag_part(T* out, const Bags& bags, int64_t begin, int64_t end, const T* values,
                        const T* table, int64_t width, int64_t n, T scale) {
  using V = typename Vec<T>::type;
  constexpr int64_t lanes = Vec<T>::lanes;
  const int64_t last = bags.bounds[bags.count] - 1, rest = n - (kVectors - 1) * lanes;
  V sum[kVectors] = {};
  for (int64_t i = begin; i < end; ++i) {
    const T* row = table + bags.ids[i] * width;
    const T* next = table + bags.ids[min_of(last, i + kAhead)] * width;
    const V by = set1(values ? values[i] : T{1});
    for (int k = 0; k < kVectors; ++k) {
      __builtin_prefetch(next + k * lanes);
      const T* p = row + k * lanes;
      sum[k] = fma(k < kVectors - 1 || rest >= lanes ? load(p) : load_partial(p, rest), by, sum[k]);
    }
  }
  for (int k = 0; k < kVectors; ++k) {
    T* to = out + k * lanes;
    if (k < kVectors - 1 || rest >= lanes) {
      store(to, sum[k] * set1(scale));
    } else {
      store_partial(to, sum[k] * set1(scale), rest);
    }
  }
}

template <class T>
void bag_sums(T* out, const Bags& bags, const T* values, const T* table, int64_t width, bool mean) {
  constexpr int64_t lanes = Vec<T>::lanes;
  const int64_t rows = bags.count ? ceil_div(bags.bounds[bags.count], bags.count) : 0;
  parallel_for(bags.count, 1 + kGathered / (1 + rows * width), [&](int64_t first, int64_t stop) {
    for (int64_t b = first; b < stop; ++b) {
      const int64_t begin = bags.bounds[b], end = bags.bounds[b + 1];
      const T scale = mean && end > begin ? 1 / static_cast<T>(end - begin) : T{1};
      T* to = out + b * width;
      int64_t j = 0;
      for (; j + 3 * lanes < width; j += 4 * lanes) {
        const int64_t n = min_of(4 * lanes, width - j);
        bag_part<4>(to + j, bags, begin, end, values, table + j, width, n, scale);
      }
      for (; j < width; j += lanes) {
        const int64_t n = min_of(lanes, width - j);
        bag_part<1>(to + j, bags, begin, end, values, table + j, width, n, scale);
      }
    }
  });
}

}  // namespace

extern const SparseKernels kSparse = {add_product<float>, add_product<double>, sampled<float>,
                                      sampled<double>,    bag_sums<float>,     bag_sums<double>};

}  // namespace mg::MG_ISA
