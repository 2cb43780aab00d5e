// Weighted sums of neighbours along one dimension. Behind the dimension whole rows are added,
// vector by vector; along the last one the weights are the vectors and the neighbours are gathered.
#include "kernels.h"
#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kGrain = 16384;  // elements that deserve a chunk of their own

template <class T>
MG_INLINE void add_rows(T* out, const T* const* rows, const T* weights, int64_t taps, int64_t n) {
  using V = typename Vec<T>::type;
  constexpr int64_t kLanes = Vec<T>::lanes;
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    V sum = load(rows[0] + j) * set1(weights[0]);
    for (int64_t k = 1; k < taps; ++k) sum = fma(load(rows[k] + j), set1(weights[k]), sum);
    store(out + j, sum);
  }
  for (; j < n; ++j) {
    T sum = rows[0][j] * weights[0];
    for (int64_t k = 1; k < taps; ++k) sum += rows[k][j] * weights[k];
    out[j] = sum;
  }
}

// Rows of `inner` elements: chunks of several output rows.
template <class T>
void along_rows(T* out, const T* x, const int32_t* index, const T* weight, const ResampleShape& s) {
  constexpr int64_t kAtOnce = 8;  // taps whose rows are read in one sweep
  const int64_t inner = s.inner, taps = s.taps, count = s.count;
  parallel_for(s.outer * count, 1 + kGrain / inner, [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t o = r / count, i = r % count;
      const T* plane = x + o * s.size * inner;
      T* to = out + r * inner;
      if (!weight) {
        const T* from = plane + index[i] * inner;
        for (int64_t j = 0; j < inner; ++j) to[j] = from[j];
        continue;
      }
      for (int64_t start = 0; start < taps; start += kAtOnce) {
        // What earlier sweeps have added up stands in `out`, as one more row of weight 1.
        const T* rows[kAtOnce + 1];
        T weights[kAtOnce + 1];
        int64_t used = 0;
        if (start) rows[used] = to, weights[used++] = 1;
        for (int64_t k = start; k < taps && k < start + kAtOnce; ++k) {
          const T w = weight[k * count + i];
          if (w == 0 && k) continue;
          rows[used] = plane + index[k * count + i] * inner;
          weights[used++] = w;
        }
        if (used == 2) {  // a number that the compiler knows keeps both weights in registers
          add_rows(to, rows, weights, 2, inner);
        } else {
          add_rows(to, rows, weights, used, inner);
        }
      }
    }
  });
}

// Single elements: the compiler makes gathers of the inner loops where there are such instructions.
template <class T>
void along_last(T* __restrict out, const T* __restrict x, const int32_t* __restrict index,
                const T* __restrict weight, const ResampleShape& s) {
  const int64_t count = s.count, size = s.size, taps = s.taps;
  parallel_for(s.outer, 1 + kGrain / (count * taps + 1), [=](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const T* __restrict row = x + o * size;
      T* __restrict to = out + o * count;
      if (!weight) {
        for (int64_t i = 0; i < count; ++i) to[i] = row[index[i]];
      } else if (taps == 2) {
        const int32_t* __restrict next = index + count;
        const T* __restrict more = weight + count;
        for (int64_t i = 0; i < count; ++i) {
          to[i] = row[index[i]] * weight[i] + row[next[i]] * more[i];
        }
      } else {
        for (int64_t i = 0; i < count; ++i) to[i] = row[index[i]] * weight[i];
        for (int64_t k = 1; k < taps; ++k) {
          const int32_t* __restrict at = index + k * count;
          const T* __restrict by = weight + k * count;
          for (int64_t i = 0; i < count; ++i) to[i] += row[at[i]] * by[i];
        }
      }
    }
  });
}

template <class T>
void resample(T* out, const T* x, const int32_t* index, const T* weight, const ResampleShape& s) {
  if (s.inner > 1) {
    along_rows(out, x, index, weight, s);
  } else if (s.inner == 1) {
    along_last(out, x, index, weight, s);
  }
}

}  // namespace

extern const ResampleKernels kResample = {resample<float>, resample<double>};

}  // namespace mg::MG_ISA
