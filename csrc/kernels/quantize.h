// Contract of the quantize family: real numbers to integers on a grid and back.
//
//   shapes       contiguous, n >= 0
//   values       quantize    round(x * (1 / scale) + zero) to nearest even, held in [low, high],
//   the
//                            product and sum fused where the instruction set does; NaN gives low
//                dequantize  (q - zero) * scale
//                min_max     the least, the largest and 0 in result[0..2]; NaN in result[2] if any
//                            is NaN or infinite. n >= 1
//                fake        what dequantize gives for quantize, and in `inside` whether nothing
//                was held max_pool    of channels-last uint8
//   aliasing     none
//   workspace    min_max: 3 floats for each kMinMaxGrain elements
//   determinism  bitwise equal for every thread count
#pragma once

#include "kernels/int8.h"

namespace mg {

constexpr int64_t kMinMaxGrain = 1 << 15;

// A grid: scale, zero, and the least and largest integers.
struct Grid {
  float scale;
  int32_t zero, low, high;
};

// The grid of `levels` steps over [least, largest] and 0, so that 0 is on it. PyTorch's formula.
MG_INLINE Grid grid_of(float least, float largest, int32_t levels) {
  constexpr float kSmallest = 6.1e-5f;
  double low = least < 0 ? least : 0, high = largest > 0 ? largest : 0;
  double scale = (high - low) / levels;
  const float near = static_cast<float>(scale);
  if (near == 0 || 1 / near > 3.4028234663852886e38f) scale = 0.1;
  if (scale < kSmallest) {
    const float wider = kSmallest / near;
    if (low == 0) {
      high = static_cast<double>(kSmallest * static_cast<float>(levels));
    } else if (high == 0) {
      low = -static_cast<double>(kSmallest * static_cast<float>(levels));
    } else {
      low = static_cast<double>(static_cast<float>(low) * wider);
      high = static_cast<double>(static_cast<float>(high) * wider);
    }
    scale = static_cast<double>(kSmallest);
  }
  // The zero point of the end with the smaller error.
  const double from_low = -low / scale, from_high = levels - high / scale;
  const double error_low = -low / scale, error_high = levels + high / scale;
  double zero = error_low < error_high ? from_low : from_high;
  zero = zero < 0 ? 0 : zero > levels ? levels : __builtin_nearbyint(zero);
  return {static_cast<float>(scale), static_cast<int32_t>(zero), 0, levels};
}

struct QuantizeKernels {
  void (*to_uint8)(uint8_t* out, const float* x, int64_t n, const Grid& grid);
  void (*to_int8)(int8_t* out, const float* x, int64_t n, const Grid& grid);
  void (*from_uint8)(float* out, const uint8_t* x, int64_t n, const Grid& grid);
  void (*from_int8)(float* out, const int8_t* x, int64_t n, const Grid& grid);
  void (*min_max)(float* result, const float* x, int64_t n, float* workspace);
  void (*fake)(float* out, uint8_t* inside, const float* x, int64_t n, const Grid& grid);
  void (*max_pool)(uint8_t* out, const Int8Planes& x);
};

}  // namespace mg
