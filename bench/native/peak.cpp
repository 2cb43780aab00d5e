// What this machine can do: multiply-add rate and memory bandwidth, measured, so that a bench can say
// how much of it is reached. Compiled by bench/peaks.py with the machine's own instruction set.
#include <chrono>
#include <cstdint>
#include <cstring>
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));

namespace {
double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
}  // namespace

extern "C" {

// FLOP/s of independent multiply-adds in registers: two per lane and instruction.
double peak_fma(double seconds) {
  constexpr int kChains = 12;  // latency 4 times two units, and some to spare
  Vector sums[kChains];
  for (int i = 0; i < kChains; i++) sums[i] = Vector{} + float(i);
  Vector x = Vector{} + 0.999f, y = Vector{} + 1e-3f;
  double count = 0, started = now(), spent = 0;
  do {
    for (int r = 0; r < 4096; r++)
#pragma GCC unroll 16
      for (int i = 0; i < kChains; i++) {
        sums[i] = sums[i] * x + y;
        asm volatile("" : "+x"(sums[i]));
      }
    count += 4096.0 * kChains * kLanes * 2;
    spent = now() - started;
  } while (spent < seconds);
  return count / spent;
}

// FLOP/s of bfloat16 dot instructions, 0 where there are none.
double peak_bf16(double seconds) {
#if defined(__AVX512BF16__)
  constexpr int kChains = 12;
  __m512 sums[kChains];
  for (int i = 0; i < kChains; i++) sums[i] = _mm512_set1_ps(float(i));
  __m512bh x = (__m512bh)_mm512_set1_epi32(0x3f003f00), y = (__m512bh)_mm512_set1_epi32(0x3c003c00);
  double count = 0, started = now(), spent = 0;
  do {
    for (int r = 0; r < 4096; r++)
#pragma GCC unroll 16
      for (int i = 0; i < kChains; i++) {
        sums[i] = _mm512_dpbf16_ps(sums[i], x, y);
        asm volatile("" : "+x"(sums[i]));
      }
    count += 4096.0 * kChains * 64;
    spent = now() - started;
  } while (spent < seconds);
  return count / spent;
#else
  (void)seconds;
  return 0;
#endif
}

// Sum of n floats, n a multiple of 64: one read of memory.
float read_memory(const float* x, int64_t n) {
  Vector sums[4] = {};
  for (int64_t i = 0; i + 4 * kLanes <= n; i += 4 * kLanes)
    for (int j = 0; j < 4; j++) {
      Vector v;
      memcpy(&v, x + i + j * kLanes, sizeof v);
      sums[j] += v;
    }
  Vector total = sums[0] + sums[1] + sums[2] + sums[3];
  float sum = 0;
  for (int i = 0; i < kLanes; i++) sum += total[i];
  return sum;
}

// x *= a in place: one read and one write.
void scale_memory(float* x, float a, int64_t n) {
  for (int64_t i = 0; i < n; i++) x[i] *= a;
}
}
