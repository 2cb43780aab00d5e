// Variances and log-sum-exps: reductions with two statistics for every output, of floats in double.
// Every value is read from memory once.
#include "reduce_kinds.h"

namespace mg::MG_ISA {
namespace {

// Mean and sum of squared deviations. They are computed from deviations from a value of the range
// itself, which for floats loses at most n 2^-53 of the result: that value's own deviation is part
// of the sum. For doubles that would show; there the shift is the mean.
template <class T>
struct Spread {
  static void run(const Fold<T>& add, double* s, const Range<T>& r) {
    const double n = static_cast<double>(r.pieces * r.rows);
    double shift = r.pieces * r.rows > 0 ? static_cast<double>(r.x[0]) : 0;
    if (sizeof(T) == 8) {
      fold_range(add, &shift, r);
      shift /= n;
    }
    vd sum[4] = {}, square[4] = {};
    for (int64_t i = 0; i < r.pieces; ++i) {
      deviations(sum, square, Range<T>::piece(r, i), r.rows, vd{} + shift);
    }
    const double d = hsum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    s[0] = shift + d / n;
    s[1] = hsum((square[0] + square[1]) + (square[2] + square[3])) - d / n * d;
  }
  MG_INLINE void deviations(vd* sum, vd* square, const T* x, int64_t n, vd shift) {
    int64_t i = 0;
    for (; i + 4 * kD <= n; i += 4 * kD) {
      for (int k = 0; k < 4; ++k) {
        const vd d = From<double, T>::at(x + i + k * kD) - shift;
        sum[k] += d;
        square[k] = fma(d, d, square[k]);
      }
    }
    for (; i < n; i += kD) {
      vd d = n - i < kD ? From<double, T>::part(x + i, n - i) : From<double, T>::at(x + i);
      d = first_of(d - shift, n - i, vd{});
      sum[0] += d;
      square[0] = fma(d, d, square[0]);
    }
  }
  static void columns(const Fold<T>& add, double* s, const Range<T>& r) {
    const double n = static_cast<double>(r.pieces * r.rows);
    double shift[kReduceTile], sum[kReduceTile];
    double* square = s + kReduceTile;
    for (int64_t j = 0; j < r.columns; ++j) shift[j] = sum[j] = square[j] = 0;
    if (sizeof(T) == 8) {
      fold_range_columns(add, shift, r);
      for (int64_t j = 0; j < r.columns; ++j) shift[j] /= n;
    } else if (r.pieces * r.rows > 0) {
      for (int64_t j = 0; j < r.columns; ++j) shift[j] = static_cast<double>(r.x[j]);
    }
    for (int64_t i = 0; i < r.pieces; ++i) {
      const T* x = Range<T>::piece(r, i);
      int64_t row = 0;
      for (; row + 4 <= r.rows; row += 4) add_rows<4>(sum, square, shift, x + row * r.stride, r);
      for (; row < r.rows; ++row) add_rows<1>(sum, square, shift, x + row * r.stride, r);
    }
    for (int64_t j = 0; j < r.columns; ++j) {
      const double d = sum[j] / n;
      square[j] -= d * sum[j];
      s[j] = shift[j] + d;
    }
  }
  template <int kRows>
  MG_INLINE void add_rows(double* sum, double* square, const double* shift, const T* x,
                          const Range<T>& r) {
    for (int64_t j = 0; j < r.columns; j += kD) {
      const bool part = r.columns - j < kD;
      const vd from = load(shift + j);
      vd s = load(sum + j), q = load(square + j);
      for (int k = 0; k < kRows; ++k) {
        const T* p = x + k * r.stride + j;
        const vd d =
            (part ? From<double, T>::part(p, r.columns - j) : From<double, T>::at(p)) - from;
        s += d;
        q = fma(d, d, q);
      }
      store(sum + j, s);
      store(square + j, q);
    }
  }
  static void merge(const Fold<T>&, double* s, int64_t second, double na, const double* other,
                    int64_t other_second, double nb, int64_t count) {
    const double n = na + nb;
    for (int64_t j = 0; j < count; ++j) {
      const double delta = other[j] - s[j];
      s[j] += delta * (nb / n);
      s[second + j] += other[other_second + j] + delta * delta * (na * nb / n);
    }
  }
};

// What is subtracted from the values: an infinite maximum would make NaN.
MG_INLINE double shift_of(double top) { return top - top == 0 ? top : 0; }
// A sum of exponentials relative to another shift.
MG_INLINE double moved(double top, double sum, double shift) {
  return top == -kInf ? 0 : sum * ::exp(shift_of(top) - shift);
}

// Maximum and sum of e^(x - maximum).
template <class T>
struct ExpSum {
  using V = typename Vec<T>::type;
  static constexpr int lanes = Vec<T>::lanes;

  static void run(const Fold<T>& most, double* s, const Range<T>& r) {
    fold_range(most, s, r);
    const V shift = V{} + static_cast<T>(shift_of(s[0]));
    const V none = V{} + static_cast<T>(-kInf);
    vd total = {};
    for (int64_t i = 0; i < r.pieces; ++i) {
      const T* x = Range<T>::piece(r, i);
      for (int64_t j = 0; j < r.rows;) {
        const int64_t end = min_of(j + kBlockVectors * lanes, r.rows);
        V block = {};
        for (; j + lanes <= end; j += lanes) block += exp(load(x + j) - shift);
        if (j < end) block += exp(first_of(load_partial(x + j, end - j) - shift, end - j, none));
        j = end;
        total = join_wide<SumFold<T>>(total, block);
      }
    }
    s[1] = hsum(total);
  }
  static void columns(const Fold<T>& most, double* s, const Range<T>& r) {
    fold_range_columns(most, s, r);
    T shift[kReduceTile], block[kReduceTile];
    double* total = s + kReduceTile;
    for (int64_t j = 0; j < r.columns; ++j) {
      shift[j] = static_cast<T>(shift_of(s[j]));
      total[j] = 0;
    }
    for (int64_t i = 0; i < r.pieces; ++i) {
      const T* x = Range<T>::piece(r, i);
      for (int64_t row = 0; row < r.rows;) {
        const int64_t end = min_of(row + kBlockRows, r.rows);
        for (int64_t j = 0; j < r.columns; ++j) block[j] = 0;
        for (; row < end; ++row) {
          const T* p = x + row * r.stride;
          int64_t j = 0;
          for (; j + lanes <= r.columns; j += lanes) {
            store(block + j, load(block + j) + exp(load(p + j) - load(shift + j)));
          }
          if (j < r.columns) {
            const V e = exp(load_partial(p + j, r.columns - j) - load(shift + j));
            store(block + j, load(block + j) + e);
          }
        }
        for (int64_t j = 0; j < r.columns; ++j) total[j] += static_cast<double>(block[j]);
      }
    }
  }
  static void merge(const Fold<T>& most, double* s, int64_t second, double, const double* other,
                    int64_t other_second, double, int64_t count) {
    for (int64_t j = 0; j < count; ++j) {
      const double top = most.join(s[j], other[j]), shift = shift_of(top);
      s[second + j] =
          moved(s[j], s[second + j], shift) + moved(other[j], other[other_second + j], shift);
      s[j] = top;
    }
  }
  static void finish(double* s, int64_t second, int64_t count) {
    for (int64_t j = 0; j < count; ++j) s[j] = ::log(s[second + j]) + shift_of(s[j]);
  }
};

}  // namespace

template <class T>
Kind<T> spread_kind(const Fold<T>& fold) {
  return {2, 1, Spread<T>::run, Spread<T>::columns, Spread<T>::merge, nullptr, fold};
}
template <class T>
Kind<T> exp_sum_kind(const Fold<T>& fold) {
  return {2, 0, ExpSum<T>::run, ExpSum<T>::columns, ExpSum<T>::merge, ExpSum<T>::finish, fold};
}
template Kind<float> spread_kind(const Fold<float>&);
template Kind<double> spread_kind(const Fold<double>&);
template Kind<float> exp_sum_kind(const Fold<float>&);
template Kind<double> exp_sum_kind(const Fold<double>&);

}  // namespace mg::MG_ISA
