// Sums, products and extrema of integers, running ones too, and running extrema with their places.
// Plain loops along the memory: columns in tiles that stay in the L1, wrapping arithmetic, so the
// order is free.
#include "fold_many.h"
#include "runtime/threads.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kTask = 1 << 15;  // values that are worth a task
constexpr int64_t kTile = 256;      // columns of a running extremum at a time

int64_t grain_of(int64_t work) { return work < kTask ? kTask / (work + 1) + 1 : 1; }

// Integers that wrap around.
MG_INLINE int64_t wrap_add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
MG_INLINE int64_t wrap_mul(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

struct Add {
  static constexpr int64_t kStart = 0;
  static constexpr bool kExtremum = false;
  MG_INLINE vl join_quick(vl a, vl b) { return (vl)((vul)a + (vul)b); }
  MG_INLINE int64_t join(int64_t a, int64_t b) { return wrap_add(a, b); }
};
struct Mul {
  static constexpr int64_t kStart = 1;
  static constexpr bool kExtremum = false;
  MG_INLINE vl join_quick(vl a, vl b) { return (vl)((vul)a * (vul)b); }
  MG_INLINE int64_t join(int64_t a, int64_t b) { return wrap_mul(a, b); }
};
struct Max {
  static constexpr int64_t kStart = INT64_MIN;
  static constexpr bool kExtremum = true;
  template <class V>
  MG_INLINE V join_quick(V a, V b) {
    return a > b ? a : b;
  }
  MG_INLINE int64_t join(int64_t a, int64_t b) { return a > b ? a : b; }
};
struct Min {
  static constexpr int64_t kStart = INT64_MAX;
  static constexpr bool kExtremum = true;
  template <class V>
  MG_INLINE V join_quick(V a, V b) {
    return a < b ? a : b;
  }
  MG_INLINE int64_t join(int64_t a, int64_t b) { return a < b ? a : b; }
};

// A run's vectors (vl of int64, vi of int32), joined lane by lane; the rest is left.
template <class Op, class V, class T>
MG_INLINE V join_vectors(const T* x, int64_t n, T start) {
  constexpr int lanes = sizeof(V) / sizeof(T);
  V a = V{} + start, b = a, c = a, d = a;  // four chains hide the latency of the joins
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a = Op::join_quick(a, load_as<V>(x + i));
    b = Op::join_quick(b, load_as<V>(x + i + lanes));
    c = Op::join_quick(c, load_as<V>(x + i + 2 * lanes));
    d = Op::join_quick(d, load_as<V>(x + i + 3 * lanes));
  }
  for (; i + lanes <= n; i += lanes) a = Op::join_quick(a, load_as<V>(x + i));
  return Op::join_quick(Op::join_quick(a, b), Op::join_quick(c, d));
}

template <class Op>
int64_t join_run(const int64_t* x, int64_t n) {
  const vl v = join_vectors<Op, vl>(x, n, Op::kStart);
  int64_t total = Op::kStart;
  for (int k = 0; k < kD; ++k) total = Op::join(total, v[k]);
  for (int64_t i = n - n % kD; i < n; ++i) total = Op::join(total, x[i]);
  return total;
}

// An extremum stays an int32.
template <class Op>
int64_t join_run(const int32_t* x, int64_t n) {
  const int32_t start = Op::kStart > 0 ? INT32_MAX : INT32_MIN;
  const vi v = join_vectors<Op, vi>(x, n, start);
  int64_t total = start;
  for (int k = 0; k < kF; ++k) total = Op::join(total, v[k]);
  for (int64_t i = n - n % kF; i < n; ++i) total = Op::join(total, x[i]);
  return total;
}

// As many rows of int64 as a vector has lanes, `step` apart, of n values each.
template <class Op>
void join_together(int64_t* out, const int64_t* x, int64_t step, int64_t n) {
  vl acc[kD];
  for (int k = 0; k < kD; ++k) acc[k] = join_vectors<Op, vl>(x + k * step, n, Op::kStart);
  join_all_lanes<Op, kD / 2, 0>(acc);
  for (int64_t i = n - n % kD; i < n; ++i) {
    vl v;
    for (int k = 0; k < kD; ++k) v[k] = x[k * step + i];
    acc[0] = Op::join_quick(acc[0], v);
  }
  __builtin_memcpy(out, &acc[0], sizeof acc[0]);
}

// `rows` rows of `stride` values, `columns` of each, joined into s; a single column is a run.
template <class Op, class T>
void join_rows(int64_t* MG_RESTRICT s, const void* from, int64_t rows, int64_t stride,
               int64_t columns) {
  const T* x = static_cast<const T*>(from);
  if (columns == 1 && stride == 1) {
    if constexpr (sizeof(T) == 8 || (sizeof(T) == 4 && Op::kExtremum)) {
      *s = Op::join(*s, join_run<Op>(x, rows));
      return;
    }
    int64_t total = *s;
    for (int64_t i = 0; i < rows; ++i) total = Op::join(total, x[i]);
    *s = total;
    return;
  }
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    const T *p = x + i * stride, *q = p + stride, *r = q + stride, *t = r + stride;
    for (int64_t j = 0; j < columns; ++j) {
      s[j] = Op::join(s[j], Op::join(Op::join(p[j], q[j]), Op::join(r[j], t[j])));
    }
  }
  for (; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) s[j] = Op::join(s[j], x[i * stride + j]);
  }
}

struct Functions {
  int64_t start;
  int64_t (*join)(int64_t, int64_t);
  void (*together)(int64_t*, const int64_t*, int64_t, int64_t);
  void (*rows[3])(int64_t*, const void*, int64_t, int64_t, int64_t);  // bytes, int32, int64
};
template <class Op>
int64_t join_two(int64_t a, int64_t b) {
  return Op::join(a, b);
}
template <class Op>
constexpr Functions functions_of() {
  return {Op::kStart,
          join_two<Op>,
          join_together<Op>,
          {join_rows<Op, uint8_t>, join_rows<Op, int32_t>, join_rows<Op, int64_t>}};
}

void put(void* out, int64_t item, int64_t first, const int64_t* s, int64_t count) {
  for (int64_t j = 0; j < count; ++j) {
    if (item == 8) {
      static_cast<int64_t*>(out)[first + j] = s[j];
    } else if (item == 4) {
      static_cast<int32_t*>(out)[first + j] = static_cast<int32_t>(s[j]);
    } else {
      static_cast<uint8_t*>(out)[first + j] = static_cast<uint8_t>(s[j]);
    }
  }
}

// Whole vectors of a running total: prefixes of each, and only their last lanes make a chain.
template <class Op>
int64_t scan_vectors(int64_t* out, const int64_t* x, int64_t n, int64_t* carry) {
  const vl unit = vl{} + Op::kStart;
  vl last, total = unit;
  for (int i = 0; i < kD; ++i) last[i] = kD - 1;
  int64_t i = 0;
  for (; i + kD <= n; i += kD) {
    vl v = load_as<vl>(x + i);
    v = Op::join_quick(v, raised<1>(v, unit));
    if (kD > 2) v = Op::join_quick(v, raised<2>(v, unit));
    if (kD > 4) v = Op::join_quick(v, raised<4>(v, unit));
    const vl y = Op::join_quick(total, v);
    __builtin_memcpy(out + i, &y, sizeof y);
    total = Op::join_quick(total, __builtin_shuffle(v, last));
  }
  *carry = total[0];
  return i;
}

// Rows `step` values apart (negative: from the end), `columns` (at most kTile) of each.
template <class Op>
void scan_rows(int64_t* out, const int64_t* x, int64_t n, int64_t step, int64_t columns) {
  if (columns == 1) {
    int64_t total = Op::kStart;
    int64_t row = step == 1 ? scan_vectors<Op>(out, x, n, &total) : 0;
    for (; row < n; ++row) out[row * step] = total = Op::join(total, x[row * step]);
    return;
  }
  int64_t total[kTile];
  for (int64_t j = 0; j < columns; ++j) total[j] = Op::kStart;
  for (int64_t row = 0; row < n; ++row) {
    const int64_t* p = x + row * step;
    int64_t* q = out + row * step;
    for (int64_t j = 0; j < columns; ++j) q[j] = total[j] = Op::join(total[j], p[j]);
  }
}

// The latest of the largest values counts; after a NaN only NaN is as large.
template <bool kSmallest, class T>
MG_INLINE bool reaches(T v, T best) {
  const bool better = kSmallest ? v <= best : v >= best;
  return v != v || (best == best && better);
}

template <bool kSmallest, class T>
void record_rows(T* MG_RESTRICT values, int64_t* MG_RESTRICT indices, const T* MG_RESTRICT x,
                 int64_t n, int64_t stride, int64_t columns) {
  if (columns == 1) {
    T best = x[0];
    int64_t at = 0;
    for (int64_t i = 0; i < n; ++i) {
      const T v = x[i * stride];
      const bool here = reaches<kSmallest>(v, best);
      best = here ? v : best;
      at = here ? i : at;
      values[i * stride] = best;
      indices[i * stride] = at;
    }
    return;
  }
  for (int64_t j = 0; j < columns; ++j) {
    values[j] = x[j];
    indices[j] = 0;
  }
  for (int64_t i = 1; i < n; ++i) {
    const T* v = x + i * stride;
    T* y = values + i * stride;
    int64_t* at = indices + i * stride;
    for (int64_t j = 0; j < columns; ++j) {
      const T best = y[j - stride];
      const bool here = reaches<kSmallest>(v[j], best);
      y[j] = here ? v[j] : best;
      at[j] = here ? i : at[j - stride];
    }
  }
}

template <class T>
void record_as(bool smallest, void* values, int64_t* indices, const void* x, int64_t outer,
               int64_t n, int64_t inner) {
  const int64_t tiles = ceil_div(inner, kTile);
  parallel_for(outer * tiles, grain_of(n * min_of(inner, kTile)), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t column = i % tiles * kTile, at = i / tiles * n * inner + column;
      (smallest ? record_rows<true, T>
                : record_rows<false, T>)(static_cast<T*>(values) + at, indices + at,
                                         static_cast<const T*>(x) + at, n, inner,
                                         min_of(kTile, inner - column));
    }
  });
}

// How many of a run are not 0; whether those of a row are, added to bytes.
template <class T, class Count>
int64_t count_run(const void* from, int64_t n) {
  const T* x = static_cast<const T*>(from);
  int64_t total = 0;
  for (int64_t i = 0; i < n;) {
    const int64_t stop = min_of(n, i + 4096);
    Count block = 0;
    for (; i < stop; ++i) block += x[i] != 0;
    total += static_cast<int64_t>(block);
  }
  return total;
}
template <class T>
void count_row(uint8_t* MG_RESTRICT counts, const void* from, int64_t n) {
  const T* x = static_cast<const T*>(from);
  for (int64_t j = 0; j < n; ++j) counts[j] += x[j] != 0;
}
constexpr int64_t (*kCountRun[])(const void*, int64_t) = {
    count_run<uint8_t, uint32_t>, count_run<uint16_t, uint32_t>, count_run<uint32_t, uint32_t>,
    count_run<uint64_t, uint64_t>};
constexpr void (*kCountRow[])(uint8_t*, const void*, int64_t) = {
    count_row<uint8_t>, count_row<uint16_t>, count_row<uint32_t>, count_row<uint64_t>};

}  // namespace

void reduce_integers(ReduceOp op, void* out, const void* x, DType type, const Groups& g,
                     int64_t* work) {
  static constexpr Functions kinds[] = {functions_of<Add>(), functions_of<Max>(),
                                        functions_of<Min>(), functions_of<Mul>()};
  const Functions& kind = kinds[static_cast<int>(op)];
  const int64_t item = type == DType::kInt64 ? 8 : type == DType::kInt32 ? 4 : 1;
  const auto rows = kind.rows[item == 8 ? 2 : item == 4 ? 1 : 0];
  const int64_t out_item = op == ReduceOp::kSum || op == ReduceOp::kProd ? 8 : item;
  const ReducePlan p = reduce_plan(g);
  const int64_t unit_rows = g.r1 != 1 ? g.r2 : 1;
  const int64_t values = p.each * unit_rows * min_of(g.c, kReduceTile);
  parallel_for(p.groups * p.tiles * p.parts, grain_of(values), [&](int64_t begin, int64_t end) {
    int64_t s[kReduceTile];
    if (g.c == 1 && g.r1 == 1 && g.b == 1 && p.parts == 1) {  // whole rows
      int64_t row = begin;
      for (; item == 8 && row + kD <= end && g.r2 < kReduceTile; row += kD) {
        kind.together(s, static_cast<const int64_t*>(x) + row * g.step_a, g.step_a, g.r2);
        put(out, out_item, row, s, kD);
      }
      for (; row < end; ++row) {
        *s = kind.start;
        rows(s, static_cast<const char*>(x) + row * g.step_a * item, g.r2, 1, 1);
        put(out, out_item, row, s, 1);
      }
      return;
    }
    for (int64_t task = begin; task < end; ++task) {
      const int64_t part = task % p.parts, tile = task / p.parts % p.tiles;
      const int64_t group = task / (p.parts * p.tiles), column = tile * kReduceTile;
      const int64_t unit = part * p.each, units = min_of(p.each, p.units - unit);
      const int64_t columns = min_of(g.c - column, kReduceTile);
      const int64_t place = group / g.b * g.step_a + group % g.b * g.step_b + column +
                            unit * (g.r1 != 1 ? g.step_r1 : g.step_r2);
      const char* from = static_cast<const char*>(x) + place * item;
      for (int64_t j = 0; j < columns; ++j) s[j] = kind.start;
      const int64_t pieces = g.r1 != 1 ? units : 1;
      for (int64_t i = 0; i < pieces; ++i) {
        rows(s, from + i * g.step_r1 * item, g.r1 != 1 ? g.r2 : units, g.step_r2, columns);
      }
      const int64_t at = (group * p.parts + part) * g.c + column;
      if (p.parts == 1) {
        put(out, out_item, at, s, columns);
      } else {
        memcpy(work + at, s, sizeof(int64_t) * static_cast<size_t>(columns));
      }
    }
  });
  if (p.parts == 1) return;
  for (int64_t group = 0; group < p.groups; ++group) {
    int64_t* s = work + group * p.parts * g.c;
    for (int64_t part = 1; part < p.parts; ++part) {
      for (int64_t j = 0; j < g.c; ++j) s[j] = kind.join(s[j], s[part * g.c + j]);
    }
    put(out, out_item, group * g.c, s, g.c);
  }
}

void scan_integers(bool product, bool reverse, int64_t* out, const int64_t* x, int64_t outer,
                   int64_t n, int64_t inner) {
  const int64_t tiles = ceil_div(inner, kTile), step = reverse ? -inner : inner;
  const auto run = product ? scan_rows<Mul> : scan_rows<Add>;
  if (inner == 1) {
    parallel_for(outer, grain_of(n), [=](int64_t begin, int64_t end) {
      for (int64_t at = begin * n + (reverse ? n - 1 : 0); begin < end; ++begin, at += n) {
        run(out + at, x + at, n, step, 1);
      }
    });
    return;
  }
  parallel_for(outer * tiles, grain_of(n * min_of(inner, kTile)), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t column = i % tiles * kTile, columns = min_of(kTile, inner - column);
      const int64_t at = i / tiles * n * inner + column + (reverse ? (n - 1) * inner : 0);
      run(out + at, x + at, n, step, columns);
    }
  });
}

void record(bool smallest, void* values, int64_t* indices, const void* x, DType type, int64_t outer,
            int64_t n, int64_t inner) {
  const auto run = type == DType::kFloat32   ? record_as<float>
                   : type == DType::kFloat64 ? record_as<double>
                                             : record_as<int64_t>;
  run(smallest, values, indices, x, outer, n, inner);
}

void count_nonzero(int64_t* out, const void* x, int64_t item, int64_t outer, int64_t n,
                   int64_t inner) {
  const int64_t work = n * inner;
  const int width = item == 8 ? 3 : item == 4 ? 2 : item == 2 ? 1 : 0;
  parallel_for(outer, grain_of(work), [=](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const char* p = static_cast<const char*>(x) + o * work * item;
      if (inner == 1) {
        out[o] = kCountRun[width](p, n);
        continue;
      }
      // Tiles of columns are counted in bytes, 255 rows at most.
      for (int64_t first = 0; first < inner; first += kReduceTile) {
        const int64_t columns = min_of(inner - first, kReduceTile);
        int64_t* to = out + o * inner + first;
        uint8_t block[kReduceTile];
        memset(to, 0, sizeof(int64_t) * columns);
        for (int64_t i = 0; i < n;) {
          const int64_t stop = min_of(n, i + 255);
          memset(block, 0, sizeof block);
          for (; i < stop; ++i) kCountRow[width](block, p + (i * inner + first) * item, columns);
          for (int64_t j = 0; j < columns; ++j) to[j] += block[j];
        }
      }
    }
  });
}

}  // namespace mg::MG_ISA
