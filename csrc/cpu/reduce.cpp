// Reductions over any dimensions: sums, extrema, products, norms, variances, log-sum-exp.
// Memory-bound: vectors run along the memory whatever is reduced, every value is read once, and
// precision costs no bandwidth (blocks in T go into doubles).
#include "fold_many.h"
#include "runtime/threads.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kTask = 1 << 15;  // values that are worth a task
constexpr int kMostStats = 2;       // of a kind, below

// What one task reduces: `pieces` stretches of `rows` rows of `stride` values, `columns` of each.
template <class T>
struct Range {
  const T* x;
  int64_t pieces, step, rows, stride, columns;
  MG_INLINE const T* piece(const Range& r, int64_t i) { return r.x + i * r.step; }
};

// A kind has kStats doubles for every output, filled by `run` for a contiguous range and by
// `columns` for several columns (the second statistics kReduceTile after the first), and joins the
// statistics of two ranges, of na and nb values, with `merge`.

// kMany: short runs are worth the code that takes several at once.
template <class Fold, class T, bool kMany = false>
struct Plain {
  static constexpr int kStats = 1;
  static void run(double* s, const Range<T>& r) {
    if constexpr (kMany) {
      if (r.pieces > kTogether / 4 && r.rows < kShort) return run_short(s, r);
    }
    s[0] = r.pieces ? fold_run<Fold>(r.x, r.rows) : Fold::kStart;
    for (int64_t i = 1; i < r.pieces; ++i) {
      s[0] = join_one<Fold>(s[0], fold_run<Fold>(Range<T>::piece(r, i), r.rows));
    }
  }
  static void run_short(double* s, const Range<T>& r) {
    const T* runs[kTogether];
    double part[kTogether];
    s[0] = Fold::kStart;
    for (int64_t i = 0; i < r.pieces; i += kTogether) {
      const int64_t count = min_of(kTogether, r.pieces - i);
      for (int64_t k = 0; k < kTogether; ++k) {
        runs[k] = Range<T>::piece(r, i + min_of(k, count - 1));
      }
      together(part, runs, r.rows);
      for (int64_t k = 0; k < count; ++k) s[0] = join_one<Fold>(s[0], part[k]);
    }
  }
  static void columns(double* s, const Range<T>& r) {
    for (int64_t j = 0; j < r.columns; ++j) s[j] = Fold::kStart;
    const bool narrow = r.columns < 2 * kNarrow && r.stride == r.columns && r.rows >= 4 * kNarrow;
    for (int64_t i = 0; i < r.pieces; ++i) {
      (narrow ? narrow_columns : fold_columns<Fold, T>)(s, Range<T>::piece(r, i), r.rows, r.stride,
                                                        r.columns);
    }
  }
  // Narrow rows without gaps are seen as wide ones, whose columns are joined afterwards.
  static constexpr int64_t kNarrow = Vec<T>::lanes;
  static void narrow_columns(double* s, const T* x, int64_t n, int64_t, int64_t columns) {
    double total[2 * kNarrow * kNarrow];
    const int64_t wide = kNarrow * columns, rows = n / kNarrow;
    for (int64_t j = 0; j < wide; ++j) total[j] = Fold::kStart;
    fold_columns<Fold>(total, x, rows, wide, wide);
    fold_columns<Fold>(s, x + rows * wide, n - rows * kNarrow, columns, columns);
    for (int64_t j = 0, k = 0; j < wide; ++j, k = k + 1 < columns ? k + 1 : 0) {
      s[k] = join_one<Fold>(s[k], total[j]);
    }
  }
  // Short runs, as many as a vector of T has lanes.
  static constexpr int64_t kTiny = 8;
  static void tiny(double* s, const T* x, int64_t step, int64_t n) {
    constexpr int lanes = Vec<typename Fold::Acc>::lanes;
    for (int k = 0; k < kTogether; k += lanes) fold_tiny<Fold>(s + k, x + k * step, step, n);
  }
  static constexpr int kTogether = kMany ? Vec<T>::lanes : 1;
  static constexpr int64_t kShort = kBlockVectors * Vec<T>::lanes;  // values
  static void together(double* s, const T* const* runs, int64_t n) {
    constexpr int step = Vec<typename Fold::Acc>::lanes;
    if constexpr (Fold::kProduct) {  // more values than that are seldom in the range of floats
      if (n <= 128 && fold_together<Fold, T>(s, runs, n)) return;
    }
    for (int k = 0; k < kTogether; k += step) {
      if (fold_together<Fold, typename Fold::Acc>(s + k, runs + k, n)) continue;
      for (int i = k; i < k + step; ++i) s[i] = fold_run<Fold>(runs[i], n);
    }
  }
  static void merge(double* s, int64_t, double, const double* other, int64_t, double) {
    s[0] = join_one<Fold>(s[0], other[0]);
  }
  static double value(const double* s, int64_t, const Finish& f) {
    const double v = s[0] * f.scale;
    return f.root ? __builtin_sqrt(v) : v;
  }
};

// Mean and sum of squared deviations. They are computed from deviations from a value of the range
// itself, which for floats loses at most n 2^-53 of the result: that value's own deviation is part
// of the sum. For doubles that would show; there the shift is the mean.
template <class T>
struct Spread {
  static constexpr int kStats = 2, kTogether = 1;
  static void run(double* s, const Range<T>& r) {
    const double n = static_cast<double>(r.pieces * r.rows);
    double shift = r.pieces * r.rows > 0 ? static_cast<double>(r.x[0]) : 0;
    if (sizeof(T) == 8) {
      shift = 0;
      for (int64_t i = 0; i < r.pieces; ++i) {
        shift += fold_run<SumFold<T>>(Range<T>::piece(r, i), r.rows);
      }
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
  static void columns(double* s, const Range<T>& r) {
    const double n = static_cast<double>(r.pieces * r.rows);
    double shift[kReduceTile], sum[kReduceTile];
    double* square = s + kReduceTile;
    for (int64_t j = 0; j < r.columns; ++j) shift[j] = sum[j] = square[j] = 0;
    if (sizeof(T) == 8) {
      for (int64_t i = 0; i < r.pieces; ++i) {
        fold_columns<SumFold<T>>(shift, Range<T>::piece(r, i), r.rows, r.stride, r.columns);
      }
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
  static void merge(double* s, int64_t at, double na, const double* other, int64_t other_at,
                    double nb) {
    const double delta = other[0] - s[0], n = na + nb;
    s[0] += delta * (nb / n);
    s[at] += other[other_at] + delta * delta * (na * nb / n);
  }
  static double value(const double* s, int64_t at, const Finish& f) {
    const double v = s[at] * f.scale;
    return f.root ? __builtin_sqrt(v) : v;
  }
};

// Maximum and sum of e^(x - maximum).
template <class T>
struct ExpSum {
  static constexpr int kStats = 2, kTogether = 1;
  using V = typename Vec<T>::type;
  static constexpr int lanes = Vec<T>::lanes;

  // What is subtracted: an infinite maximum would make NaN.
  MG_INLINE double shift_of(double top) { return top - top == 0 ? top : 0; }

  static void run(double* s, const Range<T>& r) {
    Plain<MaxFold<T>, T>::run(s, r);
    const V shift = V{} + static_cast<T>(shift_of(s[0]));
    const V none = V{} + static_cast<T>(-kInf);
    vd total = {};
    for (int64_t i = 0; i < r.pieces; ++i) {
      const T* x = Range<T>::piece(r, i);
      for (int64_t j = 0; j < r.rows;) {
        const int64_t end = j + kBlockVectors * lanes < r.rows ? j + kBlockVectors * lanes : r.rows;
        V block = {};
        for (; j + lanes <= end; j += lanes) block += exp(load(x + j) - shift);
        if (j < end) block += exp(first_of(load_partial(x + j, end - j) - shift, end - j, none));
        j = end;
        total = join_wide<SumFold<T>>(total, block);
      }
    }
    s[1] = hsum(total);
  }
  static void columns(double* s, const Range<T>& r) {
    Plain<MaxFold<T>, T>::columns(s, r);
    T shift[kReduceTile], block[kReduceTile];
    double* total = s + kReduceTile;
    for (int64_t j = 0; j < r.columns; ++j) {
      shift[j] = static_cast<T>(shift_of(s[j]));
      total[j] = 0;
    }
    for (int64_t i = 0; i < r.pieces; ++i) {
      const T* x = Range<T>::piece(r, i);
      for (int64_t row = 0; row < r.rows;) {
        const int64_t end = row + kBlockRows < r.rows ? row + kBlockRows : r.rows;
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
  static void merge(double* s, int64_t at, double, const double* other, int64_t other_at, double) {
    const double top = join_one<MaxFold<double>>(s[0], other[0]), shift = shift_of(top);
    s[at] = moved(s[0], s[at], shift) + moved(other[0], other[other_at], shift);
    s[0] = top;
  }
  // A sum of exponentials relative to another shift.
  static double moved(double top, double sum, double shift) {
    return top == -kInf ? 0 : sum * ::exp(shift_of(top) - shift);
  }
  static double value(const double* s, int64_t at, const Finish&) {
    return ::log(s[at]) + shift_of(s[0]);
  }
};

// A result that is not of x's type.
void put(void* out, int64_t i, double value, const Finish& f) {
  if (f.out == Finish::Out::kInt64) {
    static_cast<int64_t*>(out)[i] = static_cast<int64_t>(value);
  } else {
    static_cast<uint8_t*>(out)[i] = f.out == Finish::Out::kPositive ? value > 0 : value >= f.least;
  }
}

// The statistics of `count` outputs become results.
template <class Kind, class T>
void put_all(void* out, T* out_mean, int64_t first, const double* s, int64_t at, int64_t count,
             const Finish& finish) {
  const Finish f = finish;  // that nothing written may change
  if (f.out == Finish::Out::kSame) {
    T* to = static_cast<T*>(out) + first;
    Finish plain = f;
    plain.root = false;  // the compiler would take roots of all and select
    if (f.root) {
      for (int64_t j = 0; j < count; ++j) to[j] = static_cast<T>(Kind::value(s + j, at, f));
    } else {
      for (int64_t j = 0; j < count; ++j) to[j] = static_cast<T>(Kind::value(s + j, at, plain));
    }
  } else {
    for (int64_t j = 0; j < count; ++j) put(out, first + j, Kind::value(s + j, at, f), f);
  }
  for (int64_t j = 0; out_mean && j < count; ++j) out_mean[first + j] = static_cast<T>(s[j]);
}

// Rows [begin, end) of r2 values each, whole; short ones as many at once as a vector has lanes.
template <class Kind, class T>
void reduce_rows(void* out, T* out_mean, const T* x, int64_t begin, int64_t end, const Groups& g,
                 const Finish& f) {
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
  if constexpr (Kind::kTogether > 1) {
    constexpr int64_t rows = Kind::kTogether;
    for (; g.b == 1 && g.r2 <= Kind::kTiny && end - row >= rows; row += rows) {
      double s[rows];
      Kind::tiny(s, line, g.step_a, g.r2);
      put_all<Kind>(out, out_mean, row, s, 1, rows, f);
      line += rows * g.step_a;
    }
    while (g.r2 < Kind::kShort && end - row > rows / 4) {
      const int64_t count = min_of(rows, end - row);
      const T* runs[rows];
      for (int64_t k = 0; k < rows; ++k) runs[k] = k < count ? next() : runs[k - 1];
      double s[rows];
      Kind::together(s, runs, g.r2);
      put_all<Kind>(out, out_mean, row, s, 1, count, f);
      row += count;
    }
  }
  for (; row < end; ++row) {
    double s[Kind::kStats];
    Kind::run(s, {next(), 1, 0, g.r2, 1, 1});
    put_all<Kind>(out, out_mean, row, s, 1, 1, f);
  }
}

template <class Kind>
void merge_all(double* s, int64_t second, double na, const double* other, double nb,
               int64_t count) {
  for (int64_t j = 0; j < count; ++j) Kind::merge(s + j, second, na, other + j, second, nb);
}

// A kind's functions: what reduces is compiled for each kind, what shares out the work is not.
template <class T>
struct Functions {
  int stats;
  void (*rows)(void* out, T* out_mean, const T* x, int64_t begin, int64_t end, const Groups& g,
               const Finish& f);
  void (*run)(double* s, const Range<T>& r);
  void (*columns)(double* s, const Range<T>& r);
  void (*merge)(double* s, int64_t second, double na, const double* other, double nb,
                int64_t count);
  void (*put)(void* out, T* out_mean, int64_t first, const double* s, int64_t at, int64_t count,
              const Finish& f);
};
template <class Kind, class T>
constexpr Functions<T> functions_of() {
  return {Kind::kStats,  reduce_rows<Kind, T>, Kind::run,
          Kind::columns, merge_all<Kind>,      put_all<Kind, T>};
}

template <class T>
void reduce_as(const Functions<T>& kind, void* out, T* out_mean, const T* x, const Groups& g,
               const Finish& f, double* work) {
  const ReducePlan p = reduce_plan(g);
  const int64_t tasks = p.groups * p.tiles * p.parts;
  const int64_t unit_rows = g.r1 != 1 ? g.r2 : 1;
  const int64_t values = p.each * unit_rows * min_of(g.c, kReduceTile);
  const int64_t second = p.groups * p.parts * g.c;  // where the second statistics start in `work`
  auto run = [&](int64_t begin, int64_t end) {
    if (g.c == 1 && g.r1 == 1 && p.parts == 1) {
      return kind.rows(out, out_mean, x, begin, end, g, f);
    }
    double s[kMostStats * kReduceTile];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t part = task % p.parts, tile = task / p.parts % p.tiles;
      const int64_t group = task / (p.parts * p.tiles);
      const int64_t unit = part * p.each, units = min_of(p.each, p.units - unit);
      const int64_t column = tile * kReduceTile;
      Range<T> r;
      r.stride = g.step_r2;
      r.columns = min_of(g.c - column, kReduceTile);
      r.step = g.step_r1;
      r.x = x + group / g.b * g.step_a + group % g.b * g.step_b + column;
      r.x += unit * (g.r1 != 1 ? g.step_r1 : g.step_r2);
      r.pieces = g.r1 != 1 ? units : 1;
      r.rows = g.r1 != 1 ? g.r2 : units;
      const int64_t at = (group * p.parts + part) * g.c + column;
      (g.c == 1 ? kind.run : kind.columns)(s, r);
      const int64_t gap = g.c == 1 ? 1 : kReduceTile;
      if (p.parts == 1) {
        kind.put(out, out_mean, at, s, gap, r.columns, f);
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
      kind.merge(s, second, na, s + part * g.c, nb, g.c);
    }
    kind.put(out, out_mean, group * g.c, s, second, g.c, f);
  }
}

template <class T>
void reduce(ReduceOp op, void* out, T* out_mean, const T* x, const Groups& g, const Finish& f,
            double* work) {
  static constexpr Functions<T> kinds[] = {
      functions_of<Plain<SumFold<T>, T, true>, T>(),
      functions_of<Plain<MaxFold<T>, T, true>, T>(),
      functions_of<Plain<MinFold<T>, T, true>, T>(),
      functions_of<Plain<ProdFold<T>, T, true>, T>(),
      functions_of<Plain<AbsSumFold<T>, T>, T>(),
      functions_of<Plain<SquareFold<T>, T, true>, T>(),
      functions_of<Plain<AbsMaxFold<T>, T>, T>(),
      functions_of<Plain<AbsMinFold<T>, T>, T>(),
      functions_of<Plain<NonzeroFold<T>, T>, T>(),
      functions_of<Spread<T>, T>(),
      functions_of<ExpSum<T>, T>(),
      functions_of<Plain<NanSumFold<T>, T>, T>(),
  };
  reduce_as(kinds[static_cast<int>(op)], out, out_mean, x, g, f, work);
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
void count_bytes(int64_t* out, const uint8_t* x, int64_t outer, int64_t n, int64_t inner);

extern const ReduceKernels kReduce = {{reduce<float>, arg_extremum<float>, scan<float>},
                                      {reduce<double>, arg_extremum<double>, scan<double>},
                                      reduce_integers,
                                      scan_integers,
                                      record,
                                      count_bytes};

}  // namespace mg::MG_ISA
