// Elements at numbered places: taken, written, added; arrays joined.
// Bound by memory: dimensions are merged by the caller, so that whole rows move where one number
// names a row, and a line of the innermost dimension is a plain loop otherwise.
#include "kernels/index.h"

#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {
namespace {

// Elements in a chunk: some ten microseconds; twice as many are worth a second thread.
constexpr int64_t kGrain = 1 << 15;
constexpr int64_t kColumns = 64;  // a row is cut in multiples of it: whole cache lines
constexpr int64_t kZeroBlock = 4 << 20;
constexpr int64_t kCopyBlock = 256 << 10;

MG_INLINE int64_t wrapped(int64_t i, int64_t count) { return i + ((i >> 63) & count); }

// Calls line(table, index, other) with the offsets of every line (a run of the innermost
// dimension, `n` elements) in which dimension `split` is in [begin, end).
template <class Line>
MG_INLINE void each_line(const Places& p, int split, int64_t begin, int64_t end, Line line) {
  const int inner = p.ndim - 1;
  int64_t shape[kWalkDims], at[kWalkDims] = {};
  for (int d = 0; d < p.ndim; ++d) shape[d] = p.shape[d];
  shape[split] = end - begin;
  int64_t table = begin * p.table[split], index = begin * p.index[split];
  int64_t other = begin * p.other[split];
  const int64_t n = shape[inner];
  for (;;) {
    line(table, index, other, n);
    int d = inner - 1;
    for (; d >= 0; --d) {
      table += p.table[d];
      index += p.index[d];
      other += p.other[d];
      if (++at[d] < shape[d]) break;
      table -= shape[d] * p.table[d];
      index -= shape[d] * p.index[d];
      other -= shape[d] * p.other[d];
      at[d] = 0;
    }
    if (d < 0) return;
  }
}

// Runs body(split, begin, end) over the threads. `ordered`: elements that may meet at one place,
// which differ along the indexed dimension only, stay in one chunk.
template <class Body>
MG_INLINE void in_chunks(const Places& p, bool ordered, Body body) {
  int split = -1;
  for (int d = 0; d < p.ndim; ++d) {
    if (ordered && p.along[d]) continue;
    if (split < 0 || (p.shape[d] > p.shape[split] && (ordered || d + 1 < p.ndim))) split = d;
  }
  if (split < 0 || p.size <= 2 * kGrain) {
    body(0, int64_t{0}, p.shape[0]);
    return;
  }
  const int64_t n = p.shape[split];
  int64_t grain = ceil_div(kGrain * n, p.size);
  // Columns: each pass reads the index once more, in pieces, so there are few.
  if (split + 1 == p.ndim && p.index[split] != 0 && p.ndim > 1) grain = max_of(grain, n / 2);
  if (split + 1 == p.ndim) grain = ceil_div(grain, kColumns) * kColumns;
  parallel_for(n, grain, [&](int64_t begin, int64_t end) { body(split, begin, end); });
}

// Whether n numbers, `by` apart, are in range. Not inlined: it would stand in every kernel.
__attribute__((noinline)) bool in_range(const int64_t* i, int64_t by, int64_t n, const Places& p) {
  const uint64_t range = static_cast<uint64_t>(p.count - p.low);
  const int64_t low = p.low;
  uint64_t bad = 0;
  if (by == 1) {
    for (int64_t j = 0; j < n; ++j) bad |= static_cast<uint64_t>(i[j] - low) >= range;
    return bad == 0;
  }
  for (int64_t j = 0; j < (by ? n : 1); ++j) bad |= static_cast<uint64_t>(i[j * by] - low) >= range;
  return bad == 0;
}

bool valid(const int64_t* index, const Places& places) {
  Places p = places;  // each number once: not where it serves several elements
  for (int d = 0; d < p.ndim; ++d) {
    if (p.index[d] == 0) p.shape[d] = 1;
  }
  const int64_t by = p.index[p.ndim - 1];
  bool good = true;
  each_line(p, 0, 0, p.shape[0], [&](int64_t, int64_t at, int64_t, int64_t n) {
    good &= in_range(index + at, by, n, p);
  });
  return good;
}

// Calls line(table, index, other, n) for all lines, over the threads, but for those whose index is
// out of range; false if there is one.
template <class Line>
MG_INLINE bool each_checked(const int64_t* index, const Places& p, bool ordered, Line line) {
  const int64_t by = p.index[p.ndim - 1];
  bool good = true;
  in_chunks(p, ordered, [&](int split, int64_t begin, int64_t end) {
    each_line(p, split, begin, end, [&](int64_t t, int64_t at, int64_t o, int64_t n) {
      if (MG_LIKELY(p.checked || in_range(index + at, by, n, p))) {
        line(t, index + at, o, n);
      } else {
        __atomic_store_n(&good, false, __ATOMIC_RELAXED);
      }
    });
  });
  return good;
}

// A short row is copied element by element: calling memcpy costs more.
template <class T>
MG_INLINE void copy_run(T* MG_RESTRICT out, const T* MG_RESTRICT in, int64_t n) {
  __builtin_memcpy(out, in, static_cast<size_t>(n) * sizeof(T));
}

// Whether one number serves a whole line: told by its stride, or because it stands there n times,
// as in an index that was expanded and copied.
MG_INLINE bool one_number(const int64_t* i, int64_t by, int64_t n) {
  if (by == 0) return true;
  if (by != 1 || n < 16 || i[0] != i[n - 1] || i[0] != i[n / 2]) return false;
  int64_t other = 0;
  for (int64_t j = 0; j < n; ++j) other |= i[j] ^ i[0];
  return other == 0;
}

template <class T>
bool take_as(void* out, const void* in, const int64_t* index, const Places& p) {
  const int inner = p.ndim - 1;
  const int64_t from = p.table[inner], by = p.index[inner], to = p.other[inner];
  const int64_t step = p.step, count = p.count;
  return each_checked(index, p, false, [&](int64_t t, const int64_t* i, int64_t o, int64_t n) {
    const T* MG_RESTRICT x = static_cast<const T*>(in) + t;
    T* MG_RESTRICT y = static_cast<T*>(out) + o;
    if (one_number(i, by, n)) {
      x += wrapped(*i, count) * step;
      if (from == 1 && to == 1) {
        copy_run(y, x, n);
      } else {
        for (int64_t j = 0; j < n; ++j) y[j * to] = x[j * from];
      }
    } else if (by == 1 && to == 1 && from == 0 && step == 1 && p.low == 0) {
      for (int64_t j = 0; j < n; ++j) y[j] = x[i[j]];  // picked from one row
    } else if (by == 1 && to == 1) {
      for (int64_t j = 0; j < n; ++j) y[j] = x[j * from + wrapped(i[j], count) * step];
    } else {
      for (int64_t j = 0; j < n; ++j) {
        y[j * to] = x[j * from + wrapped(i[j * by], count) * step];
      }
    }
  });
}

template <class T>
bool put_as(void* out, const void* in, const int64_t* index, const Places& p) {
  const int inner = p.ndim - 1;
  const int64_t to = p.table[inner], by = p.index[inner], from = p.other[inner];
  const int64_t step = p.step, count = p.count;
  return each_checked(index, p, true, [&](int64_t t, const int64_t* i, int64_t o, int64_t n) {
    const T* MG_RESTRICT x = static_cast<const T*>(in) + o;
    T* MG_RESTRICT y = static_cast<T*>(out) + t;
    if (one_number(i, by, n)) {
      y += wrapped(*i, count) * step;
      if (from == 1 && to == 1) {
        copy_run(y, x, n);
      } else if (from == 0 && to == 1) {
        const T value = *x;
        for (int64_t j = 0; j < n; ++j) y[j] = value;
      } else {
        for (int64_t j = 0; j < n; ++j) y[j * to] = x[j * from];
      }
    } else if (by == 1 && to == 0 && from == 1 && step == 1 && p.low == 0) {
      for (int64_t j = 0; j < n; ++j) y[i[j]] = x[j];
    } else {
      for (int64_t j = 0; j < n; ++j) {
        y[j * to + wrapped(i[j * by], count) * step] = x[j * from];
      }
    }
  });
}

struct Sum {
  template <class T>
  MG_INLINE T of(T a, T b) {
    return static_cast<T>(a + b);
  }
};
struct Product {
  MG_INLINE int64_t of(int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  }
  MG_INLINE float of(float a, float b) { return a * b; }
  MG_INLINE double of(double a, double b) { return a * b; }
};
struct Largest {  // two choices without a branch
  template <class T>
  MG_INLINE T of(T a, T b) {
    const T top = a > b ? a : b;
    return a != a ? a : top;
  }
};
struct Smallest {
  template <class T>
  MG_INLINE T of(T a, T b) {
    const T least = a < b ? a : b;
    return a != a ? a : least;
  }
};

template <class T, class Op = Sum>
bool add_as(void* out, const void* in, const int64_t* index, const Places& p) {
  const int inner = p.ndim - 1;
  const int64_t to = p.table[inner], by = p.index[inner], from = p.other[inner];
  const int64_t step = p.step, count = p.count, skip = p.skip;
  return each_checked(index, p, true, [&](int64_t t, const int64_t* i, int64_t o, int64_t n) {
    const T* MG_RESTRICT x = static_cast<const T*>(in) + o;
    T* MG_RESTRICT y = static_cast<T*>(out) + t;
    if (one_number(i, by, n)) {
      const int64_t place = wrapped(*i, count);
      if (place == skip) return;
      y += place * step;
      if (from == 1 && to == 1) {
        for (int64_t j = 0; j < n; ++j) y[j] = Op::of(y[j], x[j]);
      } else {
        for (int64_t j = 0; j < n; ++j) y[j * to] = Op::of(y[j * to], x[j * from]);
      }
    } else if (by == 1 && to == 0 && from == 1 && step == 1 && p.low == 0) {
      for (int64_t j = 0; j < n; ++j) y[i[j]] = Op::of(y[i[j]], x[j]);
    } else {
      for (int64_t j = 0; j < n; ++j) {
        T* place = y + j * to + wrapped(i[j * by], count) * step;
        *place = Op::of(*place, x[j * from]);
      }
    }
  });
}

bool take(void* other, const void* table, const int64_t* index, int64_t item, const Places& p) {
  if (p.size == 0) return true;
  const auto run = item == 1   ? take_as<uint8_t>
                   : item == 2 ? take_as<uint16_t>
                   : item == 4 ? take_as<uint32_t>
                               : take_as<uint64_t>;
  return run(other, table, index, p);
}

bool put(void* table, const void* other, const int64_t* index, int64_t item, const Places& p) {
  if (p.size == 0) return true;
  const auto run = item == 1   ? put_as<uint8_t>
                   : item == 2 ? put_as<uint16_t>
                   : item == 4 ? put_as<uint32_t>
                               : put_as<uint64_t>;
  return run(table, other, index, p);
}

bool add(void* table, const void* other, const int64_t* index, AddType type, const Places& p) {
  if (p.size == 0) return true;
  using Add = bool (*)(void*, const void*, const int64_t*, const Places&);
  static constexpr Add kAdd[] = {add_as<uint8_t>,  add_as<uint16_t>, add_as<uint32_t>,
                                 add_as<uint64_t>, add_as<float>,    add_as<double>};
  return kAdd[static_cast<int>(type)](table, other, index, p);
}

bool combine(void* table, const void* other, const int64_t* index, AddType type, CombineOp op,
             const Places& p) {
  if (p.size == 0) return true;
  using Run = bool (*)(void*, const void*, const int64_t*, const Places&);
  static constexpr Run kRun[][3] = {
      {add_as<int64_t, Product>, add_as<float, Product>, add_as<double, Product>},
      {add_as<int64_t, Largest>, add_as<float, Largest>, add_as<double, Largest>},
      {add_as<int64_t, Smallest>, add_as<float, Smallest>, add_as<double, Smallest>}};
  const int column = type == AddType::kFloat32 ? 1 : type == AddType::kFloat64 ? 2 : 0;
  return kRun[static_cast<int>(op)][column](table, other, index, p);
}

// The processor's own fill writes whole cache lines without reading them: twice as fast as stores
// for what no cache holds.
MG_INLINE void zero_block(char* out, int64_t bytes) {
#if defined(__x86_64__)
  asm volatile("rep stosb" : "+D"(out), "+c"(bytes) : "a"(0) : "memory");
#else
  __builtin_memset(out, 0, static_cast<size_t>(bytes));
#endif
}

void zero(void* out, int64_t bytes) {
  if (bytes <= kCopyBlock) {
    __builtin_memset(out, 0, static_cast<size_t>(bytes));
    return;
  }
  char* at = static_cast<char*>(out);
  parallel_for(bytes, kZeroBlock,
               [=](int64_t begin, int64_t end) { zero_block(at + begin, end - begin); });
}

// Columns of one element each: written block by block, so that the lines of the result stay in
// the nearest cache while every input adds its column.
template <class T>
void join_columns(void* out, const void* const* in, int64_t count, int64_t begin, int64_t end) {
  T* y = static_cast<T*>(out);
  constexpr int64_t kRows = 64;
  for (int64_t first = begin; first < end; first += kRows) {
    const int64_t last = min_of(first + kRows, end);
    for (int64_t k = 0; k < count; ++k) {
      const T* x = static_cast<const T*>(in[k]);
      for (int64_t i = first; i < last; ++i) y[i * count + k] = x[i];
    }
  }
}

void join_rows(void* out, const void* const* in, const int64_t* bytes, int64_t count, int64_t total,
               int64_t begin, int64_t end) {
  char* y = static_cast<char*>(out) + begin * total;
  for (int64_t i = begin; i < end; ++i) {
    for (int64_t k = 0; k < count; ++k) {
      copy_run(y, static_cast<const char*>(in[k]) + i * bytes[k], bytes[k]);
      y += bytes[k];
    }
  }
}

void join(void* out, const void* const* in, const int64_t* bytes, int64_t count, int64_t outer) {
  int64_t total = 0;
  bool columns = count > 0;
  for (int64_t k = 0; k < count; ++k) {
    total += bytes[k];
    columns &= bytes[k] == bytes[0];
  }
  if (total == 0 || outer == 0) return;
  if (outer == 1) {
    char* y = static_cast<char*>(out);
    for (int64_t k = 0; k < count; y += bytes[k++]) {
      const char* x = static_cast<const char*>(in[k]);
      parallel_for(bytes[k], kCopyBlock, [=](int64_t begin, int64_t end) {
        copy_run(y + begin, x + begin, end - begin);
      });
    }
    return;
  }
  const int64_t item = columns ? bytes[0] : 0;
  parallel_for(outer, ceil_div(kCopyBlock, total), [=](int64_t begin, int64_t end) {
    switch (item) {
      case 1:
        return join_columns<uint8_t>(out, in, count, begin, end);
      case 2:
        return join_columns<uint16_t>(out, in, count, begin, end);
      case 4:
        return join_columns<uint32_t>(out, in, count, begin, end);
      case 8:
        return join_columns<uint64_t>(out, in, count, begin, end);
      default:
        return join_rows(out, in, bytes, count, total, begin, end);
    }
  });
}

}  // namespace

extern const IndexKernels kIndex = {valid, take, put, add, combine, zero, join};

}  // namespace mg::MG_ISA
