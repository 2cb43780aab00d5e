// Sums over a run of dimensions.
// Memory-bound: vectors run along the memory whatever the dimension summed; short blocks in T go
// into doubles, so precision costs no bandwidth.
#include "kernels/reduce.h"

#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kBlockVectors = 32;  // vectors added in T before a block goes into the double
constexpr int64_t kBlockRows = 64;     // the same where rows are added to each other
constexpr int64_t kTile = 128;         // columns at a time: their sums stay in the L1 cache
constexpr int64_t kTask = 1 << 15;     // values that are worth a task

template <class T>
double sum_run(const T* x, int64_t n) {
  using V = typename Vec<T>::type;
  constexpr int lanes = Vec<T>::lanes;
  constexpr int64_t block = kBlockVectors * lanes;
  double total = 0;
  int64_t i = 0;
  for (; i + block <= n; i += block) {
    V a = {}, b = {}, c = {}, d = {};  // four chains hide the latency of the additions
    for (int64_t j = 0; j < block; j += 4 * lanes) {
      a += load(x + i + j);
      b += load(x + i + j + lanes);
      c += load(x + i + j + 2 * lanes);
      d += load(x + i + j + 3 * lanes);
    }
    total += static_cast<double>(hsum((a + b) + (c + d)));
  }
  V rest = {};
  for (; i + lanes <= n; i += lanes) rest += load(x + i);
  if (i < n) rest += load_partial(x + i, n - i);
  return total + static_cast<double>(hsum(rest));
}

// Sums `n` rows of `stride` values; only `columns` (at most kTile) of each.
template <class T>
void sum_columns(T* out, const T* x, int64_t n, int64_t stride, int64_t columns) {
  constexpr int lanes = Vec<T>::lanes;
  double total[kTile] = {};
  for (int64_t begin = 0; begin < n; begin += kBlockRows) {
    const int64_t end = begin + kBlockRows < n ? begin + kBlockRows : n;
    T block[kTile] = {};
    for (int64_t row = begin; row < end; ++row) {
      const T* p = x + row * stride;
      int64_t j = 0;
      for (; j + lanes <= columns; j += lanes) store(block + j, load(block + j) + load(p + j));
      for (; j < columns; ++j) block[j] += p[j];
    }
    for (int64_t j = 0; j < columns; ++j) total[j] += static_cast<double>(block[j]);
  }
  for (int64_t j = 0; j < columns; ++j) out[j] = static_cast<T>(total[j]);
}

template <class T>
void sum(T* out, const T* x, int64_t outer, int64_t n, int64_t inner, double* partial) {
  if (inner == 1 && outer == 1) {
    parallel_for(n, kSumChunk, [=](int64_t begin, int64_t end) {
      partial[begin / kSumChunk] = sum_run(x + begin, end - begin);
    });
    double total = 0;
    for (int64_t i = 0; i < sum_chunks(outer, n, inner); ++i) total += partial[i];
    *out = static_cast<T>(total);
  } else if (inner == 1) {
    parallel_for(outer, n < kTask ? kTask / (n + 1) + 1 : 1, [=](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) out[r] = static_cast<T>(sum_run(x + r * n, n));
    });
  } else {
    const int64_t tiles = (inner + kTile - 1) / kTile;
    const int64_t work = n * kTile;
    parallel_for(outer * tiles, work < kTask ? kTask / (work + 1) + 1 : 1,
                 [=](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const int64_t o = i / tiles, at = i % tiles * kTile;
                     const int64_t columns = inner - at < kTile ? inner - at : kTile;
                     sum_columns(out + o * inner + at, x + o * n * inner + at, n, inner, columns);
                   }
                 });
  }
}

}  // namespace

extern const ReduceKernels kReduce = {{sum<float>}, {sum<double>}};

}  // namespace mg::MG_ISA
