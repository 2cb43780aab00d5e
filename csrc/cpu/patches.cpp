// Planes cut into windows and put together again: rows of the columns are rows of the plane, moved
// and shortened, so that one comparison a row finds what lies outside.
#include "kernels/patches.h"

#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kGrain = 16384;  // elements of the columns in a chunk

// The places [from, to) of n, `step` apart from `start` on, that lie in [0, size).
struct Range {
  int64_t from, to;
};
MG_INLINE Range inside(int64_t n, int64_t start, int64_t step, int64_t size) {
  const int64_t from = min_of(n, start < 0 ? ceil_div(-start, step) : 0);
  const int64_t to = start < size ? ceil_div(size - start, step) : 0;
  return {from, max_of(from, min_of(n, to))};
}

// Calls row(line, y, start) for each row of columns of a plane, in order: y is the plane's row (-1:
// it lies outside) and start the column of the row's first element.
template <class Row>
MG_INLINE void each_row(const PatchShape& s, Row&& row) {
  int64_t line = 0;
  for (int64_t a = 0; a < s.kernel_h; ++a) {
    for (int64_t b = 0; b < s.kernel_w; ++b) {
      const int64_t start = b * s.dilation_w - s.pad_w;
      const Range columns = inside(s.q, start, s.stride_w, s.w);
      for (int64_t i = 0; i < s.p; ++i, ++line) {
        const int64_t y = i * s.stride_h - s.pad_h + a * s.dilation_h;
        row(line, y >= 0 && y < s.h ? y : -1, start, columns);
      }
    }
  }
}

MG_INLINE int64_t grain_of(const PatchShape& s) {
  return 1 + kGrain / (1 + s.kernel_h * s.kernel_w * s.p * s.q);
}

template <class U>
void cut_as(U* columns, const U* x, const PatchShape& s) {
  const int64_t size = s.h * s.w, lines = s.kernel_h * s.kernel_w * s.p, step = s.stride_w;
  parallel_for(s.planes, grain_of(s), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      each_row(s, [&](int64_t line, int64_t y, int64_t start, Range in) {
        U* MG_RESTRICT to = columns + (k * lines + line) * s.q;
        const U* MG_RESTRICT from = x + k * size + y * s.w + start;
        if (y < 0) in = {0, 0};
        for (int64_t i = 0; i < in.from; ++i) to[i] = 0;
        if (step == 1) {
          for (int64_t i = in.from; i < in.to; ++i) to[i] = from[i];
        } else {
          for (int64_t i = in.from; i < in.to; ++i) to[i] = from[i * step];
        }
        for (int64_t i = in.to; i < s.q; ++i) to[i] = 0;
      });
    }
  });
}

void cut(void* columns, const void* x, int64_t bytes, const PatchShape& s) {
  if (bytes == 8) {
    cut_as(static_cast<uint64_t*>(columns), static_cast<const uint64_t*>(x), s);
  } else if (bytes == 4) {
    cut_as(static_cast<uint32_t*>(columns), static_cast<const uint32_t*>(x), s);
  } else if (bytes == 2) {
    cut_as(static_cast<uint16_t*>(columns), static_cast<const uint16_t*>(x), s);
  } else {
    cut_as(static_cast<uint8_t*>(columns), static_cast<const uint8_t*>(x), s);
  }
}

template <class T>
void add(T* x, const T* columns, const PatchShape& s) {
  const int64_t size = s.h * s.w, lines = s.kernel_h * s.kernel_w * s.p, step = s.stride_w;
  parallel_for(s.planes, grain_of(s), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      memset(x + k * size, 0, static_cast<size_t>(size) * sizeof(T));
      each_row(s, [&](int64_t line, int64_t y, int64_t start, Range in) {
        if (y < 0) return;
        const T* MG_RESTRICT from = columns + (k * lines + line) * s.q;
        T* MG_RESTRICT to = x + k * size + y * s.w + start;
        if (step == 1) {
          for (int64_t i = in.from; i < in.to; ++i) to[i] += from[i];
        } else {
          for (int64_t i = in.from; i < in.to; ++i) to[i * step] += from[i];
        }
      });
    }
  });
}

}  // namespace

extern const PatchKernels kPatches = {cut, add<float>, add<double>};

}  // namespace mg::MG_ISA
