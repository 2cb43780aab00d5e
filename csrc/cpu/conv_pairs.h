// Products of pairs of bfloat16, added up in float32: twice the multiply-adds of float32 in an
// instruction. gather_product() of conv_core.h for them. Include from csrc/cpu/conv_pairs*.cpp
// only.
#pragma once

#include "cpu/conv_places.h"

namespace mg::MG_ISA {

MG_INLINE vf add_pairs(__m512i a, __m512i b, vf c) {
  return (vf)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b);
}

// sums[i][..] (+)= sum over steps of the pairs at from[i] + offset[step] times b[step][..]; `ahead`
// as in conv_channels.cpp
template <class T, int kVecs>
static void gather(const T* const* from, const int64_t* MG_RESTRICT offset, int64_t steps,
                   const uint32_t* MG_RESTRICT b, bool add, float* sums, const T* ahead) {
  vf acc[kTile][kVecs] = {};
  const T* place[kTile];
  for (int i = 0; i < kTile; ++i) place[i] = from[i];
  if (add) {
#pragma GCC unroll 16
    for (int i = 0; i < kTile; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) acc[i][v] = load(sums + (i * kVecs + v) * kF);
    }
  }
  for (int64_t k = 0; k < steps; ++k) {
    const int64_t at = offset[k];
    __builtin_prefetch(ahead + at, 0, 2);
    __m512i row[kVecs];
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) row[v] = _mm512_loadu_si512(b + v * kF);
#pragma GCC unroll 16
    for (int i = 0; i < kTile; ++i) {
      const __m512i x = _mm512_set1_epi32(load_as<int32_t>(place[i] + at));
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) acc[i][v] = add_pairs(x, row[v], acc[i][v]);
    }
    b += kVecs * kF;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) store(sums + (i * kVecs + v) * kF, acc[i][v]);
  }
}

template <class T>
static void gather_pairs(const T* const* from, const int64_t* offset, int64_t steps,
                         const uint32_t* b, int64_t width, bool add, float* sums, const T* ahead) {
  if (width > kF) {
    gather<T, 2>(from, offset, steps, b, add, sums, ahead);
  } else {
    gather<T, 1>(from, offset, steps, b, add, sums, ahead);
  }
}

// The gradient to the weight (conv_pairs_weight.cpp).
int64_t pairs_to_weight_workspace(const ConvShape& s);
void pairs_to_weight(bfloat16* w, const bfloat16* x, const bfloat16* g, const ConvShape& s,
                     void* base);

}  // namespace mg::MG_ISA
