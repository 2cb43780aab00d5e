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

void max_pool(uint8_t* out, const Int8Planes& x) {
  const int64_t pixels = x.n * x.p * x.q;
  const int64_t grain = max_of(1, kGrain / max_of(1, x.c * x.r * x.s));
  parallel_for(pixels, grain, [=](int64_t begin, int64_t end) {
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      const int64_t q = pixel % x.q, p = pixel / x.q % x.p, n = pixel / (x.q * x.p);
      uint8_t* MG_RESTRICT y = out + pixel * x.c;
      for (int64_t i = 0; i < x.c; ++i) y[i] = 0;
      for (int64_t tap = 0; tap < x.r * x.s; ++tap) {
        const int64_t h = p * x.stride_h - x.pad_h + tap / x.s * x.dilation_h;
        const int64_t w = q * x.stride_w - x.pad_w + tap % x.s * x.dilation_w;
        if (h < 0 || h >= x.h || w < 0 || w >= x.w) continue;
        const uint8_t* MG_RESTRICT from = x.x + ((n * x.h + h) * x.w + w) * x.c;
        for (int64_t i = 0; i < x.c; ++i) y[i] = from[i] > y[i] ? from[i] : y[i];
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
