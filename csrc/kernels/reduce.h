// Contract of the reduce family: folds, variances, extrema with indices and running sums.
//
//   shapes       x is seen as (a, r1, b, r2, c) with r1 and r2 reduced and the strides that Groups
//                tells, c's being 1, and r2's where c is 1; out (a, b, c) is contiguous.
//                arg and scan take contiguous (outer, n, inner); sizes >= 0, reduced sizes of max,
//                min and arg >= 1
//   aliasing     none; scan: out may be x
//   values       sums of blocks of at most 512 values in T, added up in double; squares and
//                variances in double throughout: errors do not grow with n.
//                products: of up to 32 floats in T where they stay in its range, then in double
//                kVar takes out_mean (or nullptr) besides: the means
//                max, min, arg: NaN is the extremum, the first one counts
//                integers: sums and products wrap around in int64
//                scan runs in double and rounds every result once; from the end if `reverse`
//   workspace    reduce_workspace(groups) doubles; arg: arg_workspace(outer, n, inner) doubles
//   determinism  fixed chunks combined in order: bitwise equal for every thread count
#pragma once

#include "common.h"

namespace mg {

enum class ReduceOp {
  kSum,
  kMax,
  kMin,
  kProd,
  kAbsSum,
  kSquareSum,
  kAbsMax,
  kAbsMin,
  kNonzero,
  kVar,
  kLogSumExp,
  kNanSum,  // NaN counts as 0
  kCount
};

enum class ScanOp { kSum, kProduct, kLogSumExp };

struct Groups {
  int64_t a, r1, b, r2, c;
  int64_t step_a, step_r1, step_b, step_r2;  // elements
};

// What becomes of a folded value on its way into out: value * scale, its root, an integer.
struct Finish {
  enum class Out : int8_t { kSame, kInt64, kPositive, kAtLeast };  // the last two give bools
  double scale;                                                    // of kVar: 1 / (n - correction)
  bool root;
  Out out;
  double least;  // of kAtLeast
};

// How a reduction is cut into tasks: `parts` ranges of `each` units for every group and tile of
// columns. A unit is a row of x, or where r1 is not 1 all rows of one step of r1.
struct ReducePlan {
  int64_t groups, tiles, units, each, parts;
};

constexpr int64_t kReduceTile = 1024;  // columns at a time: their totals stay in the L1 cache

static inline ReducePlan reduce_plan(const Groups& g) {
  ReducePlan p;
  p.groups = g.a * g.b;
  p.tiles = (g.c + kReduceTile - 1) / kReduceTile;
  p.units = g.r1 != 1 ? g.r1 : g.r2;
  p.each = p.units;
  p.parts = 1;
  const int64_t unit = (g.r1 != 1 ? g.r2 : 1) * (g.c < kReduceTile ? g.c : kReduceTile);
  const int64_t part = g.c == 1 ? 1 << 16 : 1 << 18;  // values
  if (p.groups * p.tiles < 32 && unit * p.units > 2 * part) {
    p.each = unit < part ? part / unit : 1;
    p.parts = (p.units + p.each - 1) / p.each;
  }
  return p;
}

static inline int64_t reduce_workspace(const Groups& g) {
  const ReducePlan p = reduce_plan(g);
  return p.parts > 1 ? 2 * p.groups * p.parts * g.c : 0;
}

constexpr int64_t kArgChunk = 1 << 15;

static inline int64_t arg_workspace(int64_t outer, int64_t n, int64_t inner) {
  return outer == 1 && inner == 1 && n > kArgChunk ? (n + kArgChunk - 1) / kArgChunk : 0;
}

template <class T>
struct ReduceOf {
  void (*reduce)(ReduceOp op, void* out, T* out_mean, const T* x, const Groups& groups,
                 const Finish& finish, double* work);
  // The extremum of each row (values may be nullptr) and the index of its first occurrence.
  void (*arg)(bool smallest, T* values, int64_t* indices, const T* x, int64_t outer, int64_t n,
              int64_t inner, double* work);
  void (*scan)(ScanOp op, bool reverse, T* out, const T* x, int64_t outer, int64_t n,
               int64_t inner);
};

struct ReduceKernels {
  ReduceOf<float> f32;
  ReduceOf<double> f64;
  // Of float16 and bfloat16, computed as of float32 and rounded once.
  void (*reduce_halves)(ReduceOp op, void* out, void* out_mean, const void* x, DType type,
                        const Groups& groups, const Finish& finish, double* work);
  // kSum and kProd of bool, uint8, int32 or int64 into int64, kMax and kMin into x's type. `work`:
  // reduce_workspace(groups) numbers.
  void (*integers)(ReduceOp op, void* out, const void* x, DType type, const Groups& groups,
                   int64_t* work);
  // Running sums or products of int64.
  void (*scan_integers)(bool product, bool reverse, int64_t* out, const int64_t* x, int64_t outer,
                        int64_t n, int64_t inner);
  // Running extrema with the places of the latest ones.
  void (*record)(bool smallest, void* values, int64_t* indices, const void* x, DType type,
                 int64_t outer, int64_t n, int64_t inner);
  // How many integers (or bools) of `item` bytes are not 0, over (outer, n, inner).
  void (*count_nonzero)(int64_t* out, const void* x, int64_t item, int64_t outer, int64_t n,
                        int64_t inner);
};

}  // namespace mg
