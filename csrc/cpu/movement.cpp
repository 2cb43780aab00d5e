// Copies by stretches: each row of the result is written once, in runs that are copied, reversed,
// repeated or filled. The outer dimensions become tables of offsets, so that a row costs little.
#include "kernels/movement.h"

#include "runs.h"
#include "runtime/threads.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kGrainBytes = 64 << 10;          // of the result in a chunk: some microseconds
constexpr int64_t kAloneBytes = 256 << 10;         // less is not worth a second thread
constexpr int64_t kNothing = -(int64_t{1} << 58);  // the offset of places that are filled

int64_t grain_rows(int64_t rows, int64_t row_bytes) {
  if (rows * row_bytes <= kAloneBytes) return max_of(rows, 1);
  return max_of(kGrainBytes / max_of(row_bytes, 1), 1);
}

// Every element `each` times in a row: a short vector of it is written, and the next one over the
// part that is too much.
template <class T>
MG_INLINE void each_run(T* out, const T* in, int64_t each, int64_t n) {
  typedef T V __attribute__((vector_size(16)));
  constexpr int64_t lanes = 16 / static_cast<int64_t>(sizeof(T));
  const int64_t places = n * each;
  int64_t i = 0;
  if (each <= lanes) {
    for (; i * each + lanes <= places; ++i) {
      const V v = in[i] - V{};
      __builtin_memcpy(out + i * each, &v, sizeof v);
    }
  }
  for (; i < n; ++i) fill_run(out + i * each, in[i], each);
}

// One row of the result; `in`: the input's row, nullptr where there is none.
template <class T>
void move_row(T* out, const T* in, const Stretch* stretch, int64_t count, T fill, bool use_stream) {
  for (int64_t k = 0; k < count; ++k) {
    const Stretch& s = stretch[k];
    if (!in || s.from < 0) {
      fill_run(out, fill, s.count);
    } else if (s.each > 1) {
      each_run(out, in + s.from, s.each, s.count / s.each);
    } else if (s.step == 1) {
      copy_run(reinterpret_cast<char*>(out), reinterpret_cast<const char*>(in + s.from),
               s.count * static_cast<int64_t>(sizeof(T)), use_stream);
    } else if (s.step == 0) {
      fill_run(out, in[s.from], s.count);
    } else {
      reverse_run(out, in + s.from, s.count);
    }
    out += s.count;
  }
}

// A row that is one run of copies but for a few places, as of a padded image.
struct Fringed {
  static constexpr int64_t kPlaces = 16;
  bool fits = false;
  Stretch run;        // of step 1
  int64_t run_at;     // where it begins in the row
  int64_t moved = 0;  // places from[k] that go to at[k]; behind them those that are filled
  int64_t count = 0;
  int64_t at[kPlaces], from[kPlaces];
};
Fringed fringed(const Stretch* stretch, int64_t count, int64_t width) {
  Fringed f;
  int64_t longest = -1, place = 0;
  for (int64_t k = 0; k < count; ++k) {
    const Stretch& s = stretch[k];
    if (s.from >= 0 && s.step == 1 && s.each == 1 &&
        (longest < 0 || s.count > stretch[longest].count)) {
      longest = k;
      f.run_at = place;
    }
    place += s.count;
  }
  if (longest < 0 || width - stretch[longest].count > Fringed::kPlaces) return f;
  f.run = stretch[longest];
  f.fits = true;
  for (int filled = 0; filled < 2; ++filled) {
    place = 0;
    for (int64_t k = 0; k < count; place += stretch[k++].count) {
      const Stretch& s = stretch[k];
      if (k == longest || (s.from < 0) != (filled != 0)) continue;
      for (int64_t j = 0; j < s.count; ++j) {
        f.at[f.count] = place + j;
        f.from[f.count++] = s.from + s.step * (j / s.each);
      }
    }
    if (!filled) f.moved = f.count;
  }
  return f;
}
template <class T>
MG_INLINE void move_fringed(T* out, const T* in, const Fringed& f, T fill, bool use_stream) {
  copy_run(reinterpret_cast<char*>(out + f.run_at), reinterpret_cast<const char*>(in + f.run.from),
           f.run.count * static_cast<int64_t>(sizeof(T)), use_stream);
  int64_t k = 0;
  for (; k < f.moved; ++k) out[f.at[k]] = in[f.from[k]];
  for (; k < f.count; ++k) out[f.at[k]] = fill;
}

// Offsets of the outer dimensions' places in elements, one table after the other; the rows.
int64_t fill_tables(const Movement& m) {
  int64_t* table = m.table;
  int64_t rows = 1;
  for (int d = 0; d < m.ndim - 1; ++d) {
    int64_t unit = 1;
    for (int e = d + 1; e < m.ndim; ++e) unit *= m.in[e];
    for (int64_t k = 0; k < m.stretches[d]; ++k) {
      const Stretch& s = m.stretch[d][k];
      for (int64_t j = 0; j < s.count; ++j) {
        *table++ = s.from < 0 ? kNothing : (s.from + s.step * (s.each > 1 ? j / s.each : j)) * unit;
      }
    }
    rows *= m.out[d];
  }
  return rows;
}

// Calls body(row, offset) for rows begin .. end; offset is negative where the row has no source.
template <class Body>
MG_INLINE void each_row(const Movement& m, int64_t begin, int64_t end, Body&& body) {
  const int outer = m.ndim - 1;
  if (outer == 0) {
    if (begin < end) body(int64_t{0}, int64_t{0});
    return;
  }
  const int64_t* table[kMoveDims];
  int64_t index[kMoveDims];
  const int64_t* next = m.table;
  for (int d = 0; d < outer; ++d) {
    table[d] = next;
    next += m.out[d];
  }
  int64_t rest = begin;
  for (int d = outer - 1; d >= 0; --d) {
    index[d] = rest % m.out[d];
    rest /= m.out[d];
  }
  const int last = outer - 1;
  while (begin < end) {
    int64_t base = 0;
    for (int d = 0; d < last; ++d) base += table[d][index[d]];
    const int64_t n = min_of(m.out[last] - index[last], end - begin);
    for (int64_t j = 0; j < n; ++j) body(begin + j, base + table[last][index[last] + j]);
    begin += n;
    index[last] = 0;
    for (int d = last - 1; d >= 0 && ++index[d] == m.out[d]; --d) index[d] = 0;
  }
}

template <class T>
void move_as(T* out, const T* in, const Movement& m) {
  const int last = m.ndim - 1;
  const int64_t rows = fill_tables(m), width = m.out[last];
  const int64_t item = static_cast<int64_t>(sizeof(T));
  const bool use_stream = rows * width * item >= kStreamBytes;
  const T fill = static_cast<T>(m.fill);
  const Fringed f = fringed(m.stretch[last], m.stretches[last], width);
  parallel_for(rows, grain_rows(rows, width * item), [&](int64_t begin, int64_t end) {
    each_row(m, begin, end, [&](int64_t row, int64_t offset) {
      if (f.fits && offset >= 0) {
        return move_fringed(out + row * width, in + offset, f, fill, use_stream);
      }
      move_row(out + row * width, offset < 0 ? nullptr : in + offset, m.stretch[last],
               m.stretches[last], fill, use_stream);
    });
    if (use_stream) stream_fence();
  });
}

void move(void* out, const void* in, const Movement& m) {
  switch (m.item) {
    case 1:
      return move_as(static_cast<uint8_t*>(out), static_cast<const uint8_t*>(in), m);
    case 2:
      return move_as(static_cast<uint16_t*>(out), static_cast<const uint16_t*>(in), m);
    case 4:
      return move_as(static_cast<uint32_t*>(out), static_cast<const uint32_t*>(in), m);
    default:
      return move_as(static_cast<uint64_t*>(out), static_cast<const uint64_t*>(in), m);
  }
}

template <class T>
T sum_of(const T* x, int64_t n) {
  T total = 0;
  for (int64_t i = 0; i < n; ++i) total += x[i];
  return total;
}

template <class T>
void add_row(T* back, const T* grad, const Stretch* stretch, int64_t count) {
  for (int64_t k = 0; k < count; ++k) {
    const Stretch& s = stretch[k];
    if (s.from >= 0) {
      T* MG_RESTRICT to = back + s.from;
      const T* MG_RESTRICT g = grad;
      if (s.each > 1) {
        for (int64_t j = 0; j < s.count / s.each; ++j) to[j] += sum_of(g + j * s.each, s.each);
      } else if (s.step == 1) {
        for (int64_t j = 0; j < s.count; ++j) to[j] += g[j];
      } else if (s.step == 0) {
        *to += sum_of(g, s.count);
      } else {
        for (int64_t j = 0; j < s.count; ++j) to[-j] += g[j];
      }
    }
    grad += s.count;
  }
}

// The outermost dimension is shared among the threads if it stays as it is.
template <class T>
void add_back_as(T* back, const T* grad, const Movement& m) {
  const int last = m.ndim - 1;
  const int64_t rows = fill_tables(m), width = m.out[last];
  int64_t elements = 1;
  for (int d = 0; d < m.ndim; ++d) elements *= m.in[d];
  const bool shared = last > 0 && m.stretches[0] == 1 && m.stretch[0][0].step == 1 &&
                      m.stretch[0][0].each == 1 && m.in[0] == m.out[0];
  const int64_t parts = shared ? m.out[0] : 1;
  if (parts == 0) return;
  const int64_t part = elements / parts, part_rows = rows / parts;
  const int64_t bytes = part_rows * width * static_cast<int64_t>(sizeof(T));
  parallel_for(parts, grain_rows(parts, bytes), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {  // while it is in the cache
      __builtin_memset(back + p * part, 0, static_cast<size_t>(part) * sizeof(T));
      each_row(m, p * part_rows, (p + 1) * part_rows, [&](int64_t row, int64_t offset) {
        if (offset < 0) return;
        add_row(back + offset, grad + row * width, m.stretch[last], m.stretches[last]);
      });
    }
  });
}

void add_back(void* back, const void* grad, bool is_double, const Movement& m) {
  if (is_double) {
    add_back_as(static_cast<double*>(back), static_cast<const double*>(grad), m);
  } else {
    add_back_as(static_cast<float*>(back), static_cast<const float*>(grad), m);
  }
}

void triangle(void* out, const void* in, int64_t item, int64_t count, int64_t rows, int64_t columns,
              int64_t diagonal, bool upper) {
  const int64_t bytes = columns * item;
  const bool use_stream = count * rows * bytes >= kStreamBytes;
  parallel_for(count * rows, grain_rows(count * rows, bytes), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      char* y = static_cast<char*>(out) + i * bytes;
      const char* x = static_cast<const char*>(in) + i * bytes;
      // The first column that is not kept (lower), or that is (upper).
      const int64_t from = i % rows + diagonal + (upper ? 0 : 1);
      const int64_t cut = min_of(max_of(from, 0), columns) * item;
      const auto zeros = [=](int64_t at, int64_t n) {
        __builtin_memset(y + at, 0, static_cast<size_t>(n));
      };
      if (upper) {
        zeros(0, cut);
        copy_run(y + cut, x + cut, bytes - cut, use_stream);
      } else {
        copy_run(y, x, cut, use_stream);
        zeros(cut, bytes - cut);
      }
    }
    if (use_stream) stream_fence();
  });
}

}  // namespace

extern const MovementKernels kMovement = {move, add_back, triangle};

}  // namespace mg::MG_ISA
