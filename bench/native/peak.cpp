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
  const Vector x = Vector{} + 0.999f, y = Vector{} + 1e-3f;
  // Named variables: an array of vectors would live in memory.
  Vector a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
  double count = 0, started = now(), spent = 0;
  do {
    for (int r = 0; r < 4096; r++) {
      a = a * x + y, b = b * x + y, c = c * x + y, d = d * x + y, e = e * x + y, f = f * x + y;
      g = g * x + y, h = h * x + y, i = i * x + y, j = j * x + y, k = k * x + y, l = l * x + y;
      asm volatile("" : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f));
      asm volatile("" : "+v"(g), "+v"(h), "+v"(i), "+v"(j), "+v"(k), "+v"(l));
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
  const __m512 one = _mm512_set1_ps(1.0f);
  __m512 a = one, b = one, c = one, d = one, e = one, f = one;
  __m512 g = one, h = one, i = one, j = one, k = one, l = one;
  const __m512bh x = (__m512bh)_mm512_set1_epi32(0x3f003f00);
  double count = 0, started = now(), spent = 0;
  do {
    for (int r = 0; r < 4096; r++) {
      a = _mm512_dpbf16_ps(a, x, x), b = _mm512_dpbf16_ps(b, x, x), c = _mm512_dpbf16_ps(c, x, x);
      d = _mm512_dpbf16_ps(d, x, x), e = _mm512_dpbf16_ps(e, x, x), f = _mm512_dpbf16_ps(f, x, x);
      g = _mm512_dpbf16_ps(g, x, x), h = _mm512_dpbf16_ps(h, x, x), i = _mm512_dpbf16_ps(i, x, x);
      j = _mm512_dpbf16_ps(j, x, x), k = _mm512_dpbf16_ps(k, x, x), l = _mm512_dpbf16_ps(l, x, x);
      asm volatile("" : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f));
      asm volatile("" : "+v"(g), "+v"(h), "+v"(i), "+v"(j), "+v"(k), "+v"(l));
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
