// MT19937 in batches: the 624 words are renewed at once and tempered, in loops that vectorise.
// What is made of the outputs is done on pieces that stay in the first cache. The normals'
// transform is written on 8 lanes with fused multiply-adds, for the same bits anywhere.
#include "runtime/stream.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace mg {
namespace {

constexpr int kN = kStreamWords;
constexpr int kM = 397;

// Compiled for the plain instruction set and, where the processor may have it, for AVX2.
#if defined(__x86_64__)
#define MG_AVX2 __attribute__((target("avx2,fma")))
const bool g_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
#define MG_ALWAYS __attribute__((always_inline)) inline

MG_ALWAYS uint32_t twist(uint32_t u, uint32_t v) {
  const uint32_t y = (u & 0x80000000u) | (v & 0x7fffffffu);
  return (y >> 1) ^ (-(v & 1u) & 0x9908b0dfu);
}

MG_ALWAYS void renew_of(uint32_t* s) {
  int i = 0;
  for (; i < kN - kM; ++i) s[i] = s[i + kM] ^ twist(s[i], s[i + 1]);
  for (; i < kN - 1; ++i) s[i] = s[i + kM - kN] ^ twist(s[i], s[i + 1]);
  s[kN - 1] = s[kM - 1] ^ twist(s[kN - 1], s[0]);
}

MG_ALWAYS uint32_t temper(uint32_t y) {
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

MG_ALWAYS void temper_of(const uint32_t* words, uint32_t* batch, int64_t n) {
  for (int64_t i = 0; i < n; ++i) batch[i] = temper(words[i]);
}

#if defined(__x86_64__)
MG_AVX2 void renew_avx2(uint32_t* s) { renew_of(s); }
MG_AVX2 void temper_avx2(const uint32_t* words, uint32_t* batch, int64_t n) {
  temper_of(words, batch, n);
}
void renew(uint32_t* s) { g_avx2 ? renew_avx2(s) : renew_of(s); }
void temper_all(const uint32_t* words, uint32_t* batch, int64_t n) {
  g_avx2 ? temper_avx2(words, batch, n) : temper_of(words, batch, n);
}
#else
void renew(uint32_t* s) { renew_of(s); }
void temper_all(const uint32_t* words, uint32_t* batch, int64_t n) { temper_of(words, batch, n); }
#endif

// Calls take(outputs, count) until n outputs were handed over.
template <class Take>
void each_batch(uint32_t* state, int64_t n, Take take) {
  uint32_t batch[kN];
  while (n > 0) {
    uint32_t used = state[kN];
    if (used >= kN) {
      renew(state);
      used = 0;
    }
    const int64_t left = kN - static_cast<int64_t>(used);
    const int64_t count = n < left ? n : left;
    temper_all(state + used, batch, count);
    take(batch, count);
    state[kN] = used + static_cast<uint32_t>(count);
    n -= count;
  }
}

MG_ALWAYS float cephes_log(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint32_t fraction = (bits & 0x007fffffu) | 0x3f000000u;
  float m;
  std::memcpy(&m, &fraction, sizeof m);
  float e = static_cast<float>(static_cast<int32_t>(bits >> 23) - 126);
  const bool small = m < 0.707106781186547524f;
  e -= small ? 1.0f : 0.0f;
  x = m + (small ? m : 0.0f) - 1.0f;
  const float z = x * x;
  float y = 7.0376836292e-2f;
  y = __builtin_fmaf(y, x, -1.1514610310e-1f);
  y = __builtin_fmaf(y, x, 1.1676998740e-1f);
  y = __builtin_fmaf(y, x, -1.2420140846e-1f);
  y = __builtin_fmaf(y, x, 1.4249322787e-1f);
  y = __builtin_fmaf(y, x, -1.6668057665e-1f);
  y = __builtin_fmaf(y, x, 2.0000714765e-1f);
  y = __builtin_fmaf(y, x, -2.4999993993e-1f);
  y = __builtin_fmaf(y, x, 3.3333331174e-1f);
  y = __builtin_fmaf(y * x, z, e * -2.12194440e-4f);
  y = __builtin_fmaf(z, -0.5f, y);
  return __builtin_fmaf(e, 0.693359375f, x + y);
}

MG_ALWAYS void cephes_sincos(float x, float* sine, float* cosine) {
  const int32_t octant = (static_cast<int32_t>(x * 1.27323954473516f) + 1) & ~1;
  const float y = static_cast<float>(octant);
  x = __builtin_fmaf(y, -0.78515625f, x);
  x = __builtin_fmaf(y, -2.4187564849853515625e-4f, x);
  x = __builtin_fmaf(y, -3.77489497744594108e-8f, x);
  const float z = x * x;
  float c = __builtin_fmaf(2.443315711809948e-5f, z, -1.388731625493765e-3f);
  c = __builtin_fmaf(c, z, 4.166664568298827e-2f);
  c = __builtin_fmaf(c * z, z, z * -0.5f) + 1.0f;
  float s = __builtin_fmaf(-1.9515295891e-4f, z, 8.3321608736e-3f);
  s = __builtin_fmaf(s, z, -1.6666654611e-1f);
  s = __builtin_fmaf(s * z, x, x);
  const bool swap = octant & 2;
  const float a = swap ? c : s;
  const float b = swap ? s : c;
  *sine = octant & 4 ? -a : a;
  *cosine = (octant - 2) & 4 ? b : -b;
}

MG_ALWAYS void blocks_of(float* data, int64_t blocks, float mean, float std) {
  for (int64_t k = 0; k < blocks; ++k, data += 16) {
    float first[8], second[8];
    for (int i = 0; i < 8; ++i) {
      const float radius = std::sqrt(-2.0f * cephes_log(1.0f - data[i]));
      float sine, cosine;
      cephes_sincos(6.2831853071795864769f * data[i + 8], &sine, &cosine);
      first[i] = __builtin_fmaf(radius * cosine, std, mean);
      second[i] = __builtin_fmaf(radius * sine, std, mean);
    }
    std::memcpy(data, first, sizeof first);
    std::memcpy(data + 8, second, sizeof second);
  }
}

MG_ALWAYS void stretch_of(float* x, int64_t n, float low, float high) {
  const float span = high - low;
  for (int64_t i = 0; i < n; ++i) {
    const float u = __builtin_fmaf(x[i], span, low);
    x[i] = u == high ? low : u;
  }
}
MG_ALWAYS void stretch_of(double* x, int64_t n, double low, double high) {
  const double span = high - low;
  for (int64_t i = 0; i < n; ++i) {
    const double u = __builtin_fma(x[i], span, low);
    x[i] = u == high ? low : u;
  }
}

#if defined(__x86_64__)
MG_AVX2 void blocks_avx2(float* data, int64_t blocks, float mean, float std) {
  blocks_of(data, blocks, mean, std);
}
template <class T>
MG_AVX2 void stretch_avx2(T* x, int64_t n, T low, T high) {
  stretch_of(x, n, low, high);
}
#endif

// Turns blocks of 16 uniforms into normals, in place (Box and Muller).
void blocks(float* data, int64_t count, double mean, double std) {
  const float m = static_cast<float>(mean), s = static_cast<float>(std);
#if defined(__x86_64__)
  if (g_avx2) return blocks_avx2(data, count, m, s);
#endif
  blocks_of(data, count, m, s);
}

void blocks(double* data, int64_t count, double mean, double std) {
  // The C library's functions, one by one: what PyTorch calls for float64.
  for (int64_t block = 0; block < count; ++block, data += 16) {
    for (int i = 0; i < 8; ++i) {
      const double radius = std::sqrt(-2.0 * std::log(1.0 - data[i]));
      const double angle = 6.283185307179586 * data[i + 8];
      data[i] = std::fma(radius * std::cos(angle), std, mean);
      data[i + 8] = std::fma(radius * std::sin(angle), std, mean);
    }
  }
}

void uniforms(uint32_t* state, float* out, int64_t n) { stream_uniform32(state, out, n); }
void uniforms(uint32_t* state, double* out, int64_t n) { stream_uniform64(state, out, n); }

constexpr int64_t kPiece = 1024;  // elements, 8 KiB at most; a multiple of 16

template <class T>
void normals(uint32_t* state, T* out, int64_t n, double mean, double std) {
  for (int64_t done = 0; done < n; done += kPiece) {
    // The uniforms that fill no block are drawn, too, though the last 16 are drawn anew.
    const int64_t count = std::min(kPiece, n - done);
    uniforms(state, out + done, count);
    blocks(out + done, count / 16, mean, std);
  }
  if (n % 16) {
    uniforms(state, out + n - 16, 16);
    blocks(out + n - 16, 1, mean, std);
  }
}

template <class T>
void stretched(uint32_t* state, T* out, int64_t n, T low, T high) {
  for (int64_t done = 0; done < n; done += kPiece) {
    const int64_t count = std::min(kPiece, n - done);
    uniforms(state, out + done, count);
    if (low == 0 && high == 1) continue;
#if defined(__x86_64__)
    if (g_avx2) {
      stretch_avx2(out + done, count, low, high);
      continue;
    }
#endif
    stretch_of(out + done, count, low, high);
  }
}

}  // namespace

void stream_seed(uint32_t* state, uint32_t seed) {
  state[0] = seed;
  for (uint32_t i = 1; i < kN; ++i) {
    state[i] = 1812433253u * (state[i - 1] ^ (state[i - 1] >> 30)) + i;
  }
  state[kN] = kN;
}

void stream_draw32(uint32_t* state, uint32_t* out, int64_t n) {
  each_batch(state, n, [&](const uint32_t* batch, int64_t count) {
    std::memcpy(out, batch, static_cast<size_t>(count) * sizeof *out);
    out += count;
  });
}

void stream_draw64(uint32_t* state, uint64_t* out, int64_t n) {
  bool second = false;  // a pair may straddle two batches
  each_batch(state, 2 * n, [&](const uint32_t* batch, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      if (second) {
        *out++ |= batch[i];
      } else {
        *out = static_cast<uint64_t>(batch[i]) << 32;
      }
      second = !second;
    }
  });
}

void stream_uniform32(uint32_t* state, float* out, int64_t n) {
  each_batch(state, n, [&](const uint32_t* batch, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      out[i] = static_cast<float>(static_cast<int32_t>(batch[i] & 0xffffffu)) * 0x1p-24f;
    }
    out += count;
  });
}

void stream_uniform64(uint32_t* state, double* out, int64_t n) {
  uint64_t high = 0;
  bool second = false;
  each_batch(state, 2 * n, [&](const uint32_t* batch, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      if (second) {
        const uint64_t both = (high << 32 | batch[i]) & ((uint64_t{1} << 53) - 1);
        *out++ = static_cast<double>(static_cast<int64_t>(both)) * 0x1p-53;
      } else {
        high = batch[i];
      }
      second = !second;
    }
  });
}

void stream_uniform(uint32_t* state, float* out, int64_t n, double low, double high) {
  stretched(state, out, n, static_cast<float>(low), static_cast<float>(high));
}
void stream_uniform(uint32_t* state, double* out, int64_t n, double low, double high) {
  stretched(state, out, n, low, high);
}

void stream_normal(uint32_t* state, float* out, int64_t n, double mean, double std) {
  normals(state, out, n, mean, std);
}
void stream_normal(uint32_t* state, double* out, int64_t n, double mean, double std) {
  normals(state, out, n, mean, std);
}

void stream_integers(uint32_t* state, int64_t* out, int64_t n, int64_t low, uint32_t span) {
  // The remainder without a division, exact for 32 bits (Lemire, Kaser and Kurz, 2019).
  const uint64_t inverse = ~uint64_t{0} / span + 1;
  each_batch(state, n, [&](const uint32_t* batch, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t fraction = inverse * batch[i];
      const uint64_t upper = (fraction >> 32) * span;
      const uint64_t lower = ((fraction & 0xffffffffu) * span) >> 32;
      out[i] = low + static_cast<int64_t>((upper + lower) >> 32);
    }
    out += count;
  });
}

void stream_shuffle(uint32_t* state, int64_t* data, int64_t n) {
  int64_t i = 0;
  each_batch(state, n - 1, [&](const uint32_t* batch, int64_t count) {
    for (int64_t k = 0; k < count; ++k, ++i) {
      const int64_t j = i + static_cast<int64_t>(batch[k] % static_cast<uint64_t>(n - i));
      const int64_t value = data[i];
      data[i] = data[j];
      data[j] = value;
    }
  });
}

}  // namespace mg
