// Runs of elements moved into a dense row: copied, reversed, every other one, repeated.
#pragma once

#include "simd.h"

namespace mg::MG_ISA {

typedef uint8_t vb __attribute__((vector_size(kVectorBytes)));

// kHalf to 2 kHalf bytes as two halves, which may overlap.
template <int64_t kHalf>
MG_INLINE void copy_halves(char* out, const char* in, int64_t bytes) {
  char first[kHalf], last[kHalf];
  __builtin_memcpy(first, in, kHalf);
  __builtin_memcpy(last, in + bytes - kHalf, kHalf);
  __builtin_memcpy(out, first, kHalf);
  __builtin_memcpy(out + bytes - kHalf, last, kHalf);
}

// In the open: calling memcpy for a short row costs more than copying it.
MG_INLINE void copy_run(char* out, const char* in, int64_t bytes, bool use_stream) {
  if (bytes < kVectorBytes) {
    if (bytes >= 32) return copy_halves<32>(out, in, bytes);
    if (bytes >= 16) return copy_halves<16>(out, in, bytes);
    if (bytes >= 8) return copy_halves<8>(out, in, bytes);
    if (bytes >= 4) return copy_halves<4>(out, in, bytes);
    for (int64_t i = 0; i < bytes; ++i) out[i] = in[i];
    return;
  }
  int64_t i = 0;
  if (use_stream) {
    const int64_t head = -reinterpret_cast<intptr_t>(out) & (kVectorBytes - 1);
    // Only where the run begins or ends inside a line: a line that is written both ways is fetched.
    const vb first = load_as<vb>(in);
    if (head) __builtin_memcpy(out, &first, sizeof first);
    for (i = head; i + kVectorBytes <= bytes; i += kVectorBytes) {
      stream_as(out + i, load_as<vb>(in + i));
    }
  } else {
    for (; i + kVectorBytes <= bytes; i += kVectorBytes) {
      const vb v = load_as<vb>(in + i);
      __builtin_memcpy(out + i, &v, sizeof v);
    }
  }
  if (i == bytes) return;
  const vb last = load_as<vb>(in + bytes - kVectorBytes);
  __builtin_memcpy(out + bytes - kVectorBytes, &last, sizeof last);
}

template <class T>
MG_INLINE void fill_run(T* out, T value, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = value;
}

// out[i] = in[-i]
template <class T>
MG_INLINE void reverse_run(T* out, const T* in, int64_t n) {
  typedef T V __attribute__((vector_size(kVectorBytes)));
  constexpr int64_t lanes = kVectorBytes / static_cast<int64_t>(sizeof(T));
  V order;
  for (int64_t k = 0; k < lanes; ++k) order[k] = static_cast<T>(lanes - 1 - k);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const V v = __builtin_shuffle(load_as<V>(in - i - lanes + 1), order);
    __builtin_memcpy(out + i, &v, sizeof v);
  }
  for (; i < n; ++i) out[i] = in[-i];
}

// out[i] = in[2 i]
template <class T>
MG_INLINE void every_other_run(T* out, const T* in, int64_t n) {
  typedef T V __attribute__((vector_size(kVectorBytes)));
  constexpr int64_t lanes = kVectorBytes / static_cast<int64_t>(sizeof(T));
  V order;
  for (int64_t k = 0; k < lanes; ++k) order[k] = static_cast<T>(2 * k);
  int64_t i = 0;
  for (; i + lanes < n; i += lanes) {  // one more element follows: nothing is read past the last
    const T* from = in + 2 * i;
    const V v = __builtin_shuffle(load_as<V>(from), load_as<V>(from + lanes), order);
    __builtin_memcpy(out + i, &v, sizeof v);
  }
  for (; i < n; ++i) out[i] = in[2 * i];
}

// out[i] = the element i * step bytes behind `in`; step is a multiple of the element's size.
template <class T>
MG_INLINE void gather_run(T* out, const char* in, int64_t step, int64_t n) {
  constexpr int64_t item = static_cast<int64_t>(sizeof(T));
  const T* from = reinterpret_cast<const T*>(in);
  if (step == -item) return reverse_run(out, from, n);
  if (step == 2 * item) return every_other_run(out, from, n);
  for (int64_t i = 0; i < n; ++i) out[i] = from[i * (step / item)];
}

}  // namespace mg::MG_ISA
