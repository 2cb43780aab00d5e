// What a reduction gathers, whatever the operation: from values, and from what others gathered.
#pragma once

#include "cuda/kernels_reduce.h"
#include "cuda/vmath.cuh"

namespace mg::cuda {

// Two numbers are enough for every operation: a value; the sums of deviations and of their squares;
// a maximum and the sum of e^(x - maximum); an extremum and its index.
struct Fold {
  double a, b;
};

// Bools are read as bytes and computed in float.
template <class T>
struct FoldedIn {
  using type = Computed<T>;
};
template <>
struct FoldedIn<uint8_t> {
  using type = float;
};

template <class V>
MG_DEVICE V larger(V a, V b) {
  return a > b || a != a ? a : b;
}
template <class V>
MG_DEVICE V smaller(V a, V b) {
  return a < b || a != a ? a : b;
}

MG_DEVICE Fold start_of(int op) {
  switch (op) {
    case static_cast<int>(ReduceOp::kMax):
    case static_cast<int>(ReduceOp::kAbsMax):
    case static_cast<int>(ReduceOp::kLogSumExp):
      return {-INFINITY, 0};
    case static_cast<int>(ReduceOp::kMin):
    case static_cast<int>(ReduceOp::kAbsMin):
      return {INFINITY, 0};
    case static_cast<int>(ReduceOp::kProd):
      return {1, 0};
    case kReduceArgMax:
      return {-INFINITY, INFINITY};  // behind every index
    case kReduceArgMin:
      return {INFINITY, INFINITY};
    default:
      return {0, 0};
  }
}

// Whether x at index i goes before y at index j: NaN first, then the extremum, then the first one.
template <class V>
MG_DEVICE bool goes_before(bool smallest, V x, double i, double y, double j) {
  const double v = static_cast<double>(x);
  if (v != v || y != y) return v != v && (y == y || i < j);
  return v == y ? i < j : smallest ? v < y : v > y;
}

// Takes N values in; `index` is that of the first one, and `step` between them.
template <int N, class V>
MG_DEVICE void fold_values(int op, Fold& f, const V (&v)[N], double shift, double index,
                           double step) {
#define MG_EACH _Pragma("unroll") for (int i = 0; i < N; ++i)
  V s = V(0);
  double d = 0;
  switch (op) {
    case static_cast<int>(ReduceOp::kSum):
      MG_EACH s += v[i];
      f.a += static_cast<double>(s);
      break;
    case static_cast<int>(ReduceOp::kNanSum):
      MG_EACH s += v[i] == v[i] ? v[i] : V(0);
      f.a += static_cast<double>(s);
      break;
    case static_cast<int>(ReduceOp::kMax):
      s = v[0];
      MG_EACH s = larger(s, v[i]);
      f.a = larger(f.a, static_cast<double>(s));
      break;
    case static_cast<int>(ReduceOp::kMin):
      s = v[0];
      MG_EACH s = smaller(s, v[i]);
      f.a = smaller(f.a, static_cast<double>(s));
      break;
    case static_cast<int>(ReduceOp::kProd):
      MG_EACH f.a *= static_cast<double>(v[i]);
      break;
    case static_cast<int>(ReduceOp::kAbsSum):
      MG_EACH s += abs(v[i]);
      f.a += static_cast<double>(s);
      break;
    case static_cast<int>(ReduceOp::kSquareSum):
      MG_EACH {
        d = static_cast<double>(v[i]);
        f.a = fma(d, d, f.a);
      }
      break;
    case static_cast<int>(ReduceOp::kAbsMax):
      s = abs(v[0]);
      MG_EACH s = larger(s, abs(v[i]));
      f.a = larger(f.a, static_cast<double>(s));
      break;
    case static_cast<int>(ReduceOp::kAbsMin):
      s = abs(v[0]);
      MG_EACH s = smaller(s, abs(v[i]));
      f.a = smaller(f.a, static_cast<double>(s));
      break;
    case static_cast<int>(ReduceOp::kNonzero):
      MG_EACH s += v[i] != V(0) ? V(1) : V(0);
      f.a += static_cast<double>(s);
      break;
    case static_cast<int>(ReduceOp::kVar):
      MG_EACH {
        d = static_cast<double>(v[i]) - shift;
        f.a += d;
        f.b = fma(d, d, f.b);
      }
      break;
    case static_cast<int>(ReduceOp::kLogSumExp): {
      V top = v[0];
      MG_EACH top = larger(top, v[i]);
      const double high = larger(f.a, static_cast<double>(top));
      const V base = static_cast<V>(high);
      MG_EACH s += v[i] == base ? V(1) : exp(v[i] - base);
      if (f.a != high) f.b *= ::exp(f.a - high);  // also for infinities, whose difference is NaN
      f.a = high;
      f.b += static_cast<double>(s);
      break;
    }
    default: {
      const bool smallest = op == kReduceArgMin;
      MG_EACH {
        if (!goes_before(smallest, v[i], index + i * step, f.a, f.b)) continue;
        f.a = static_cast<double>(v[i]);
        f.b = index + i * step;
      }
    }
  }
#undef MG_EACH
}

MG_DEVICE Fold merge_folds(int op, Fold x, Fold y) {
  switch (op) {
    case static_cast<int>(ReduceOp::kMax):
    case static_cast<int>(ReduceOp::kAbsMax):
      return {larger(x.a, y.a), 0};
    case static_cast<int>(ReduceOp::kMin):
    case static_cast<int>(ReduceOp::kAbsMin):
      return {smaller(x.a, y.a), 0};
    case static_cast<int>(ReduceOp::kProd):
      return {x.a * y.a, 0};
    case static_cast<int>(ReduceOp::kLogSumExp): {
      const double high = larger(x.a, y.a);
      return {high, (x.a == high ? x.b : x.b * ::exp(x.a - high)) +
                        (y.a == high ? y.b : y.b * ::exp(y.a - high))};
    }
    case kReduceArgMax:
    case kReduceArgMin:
      return goes_before(op == kReduceArgMin, x.a, x.b, y.a, y.b) ? x : y;
    default:
      return {x.a + y.a, x.b + y.b};
  }
}

}  // namespace mg::cuda
