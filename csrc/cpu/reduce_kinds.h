// What a reduction is made of: the functions of a fold, and of a kind, which has statistics for
// every output. Only these are compiled for each of them; what walks over ranges and shares out the
// work calls them by pointer.
#pragma once

#include "fold.h"

namespace mg::MG_ISA {

// Values of one number, or of several columns: `pieces` stretches of `rows` rows of `stride`
// values, `columns` of each.
template <class T>
struct Range {
  const T* x;
  int64_t pieces, step, rows, stride, columns;
  MG_INLINE const T* piece(const Range& r, int64_t i) { return r.x + i * r.step; }
};

// Of values that are joined one by one. The last two may be missing.
template <class T>
struct Fold {
  double start;
  double (*join)(double, double);
  double (*run)(const T* x, int64_t n);
  void (*columns)(double* total, const T* x, int64_t n, int64_t stride, int64_t columns);
  // As many runs as a vector of T has lanes: of few values and `step` apart, and of less than
  // kShort each.
  void (*tiny)(double* s, const T* x, int64_t step, int64_t n);
  void (*together)(double* s, const T* const* runs, int64_t n);
};

// `run` and `columns` write the statistics of a range, the second ones of columns kReduceTile
// behind the first; `merge` joins those of two ranges, of na and nb values; `finish` (may be
// missing) makes of `count` statistics the values, in the place of the first.
template <class T>
struct Kind {
  int stats;   // of every output
  int result;  // which of them becomes the value
  void (*run)(const Fold<T>& fold, double* s, const Range<T>& r);
  void (*columns)(const Fold<T>& fold, double* s, const Range<T>& r);
  void (*merge)(const Fold<T>& fold, double* s, int64_t second, double na, const double* other,
                int64_t other_second, double nb, int64_t count);
  void (*finish)(double* s, int64_t second, int64_t count);
  Fold<T> fold;
};

constexpr int kMostStats = 2;
constexpr int64_t kTiny = 8;  // values of a run that is read lane by lane
template <class T>
constexpr int64_t kShort = kBlockVectors * Vec<T>::lanes;  // runs taken together are shorter

template <class T>
Kind<T> kind_of(ReduceOp op);

// A fold over all of a range, and over its columns.
template <class T>
void fold_range(const Fold<T>& fold, double* s, const Range<T>& r);
template <class T>
void fold_range_columns(const Fold<T>& fold, double* s, const Range<T>& r);

// Mean and sum of squared deviations (`fold`: the sum); maximum and sum of e^(x - maximum) (`fold`:
// the maximum).
template <class T>
Kind<T> spread_kind(const Fold<T>& fold);
template <class T>
Kind<T> exp_sum_kind(const Fold<T>& fold);

}  // namespace mg::MG_ISA
