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

// Values of 16 bits: floats from them and back, `at` elements on; their sums, which are common
// enough to be widened in registers, as fold_run and fold_columns have them.
struct Wide {
  void (*widen)(float* out, const void* in, int64_t at, int64_t n);
  void (*narrow)(void* out, int64_t at, const float* in, int64_t n);
  double (*sum)(const void* in, int64_t at, int64_t n);
  void (*sum_columns)(double* total, const void* in, int64_t at, int64_t n, int64_t stride,
                      int64_t columns);
};
template <class H>
constexpr Wide wide_of() {
  return {
      [](float* out, const void* in, int64_t at, int64_t n) {
        widen_row(out, static_cast<const H*>(in) + at, n);
      },
      [](void* out, int64_t at, const float* in, int64_t n) {
        narrow_row(static_cast<H*>(out) + at, in, n);
      },
      [](const void* in, int64_t at, int64_t n) {
        return fold_run<SumFold<float>>(static_cast<const H*>(in) + at, n);
      },
      [](double* total, const void* in, int64_t at, int64_t n, int64_t stride, int64_t columns) {
        fold_columns<SumFold<float>>(total, static_cast<const H*>(in) + at, n, stride, columns);
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
  bool sums;  // kSum
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
  if (fold.together && job.kind.stats == 1) {
    for (; g.b == 1 && g.r2 <= kTiny && end - row >= together; row += together) {
      double s[together];
      fold.tiny(s, line, g.step_a, g.r2);
      put_all(job, first + row - begin, s, 1, together);
      line += together * g.step_a;
    }
    while (g.r2 < kShort<T> && end - row > together / 4) {
      const int64_t count = min_of(together, end - row);
      const T* runs[together];
      for (int64_t k = 0; k < together; ++k) runs[k] = k < count ? next() : runs[k - 1];
      double s[together];
      fold.together(s, runs, g.r2);
      put_all(job, first + row - begin, s, 1, count);
      row += count;
    }
  }
  constexpr int64_t batch = 32;  // results written at a time
  double s[kMostStats * batch];
  while (row < end) {
    const int64_t count = min_of(batch, end - row);
    for (int64_t k = 0; k < count; ++k) {
      double one[kMostStats] = {};
      job.kind.run(fold, one, {next(), 1, 0, g.r2, 1, 1});
      s[k] = one[0];
      s[batch + k] = one[1];
    }
    put_all(job, first + row - begin, s, batch, count);
    row += count;
  }
}

// ---- ranges ----

// The statistics of 16-bit values from `at` on, block by block. Those of columns have the second
// ones kReduceTile behind the first.
void widen_range(const Job<float>& job, double* s, int64_t at, const Range<float>& r, bool run) {
  const Kind<float>& kind = job.kind;
  if (job.sums) {
    for (int64_t j = 0; j < r.columns; ++j) s[j] = 0;
    for (int64_t i = 0; i < r.pieces; ++i) {
      const int64_t from = at + i * r.step;
      if (run) {
        s[0] += job.wide->sum(job.x, from, r.rows);
      } else {
        job.wide->sum_columns(s, job.x, from, r.rows, r.stride, r.columns);
      }
    }
    return;
  }
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
  if (g.r2 > (job.sums ? kShort<float> / 4 : kWideBlock / 4)) {
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

template <class T>
void reduce(ReduceOp op, void* out, T* out_mean, const T* x, const Groups& g, const Finish& f,
            double* work) {
  const Kind<T> kind = kind_of<T>(op);
  reduce_as<T>({kind, out, out_mean, x, nullptr, g, f, false}, work);
}

void reduce_halves(ReduceOp op, void* out, void* out_mean, const void* x, DType type,
                   const Groups& g, const Finish& f, double* work) {
  static constexpr Wide wides[] = {wide_of<half>(), wide_of<bfloat16>()};
  const Kind<float> kind = kind_of<float>(op);
  const Wide* wide = &wides[type == DType::kBFloat16];
  reduce_as<float>({kind, out, out_mean, x, wide, g, f, op == ReduceOp::kSum}, work);
}

}  // namespace

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
void count_nonzero(int64_t* out, const void* x, int64_t item, int64_t outer, int64_t n,
                   int64_t inner);

extern const ReduceKernels kReduce = {{reduce<float>, arg_extremum<float>, scan<float>},
                                      {reduce<double>, arg_extremum<double>, scan<double>},
                                      reduce_halves,
                                      reduce_integers,
                                      scan_integers,
                                      record,
                                      count_nonzero};

}  // namespace mg::MG_ISA
