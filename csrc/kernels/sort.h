// Contract of the sort family: rows in order, their first elements, the element of a rank, and
// places in sorted sequences.
//
//   shapes       x is contiguous (outer, n, inner), values and indices (outer, k, inner) or, for
//                select, (outer, inner); 1 <= n < 2^31, 0 <= k <= n. values or indices may be
//                nullptr
//   dtypes       all; values has that of x
//   values       NaN is the largest, -0 equals 0; elements are copied, never computed
//   order        stable: of equal elements the first comes first, also with `descending`. That
//                holds for the first k and for an element of a rank as well
//   workspace    sort_workspace(rows, count) bytes, where `count` threads may run
//   determinism  bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

struct SortRows {
  DType dtype;
  const void* x;
  int64_t outer, n, inner;
};

// Which element of a row in ascending order: number `rank`, the lower median (the first NaN, if
// there is one), or the lower median of those that are no NaN (the first NaN if all are).
enum class Rank : int8_t { kNumber, kMedian, kNanMedian };

// Columns of x that are worked on together, where rows are columns in memory.
static inline int64_t sort_columns(const SortRows& r) {
  const int64_t fit = (1 << 19) / r.n;
  return min_of(r.inner, fit < 1 ? 1 : fit > 16 ? 16 : fit);
}
// Where one thread works: pairs twice, wide and narrow keys; copies of rows, their new values and
// indices. Flags that tell which slots are in use stand before the slots.
constexpr int64_t kSortPadding = 128;
static inline int64_t sort_slot(const SortRows& r) {
  const int64_t room = r.n + kSortPadding;
  return (32 * room + (r.inner == 1 ? 8 : 24) * room * sort_columns(r) + 63) / 64 * 64;
}
static inline int64_t sort_slots(const SortRows& r, int64_t threads) {
  const int64_t tasks = r.outer * r.inner;
  return threads < tasks ? threads : tasks;
}
static inline int64_t sort_workspace(const SortRows& r, int64_t threads) {
  return sort_slots(r, threads) * (sort_slot(r) + 64);
}

struct SortKernels {
  // The first k elements of each sorted row, and where they stood.
  void (*sort)(void* values, int64_t* indices, const SortRows& rows, int64_t k, bool descending,
               void* work, int64_t threads);
  // One element of each row, and where it stood.
  void (*select)(void* values, int64_t* indices, const SortRows& rows, Rank which, int64_t rank,
                 void* work, int64_t threads);
  // out[i]: how many of the n sorted elements are smaller than x[i] (`right`: or equal to it); all
  // for NaN. x has m elements, out of int32 or int64; for kInt32, kInt64, kFloat32 and kFloat64.
  void (*search)(void* out, bool out_int32, const void* sequence, int64_t n, const void* x,
                 int64_t m, DType dtype, bool right);
};

}  // namespace mg
