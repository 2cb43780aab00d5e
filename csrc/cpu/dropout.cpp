// Dropout with Philox 4x32-10 (Salmon, Moraes, Dror, Shaw 2011): the mask is computed in registers
// beside the product, in forward and again in backward, and never stored.
#include "kernels/dropout.h"

#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {
namespace {

// One block of counters in each 64-bit lane, a word of it in the lane's low half. The product of
// two low halves ignores the high ones, so these may hold anything.
typedef uint64_t vw __attribute__((vector_size(kVectorBytes)));

constexpr int kStep = 4 * kD;        // elements of one call of `words`: two vectors of words
constexpr int64_t kGrain = 1 << 14;  // some 6 microseconds; a multiple of kStep

MG_INLINE vw set64(uint64_t x) { return x - vw{}; }

#if defined(__AVX512F__)
MG_INLINE vw multiply_low(vw a, vw b) { return (vw)_mm512_mul_epu32((__m512i)a, (__m512i)b); }
MG_INLINE vw even_pairs(vw a, vw b) { return (vw)_mm512_unpacklo_epi64((__m512i)a, (__m512i)b); }
MG_INLINE vw odd_pairs(vw a, vw b) { return (vw)_mm512_unpackhi_epi64((__m512i)a, (__m512i)b); }
#elif defined(__AVX2__)
MG_INLINE vw multiply_low(vw a, vw b) { return (vw)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
MG_INLINE vw even_pairs(vw a, vw b) { return (vw)_mm256_unpacklo_epi64((__m256i)a, (__m256i)b); }
MG_INLINE vw odd_pairs(vw a, vw b) { return (vw)_mm256_unpackhi_epi64((__m256i)a, (__m256i)b); }
#else
MG_INLINE vw multiply_low(vw a, vw b) { return (a & 0xffffffffu) * (b & 0xffffffffu); }
MG_INLINE vw even_pairs(vw a, vw b) { return vw{a[0], b[0]}; }
MG_INLINE vw odd_pairs(vw a, vw b) { return vw{a[1], b[1]}; }
#endif

struct Words {
  vu at[2];
};

// The kStep words of the kD blocks from `counter` on, in order. Lane 2 j computes block j and lane
// 2 j + 1 block kD / 2 + j, so that interleaving pairs of lanes leaves the blocks in order.
MG_INLINE Words words(uint64_t counter, uint64_t seed) {
  vw c0;
  for (int lane = 0; lane < kD; ++lane) {
    c0[lane] = static_cast<uint64_t>(lane / 2 + lane % 2 * (kD / 2));
  }
  c0 += set64(counter);
  vw c1 = c0 >> 32, c2 = {}, c3 = {};
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  const vw m0 = set64(0xD2511F53u), m1 = set64(0xCD9E8D57u);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const vw p0 = multiply_low(c0, m0), p1 = multiply_low(c2, m1);
    c0 = (p1 >> 32) ^ c1 ^ set64(k0);
    c1 = p1;
    c2 = (p0 >> 32) ^ c3 ^ set64(k1);
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const vw low = set64(0xffffffffu);
  const vw first = (c0 & low) | (c1 << 32), second = (c2 & low) | (c3 << 32);
  return {{(vu)even_pairs(first, second), (vu)odd_pairs(first, second)}};
}

MG_INLINE vi stays(vu word, uint32_t limit) { return (vi)(word <= (limit - vu{})); }

// The factor and the shift of the elements of a mask.
template <bool kShift>
struct Factors {
  vf scale, kept, dropped;
  MG_INLINE vf apply(const Factors& f, vf x, vi mask) {
    const vf y = x * (vf)(mask & (vi)f.scale);
    return kShift ? y + (mask ? f.kept : f.dropped) : y;
  }
};

template <class T>
MG_INLINE void put(T* p, vf v, bool) {
  store(p, v);
}
MG_INLINE void put(float* p, vf v, bool use_stream) {
  if (use_stream) {
    stream(p, v);
  } else {
    store(p, v);
  }
}

// Elements [begin, end) of an array; begin is a multiple of 4.
template <class T, bool kShift>
MG_INLINE void apply_range(T* out, const T* x, int64_t begin, int64_t end, const DropoutMask& mask,
                           const DropoutScale& s, bool use_stream) {
  const Factors<kShift> f = {set1(static_cast<float>(s.scale)), set1(static_cast<float>(s.kept)),
                             set1(static_cast<float>(s.dropped))};
  int64_t i = begin;
  uint64_t counter = mask.offset + static_cast<uint64_t>(begin / 4);
  for (; i + kStep <= end; i += kStep, counter += kD) {
    const Words w = words(counter, mask.seed);
    put(out + i, Factors<kShift>::apply(f, load(x + i), stays(w.at[0], mask.limit)), use_stream);
    put(out + i + kF, Factors<kShift>::apply(f, load(x + i + kF), stays(w.at[1], mask.limit)),
        use_stream);
  }
  if (i < end) {
    const Words w = words(counter, mask.seed);
    for (int half = 0; half < 2 && i < end; ++half, i += kF) {
      const int64_t n = min_of(end - i, kF);
      const vf v = load_partial(x + i, n);
      store_partial(out + i, Factors<kShift>::apply(f, v, stays(w.at[half], mask.limit)), n);
    }
  }
  if (use_stream) stream_fence();
}

template <bool kShift>
MG_INLINE void apply_range(double* out, const double* x, int64_t begin, int64_t end,
                           const DropoutMask& mask, const DropoutScale& s) {
  uint64_t counter = mask.offset + static_cast<uint64_t>(begin / 4);
  for (int64_t i = begin; i < end; i += kStep, counter += kD) {
    const Words w = words(counter, mask.seed);
    uint32_t word[kStep];
    __builtin_memcpy(word, &w, sizeof word);
    const int64_t n = min_of(end - i, kStep);
    for (int64_t j = 0; j < n; ++j) {
      const bool stay = word[j] <= mask.limit;
      const double y = x[i + j] * (stay ? s.scale : 0.0);
      out[i + j] = kShift ? y + (stay ? s.kept : s.dropped) : y;
    }
  }
}

template <class T>
void apply(T* out, const T* x, int64_t n, const DropoutMask& mask, const DropoutScale& s) {
  const bool aligned = reinterpret_cast<uintptr_t>(out) % kVectorBytes == 0;
  const bool use_stream = sizeof(T) == 4 && aligned && out != x && n * 4 >= kStreamBytes;
  const bool shift = s.kept != 0 || s.dropped != 0;
  parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
    if constexpr (sizeof(T) == 8) {
      if (shift) {
        apply_range<true>(out, x, begin, end, mask, s);
      } else {
        apply_range<false>(out, x, begin, end, mask, s);
      }
    } else if (shift) {
      apply_range<T, true>(out, x, begin, end, mask, s, use_stream);
    } else {
      apply_range<T, false>(out, x, begin, end, mask, s, use_stream);
    }
  });
}

void make_mask(uint8_t* out, int64_t n, const DropoutMask& mask) {
  typedef uint8_t vb __attribute__((vector_size(kF)));
  parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
    uint64_t counter = mask.offset + static_cast<uint64_t>(begin / 4);
    for (int64_t i = begin; i < end; i += kStep, counter += kD) {
      const Words w = words(counter, mask.seed);
      vb bytes[2];
      for (int half = 0; half < 2; ++half) {
        bytes[half] = __builtin_convertvector(stays(w.at[half], mask.limit) & 1, vb);
      }
      __builtin_memcpy(out + i, bytes, static_cast<size_t>(min_of(end - i, kStep)));
    }
  });
}

}  // namespace

extern const DropoutKernels kDropout = {
    make_mask, apply<float>, apply<double>, apply<half>, apply<bfloat16>,
};

}  // namespace mg::MG_ISA
