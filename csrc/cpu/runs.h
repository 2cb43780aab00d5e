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
  if (i < n && n >= lanes) {  // the last vector again reaches back over what is written
    const V v = __builtin_shuffle(load_as<V>(in - n + 1), order);
    __builtin_memcpy(out + n - lanes, &v, sizeof v);
    return;
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

namespace {

// `rows` rows of n elements, `row_step` bytes apart, and their elements `step` bytes. Short ones
// are moved as whole vectors where both memories go on for so long: what is too much is written
// over by the next row, or lies before `out_end` where nothing is written yet.
template <class T>
__attribute__((unused)) void gather_rows(char* out, const char* out_end, const char* in,
                                         const char* in_end, int64_t rows, int64_t row_step,
                                         int64_t n, int64_t step, bool use_stream) {
  typedef T V __attribute__((vector_size(kVectorBytes)));
  constexpr int64_t item = static_cast<int64_t>(sizeof(T));
  const int64_t bytes = n * item;
  int64_t r = 0;
  if (step == item && row_step == bytes) {
    return copy_run(out, in, rows * bytes, use_stream);
  } else if (step == item && row_step == 0) {  // one row again and again: twice as many each time
    const int64_t all = rows * bytes;
    copy_run(out, in, bytes, false);
    for (int64_t done = bytes; done < all;) {
      const int64_t more = min_of(done, all - done);
      copy_run(out + done, out, more, false);
      done += more;
    }
    return;
  } else if (step == item) {
    if (bytes <= kVectorBytes) {
      for (; r < rows && kVectorBytes <= min_of(out_end - out, in_end - in); ++r) {
        const vb v = load_as<vb>(in);
        __builtin_memcpy(out, &v, sizeof v);
        out += bytes;
        in += row_step;
      }
    }
    for (; r < rows; ++r, out += bytes, in += row_step) copy_run(out, in, bytes, use_stream);
  } else if (step == 0) {
    if (bytes <= kVectorBytes) {
      for (; r < rows && out_end - out >= kVectorBytes; ++r) {
        const V v = *reinterpret_cast<const T*>(in) - V{};
        __builtin_memcpy(out, &v, sizeof v);
        out += bytes;
        in += row_step;
      }
    }
    for (; r < rows; ++r, out += bytes, in += row_step) {
      fill_run(reinterpret_cast<T*>(out), *reinterpret_cast<const T*>(in), n);
    }
  } else {
    for (; r < rows; ++r, out += bytes, in += row_step) {
      gather_run(reinterpret_cast<T*>(out), in, step, n);
    }
  }
}

using Gather = void (*)(char* out, const char* out_end, const char* in, const char* in_end,
                        int64_t rows, int64_t row_step, int64_t n, int64_t step, bool use_stream);
inline __attribute__((unused)) Gather gather_of(int64_t item) {
  return item == 1   ? gather_rows<uint8_t>
         : item == 2 ? gather_rows<uint16_t>
         : item == 4 ? gather_rows<uint32_t>
                     : gather_rows<uint64_t>;
}

}  // namespace

}  // namespace mg::MG_ISA
