// One vector type per element type, as wide as the instruction set being compiled for, so that a
// kernel is written once. `vf` holds kF floats, `vd` kD doubles, `vi` kF int32; + - * / compare and
// `mask ? a : b` are the compiler's own vector operators. Include only from csrc/cpu/*.cpp.
#pragma once

#include "common.h"

#if defined(__x86_64__)
// GCC 12 warns of the "undefined" registers inside its own AVX-512 header.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif

namespace mg::MG_ISA {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;  // SSE4.2, NEON or whatever the compiler makes of it
#endif
constexpr int kF = kVectorBytes / 4;  // lanes of vf and vi
constexpr int kD = kVectorBytes / 8;  // lanes of vd

typedef float vf __attribute__((vector_size(kVectorBytes)));
typedef double vd __attribute__((vector_size(kVectorBytes)));
typedef int32_t vi __attribute__((vector_size(kVectorBytes)));
typedef uint32_t vu __attribute__((vector_size(kVectorBytes)));
typedef int64_t vl __attribute__((vector_size(kVectorBytes)));  // kD int64
typedef uint64_t vul __attribute__((vector_size(kVectorBytes)));
typedef uint16_t vh __attribute__((vector_size(kVectorBytes / 2)));  // kF half-precision patterns

// Vec<float>::type is vf with Vec<float>::lanes lanes: for kernels that are templates of the type.
template <class T>
struct Vec;
template <>
struct Vec<float> {
  using type = vf;
  static constexpr int lanes = kF;
};
template <>
struct Vec<double> {
  using type = vd;
  static constexpr int lanes = kD;
};

// ---- broadcast, load and store (no alignment needed) ----

// AddressSanitizer does not see what masked and streaming instructions touch: show it both ends.
template <class T>
MG_INLINE void check_lanes([[maybe_unused]] const T* p, [[maybe_unused]] int64_t n) {
#if defined(__SANITIZE_ADDRESS__)
  const volatile char* bytes = reinterpret_cast<const volatile char*>(p);
  if (n > 0) (void)bytes[0], (void)bytes[n * static_cast<int64_t>(sizeof(T)) - 1];
#endif
}

MG_INLINE vf set1(float x) { return x - vf{}; }  // x - 0 keeps the sign of zero
MG_INLINE vd set1(double x) { return x - vd{}; }
MG_INLINE vi set1(int32_t x) { return x - vi{}; }

template <class V, class T>
MG_INLINE V load_as(const T* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
MG_INLINE vf load(const float* p) { return load_as<vf>(p); }
MG_INLINE vd load(const double* p) { return load_as<vd>(p); }
MG_INLINE vi load(const int32_t* p) { return load_as<vi>(p); }
MG_INLINE void store(float* p, vf v) { __builtin_memcpy(p, &v, sizeof v); }
MG_INLINE void store(double* p, vd v) { __builtin_memcpy(p, &v, sizeof v); }
MG_INLINE void store(int32_t* p, vi v) { __builtin_memcpy(p, &v, sizeof v); }

// Fresh results from here on do not stay in the caches: writing past them saves reading them first.
constexpr int64_t kStreamBytes = 16 << 20;

// Past the caches, for outputs too large to stay in them; p must be aligned to kVectorBytes.
// End the chunk with stream_fence().
template <class V, class T>
MG_INLINE void stream_as(T* p, V v) {
  check_lanes(p, sizeof v / sizeof(T));
#if defined(__AVX512F__)
  _mm512_stream_si512(reinterpret_cast<__m512i*>(p), (__m512i)v);
#elif defined(__AVX2__)
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p), (__m256i)v);
#elif defined(__SSE2__)
  _mm_stream_si128(reinterpret_cast<__m128i*>(p), (__m128i)v);
#else
  __builtin_memcpy(p, &v, sizeof v);
#endif
}
MG_INLINE void stream(float* p, vf v) { stream_as(p, v); }
MG_INLINE void stream(double* p, vd v) { stream_as(p, v); }
MG_INLINE void stream_fence() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

// ---- tails: the first n lanes, 0 <= n <= lanes; missing lanes load as zero ----

#if defined(__AVX512F__)
MG_INLINE __mmask16 first_lanes(int64_t n) {
  return static_cast<__mmask16>(_bzhi_u32(0xffffu, static_cast<unsigned>(n)));
}
MG_INLINE vf load_partial(const float* p, int64_t n) {
  check_lanes(p, n);
  return (vf)_mm512_maskz_loadu_ps(first_lanes(n), p);
}
MG_INLINE vd load_partial(const double* p, int64_t n) {
  check_lanes(p, n);
  return (vd)_mm512_maskz_loadu_pd(static_cast<__mmask8>(first_lanes(n)), p);
}
MG_INLINE void store_partial(float* p, vf v, int64_t n) {
  check_lanes(p, n);
  _mm512_mask_storeu_ps(p, first_lanes(n), (__m512)v);
}
MG_INLINE void store_partial(double* p, vd v, int64_t n) {
  check_lanes(p, n);
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>(first_lanes(n)), (__m512d)v);
}
#elif defined(__AVX2__)
MG_INLINE __m256i first_lanes32(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
MG_INLINE __m256i first_lanes64(int64_t n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
MG_INLINE vf load_partial(const float* p, int64_t n) {
  check_lanes(p, n);
  return (vf)_mm256_maskload_ps(p, first_lanes32(n));
}
MG_INLINE vd load_partial(const double* p, int64_t n) {
  check_lanes(p, n);
  return (vd)_mm256_maskload_pd(p, first_lanes64(n));
}
MG_INLINE void store_partial(float* p, vf v, int64_t n) {
  check_lanes(p, n);
  _mm256_maskstore_ps(p, first_lanes32(n), (__m256)v);
}
MG_INLINE void store_partial(double* p, vd v, int64_t n) {
  check_lanes(p, n);
  _mm256_maskstore_pd(p, first_lanes64(n), (__m256d)v);
}
#else
MG_INLINE vf load_partial(const float* p, int64_t n) {
  vf v = {};
  for (int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
MG_INLINE vd load_partial(const double* p, int64_t n) {
  vd v = {};
  for (int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
MG_INLINE void store_partial(float* p, vf v, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = v[i];
}
MG_INLINE void store_partial(double* p, vd v, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = v[i];
}
#endif

// The lanes of a comparison's result as the bits of a number.
MG_INLINE unsigned lane_bits(vi mask) {
#if defined(__AVX512F__)
  return _mm512_cmplt_epi32_mask((__m512i)mask, _mm512_setzero_si512());
#elif defined(__AVX2__)
  return static_cast<unsigned>(_mm256_movemask_ps((__m256)mask));
#elif defined(__SSE2__)
  return static_cast<unsigned>(_mm_movemask_ps((__m128)mask));
#else
  unsigned bits = 0;
  for (int i = 0; i < kF; ++i) bits |= static_cast<unsigned>(mask[i] < 0) << i;
  return bits;
#endif
}

MG_INLINE unsigned lane_bits(vl mask) {
#if defined(__AVX512F__)
  return _mm512_cmplt_epi64_mask((__m512i)mask, _mm512_setzero_si512());
#elif defined(__AVX2__)
  return static_cast<unsigned>(_mm256_movemask_pd((__m256d)mask));
#elif defined(__SSE2__)
  return static_cast<unsigned>(_mm_movemask_pd((__m128d)mask));
#else
  unsigned bits = 0;
  for (int i = 0; i < kD; ++i) bits |= static_cast<unsigned>(mask[i] < 0) << i;
  return bits;
#endif
}

// ---- arithmetic ----

// a * b + c. Fused where the instruction set has it; two roundings on the x86-64 baseline.
MG_INLINE vf fma(vf a, vf b, vf c) {
#if defined(__AVX512F__)
  return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
  return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}
MG_INLINE vd fma(vd a, vd b, vd c) {
#if defined(__AVX512F__)
  return (vd)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__FMA__)
  return (vd)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#else
  return a * b + c;
#endif
}

// As x86 has it: b where either is NaN. Put the value whose NaN must survive second.
MG_INLINE vf min(vf a, vf b) { return a < b ? a : b; }
MG_INLINE vf max(vf a, vf b) { return a > b ? a : b; }
MG_INLINE vd min(vd a, vd b) { return a < b ? a : b; }
MG_INLINE vd max(vd a, vd b) { return a > b ? a : b; }

MG_INLINE vf abs(vf a) { return (vf)((vi)a & 0x7fffffff); }
MG_INLINE vf copysign(vf a, vf b) {
  const vi sign = set1(INT32_MIN);
  return (vf)(((vi)a & ~sign) | ((vi)b & sign));
}
MG_INLINE vd copysign(vd a, vd b) {
  const vl sign = vl{} + INT64_MIN;
  return (vd)(((vl)a & ~sign) | ((vl)b & sign));
}

MG_INLINE vf sqrt(vf a) {
#if defined(__AVX512F__)
  return (vf)_mm512_sqrt_ps((__m512)a);
#elif defined(__AVX2__)
  return (vf)_mm256_sqrt_ps((__m256)a);
#elif defined(__SSE2__)
  return (vf)_mm_sqrt_ps((__m128)a);
#else
  for (int i = 0; i < kF; ++i) a[i] = __builtin_sqrtf(a[i]);
  return a;
#endif
}
MG_INLINE vd sqrt(vd a) {
#if defined(__AVX512F__)
  return (vd)_mm512_sqrt_pd((__m512d)a);
#elif defined(__AVX2__)
  return (vd)_mm256_sqrt_pd((__m256d)a);
#elif defined(__SSE2__)
  return (vd)_mm_sqrt_pd((__m128d)a);
#else
  for (int i = 0; i < kD; ++i) a[i] = __builtin_sqrt(a[i]);
  return a;
#endif
}

// Whether any lane of a comparison's result is set.
MG_INLINE bool any(vi mask) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_ps((__m256)mask) != 0;
#elif defined(__SSE2__)
  return _mm_movemask_ps((__m128)mask) != 0;
#else
  int32_t all = 0;
  for (int i = 0; i < kF; ++i) all |= mask[i];
  return all != 0;
#endif
}
MG_INLINE bool any(vl mask) { return any((vi)mask); }

// ---- horizontal: lane i with lane i + lanes/2, again until one is left (a fixed order) ----

template <int kLanes, class T, class V>
MG_INLINE T hsum_as(V v) {
  T lane[kLanes];
  __builtin_memcpy(lane, &v, sizeof v);
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}
#if defined(__AVX2__)  // the same sums, in registers
MG_INLINE float hsum4(__m128 v) {
  v = _mm_add_ps(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)));
}
MG_INLINE float hsum8(__m256 v) {
  return hsum4(_mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
}
MG_INLINE float hmax4(__m128 v) {
  v = _mm_max_ps(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(_mm_max_ss(v, _mm_movehdup_ps(v)));
}
MG_INLINE float hmax8(__m256 v) {
  return hmax4(_mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
}
#endif
#if defined(__AVX512F__)
MG_INLINE __m256 upper_half(vf v) { return _mm512_extractf32x8_ps((__m512)v, 1); }
MG_INLINE float hsum(vf v) {
  return hsum8(_mm256_add_ps(_mm512_castps512_ps256((__m512)v), upper_half(v)));
}
#elif defined(__AVX2__)
MG_INLINE float hsum(vf v) { return hsum8((__m256)v); }
#else
MG_INLINE float hsum(vf v) { return hsum_as<kF, float>(v); }
#endif
MG_INLINE double hsum(vd v) { return hsum_as<kD, double>(v); }

template <int kLanes, class T, class V>
MG_INLINE T hmax_as(V v) {
  T lane[kLanes];
  __builtin_memcpy(lane, &v, sizeof v);
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
  }
  return lane[0];
}
#if defined(__AVX512F__)
MG_INLINE float hmax(vf v) {
  return hmax8(_mm256_max_ps(_mm512_castps512_ps256((__m512)v), upper_half(v)));
}
#elif defined(__AVX2__)
MG_INLINE float hmax(vf v) { return hmax8((__m256)v); }
#else
MG_INLINE float hmax(vf v) { return hmax_as<kF, float>(v); }
#endif
MG_INLINE double hmax(vd v) { return hmax_as<kD, double>(v); }

// ---- half precision: kF patterns at a time, exact upwards, nearest-even downwards ----
// None of these depends on whether denormals are flushed. The bf16 instruction VCVTNEPS2BF16 is
// not used because it always flushes them.

MG_INLINE vf widen(vh bits, bfloat16) { return (vf)(__builtin_convertvector(bits, vu) << 16); }

MG_INLINE vh narrow(vf x, bfloat16) {
  const vu u = (vu)x;
  const vu rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  const vu nan = (u >> 16) | 0x40u;
  const vu r = (vu)(x == x ? (vi)rounded : (vi)nan);
#if defined(__AVX512F__)
  return (vh)_mm512_cvtepi32_epi16((__m512i)r);
#elif defined(__AVX2__)
  const __m256i packed = _mm256_packus_epi32((__m256i)r, (__m256i)r);
  return (vh)_mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
#else
  return __builtin_convertvector(r, vh);
#endif
}

#if defined(__AVX512F__)
MG_INLINE vf widen(vh bits, half) { return (vf)_mm512_cvtph_ps((__m256i)bits); }
MG_INLINE vh narrow(vf x, half) {
  return (vh)_mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT);
}
#elif defined(__F16C__)
MG_INLINE vf widen(vh bits, half) { return (vf)_mm256_cvtph_ps((__m128i)bits); }
MG_INLINE vh narrow(vf x, half) {
  return (vh)_mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT);
}
#else
MG_INLINE vf widen(vh bits, half) {  // to_float(half) of common.h without branches
  const vu u = __builtin_convertvector(bits, vu);
  const vu sign = (u & 0x8000u) << 16;
  const vu rest = u & 0x7fffu;
  const vu normal = (rest << 13) + (112u << 23);
  const vu special = (rest << 13) | ((vu)(rest > 0x7c00u) & 0x400000u) | 0x7f800000u;
  const vu subnormal = (vu)(__builtin_convertvector((vi)rest, vf) * 0x1p-24f);
  return (vf)(sign | (rest >= 0x7c00u ? special : rest >= 0x0400u ? normal : subnormal));
}
MG_INLINE vh narrow(vf x, half) {  // to_half of common.h without branches
  const vu all = (vu)x;
  const vu sign = (all >> 16) & 0x8000u;
  const vu u = all & 0x7fffffffu;
  const vu normal = (u - (112u << 23) + 0x0fffu + ((u >> 13) & 1u)) >> 13;
  const vu subnormal = (vu)((vf)u + 0.5f) - 0x3f000000u;
  const vu nan = 0x0200u | ((u >> 13) & 0x3ffu);
  const vu special = 0x7c00u | ((vu)(u > 0x7f800000u) & nan);
  const vu r = u >= 0x477ff000u ? special : u >= 0x38800000u ? normal : subnormal;
  return __builtin_convertvector(sign | r, vh);
}
#endif

MG_INLINE vf load(const half* p) { return widen(load_as<vh>(p), half{}); }
MG_INLINE vf load(const bfloat16* p) { return widen(load_as<vh>(p), bfloat16{}); }
MG_INLINE void store(half* p, vf v) {
  const vh bits = narrow(v, half{});
  __builtin_memcpy(p, &bits, sizeof bits);
}
MG_INLINE void store(bfloat16* p, vf v) {
  const vh bits = narrow(v, bfloat16{});
  __builtin_memcpy(p, &bits, sizeof bits);
}

#if defined(__AVX512F__)  // with AVX512BW and AVX512VL in x86-64-v4
template <class T>
MG_INLINE vf load_partial16(const T* p, int64_t n) {
  check_lanes(p, n);
  return widen((vh)_mm256_maskz_loadu_epi16(first_lanes(n), p), T{});
}
template <class T>
MG_INLINE void store_partial16(T* p, vf v, int64_t n) {
  check_lanes(p, n);
  _mm256_mask_storeu_epi16(p, first_lanes(n), (__m256i)narrow(v, T{}));
}
#else
template <class T>
MG_INLINE vf load_partial16(const T* p, int64_t n) {
  T lane[kF] = {};
  for (int64_t i = 0; i < n; ++i) lane[i] = p[i];
  return load(lane);
}
template <class T>
MG_INLINE void store_partial16(T* p, vf v, int64_t n) {
  T lane[kF];
  store(lane, v);
  for (int64_t i = 0; i < n; ++i) p[i] = lane[i];
}
#endif
MG_INLINE vf load_partial(const half* p, int64_t n) { return load_partial16(p, n); }
MG_INLINE vf load_partial(const bfloat16* p, int64_t n) { return load_partial16(p, n); }
MG_INLINE void store_partial(half* p, vf v, int64_t n) { store_partial16(p, v, n); }
MG_INLINE void store_partial(bfloat16* p, vf v, int64_t n) { store_partial16(p, v, n); }

}  // namespace mg::MG_ISA
