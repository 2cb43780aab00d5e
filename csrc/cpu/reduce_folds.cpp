// The folds: sums, products, extrema, counts; and how one is taken over a range and its columns.
// Short runs are joined as many at once as a vector has lanes, narrow rows are seen as wide ones.
#include "fold_many.h"
#include "reduce_kinds.h"

namespace mg::MG_ISA {
namespace {

template <class F, class T>
void tiny(double* s, const T* x, int64_t step, int64_t n) {
  constexpr int lanes = Vec<typename F::Acc>::lanes;
  for (int k = 0; k < Vec<T>::lanes; k += lanes) fold_tiny<F>(s + k, x + k * step, step, n);
}

template <class F, class T>
void together(double* s, const T* const* runs, int64_t n) {
  constexpr int step = Vec<typename F::Acc>::lanes;
  if constexpr (F::kProduct) {  // more values than that are seldom in the range of floats
    if (n <= 128 && fold_together<F, T>(s, runs, n)) return;
  }
  for (int k = 0; k < Vec<T>::lanes; k += step) {
    if (fold_together<F, typename F::Acc>(s + k, runs + k, n)) continue;
    for (int i = k; i < k + step; ++i) s[i] = fold_run<F>(runs[i], n);
  }
}

// kMany: short runs are worth the code that takes several at once.
template <class F, class T, bool kMany = false>
constexpr Fold<T> fold_of() {
  Fold<T> fold = {F::kStart, join_one<F>, fold_run<F, T>, fold_columns<F, T>, nullptr, nullptr};
  if constexpr (kMany) {
    fold.tiny = tiny<F, T>;
    fold.together = together<F, T>;
  }
  return fold;
}

template <class T>
void merge_folds(const Fold<T>& fold, double* s, int64_t, double, const double* other, int64_t,
                 double, int64_t count) {
  for (int64_t j = 0; j < count; ++j) s[j] = fold.join(s[j], other[j]);
}

// Narrow rows without gaps are seen as wide ones, whose columns are joined afterwards.
template <class T>
void narrow_columns(const Fold<T>& fold, double* s, const T* x, int64_t n, int64_t columns) {
  constexpr int64_t lanes = Vec<T>::lanes;
  double total[2 * lanes * lanes];
  const int64_t wide = lanes * columns, rows = n / lanes;
  for (int64_t j = 0; j < wide; ++j) total[j] = fold.start;
  fold.columns(total, x, rows, wide, wide);
  fold.columns(s, x + rows * wide, n - rows * lanes, columns, columns);
  for (int64_t j = 0, k = 0; j < wide; ++j, k = k + 1 < columns ? k + 1 : 0) {
    s[k] = fold.join(s[k], total[j]);
  }
}

}  // namespace

template <class T>
void fold_range(const Fold<T>& fold, double* s, const Range<T>& r) {
  constexpr int64_t lanes = Vec<T>::lanes;
  if (!fold.together || r.pieces <= lanes / 4 || r.rows >= kShort<T>) {
    s[0] = r.pieces ? fold.run(r.x, r.rows) : fold.start;
    for (int64_t i = 1; i < r.pieces; ++i) {
      s[0] = fold.join(s[0], fold.run(Range<T>::piece(r, i), r.rows));
    }
    return;
  }
  const T* runs[lanes];
  double part[lanes];
  s[0] = fold.start;
  for (int64_t i = 0; i < r.pieces; i += lanes) {
    const int64_t count = min_of(lanes, r.pieces - i);
    for (int64_t k = 0; k < lanes; ++k) runs[k] = Range<T>::piece(r, i + min_of(k, count - 1));
    fold.together(part, runs, r.rows);
    for (int64_t k = 0; k < count; ++k) s[0] = fold.join(s[0], part[k]);
  }
}

template <class T>
void fold_range_columns(const Fold<T>& fold, double* s, const Range<T>& r) {
  constexpr int64_t lanes = Vec<T>::lanes;
  for (int64_t j = 0; j < r.columns; ++j) s[j] = fold.start;
  const bool narrow = r.columns < 2 * lanes && r.stride == r.columns && r.rows >= 4 * lanes;
  for (int64_t i = 0; i < r.pieces; ++i) {
    const T* x = Range<T>::piece(r, i);
    if (narrow) {
      narrow_columns(fold, s, x, r.rows, r.columns);
    } else {
      fold.columns(s, x, r.rows, r.stride, r.columns);
    }
  }
}
template void fold_range(const Fold<float>&, double*, const Range<float>&);
template void fold_range(const Fold<double>&, double*, const Range<double>&);
template void fold_range_columns(const Fold<float>&, double*, const Range<float>&);
template void fold_range_columns(const Fold<double>&, double*, const Range<double>&);

template <class T>
Kind<T> kind_of(ReduceOp op) {
  static constexpr Fold<T> folds[] = {
      fold_of<SumFold<T>, T, true>(),
      fold_of<MaxFold<T>, T, true>(),
      fold_of<MinFold<T>, T, true>(),
      fold_of<ProdFold<T>, T, true>(),
      fold_of<AbsSumFold<T>, T>(),
      fold_of<SquareFold<T>, T, true>(),
      fold_of<AbsMaxFold<T>, T>(),
      fold_of<AbsMinFold<T>, T>(),
      fold_of<NonzeroFold<T>, T>(),
      {},
      {},
      fold_of<NanSumFold<T>, T>(),
  };
  if (op == ReduceOp::kVar) return spread_kind(folds[static_cast<int>(ReduceOp::kSum)]);
  if (op == ReduceOp::kLogSumExp) return exp_sum_kind(folds[static_cast<int>(ReduceOp::kMax)]);
  return {1,
          0,
          fold_range<T>,
          fold_range_columns<T>,
          merge_folds,
          nullptr,
          folds[static_cast<int>(op)]};
}
template Kind<float> kind_of(ReduceOp);
template Kind<double> kind_of(ReduceOp);

}  // namespace mg::MG_ISA
