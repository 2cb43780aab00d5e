// Turning a small matrix: square blocks of 4-byte elements in registers, the rest one by one.
#pragma once

#include "simd.h"

namespace mg::MG_ISA {

// r[i][j] and r[j][i] change places: kF vectors of floats, or kD of doubles, in registers.
#if defined(__AVX512F__)
MG_INLINE void turn(vf (&v)[16]) {
  __m512 r[16], t[16];
  for (int i = 0; i < 16; ++i) r[i] = (__m512)v[i];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    const __m512d a = _mm512_castps_pd(t[i]), b = _mm512_castps_pd(t[i + 1]);
    const __m512d c = _mm512_castps_pd(t[i + 2]), d = _mm512_castps_pd(t[i + 3]);
    r[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
    r[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    r[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
    r[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
  }
  // r[4 g + j] holds column 4 q + j of rows 4 g .. 4 g + 3 in quarter q: turn the quarters.
  for (int j = 0; j < 4; ++j) {
    const __m512 low = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x44);
    const __m512 high = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xee);
    const __m512 low2 = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x44);
    const __m512 high2 = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xee);
    v[j] = (vf)_mm512_shuffle_f32x4(low, low2, 0x88);
    v[4 + j] = (vf)_mm512_shuffle_f32x4(low, low2, 0xdd);
    v[8 + j] = (vf)_mm512_shuffle_f32x4(high, high2, 0x88);
    v[12 + j] = (vf)_mm512_shuffle_f32x4(high, high2, 0xdd);
  }
}
MG_INLINE void turn(vd (&v)[8]) {
  __m512d t[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm512_unpacklo_pd((__m512d)v[i], (__m512d)v[i + 1]);
    t[i + 1] = _mm512_unpackhi_pd((__m512d)v[i], (__m512d)v[i + 1]);
  }
  // t[2 g + j] holds column 2 q + j of rows 2 g, 2 g + 1 in quarter q: turn the quarters.
  for (int j = 0; j < 2; ++j) {
    const __m512d low = _mm512_shuffle_f64x2(t[j], t[2 + j], 0x44);
    const __m512d high = _mm512_shuffle_f64x2(t[j], t[2 + j], 0xee);
    const __m512d low2 = _mm512_shuffle_f64x2(t[4 + j], t[6 + j], 0x44);
    const __m512d high2 = _mm512_shuffle_f64x2(t[4 + j], t[6 + j], 0xee);
    v[j] = (vd)_mm512_shuffle_f64x2(low, low2, 0x88);
    v[2 + j] = (vd)_mm512_shuffle_f64x2(low, low2, 0xdd);
    v[4 + j] = (vd)_mm512_shuffle_f64x2(high, high2, 0x88);
    v[6 + j] = (vd)_mm512_shuffle_f64x2(high, high2, 0xdd);
  }
}
#elif defined(__AVX2__)
MG_INLINE void turn(vf (&v)[8]) {
  __m256 r[8], t[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps((__m256)v[i], (__m256)v[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps((__m256)v[i], (__m256)v[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = (vf)_mm256_permute2f128_ps(r[i], r[4 + i], 0x20);
    v[4 + i] = (vf)_mm256_permute2f128_ps(r[i], r[4 + i], 0x31);
  }
}
MG_INLINE void turn(vd (&v)[4]) {
  __m256d t[4];
  for (int i = 0; i < 4; i += 2) {
    t[i] = _mm256_unpacklo_pd((__m256d)v[i], (__m256d)v[i + 1]);
    t[i + 1] = _mm256_unpackhi_pd((__m256d)v[i], (__m256d)v[i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    v[i] = (vd)_mm256_permute2f128_pd(t[i], t[2 + i], 0x20);
    v[2 + i] = (vd)_mm256_permute2f128_pd(t[i], t[2 + i], 0x31);
  }
}
#else
template <class V, int kLanes>
MG_INLINE void turn(V (&v)[kLanes]) {
  for (int i = 0; i < kLanes; ++i) {
    for (int j = 0; j < i; ++j) {
      const auto x = v[i][j];
      v[i][j] = v[j][i];
      v[j][i] = x;
    }
  }
}
#endif

// dst[i * dst_line + j] = src[i * step + j * line] for i < depth and j < width.
template <class T>
MG_INLINE void turned_copy(T* dst, int64_t dst_line, const T* src, int64_t line, int64_t step,
                           int64_t width, int64_t depth) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  if (step != 1) {
    for (int64_t i = 0; i < depth; ++i) {
      for (int64_t j = 0; j < width; ++j) dst[i * dst_line + j] = src[i * step + j * line];
    }
    return;
  }
  for (int64_t i = 0; i < depth; i += L) {
    for (int64_t j = 0; j < width; j += L) {
      const int64_t steps = min_of(L, depth - i), lines = min_of(L, width - j);
      V r[L];
      for (int q = 0; q < L; ++q) {
        r[q] = q < lines ? load_partial(src + (j + q) * line + i, steps) : V{};
      }
      turn(r);
      for (int q = 0; q < L; ++q) {
        if (q < steps) store_partial(dst + (i + q) * dst_line + j, r[q], lines);
      }
    }
  }
}

// A square block of as many rows as a vector has elements: out[r][c] = in[c][r]. Steps are in
// bytes.
template <class T>
MG_INLINE void transpose_block(char* out, int64_t out_step, const char* in, int64_t in_step,
                               bool use_stream) {
  constexpr int kLanes = Vec<T>::lanes;
  typename Vec<T>::type r[kLanes];
  for (int i = 0; i < kLanes; ++i) r[i] = load(reinterpret_cast<const T*>(in + i * in_step));
  turn(r);
  for (int i = 0; i < kLanes; ++i) {
    T* row = reinterpret_cast<T*>(out + i * out_step);
    if (use_stream) {
      stream(row, r[i]);
    } else {
      store(row, r[i]);
    }
  }
}

// Bytes or pairs of bytes of two vectors in turn: those of the lower halves, of the upper ones.
typedef uint8_t v16b __attribute__((vector_size(16)));
template <class T>
MG_INLINE void interleave(v16b* low, v16b* high, v16b a, v16b b) {
#if defined(__SSE2__)
  const __m128i x = (__m128i)a, y = (__m128i)b;
  *low = (v16b)(sizeof(T) == 1 ? _mm_unpacklo_epi8(x, y) : _mm_unpacklo_epi16(x, y));
  *high = (v16b)(sizeof(T) == 1 ? _mm_unpackhi_epi8(x, y) : _mm_unpackhi_epi16(x, y));
#else
  constexpr int n = 16 / static_cast<int>(sizeof(T));
  T from[2][n], to[2 * n];
  __builtin_memcpy(from[0], &a, 16);
  __builtin_memcpy(from[1], &b, 16);
  for (int i = 0; i < 2 * n; ++i) to[i] = from[i % 2][i / 2];
  __builtin_memcpy(low, to, 16);
  __builtin_memcpy(high, to + n, 16);
#endif
}

// The same for elements of one and two bytes: rows that lie half the block apart are interleaved,
// as often as doubling one makes their number.
template <class T>
MG_INLINE void transpose_small_block(char* out, int64_t out_step, const char* in, int64_t in_step) {
  constexpr int n = 16 / static_cast<int>(sizeof(T));
  v16b r[n], t[n];
#pragma GCC unroll 16
  for (int i = 0; i < n; ++i) r[i] = load_as<v16b>(in + i * in_step);
#pragma GCC unroll 4
  for (int stride = 1; stride < n; stride *= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < n / 2; ++i) interleave<T>(&t[2 * i], &t[2 * i + 1], r[i], r[i + n / 2]);
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) r[i] = t[i];
  }
#pragma GCC unroll 16
  for (int i = 0; i < n; ++i) __builtin_memcpy(out + i * out_step, &r[i], 16);
}

template <class T>
MG_INLINE void transpose_plain(char* out, int64_t out_step, const char* in, int64_t in_step,
                               int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) {
    T* row = reinterpret_cast<T*>(out + r * out_step);
    for (int64_t c = 0; c < columns; ++c) {
      __builtin_memcpy(row + c, in + c * in_step + r * static_cast<int64_t>(sizeof(T)), sizeof(T));
    }
  }
}

// Whole blocks of n rows and columns by `block(out, in)`, what is left one by one.
template <class T, class Block>
MG_INLINE void transpose_blocks(char* out, int64_t out_step, const char* in, int64_t in_step,
                                int64_t rows, int64_t columns, int64_t n, Block block) {
  constexpr int64_t item = static_cast<int64_t>(sizeof(T));
  const int64_t full_rows = rows / n * n, full_columns = columns / n * n;
  for (int64_t r = 0; r < full_rows; r += n) {
    for (int64_t c = 0; c < full_columns; c += n) {
      block(out + r * out_step + c * item, in + c * in_step + r * item);
    }
  }
  if (full_columns < columns) {
    transpose_plain<T>(out + full_columns * item, out_step, in + full_columns * in_step, in_step,
                       full_rows, columns - full_columns);
  }
  if (full_rows < rows) {
    transpose_plain<T>(out + full_rows * out_step, out_step, in + full_rows * item, in_step,
                       rows - full_rows, columns);
  }
}

// out (rows, columns) = in^T, in (columns, rows); elements of `item` bytes, steps of rows in bytes.
// `use_stream`: past the caches where the result is aligned for it; the caller fences.
static inline void transpose(char* out, int64_t out_step, const char* in, int64_t in_step,
                             int64_t rows, int64_t columns, int64_t item, bool use_stream) {
  const bool past_caches = use_stream && reinterpret_cast<uintptr_t>(out) % kVectorBytes == 0 &&
                           out_step % kVectorBytes == 0;
  switch (item) {
    case 1:
      return transpose_blocks<uint8_t>(
          out, out_step, in, in_step, rows, columns, 16,
          [=](char* o, const char* i) { transpose_small_block<uint8_t>(o, out_step, i, in_step); });
    case 2:
      return transpose_blocks<uint16_t>(out, out_step, in, in_step, rows, columns, 8,
                                        [=](char* o, const char* i) {
                                          transpose_small_block<uint16_t>(o, out_step, i, in_step);
                                        });
    case 4:
      return transpose_blocks<uint32_t>(
          out, out_step, in, in_step, rows, columns, kF, [=](char* o, const char* i) {
            transpose_block<float>(o, out_step, i, in_step, past_caches);
          });
    default:
      return transpose_blocks<uint64_t>(
          out, out_step, in, in_step, rows, columns, kD, [=](char* o, const char* i) {
            transpose_block<double>(o, out_step, i, in_step, past_caches);
          });
  }
}

}  // namespace mg::MG_ISA
