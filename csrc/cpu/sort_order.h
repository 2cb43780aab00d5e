// The order of one row: elements become integer keys, keys and places become pairs, pairs are
// sorted. Up to kNetMost pairs go through a network of comparisons, more by radix digits.
#pragma once

#include "kernels/sort.h"
#include "sort_network.h"

namespace mg::MG_ISA {
namespace {

typedef uint64_t Pair;  // key << 32 | place

constexpr int64_t kStep = 16;          // rows are padded to a multiple of it
constexpr int64_t kWideRow = 1 << 14;  // rows from here on have digits of 11 bits, others of 8
constexpr int kRadixBits = 11;
constexpr int64_t kFew = 32;  // candidates that are compared with each other

constexpr int32_t kSign = INT32_MIN;
MG_INLINE Pair pair_of(int32_t key, int64_t place) {
  return static_cast<Pair>(static_cast<uint32_t>(key ^ kSign)) << 32 | static_cast<Pair>(place);
}

// What a task works with; see sort_slot.
struct Scratch {
  Pair *pairs, *other;
  uint64_t* wide;  // keys of 8-byte types
  int32_t* key;    // 32 bits of the keys, in signed order
  void* row;       // copies of rows
};

Scratch scratch_at(void* work, int64_t n) {
  const int64_t room = n + kSortPadding;
  Pair* p = static_cast<Pair*>(work);
  return {p, p + room, p + 2 * room, reinterpret_cast<int32_t*>(p + 3 * room), p + 4 * room};
}

// ---- keys ----

// What keys of one row have in common: they begin at `least`, and `differ` has all bits in which
// `key - least` can differ.
template <class K>
struct Extent {
  K least, differ;
};

// Bits of type U to keys of type K in ascending order, all ones for NaN; `infinity` has the bits of
// that value, 0 for integers. n is a multiple of kStep.
template <class U, class K, U infinity, bool kSigned>
Extent<K> make_keys(K* key, const void* x, int64_t n) {
  constexpr int kBits = 8 * sizeof(U);
  constexpr U sign = static_cast<U>(U{1} << (kBits - 1));
  const U* from = static_cast<const U*>(x);
  K least = ~K{0}, most = 0, any = 0, all = ~K{0};
  n &= -kStep;  // tells the compiler that there is no rest
  for (int64_t i = 0; i < n; ++i) {
    const U b = from[i];
    K k = b;
    if (infinity != 0) {
      const U size = b & static_cast<U>(~sign);
      const U negative = static_cast<U>(-static_cast<U>(b >> (kBits - 1)));
      k = static_cast<U>(b ^ static_cast<U>(negative | sign));
      k = size == 0 ? static_cast<K>(sign) : k;
      k = size > infinity ? ~K{0} : k;
    } else if (kSigned) {
      k = static_cast<U>(b ^ sign);
    }
    key[i] = k;
  }
  for (int64_t i = 0; i < n; ++i) {
    const K k = key[i];
    least = k < least ? k : least;
    most = k > most ? k : most;
    any |= k;
    all &= k;
  }
  const K range = most - least, bits = any & ~all;
  if (range == 0) return {least, 0};
  const int high = sizeof(K) == 8 ? 64 - __builtin_clzll(range) : 32 - __builtin_clz(range);
  const K below = high == 8 * sizeof(K) ? ~K{0} : (K{1} << high) - 1;
  return {least, below & ~((bits & (K{0} - bits)) - 1)};  // the lowest bits are equal everywhere
}

Extent<uint32_t> narrow_keys(DType dtype, uint32_t* key, const void* x, int64_t n) {
  switch (dtype) {
    case DType::kFloat32:
      return make_keys<uint32_t, uint32_t, 0x7f800000u, true>(key, x, n);
    case DType::kInt32:
      return make_keys<uint32_t, uint32_t, 0, true>(key, x, n);
    case DType::kFloat16:
      return make_keys<uint16_t, uint32_t, 0x7c00, true>(key, x, n);
    case DType::kBFloat16:
      return make_keys<uint16_t, uint32_t, 0x7f80, true>(key, x, n);
    case DType::kInt16:
      return make_keys<uint16_t, uint32_t, 0, true>(key, x, n);
    case DType::kInt8:
      return make_keys<uint8_t, uint32_t, 0, true>(key, x, n);
    default:
      return make_keys<uint8_t, uint32_t, 0, false>(key, x, n);
  }
}

Extent<uint64_t> wide_keys(DType dtype, uint64_t* key, const void* x, int64_t n) {
  return dtype == DType::kFloat64
             ? make_keys<uint64_t, uint64_t, 0x7ff0000000000000u, true>(key, x, n)
             : make_keys<uint64_t, uint64_t, 0, true>(key, x, n);
}

// Keys of one row, from 0 up. Those of 8-byte types are `wide >> shift`: the 32 highest bits that
// differ.
struct Keys {
  uint32_t differ;
  int shift;  // > 0: equal keys are not all equal elements
};

Keys read_keys(const Scratch& s, DType dtype, const void* x, int64_t n, bool descending) {
  const uint32_t sign = static_cast<uint32_t>(kSign);
  uint32_t* key = reinterpret_cast<uint32_t*>(s.key);
  n &= -kStep;
  if (item_size(dtype) < 8) {
    const Extent<uint32_t> e = narrow_keys(dtype, key, x, n);
    const uint32_t flip = (descending ? e.differ : 0) ^ sign;
    for (int64_t i = 0; i < n; ++i) key[i] = (key[i] - e.least) ^ flip;
    return {e.differ, 0};
  }
  const Extent<uint64_t> e = wide_keys(dtype, s.wide, x, n);
  const int high = e.differ ? 63 - __builtin_clzll(e.differ) : 0, shift = high > 31 ? high - 31 : 0;
  const uint64_t flip = descending ? e.differ : 0;
  for (int64_t i = 0; i < n; ++i) {
    const uint64_t k = (s.wide[i] - e.least) ^ flip;
    s.wide[i] = k;
    key[i] = static_cast<uint32_t>(k >> shift) ^ sign;
  }
  return {static_cast<uint32_t>(e.differ >> shift), shift};
}

// ---- order ----

template <int kPasses>
MG_INLINE void count_digits(uint32_t (*count)[1 << kRadixBits], const Pair* p, int64_t n, int low,
                            int bits) {
  const uint32_t mask = (1u << bits) - 1;
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t k = static_cast<uint32_t>(p[i] >> low);
    for (int pass = 0; pass < kPasses; ++pass) ++count[pass][(k >> (pass * bits)) & mask];
  }
}

// Sorts pairs by their keys, which differ in the bits `differ`; equal ones keep their order. The
// result stands in p or in other.
Pair* radix_sort(Pair* p, Pair* other, int64_t n, uint32_t differ) {
  if (!differ) return p;
  const int low = __builtin_ctz(differ), high = 32 - __builtin_clz(differ);
  const int most = n < kWideRow ? 8 : kRadixBits;
  const int passes = (high - low + most - 1) / most, bits = (high - low + passes - 1) / passes;
  const uint32_t mask = (1u << bits) - 1;
  uint32_t count[4][1 << kRadixBits];
  for (int pass = 0; pass < passes; ++pass) memset(count[pass], 0, sizeof(uint32_t) << bits);
  const int from = 32 + low;
  switch (passes) {
    case 1:
      count_digits<1>(count, p, n, from, bits);
      break;
    case 2:
      count_digits<2>(count, p, n, from, bits);
      break;
    case 3:
      count_digits<3>(count, p, n, from, bits);
      break;
    default:
      count_digits<4>(count, p, n, from, bits);
  }
  for (int pass = 0; pass < passes; ++pass) {
    const int shift = from + pass * bits;
    uint32_t* place = count[pass];
    if (place[(p[0] >> shift) & mask] == n) continue;  // all in one
    uint32_t total = 0;
    for (uint32_t d = 0; d <= mask; ++d) {
      const uint32_t here = place[d];
      place[d] = total;
      total += here;
    }
    for (int64_t i = 0; i < n; ++i) other[place[(p[i] >> shift) & mask]++] = p[i];
    Pair* const done = other;
    other = p;
    p = done;
  }
  return p;
}

// Pairs sorted by 32 bits of wide keys: brings those that are equal there into the order of the
// other bits by insertion. False if they are too many for that.
bool insert_rest(Pair* p, const uint64_t* wide, int64_t n) {
  for (int64_t i = 1; i < n; ++i) {
    if (MG_LIKELY(p[i] >> 32 != p[i - 1] >> 32)) continue;
    const int64_t begin = i - 1;
    for (; i < n && p[i] >> 32 == p[begin] >> 32; ++i) {
      if (i - begin >= kFew) return false;
      const Pair mine = p[i];
      const uint64_t key = wide[static_cast<uint32_t>(mine)];
      int64_t to = i;
      for (; to > begin && wide[static_cast<uint32_t>(p[to - 1])] > key; --to) p[to] = p[to - 1];
      p[to] = mine;
    }
  }
  return true;
}

// The same by digits: all pairs anew, by place, by the lower and by the upper bits.
Pair* sort_wide(Pair* p, Pair* other, const uint64_t* wide, int64_t n, int shift) {
  const uint64_t lower = (uint64_t{1} << shift) - 1;
  for (int64_t i = 0; i < n; ++i) p[i] = (p[i] << 32) | static_cast<uint32_t>(p[i]);
  for (int step = 0; step < 3; ++step) {
    for (int64_t i = 0; step && i < n; ++i) {
      const uint64_t place = static_cast<uint32_t>(p[i]);
      p[i] = (step == 1 ? wide[place] & lower : wide[place] >> shift) << 32 | place;
    }
    Pair* const sorted = radix_sort(p, other, n, step == 0 ? INT32_MAX : ~0u);
    other = sorted == p ? other : p;
    p = sorted;
  }
  return p;
}

// Sorts the first n of s.pairs.
Pair* sort_pairs(const Scratch& s, int64_t n, const Keys& keys) {
  Pair* p = s.pairs;
  if (n <= kNetMost) {
    network_sort(p, n);
  } else {
    p = radix_sort(p, s.other, n, keys.differ);
  }
  if (keys.shift == 0 || insert_rest(p, s.wide, n)) return p;
  return sort_wide(p, p == s.pairs ? s.other : s.pairs, s.wide, n, keys.shift);
}

Pair* sort_keys(const Scratch& s, int64_t n, const Keys& keys) {
  for (int64_t i = 0; i < n; ++i) s.pairs[i] = pair_of(s.key[i], i);
  return sort_pairs(s, n, keys);
}

}  // namespace
}  // namespace mg::MG_ISA
