// Packing of strided matrices into the panels of gemm_core.h: MatrixA and MatrixB. A panel that
// runs across the lines of memory is turned in registers, a square of vectors at a time.
#pragma once

#include "cpu/gemm_core.h"
#include "cpu/transpose.h"

namespace mg::MG_ISA {

MG_INLINE float widened(float x) { return x; }
MG_INLINE double widened(double x) { return x; }
MG_INLINE float widened(half x) { return to_float(x); }
MG_INLINE float widened(bfloat16 x) { return to_float(x); }

// dst[d * kWide + w] = src[w * line + d] for w < width and d < depth; zero for the other w.
template <int kWide, class T, class Packed>
MG_INLINE void pack_turned(Packed* MG_RESTRICT dst, const T* src, int64_t line, int64_t width,
                           int64_t depth) {
  using V = typename Vec<Packed>::type;
  constexpr int L = Vec<Packed>::lanes;
  for (int64_t d = 0; d < depth; d += L, src += L, dst += L * kWide) {
    const int64_t steps = min_of(L, depth - d);
#pragma GCC unroll 1
    for (int w = 0; w < kWide; w += L) {
      const int lines = kWide - w < L ? kWide - w : L;
      V r[L];
      if (steps == L && width - w >= lines) {
        for (int i = 0; i < L; ++i) r[i] = i < lines ? load(src + (w + i) * line) : V{};
      } else {
        for (int i = 0; i < L; ++i) {
          r[i] = w + i < width ? load_partial(src + (w + i) * line, steps) : V{};
        }
      }
      turn(r);
      if (lines == L && steps == L) {
        for (int i = 0; i < L; ++i) store(dst + i * kWide + w, r[i]);
      } else if (kWide < L &&
                 d + L < depth) {  // what is stored too much, the next store overwrites
        for (int i = 0; i < L; ++i) store(dst + i * kWide, r[i]);
      } else {
        for (int i = 0; i < L; ++i) {
          if (i < steps) store_partial(dst + i * kWide + w, r[i], lines);
        }
      }
    }
  }
}

constexpr int kAhead = 16;  // rows: each lies in a line of its own, which no prefetcher foresees

// dst[d * kWide + w] = src[w + d * step] for w < width and d < depth; zero for the other w.
template <int kWide, class T, class Packed>
MG_INLINE void pack_copied(Packed* MG_RESTRICT dst, const T* src, int64_t step, int64_t width,
                           int64_t depth) {
  constexpr int L = Vec<Packed>::lanes;
  if (width == kWide && kWide % L == 0) {
    for (int64_t d = 0; d < depth; ++d, src += step, dst += kWide) {
#pragma GCC unroll 4
      for (int w = 0; w < kWide; w += L) __builtin_prefetch(src + kAhead * step + w);
#pragma GCC unroll 4
      for (int w = 0; w < kWide; w += L) store(dst + w, load(src + w));
    }
    return;
  }
  for (int64_t d = 0; d < depth; ++d, src += step, dst += kWide) {
#pragma GCC unroll 4
    for (int w = 0; w < kWide; w += L) {
      const int lanes = kWide - w < L ? kWide - w : L;
      store_partial(dst + w, load_partial(src + w, max_of(0, min_of(lanes, width - w))), lanes);
    }
  }
}

// `width` values (`line` apart) of each of `depth` steps (`step` apart) into dst[d * kWide + w],
// and zero where width <= w < kWide.
template <int kWide, class T, class Packed>
MG_INLINE void pack_panel(Packed* MG_RESTRICT dst, const T* src, int64_t line, int64_t step,
                          int64_t width, int64_t depth) {
  if (line == 1) return pack_copied<kWide>(dst, src, step, width, depth);
  if (step == 1) return pack_turned<kWide>(dst, src, line, width, depth);
  for (int64_t d = 0; d < depth; ++d, src += step, dst += kWide) {
    for (int64_t w = 0; w < width; ++w) dst[w] = widened(src[w * line]);
    for (int64_t w = width; w < kWide; ++w) dst[w] = 0;
  }
}

// Rows of a matrix into `panels` panels of kWide columns, a whole row at a time: memory is read in
// longer runs than panel by panel.
template <int kWide, class T, class Packed>
MG_INLINE void pack_rows(Packed* MG_RESTRICT dst, const T* src, int64_t step, int64_t panels,
                         int64_t depth) {
  constexpr int L = Vec<Packed>::lanes;
  const int64_t ahead = max_of(2, 2 * kAhead / max_of(1, panels)) * step;
  for (int64_t d = 0; d < depth; ++d, src += step, dst += kWide) {
    for (int64_t p = 0; p < panels; ++p) {
#pragma GCC unroll 4
      for (int w = 0; w < kWide; w += L) {
        __builtin_prefetch(src + ahead + p * kWide + w);
        store(dst + p * kWide * depth + w, load(src + p * kWide + w));
      }
    }
  }
}

template <class Tr, class T>
struct MatrixA {
  const T* data;
  int64_t rs, cs;
  void operator()(typename Tr::Packed* dst, int64_t i0, int64_t mr, int64_t k0, int64_t kc) const {
    pack_panel<Tr::kMR>(dst, data + i0 * rs + k0 * cs, rs, cs, mr, kc);
  }
};

template <class Tr, class T>
struct MatrixB {
  const T* data;
  int64_t rs, cs;
  void operator()(typename Tr::Packed* dst, int64_t k0, int64_t kc, int64_t j0, int64_t nr) const {
    pack_panel<Tr::kNR>(dst, data + k0 * rs + j0 * cs, cs, rs, nr, kc);
  }
  // Where an element lies, the cache lines of n columns of a row (0 if they lie apart), the bytes
  // from row to row.
  const char* at(int64_t k, int64_t j) const {
    return reinterpret_cast<const char*>(data + k * rs + j * cs);
  }
  int64_t lines(int64_t n) const { return cs == 1 ? ceil_div(n * int64_t{sizeof(T)}, 64) : 0; }
  int64_t row_bytes() const { return rs * int64_t{sizeof(T)}; }
  // The same for any number of columns, one panel after the other.
  void wide(typename Tr::Packed* dst, int64_t k0, int64_t kc, int64_t j0, int64_t n) const {
    int64_t j = 0;
    if (cs == 1) {
      j = n / Tr::kNR * Tr::kNR;
      pack_rows<Tr::kNR>(dst, data + k0 * rs + j0, rs, n / Tr::kNR, kc);
    }
    for (; j < n; j += Tr::kNR) {
      (*this)(dst + j * kc, k0, kc, j0 + j, min_of(int64_t{Tr::kNR}, n - j));
    }
  }
};

#if defined(__AVX512BF16__)
// The same for pairs of bfloat16: dst[d / 2 * kWide + w] holds steps d and d + 1.
template <int kWide>
MG_INLINE void pack_pairs(uint32_t* MG_RESTRICT dst, const bfloat16* src, int64_t line,
                          int64_t step, int64_t width, int64_t depth) {
  const int64_t pairs = depth / 2;
  if (line == 1) {
    for (int64_t d = 0; d < pairs; ++d) {
      const bfloat16* even = src + 2 * d * step;
#pragma GCC unroll 2
      for (int w = 0; w < kWide; w += 16) {
        const int64_t n = max_of(0, min_of(16, width - w));
        check_lanes(even + w, n);
        check_lanes(even + step + w, n);
        check_lanes(dst + d * kWide + w, min_of(16, kWide - w));
        const __mmask16 in = first_lanes(n);
        const __m512i lo = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(in, even + w));
        const __m512i hi = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(in, even + step + w));
        _mm512_mask_storeu_epi32(dst + d * kWide + w, first_lanes(min_of(16, kWide - w)),
                                 _mm512_or_si512(lo, _mm512_slli_epi32(hi, 16)));
      }
    }
  } else if (step == 1 && line % 2 == 0) {  // the pairs as they lie in memory
    pack_turned<kWide>(reinterpret_cast<float*>(dst), reinterpret_cast<const float*>(src), line / 2,
                       width, pairs);
  } else {
    for (int64_t d = 0; d < pairs; ++d) {
      const bfloat16* even = src + 2 * d * step;
      for (int64_t w = 0; w < width; ++w) {
        dst[d * kWide + w] = even[w * line].bits | static_cast<uint32_t>(even[w * line + step].bits)
                                                       << 16;
      }
      for (int64_t w = width; w < kWide; ++w) dst[d * kWide + w] = 0;
    }
  }
  if (depth % 2) {
    uint32_t* last = dst + pairs * kWide;
    for (int64_t w = 0; w < width; ++w) last[w] = src[w * line + (depth - 1) * step].bits;
    for (int64_t w = width; w < kWide; ++w) last[w] = 0;
  }
}

template <>
struct MatrixA<Bf16Dot, bfloat16> {
  const bfloat16* data;
  int64_t rs, cs;
  void operator()(uint32_t* dst, int64_t i0, int64_t mr, int64_t k0, int64_t kc) const {
    pack_pairs<Bf16Dot::kMR>(dst, data + i0 * rs + k0 * cs, rs, cs, mr, kc);
  }
};

template <>
struct MatrixB<Bf16Dot, bfloat16> {
  const bfloat16* data;
  int64_t rs, cs;
  void operator()(uint32_t* dst, int64_t k0, int64_t kc, int64_t j0, int64_t nr) const {
    pack_pairs<Bf16Dot::kNR>(dst, data + k0 * rs + j0 * cs, cs, rs, nr, kc);
  }
};
#endif

}  // namespace mg::MG_ISA
