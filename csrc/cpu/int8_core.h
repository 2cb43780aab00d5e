// Tiles of uint8 x int8 products in int32. With VNNI four products are added in one instruction;
// else both sides are widened to int16, whose products in pairs cannot overflow (those of bytes
// can).
#pragma once

#include "kernels/int8.h"
#include "simd.h"

namespace mg::MG_ISA {

constexpr int kPanel = 16;  // columns of the weight that lie together, four steps of k each
constexpr int kTileRows = 6, kTileColumns = 64;

// Left operands as the products read them: k rounded up to 4; what is beyond k does not matter.
#if defined(__AVX512VNNI__)
using Act = uint8_t;
#else
using Act = int16_t;
#endif

MG_INLINE int64_t padded_k(int64_t k) { return (k + 3) / 4 * 4; }
MG_INLINE int64_t padded_n(int64_t n) { return (n + kPanel - 1) / kPanel * kPanel; }

struct Tile8 {
  const Act* rows[kTileRows];
  const int8_t* b;  // a panel, `panel` bytes before the next one
  int64_t panel, steps;
  int32_t* c;  // kTileColumns to a row
};

#if defined(__AVX512VNNI__)

template <int M, int P>
__attribute__((noinline)) static void multiply_tile(const Tile8& t) {
  __m512i sum[M][P];
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < P; ++j) sum[i][j] = _mm512_setzero_si512();
  }
  const Act* a[M];
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) a[i] = t.rows[i];
  const int8_t* b = t.b;
  for (int64_t k = 0; k < t.steps; ++k, b += 4 * kPanel) {
    __m512i right[P];
#pragma GCC unroll 4
    for (int j = 0; j < P; ++j) right[j] = _mm512_loadu_si512(b + j * t.panel);
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) {
      const __m512i left = (__m512i)set1(load_as<int32_t>(a[i] + 4 * k));
#pragma GCC unroll 4
      for (int j = 0; j < P; ++j) sum[i][j] = _mm512_dpbusd_epi32(sum[i][j], left, right[j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < P; ++j) store(t.c + i * kTileColumns + j * kPanel, (vi)sum[i][j]);
  }
}

// The panels that the next tile takes of those that are left.
MG_INLINE int tile_panels(int64_t left) { return left >= 4 ? 4 : left >= 2 ? 2 : 1; }

template <int P>
MG_INLINE void multiply_rows(int64_t rows, const Tile8& t) {
  if (rows == 1) return multiply_tile<1, P>(t);
  if (rows == 2) return multiply_tile<2, P>(t);
  if (rows <= 4) return multiply_tile<4, P>(t);
  multiply_tile<6, P>(t);
}

MG_INLINE void multiply(int64_t rows, int panels, const Tile8& t) {
  if (panels == 4) return multiply_rows<4>(rows, t);
  if (panels == 2) return multiply_rows<2>(rows, t);
  multiply_rows<1>(rows, t);
}

constexpr int kMicroRows = kTileRows;

#else

typedef int16_t vs __attribute__((vector_size(kVectorBytes)));
typedef int8_t vb_half __attribute__((vector_size(kVectorBytes / 2)));

// Four steps of k for kVectorBytes / 8 columns.
MG_INLINE vs widened(const int8_t* p) {
#if defined(__AVX512BW__)
  return (vs)_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__AVX2__)
  return (vs)_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#elif defined(__SSE4_1__)
  return (vs)_mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
#else
  return __builtin_convertvector(load_as<vb_half>(p), vs);
#endif
}

MG_INLINE vi add_pairs(vs a, vs b) {
#if defined(__AVX512BW__)
  return (vi)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (vi)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (vi)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
  const vi x = (vi)a, y = (vi)b;  // shifts keep the sign
  return (x << 16 >> 16) * (y << 16 >> 16) + (x >> 16) * (y >> 16);
#endif
}

constexpr int kWide = kVectorBytes / 8;  // columns of a vector: two sums for each
constexpr int kVectors = kPanel / kWide < 4 ? kPanel / kWide : 4;
constexpr int kMicroRows = kVectorBytes == 64 ? 6 : 3;

template <int M>
__attribute__((noinline)) static void multiply_tile(const Tile8& t) {
  for (int part = 0; part < kPanel; part += kVectors * kWide) {
    vi sum[M][kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) sum[i][j] = vi{};
    }
    const Act* a[M];
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) a[i] = t.rows[i];
    const int8_t* b = t.b + 4 * part;
    for (int64_t k = 0; k < t.steps; ++k, b += 4 * kPanel) {
      vs right[kVectors];
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) right[j] = widened(b + j * 4 * kWide);
#pragma GCC unroll 8
      for (int i = 0; i < M; ++i) {
        const vs left = (vs)(load_as<int64_t>(a[i] + 4 * k) - vl{});
#pragma GCC unroll 4
        for (int j = 0; j < kVectors; ++j) sum[i][j] += add_pairs(left, right[j]);
      }
    }
    for (int i = 0; i < M; ++i) {
      int32_t pairs[kVectors * kF];
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) store(pairs + j * kF, sum[i][j]);
      int32_t* c = t.c + i * kTileColumns + part;
      for (int j = 0; j < kVectors * kWide; ++j) c[j] = pairs[2 * j] + pairs[2 * j + 1];
    }
  }
}

MG_INLINE int tile_panels(int64_t) { return 1; }

MG_INLINE void multiply(int64_t rows, int, const Tile8& t) {
  if (rows == 1) return multiply_tile<1>(t);
  multiply_tile<kMicroRows>(t);
}

#endif

}  // namespace mg::MG_ISA
