// Real numbers to bytes on a grid and back, ranges, and pooling of bytes: one pass over memory
// each.
#include "kernels/quantize.h"

#include "cpu/int8_round.h"
#include "runtime/threads.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kGrain = 1 << 16;

template <class Out>
void quantize(Out* out, const float* x, int64_t n, const Grid& grid) {
  parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
    quantize_row(out + begin, x + begin, end - begin, grid);
  });
}

template <class In>
void dequantize(float* MG_RESTRICT out, const In* MG_RESTRICT x, int64_t n, const Grid& grid) {
  const float scale = grid.scale;
  const int32_t zero = grid.zero;
  parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[i] = static_cast<float>(x[i] - zero) * scale;
  });
}

void min_max(float* result, const float* x, int64_t n, float* workspace) {
  parallel_for(n, kMinMaxGrain, [=](int64_t begin, int64_t end) {
    float* part = workspace + begin / kMinMaxGrain * 3;
    row_range(part, x + begin, end - begin);
  });
  result[0] = result[1] = result[2] = 0;
  for (int64_t i = 0; i < ceil_div(n, kMinMaxGrain); ++i) {
    const float* part = workspace + 3 * i;
    result[0] = part[0] < result[0] ? part[0] : result[0];
    result[1] = part[1] > result[1] ? part[1] : result[1];
    result[2] += part[2];
  }
}

void fake(float* out, uint8_t* inside, const float* x, int64_t n, const Grid& grid) {
  parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
    const float inverse = 1 / grid.scale;
    const vf low = set1(static_cast<float>(grid.low)), high = set1(static_cast<float>(grid.high));
    const vf zero = set1(static_cast<float>(grid.zero)), scale = set1(grid.scale);
    constexpr float kWhole = 1 << 23;  // what is not smaller has no fraction
    for (int64_t i = begin; i < end; i += kF) {
      const int64_t left = end - i;
      const vf steps = (left >= kF ? load(x + i) : load_partial(x + i, left)) * inverse;
      const vi small = abs(steps) < kWhole;
      const vf whole = __builtin_convertvector(round_to_int(small ? steps : vf{}), vf);
      const vf q = (small ? whole : steps) + zero;
      const vi in = (q >= low) & (q <= high);
      const vf y = (min(max(q, low), high) - zero) * scale;
      if (left >= kF) {
        store(out + i, y);
        store_narrow(inside + i, in & 1);
      } else {
        uint8_t rest[kF];
        store_partial(out + i, y, left);
        store_narrow(rest, in & 1);
        for (int64_t j = 0; j < left; ++j) inside[i + j] = rest[j];
      }
    }
  });
}

// The taps of a window that lie inside: those from `first` to `end`.
struct Taps {
  int64_t first, end;
};
MG_INLINE Taps taps_inside(int64_t start, int64_t dilation, int64_t count, int64_t size) {
  Taps t = {0, count};
  while (t.first < t.end && start + t.first * dilation < 0) ++t.first;
  while (t.end > t.first && start + (t.end - 1) * dilation >= size) --t.end;
  return t;
}

// B bytes of each tap's channels.
template <int B>
MG_INLINE void largest_of(uint8_t* out, const uint8_t* from, const Taps& rows, const Taps& columns,
                          int64_t row_step, int64_t column_step) {
  typedef uint8_t Bytes __attribute__((vector_size(B)));
  Bytes largest = {};
  for (int64_t r = rows.first; r < rows.end; ++r) {
    for (int64_t s = columns.first; s < columns.end; ++s) {
      Bytes b;
      __builtin_memcpy(&b, from + r * row_step + s * column_step, B);
      largest = b > largest ? b : largest;
    }
  }
  __builtin_memcpy(out, &largest, B);
}

void max_pool(uint8_t* out, const Int8Planes& x) {
  const int64_t pixels = x.n * x.p * x.q;
  const int64_t grain = max_of(1, kGrain / max_of(1, x.c * x.r * x.s));
  parallel_for(pixels, grain, [=](int64_t begin, int64_t end) {
    const int64_t row_step = x.dilation_h * x.w * x.c, column_step = x.dilation_w * x.c;
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      const int64_t q = pixel % x.q, p = pixel / x.q % x.p, n = pixel / (x.q * x.p);
      const int64_t h = p * x.stride_h - x.pad_h, w = q * x.stride_w - x.pad_w;
      const Taps rows = taps_inside(h, x.dilation_h, x.r, x.h);
      const Taps columns = taps_inside(w, x.dilation_w, x.s, x.w);
      const uint8_t* from = x.x + ((n * x.h + h) * x.w + w) * x.c;
      uint8_t* y = out + pixel * x.c;
      int64_t i = 0;
      for (; i + kVectorBytes <= x.c; i += kVectorBytes) {
        largest_of<kVectorBytes>(y + i, from + i, rows, columns, row_step, column_step);
      }
      for (; i + 16 <= x.c; i += 16) {
        largest_of<16>(y + i, from + i, rows, columns, row_step, column_step);
      }
      for (; i < x.c; ++i) {
        uint8_t largest = 0;
        for (int64_t r = rows.first; r < rows.end; ++r) {
          for (int64_t s = columns.first; s < columns.end; ++s) {
            const uint8_t b = from[r * row_step + s * column_step + i];
            largest = b > largest ? b : largest;
          }
        }
        y[i] = largest;
      }
    }
  });
}

}  // namespace

extern const QuantizeKernels kQuantize = {
    quantize<uint8_t>, quantize<int8_t>, dequantize<uint8_t>, dequantize<int8_t>, min_max, fake,
    max_pool,
};

}  // namespace mg::MG_ISA
