// The blocked matrix product: five loops and two packings around one register-blocked micro-kernel.
// Packing is pluggable: a product whose operands are not plain matrices (convolution) gives its
// own.
//
//   C (m, n) = alpha * A (m, k) B (k, n) + beta * C  [+ bias (n)] [relu]
//
// `Tr` is F32, F64 or Bf16Dot (where the instruction set has it); C is row-major in Tr::Out with
// row stride c_rs. Include from csrc/cpu/*.cpp only. To use it:
//
//   struct PackRows {  // A: one panel of mr <= Tr::kMR rows, kc <= Tr::kKC columns
//     void operator()(Tr::Packed* dst, int64_t i0, int64_t mr, int64_t k0, int64_t kc) const;
//   };  // dst[k * Tr::kMR + i] = A[i0 + i][k0 + k]; places with i >= mr may stay as they are
//   struct PackColumns {  // B: one panel of nr <= Tr::kNR columns
//     void operator()(Tr::Packed* dst, int64_t k0, int64_t kc, int64_t j0, int64_t nr) const;
//   };  // dst[k * Tr::kNR + j] = B[k0 + k][j0 + j], and zero where nr <= j < Tr::kNR
//
//   Product<Tr::Out> p = {c, c_rs, m, n, k, alpha, beta, bias, relu, workspace};
//   blocked_product<Tr>(p, PackRows{...}, PackColumns{...});
//
// The workspace is of core_workspace<Tr>(m, n, k) bytes.
//
// Both functors are called from several threads. Bf16Dot packs two neighbouring k in one uint32
// (the even one in the low half, kc rounded up to even with zeros): dst[k / 2 * kMR + i].
//
// Every element of C is summed over k in one order, in equal chunks of at most kKC, whatever tile
// and thread computes it: the result does not depend on the number of threads. alpha scales each
// chunk.
#pragma once

#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {

// ---- block sizes ----
//
//        kMR x kNR   accumulators fill the registers: 14 x 2 of 32 with AVX-512, 6 x 2 of 16 below,
//                    which leaves two for a row of B and one for the broadcast of A
//        kKC         the most steps of k at a time: a panel of A stays in L1, one of B streams from
//                    L2; longer chunks mean fewer passes over C
//        kTileM/N    rows and columns of a task's tile: its blocks of A and B, kKC deep, fit the L2
//        kSuper      rows of A, columns of B packed at a time: both stay in the L3
#if defined(__AVX512F__)
constexpr int kRowsOfTile = 14;
#else
constexpr int kRowsOfTile = 6;
#endif
constexpr int kDirectRows = kRowsOfTile > 6 ? 8 : 4;  // row offsets of A stay in registers
constexpr int kTileM = 168 / kRowsOfTile;             // 12 or 28 panels: 168 rows
constexpr int kTileN = 192;                           // columns
constexpr int64_t kSuperRows = 168 * 20;
constexpr int64_t kSuperColumns = 192 * 16;

struct F32 {
  using Packed = float;
  using Out = float;
  using V = vf;
  using P = vf;
  static constexpr int kLanes = kF, kMR = kRowsOfTile, kNV = 2, kNR = kNV * kF, kKC = 512,
                       kPair = 1;
  MG_INLINE P load_b(const float* p) { return load(p); }
  MG_INLINE P load_b_partial(const float* p, int64_t n) { return load_partial(p, n); }
  MG_INLINE P broadcast(const float* p) { return set1(*p); }
  MG_INLINE V mac(P a, P b, V c) { return fma(a, b, c); }
};

struct F64 {
  using Packed = double;
  using Out = double;
  using V = vd;
  using P = vd;
  static constexpr int kLanes = kD, kMR = kRowsOfTile, kNV = 2, kNR = kNV * kD, kKC = 256,
                       kPair = 1;
  MG_INLINE P load_b(const double* p) { return load(p); }
  MG_INLINE P load_b_partial(const double* p, int64_t n) { return load_partial(p, n); }
  MG_INLINE P broadcast(const double* p) { return set1(*p); }
  MG_INLINE V mac(P a, P b, V c) { return fma(a, b, c); }
};

#if defined(__AVX512BF16__)
// Products of pairs of bfloat16, added to float32: twice the rate of F32.
struct Bf16Dot {
  using Packed = uint32_t;
  using Out = float;
  using V = vf;
  using P = __m512i;
  static constexpr int kLanes = kF, kMR = kRowsOfTile, kNV = 2, kNR = kNV * kF, kKC = 1024,
                       kPair = 2;
  MG_INLINE P load_b(const uint32_t* p) { return _mm512_loadu_si512(p); }
  MG_INLINE P load_b_partial(const uint32_t* p, int64_t n) {
    check_lanes(p, n);
    return _mm512_maskz_loadu_epi32(first_lanes(n), p);
  }
  MG_INLINE P broadcast(const uint32_t* p) { return _mm512_set1_epi32(static_cast<int>(*p)); }
  MG_INLINE V mac(P a, P b, V c) {
    return (vf)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b);
  }
};
#endif

// A result in 16 bits: C then holds the sums of earlier chunks of k only (`product_sums` of them).
struct HalfResult {
  uint16_t* out;  // (m, n)
  int64_t rs;
  DType dtype;
  float beta;            // of `out`; the product's own beta is 0, its bias null
  const uint16_t* bias;  // (n) or nullptr
  bool relu;
};

// Memory that is read next, brought to the L2 bit by bit while something else is computed: what
// lies in other places than the hardware foresees comes at the latency of memory otherwise.
struct Ahead {
  const char* at;
  int64_t lines, each;  // left, and at a time
};
// Part `i` of `parts` of `bytes` at `data`, in `times` steps.
MG_INLINE Ahead ahead_of(const void* data, int64_t bytes, int64_t i, int64_t parts, int64_t times) {
  const int64_t all = ceil_div(bytes, 64), first = all * i / parts;
  const int64_t lines = all * (i + 1) / parts - first;
  return {static_cast<const char*>(data) + first * 64, lines, ceil_div(lines, times)};
}
MG_INLINE void step(Ahead& a) {
  for (int64_t i = 0; i < a.each && a.lines > 0; ++i, --a.lines, a.at += 64) {
    __builtin_prefetch(a.at, 0, 2);
  }
}

// The operands of a product that follows; none where bytes is 0.
struct Following {
  const void *a = nullptr, *b = nullptr;
  int64_t a_bytes = 0, b_bytes = 0;
};

template <class Out>
struct Product {
  Out* c;  // (m, n)
  int64_t c_rs;
  int64_t m, n, k;
  Out alpha, beta;  // C is not read when beta is 0
  const Out* bias;  // (n) or nullptr
  bool relu;
  void* workspace;  // core_workspace<Tr>(m, n, k) bytes, 64-byte aligned
  const HalfResult* half = nullptr;
  bool stream = false;  // C is beyond the caches and takes longer to write than to compute
  Following next = {};
};

// ---- the micro-kernel ----

// One tile of C. The packed form reads panels; the direct form reads A[i * a_row + k * a_step] and
// rows of B, b_step apart, in place.
template <class Tr>
struct Tile {
  const typename Tr::Packed* a;
  const typename Tr::Packed* b;
  int64_t a_row, a_step, b_step;  // direct form only
  int64_t steps;                  // over k (over pairs of k for Bf16Dot)
  typename Tr::Out* c;
  int64_t c_rs;
  int64_t tail;  // columns of the last vector, 1 ... lanes
  typename Tr::Out alpha, beta;
  const typename Tr::Out* bias;
  bool relu;
  bool plain;              // the sums are stored as they are, or added if beta is 1
  bool stream;             // they go past the caches: whole vectors of C, aligned
  const HalfResult* half;  // where the last chunk goes, or nullptr
  uint16_t* half_out;
  const uint16_t* half_bias;
  const char* ahead;  // packed form only: a line every ahead_step bytes is fetched at each step
  int64_t ahead_step;
};

template <class Tr, int kVecs>
MG_INLINE void finish_row(const Tile<Tr>& t, const typename Tr::Out* acc, typename Tr::Out* c) {
  using V = typename Tr::V;
  constexpr int L = Tr::kLanes;
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; ++v) {
    const bool partial = v == kVecs - 1 && t.tail < L;
    V x = load(acc + v * L);
    if (t.alpha != 1) x = x * t.alpha;
    if (t.beta != 0) {
      const V old = partial ? load_partial(c + v * L, t.tail) : load(c + v * L);
      x = t.beta == 1 ? x + old : fma(old, set1(t.beta), x);
    }
    if (t.bias) x = x + (partial ? load_partial(t.bias + v * L, t.tail) : load(t.bias + v * L));
    if (t.relu) x = max(V{}, x);
    if (partial) {
      store_partial(c + v * L, x, t.tail);
    } else {
      store(c + v * L, x);
    }
  }
}

template <class T, class Tr, int kVecs>
MG_INLINE void finish_half(const Tile<Tr>& t, const float* acc, int64_t i) {
  const float* c = t.c + i * t.c_rs;
  T* out = reinterpret_cast<T*>(t.half_out + i * t.half->rs);
  const T* bias = reinterpret_cast<const T*>(t.half_bias);
  for (int v = 0; v < kVecs; ++v) {
    const int64_t at = v * kF, n = v == kVecs - 1 ? t.tail : kF;
    vf x = load(acc + at) * t.alpha;
    if (t.beta != 0) x = x + load_partial(c + at, n);
    if (t.half->beta != 0) x = fma(load_partial(out + at, n), set1(t.half->beta), x);
    if (bias) x = x + load_partial(bias + at, n);
    if (t.half->relu) x = max(vf{}, x);
    store_partial(out + at, x, n);
  }
}

// Writes a tile of sums to C. One function for all micro-kernels of a width: unrolled into each of
// them it would be most of the code, and of the time to compile it.
template <class Tr, int kVecs>
__attribute__((noinline)) static void finish_tile(const Tile<Tr>& t, const typename Tr::Out* acc,
                                                  int rows) {
  if constexpr (sizeof(typename Tr::Out) == 4) {
    for (int i = 0; t.half && i < rows; ++i) {
      const float* sums = acc + i * kVecs * Tr::kLanes;
      if (t.half->dtype == DType::kFloat16) {
        finish_half<half, Tr, kVecs>(t, sums, i);
      } else {
        finish_half<bfloat16, Tr, kVecs>(t, sums, i);
      }
    }
    if (t.half) return;
  }
  for (int i = 0; i < rows; ++i) {
    finish_row<Tr, kVecs>(t, acc + i * kVecs * Tr::kLanes, t.c + i * t.c_rs);
  }
}

template <class Tr, int kRows, int kVecs, bool kDirect, bool kTail>
static void micro(const Tile<Tr>& t) {
  using Packed = typename Tr::Packed;
  using V = typename Tr::V;
  using P = typename Tr::P;
  constexpr int L = Tr::kLanes;
  const int64_t a_row = kDirect ? t.a_row : 1;
  const int64_t a_step = kDirect ? t.a_step : Tr::kMR;
  const int64_t b_step = kDirect ? t.b_step : Tr::kNR;
  const Packed* MG_RESTRICT a = t.a;
  const Packed* MG_RESTRICT b = t.b;
  const char* ahead = t.ahead;
  V acc[kRows][kVecs] = {};
  if (!kDirect) {  // C is needed at the end
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) __builtin_prefetch(t.c + i * t.c_rs + v * L, 1);
    }
  }
  for (int64_t step = 0; step < t.steps; ++step) {
    P row[kVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) {
      row[v] =
          kTail && v == kVecs - 1 ? Tr::load_b_partial(b + v * L, t.tail) : Tr::load_b(b + v * L);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const P x = Tr::broadcast(a + i * a_row);
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) acc[i][v] = Tr::mac(x, row[v], acc[i][v]);
    }
    a += a_step;
    b += b_step;
    if (!kDirect) {
      __builtin_prefetch(ahead, 0, 2);
      ahead += t.ahead_step;
    }
  }
  if (kVecs == 2 && kRows == (kDirect ? kDirectRows : Tr::kMR) && t.plain && t.tail == L) {
    typename Tr::Out* c = t.c;  // most tiles of most products
    if (t.beta != 0) {
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; ++v) acc[i][v] = acc[i][v] + load(c + i * t.c_rs + v * L);
      }
    }
    if (kDirect && t.stream) {
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; ++v) stream(c + i * t.c_rs + v * L, acc[i][v]);
      }
      return;
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) store(c + i * t.c_rs + v * L, acc[i][v]);
    }
    return;
  }
  alignas(64) typename Tr::Out sums[kRows * kVecs * L];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) store(sums + (i * kVecs + v) * L, acc[i][v]);
  }
  finish_tile<Tr, kVecs>(t, sums, kRows);
}

// The micro-kernel for `rows` <= kRows rows; the fullest first, because most tiles are full.
template <class Tr, int kRows, int kVecs, bool kDirect, bool kTail>
MG_INLINE void micro_rows(int64_t rows, const Tile<Tr>& t) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return micro_rows<Tr, kRows - 1, kVecs, kDirect, kTail>(rows, t);
  }
  micro<Tr, kRows, kVecs, kDirect, kTail>(t);
}

template <class Tr>
MG_INLINE void packed_tile(int64_t rows, int64_t columns, Tile<Tr>& t) {
  constexpr int L = Tr::kLanes;
  if (columns > L) {
    t.tail = columns - L;
    micro_rows<Tr, Tr::kMR, 2, false, false>(rows, t);
  } else {
    t.tail = columns;
    micro_rows<Tr, Tr::kMR, 1, false, false>(rows, t);
  }
}

// ---- the five loops ----

MG_INLINE int64_t round_up(int64_t n, int64_t unit) { return ceil_div(n, unit) * unit; }

// k is cut into equal chunks (even ones, for pairs) of at most Tr::kKC.
template <class Tr>
MG_INLINE int64_t chunk_of(int64_t k) {
  return round_up(ceil_div(k, max_of(1, ceil_div(k, int64_t{Tr::kKC}))), Tr::kPair);
}

template <class Tr>
MG_INLINE int64_t packed_depth(int64_t k) {  // entries of a panel's row over a chunk of k
  return ceil_div(chunk_of<Tr>(k), Tr::kPair);
}

// Bytes of workspace for blocked_product.
template <class Tr>
MG_INLINE int64_t core_workspace(int64_t m, int64_t n, int64_t k) {
  const int64_t rows = round_up(min_of(m, kSuperRows), Tr::kMR);
  const int64_t columns = round_up(min_of(n, kSuperColumns), Tr::kNR);
  return (rows + columns) * packed_depth<Tr>(k) * int64_t{sizeof(typename Tr::Packed)} + 64;
}

// Elements of C that a product with a HalfResult needs: none if k is one chunk.
template <class Tr>
MG_INLINE int64_t product_sums(int64_t m, int64_t n, int64_t k) {
  return k > Tr::kKC ? round_up(m * n, 16) : 0;
}

// Below this many multiply-adds a call stays on its thread: waking another costs up to 20 us.
constexpr int64_t kWorthThreads = 1 << 20;

template <class Tr, class PackA, class PackB>
static void blocked_product(const Product<typename Tr::Out>& p, const PackA& pack_a,
                            const PackB& pack_b) {
  using Packed = typename Tr::Packed;
  constexpr int64_t MR = Tr::kMR, NR = Tr::kNR;
  const int64_t chunk = chunk_of<Tr>(p.k);
  const int64_t depth = packed_depth<Tr>(p.k);
  Packed* const a_panels = static_cast<Packed*>(p.workspace);
  Packed* const b_panels =  // behind the panels of A, on a cache line
      a_panels +
      round_up(round_up(min_of(p.m, kSuperRows), MR) * depth, 64 / int64_t{sizeof(Packed)});
  for (int64_t j0 = 0; j0 < p.n; j0 += kSuperColumns) {
    const int64_t nc = min_of(p.n - j0, kSuperColumns), n_panels = ceil_div(nc, NR);
    for (int64_t i0 = 0; i0 < p.m; i0 += kSuperRows) {
      const int64_t mc = min_of(p.m - i0, kSuperRows), m_panels = ceil_div(mc, MR);
      const bool threads = mc * nc * p.k >= kWorthThreads;
      // Tiles: at least 16 tasks, so that the threads end together, but not below 2 x 2 panels.
      int64_t tile_m = min_of(kTileM, m_panels), tile_n = min_of(kTileN / NR, n_panels);
      while (threads && ceil_div(m_panels, tile_m) * ceil_div(n_panels, tile_n) < 16) {
        if (tile_m * MR >= tile_n * NR && tile_m > 2) {
          tile_m = ceil_div(tile_m, 2);
        } else if (tile_n > 2) {
          tile_n = ceil_div(tile_n, 2);
        } else if (tile_m > 2) {
          tile_m = ceil_div(tile_m, 2);
        } else {
          break;
        }
      }
      tile_m = ceil_div(m_panels, ceil_div(m_panels, tile_m));  // even tiles
      tile_n = ceil_div(n_panels, ceil_div(n_panels, tile_n));
      const int64_t tiles_n = ceil_div(n_panels, tile_n);
      const int64_t tiles = ceil_div(m_panels, tile_m) * tiles_n;
      for (int64_t k0 = 0; k0 < p.k; k0 += chunk) {
        const int64_t kc = min_of(p.k - k0, chunk), steps = ceil_div(kc, Tr::kPair);
        const int64_t panels = m_panels + n_panels;
        parallel_for(
            panels, threads ? max_of(1, 16384 / (kc * MR)) : panels,
            [&](int64_t begin, int64_t end) {
              for (int64_t q = begin; q < end; ++q) {
                if (q < m_panels) {
                  pack_a(a_panels + q * MR * steps, i0 + q * MR, min_of(MR, mc - q * MR), k0, kc);
                } else {
                  const int64_t r = q - m_panels;
                  pack_b(b_panels + r * NR * steps, k0, kc, j0 + r * NR, min_of(NR, nc - r * NR));
                }
              }
            });
        const bool last = k0 + kc == p.k;
        parallel_for(tiles, threads ? 1 : tiles, [&](int64_t begin, int64_t end) {
          Tile<Tr> t = {};
          t.steps = steps;
          t.c_rs = p.c_rs;
          t.alpha = p.alpha;
          t.beta = k0 == 0 ? p.beta : 1;
          t.relu = last && p.relu;
          t.plain = p.alpha == 1 && (t.beta == 0 || t.beta == 1) &&
                    !(last && (p.bias || p.relu || p.half));
          t.half = last ? p.half : nullptr;
          for (int64_t q = begin; q < end; ++q) {
            const int64_t m0 = q / tiles_n * tile_m, m1 = min_of(m0 + tile_m, m_panels);
            const int64_t n0 = q % tiles_n * tile_n, n1 = min_of(n0 + tile_n, n_panels);
            for (int64_t jr = n0; jr < n1; ++jr) {
              const int64_t j = j0 + jr * NR;
              t.b = b_panels + jr * NR * steps;
              t.bias = last && p.bias ? p.bias + j : nullptr;
              for (int64_t ir = m0; ir < m1; ++ir) {
                t.a = a_panels + ir * MR * steps;
                t.ahead = reinterpret_cast<const char*>(t.a);
                t.c = p.c + (i0 + ir * MR) * p.c_rs + j;
                if (t.half) {
                  t.half_out = t.half->out + (i0 + ir * MR) * t.half->rs + j;
                  t.half_bias = t.half->bias ? t.half->bias + j : nullptr;
                }
                packed_tile<Tr>(min_of(MR, mc - ir * MR), min_of(NR, nc - jr * NR), t);
              }
            }
          }
        });
      }
    }
  }
}

// C = beta * C + bias, relu: what is left of a product whose k is 0.
template <class Out>
static void empty_product(const Product<Out>& p) {
  for (int64_t i = 0; i < p.m; ++i) {
    Out* c = p.c + i * p.c_rs;
    for (int64_t j = 0; j < p.n; ++j) {
      Out x = p.beta == 0 ? Out{0} : p.beta * c[j];
      if (p.bias) x += p.bias[j];
      if (p.relu && x < 0) x = 0;
      c[j] = x;
    }
  }
}

}  // namespace mg::MG_ISA
