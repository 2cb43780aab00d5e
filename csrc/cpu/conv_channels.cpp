// Convolution's products with the vectors along the channels: a tile of places by two vectors of
// channels in registers. Each place is a pointer into the padded planes that is read at one offset
// after another, so no place is computed for nothing, wherever rows and images end.
#include "cpu/conv_places.h"

namespace mg::MG_ISA {
namespace {

// sums[i][..] (+)= sum over steps of from[i][offset[step]] * b[step][..]; what is read at `ahead`
// comes to the L2 meanwhile: steps lie too far apart for the hardware to foresee them.
template <class T, int kVecs>
void gather(const T* const* from, const int64_t* MG_RESTRICT offset, int64_t steps,
            const T* MG_RESTRICT b, bool add, T* sums, const T* ahead) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::lanes;
  V acc[kTile][kVecs] = {};
  const T* place[kTile];
  for (int i = 0; i < kTile; ++i) place[i] = from[i];
  if (add) {
#pragma GCC unroll 16
    for (int i = 0; i < kTile; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) acc[i][v] = load(sums + (i * kVecs + v) * L);
    }
  }
  for (int64_t k = 0; k < steps; ++k) {
    const int64_t at = offset[k];
    V row[kVecs];
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) row[v] = load(b + v * L);
#pragma GCC unroll 16
    for (int i = 0; i < kTile; ++i) {
      const V x = set1(place[i][at]);
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) acc[i][v] = fma(x, row[v], acc[i][v]);
    }
    __builtin_prefetch(ahead + at, 0, 2);
    b += kVecs * L;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) store(sums + (i * kVecs + v) * L, acc[i][v]);
  }
}

template <class T>
void gather_any(const T* const* from, const int64_t* offset, int64_t steps, const T* b,
                int64_t width, bool add, T* sums, const T* ahead) {
  if (width > Vec<T>::lanes) {
    gather<T, 2>(from, offset, steps, b, add, sums, ahead);
  } else {
    gather<T, 1>(from, offset, steps, b, add, sums, ahead);
  }
}

}  // namespace

void gather_product(const float* const* from, const int64_t* offset, int64_t steps, const float* b,
                    int64_t width, bool add, float* sums) {
  gather_any(from, offset, steps, b, width, add, sums, from[0]);
}
void gather_product(const double* const* from, const int64_t* offset, int64_t steps,
                    const double* b, int64_t width, bool add, double* sums) {
  gather_any(from, offset, steps, b, width, add, sums, from[0]);
}

void correlate_channels(const Correlation<float>& c) {
  correlate_places<float>(c, gather_any<float>);
}
void correlate_channels(const Correlation<double>& c) {
  correlate_places<double>(c, gather_any<double>);
}

}  // namespace mg::MG_ISA
