// Reductions over any dimensions: sums, extrema, products, norms, variances, log-sum-exps.
// Memory-bound: vectors run along the memory whatever is reduced, every value is read once, and
// precision costs no bandwidth (blocks in T go into doubles). 16-bit values are widened in the L1.
#include "fold_many.h"
#include "reduce_kinds.h"
#include "runtime/threads.h"
#include "widen.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kTask = 1 << 15;       // values that are worth a task
constexpr int64_t kWideBlock = 1 << 12;  // 16-bit values widened at a time
constexpr int64_t kWideColumns = 256;    // of them in a row
constexpr int64_t kTiny = 8;             // values of a run that is read lane by lane
template <class T>
constexpr int64_t kShort = kBlockVectors * Vec<T>::lanes;  // runs taken together are shorter

// Values of 16 bits: floats from them and back, `at` elements on.
struct Wide {
  void (*widen)(float* out, const void* in, int64_t at, int64_t n);
  void (*narrow)(void* out, int64_t at, const float* in, int64_t n);
};
template <class H>
constexpr Wide wide_of() {
  return {[](float* out, const void* in, int64_t at, int64_t n) {
            widen_row(out, static_cast<const H*>(in) + at, n);
          },
          [](void* out, int64_t at, const float* in, int64_t n) {
            narrow_row(static_cast<H*>(out) + at, in, n);
          }};
}

// A reduction: what it makes of what. T is float where `wide` is there and x has 16-bit values.
template <class T>
struct Job {
  const Kind<T>& kind;
  void *out, *out_mean;
  const void* x;
  const Wide* wide;
  const Groups& g;
  Finish finish;
};

// ---- results ----

template <class T>
void put_values(const Job<T>& job, void* out, int64_t first, const double* v, int64_t count,
                double scale, bool root) {
  T block[64];
  for (int64_t j = 0; j < count; j += 64) {
    const int64_t n = min_of(64, count - j);
    if (root) {
      for (int64_t k = 0; k < n; ++k) block[k] = static_cast<T>(__builtin_sqrt(v[j + k] * scale));
    } else {
      for (int64_t k = 0; k < n; ++k) block[k] = static_cast<T>(v[j + k] * scale);
    }
    if constexpr (sizeof(T) == 4) {
      if (job.wide) {
        job.wide->narrow(out, first + j, block, n);
        continue;
      }
    }
    memcpy(static_cast<T*>(out) + first + j, block, sizeof(T) * static_cast<size_t>(n));
  }
}

// The statistics of `count` outputs become results.
template <class T>
void put_all(const Job<T>& job, int64_t first, double* s, int64_t second, int64_t count) {
  const Finish& f = job.finish;
  if (job.out_mean) put_values(job, job.out_mean, first, s, count, 1, false);
  if (job.kind.finish) job.kind.finish(s, second, count);
  const double* v = s + job.kind.result * second;
  if (f.out == Finish::Out::kSame)
    return put_values(job, job.out, first, v, count, f.scale, f.root);
  for (int64_t j = 0; j < count; ++j) {
    const double value = v[j] * f.scale;
    if (f.out == Finish::Out::kInt64) {
      static_cast<int64_t*>(job.out)[first + j] = static_cast<int64_t>(value);
    } else {
      static_cast<uint8_t*>(job.out)[first + j] =
          f.out == Finish::Out::kPositive ? value > 0 : value >= f.least;
    }
  }
}

// ---- whole rows ----

// Rows [begin, end) of x, of r2 values each; short ones as many at once as a vector has lanes. The
// results begin with that of number `first`.
template <class T>
void reduce_rows(const Job<T>& job, int64_t first, const T* x, const Groups& g, int64_t begin,
                 int64_t end) {
  constexpr int64_t together = Vec<T>::lanes;
  const Fold<T>& fold = job.kind.fold;
  int64_t at = begin % g.b, row = begin;
  const T* line = x + begin / g.b * g.step_a;
  const auto next = [&] {
    const T* here = line + at * g.step_b;
    if (++at == g.b) {
      at = 0;
      line += g.step_a;
    }
    return here;
  };
  double s[together > kMostStats ? together : kMostStats];
  if (fold.together && job.kind.stats == 1) {
    for (; g.b == 1 && g.r2 <= kTiny && end - row >= together; row += together) {
      fold.tiny(s, line, g.step_a, g.r2);
      put_all(job, first + row - begin, s, 1, together);
      line += together * g.step_a;
    }
    while (g.r2 < kShort<T> && end - row > together / 4) {
      const int64_t count = min_of(together, end - row);
      const T* runs[together];
      for (int64_t k = 0; k < together; ++k) runs[k] = k < count ? next() : runs[k - 1];
      fold.together(s, runs, g.r2);
      put_all(job, first + row - begin, s, 1, count);
      row += count;
    }
  }
  for (; row < end; ++row) {
    job.kind.run(fold, s, {next(), 1, 0, g.r2, 1, 1});
    put_all(job, first + row - begin, s, 1, 1);
  }
}

// ---- ranges ----

// The statistics of 16-bit values from `at` on, block by block. Those of columns have the second
// ones kReduceTile behind the first.
void widen_range(const Job<float>& job, double* s, int64_t at, const Range<float>& r, bool run) {
  const Kind<float>& kind = job.kind;
  const int64_t gap = run ? 1 : kReduceTile;
  alignas(64) float buffer[kWideBlock];
  double other[kMostStats * kReduceTile];
  for (int64_t column = 0; column < r.columns; column += kWideColumns) {
    const int64_t width = min_of(kWideColumns, r.columns - column), most = kWideBlock / width;
    int64_t done = 0;
    for (int64_t row = 0, piece = 0; piece < r.pieces || done == 0;) {
      const int64_t n = min_of(most, r.rows - row);
      const int64_t from = at + piece * r.step + row * r.stride + column;
      if (r.stride == width) {
        job.wide->widen(buffer, job.x, from, n * width);
      } else {
        for (int64_t k = 0; k < n; ++k) {
          job.wide->widen(buffer + k * width, job.x, from + k * r.stride, width);
        }
      }
      double* here = done ? other : s + column;
      (run ? kind.run : kind.columns)(kind.fold, here, {buffer, 1, 0, n, width, width});
      if (done) {
        kind.merge(kind.fold, s + column, gap, static_cast<double>(done), other, gap,
                   static_cast<double>(n), width);
      }
      done += n;
      row += n;
      if (row < r.rows) continue;
      row = 0;
      if (++piece >= r.pieces) break;
    }
  }
}

// Whole rows of 16-bit values, some of them in a block if they are short.
void widen_rows(const Job<float>& job, int64_t begin, int64_t end) {
  const Groups& g = job.g;
  const auto place = [&g](int64_t row) { return row / g.b * g.step_a + row % g.b * g.step_b; };
  if (g.r2 > kWideBlock / 4) {
    for (int64_t row = begin; row < end; ++row) {
      double s[kMostStats];
      widen_range(job, s, place(row), {nullptr, 1, 0, g.r2, 1, 1}, true);
      put_all(job, row, s, 1, 1);
    }
    return;
  }
  alignas(64) float buffer[kWideBlock];
  const bool dense = g.b == 1 && g.step_a == g.r2;
  for (int64_t row = begin; row < end;) {
    const int64_t count = min_of(kWideBlock / max_of(g.r2, 1), end - row);
    if (dense) {
      job.wide->widen(buffer, job.x, place(row), count * g.r2);
    } else {
      for (int64_t k = 0; k < count; ++k) {
        job.wide->widen(buffer + k * g.r2, job.x, place(row + k), g.r2);
      }
    }
    reduce_rows(job, row, buffer, {count, 1, 1, g.r2, 1, g.r2, 0, 0, 1}, 0, count);
    row += count;
  }
}

// ---- the work, shared out ----

template <class T>
void reduce_as(const Job<T>& job, double* work) {
  const Kind<T>& kind = job.kind;
  const Groups& g = job.g;
  const ReducePlan p = reduce_plan(g);
  const int64_t tasks = p.groups * p.tiles * p.parts;
  const int64_t unit_rows = g.r1 != 1 ? g.r2 : 1;
  const int64_t values = p.each * unit_rows * min_of(g.c, kReduceTile);
  const int64_t second = p.groups * p.parts * g.c;  // where the second statistics start in `work`
  auto run = [&](int64_t begin, int64_t end) {
    if (g.c == 1 && g.r1 == 1 && p.parts == 1) {
      if constexpr (sizeof(T) == 4) {
        if (job.wide) return widen_rows(job, begin, end);
      }
      return reduce_rows(job, begin, static_cast<const T*>(job.x), g, begin, end);
    }
    double s[kMostStats * kReduceTile];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t part = task % p.parts, tile = task / p.parts % p.tiles;
      const int64_t group = task / (p.parts * p.tiles);
      const int64_t unit = part * p.each, units = min_of(p.each, p.units - unit);
      const int64_t column = tile * kReduceTile;
      const int64_t place = group / g.b * g.step_a + group % g.b * g.step_b + column +
                            unit * (g.r1 != 1 ? g.step_r1 : g.step_r2);
      Range<T> r = {nullptr,   g.r1 != 1 ? units : 1,
                    g.step_r1, g.r1 != 1 ? g.r2 : units,
                    g.step_r2, min_of(g.c - column, kReduceTile)};
      bool done = false;
      if constexpr (sizeof(T) == 4) {
        if ((done = job.wide != nullptr)) widen_range(job, s, place, r, g.c == 1);
      }
      if (!done) {
        r.x = static_cast<const T*>(job.x) + place;
        (g.c == 1 ? kind.run : kind.columns)(kind.fold, s, r);
      }
      const int64_t at = (group * p.parts + part) * g.c + column, gap = g.c == 1 ? 1 : kReduceTile;
      if (p.parts == 1) {
        put_all(job, at, s, gap, r.columns);
      } else {
        for (int k = 0; k < kind.stats; ++k) {
          memcpy(work + k * second + at, s + k * gap, sizeof(double) * r.columns);
        }
      }
    }
  };
  parallel_for(tasks, values < kTask ? kTask / (values + 1) + 1 : 1, run);
  if (p.parts == 1) return;
  for (int64_t group = 0; group < p.groups; ++group) {
    double* s = work + group * p.parts * g.c;
    for (int64_t part = 1; part < p.parts; ++part) {
      const double na = static_cast<double>(part * p.each * unit_rows);
      const double nb = static_cast<double>(min_of(p.each, p.units - part * p.each) * unit_rows);
      kind.merge(kind.fold, s, second, na, s + part * g.c, second, nb, g.c);
    }
    put_all(job, group * g.c, s, second, g.c);
  }
}

// ---- folds ----

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

template <class T>
void reduce(ReduceOp op, void* out, T* out_mean, const T* x, const Groups& g, const Finish& f,
            double* work) {
  const Kind<T> kind = kind_of<T>(op);
  reduce_as<T>({kind, out, out_mean, x, nullptr, g, f}, work);
}

void reduce_halves(ReduceOp op, void* out, void* out_mean, const void* x, DType type,
                   const Groups& g, const Finish& f, double* work) {
  static constexpr Wide wides[] = {wide_of<half>(), wide_of<bfloat16>()};
  const Kind<float> kind = kind_of<float>(op);
  const Wide* wide = &wides[type == DType::kBFloat16];
  reduce_as<float>({kind, out, out_mean, x, wide, g, f}, work);
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
void arg_extremum(bool smallest, T* values, int64_t* indices, const T* x, int64_t outer, int64_t n,
                  int64_t inner, double* work);
template <class T>
void scan(ScanOp op, bool reverse, T* out, const T* x, int64_t outer, int64_t n, int64_t inner);
extern template void arg_extremum(bool, float*, int64_t*, const float*, int64_t, int64_t, int64_t,
                                  double*);
extern template void arg_extremum(bool, double*, int64_t*, const double*, int64_t, int64_t, int64_t,
                                  double*);
extern template void scan(ScanOp, bool, float*, const float*, int64_t, int64_t, int64_t);
extern template void scan(ScanOp, bool, double*, const double*, int64_t, int64_t, int64_t);

void reduce_integers(ReduceOp op, void* out, const void* x, DType type, const Groups& groups,
                     int64_t* work);
void scan_integers(bool product, bool reverse, int64_t* out, const int64_t* x, int64_t outer,
                   int64_t n, int64_t inner);
void record(bool smallest, void* values, int64_t* indices, const void* x, DType type, int64_t outer,
            int64_t n, int64_t inner);
void count_bytes(int64_t* out, const uint8_t* x, int64_t outer, int64_t n, int64_t inner);

extern const ReduceKernels kReduce = {{reduce<float>, arg_extremum<float>, scan<float>},
                                      {reduce<double>, arg_extremum<double>, scan<double>},
                                      reduce_halves,
                                      reduce_integers,
                                      scan_integers,
                                      record,
                                      count_bytes};

}  // namespace mg::MG_ISA
