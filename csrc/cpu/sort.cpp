// Sorted rows, their first k elements and elements of a rank, for every type and any dimension.
// Elements become integer keys in their order, paired with their places: all pairs differ, so that
// any order of them is the stable one. Short rows count how many keys are smaller, long ones pass
// through radix digits; the first k are looked for below a bound that minima of groups give.
#include "kernels/sort.h"

#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {
namespace {

typedef uint64_t Pair;  // key << 32 | place

constexpr int64_t kGrain = 1 << 13;    // elements in a task
constexpr int64_t kCounted = 8 * kF;   // rows up to this length are sorted by counting; <= 256
constexpr int64_t kWideRow = 1 << 14;  // rows from here on have digits of 11 bits, others of 8
constexpr int kDigitBits = 11;
constexpr int64_t kFew = 32;  // candidates that are compared with each other

constexpr int32_t kSign = INT32_MIN;
MG_INLINE Pair pair_of(int32_t key, int64_t place) {
  return static_cast<Pair>(static_cast<uint32_t>(key ^ kSign)) << 32 | static_cast<Pair>(place);
}

// What a task works with; see sort_slot.
struct Scratch {
  Pair *pairs, *other;
  uint64_t* wide;  // keys of 8-byte types
  void* row;       // a copy of a row that is not contiguous
  int32_t* key;    // 32 bits of the keys, in signed order
};

Scratch scratch_at(void* work, int64_t n) {
  const int64_t room = n + kSortPadding;
  Pair* p = static_cast<Pair*>(work);
  return {p, p + room, p + 2 * room, p + 3 * room, reinterpret_cast<int32_t*>(p + 4 * room)};
}

// ---- keys ----

// What keys of one row have in common: they begin at `least`, and `differ` has all bits in which
// `key - least` can differ.
template <class K>
struct Extent {
  K least, differ;
};

// Bits of type U to keys of type K in ascending order, all ones for NaN; `infinity` has the bits of
// that value, 0 for integers.
template <class U, class K, U infinity, bool kSigned>
Extent<K> make_keys(K* key, const void* x, int64_t n) {
  constexpr int kBits = 8 * sizeof(U);
  constexpr U sign = static_cast<U>(U{1} << (kBits - 1));
  const U* from = static_cast<const U*>(x);
  K least = ~K{0}, most = 0, any = 0, all = ~K{0};
  for (int64_t i = 0; i < n; ++i) {
    const U b = from[i];
    K k = b;
    if (infinity != 0) {
      const U size = b & static_cast<U>(~sign);
      const U negative = static_cast<U>(0) - static_cast<U>(b >> (kBits - 1));
      k = static_cast<U>(b ^ static_cast<U>(negative | sign));
      k = size == 0 ? static_cast<K>(sign) : k;
      k = size > infinity ? ~K{0} : k;
    } else if (kSigned) {
      k = static_cast<U>(b ^ sign);
    }
    key[i] = k;
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

// count + 1 in the lanes where a < b.
MG_INLINE vi count_less(vi count, vi a, vi b) {
#if defined(__AVX512F__)
  return (vi)_mm512_mask_sub_epi32((__m512i)count, _mm512_cmplt_epi32_mask((__m512i)a, (__m512i)b),
                                   (__m512i)count, _mm512_set1_epi32(-1));
#else
  return count - (a < b);
#endif
}

// How many of n keys are smaller than each of kVectors vectors of them.
template <int kVectors>
MG_INLINE void count_smaller(int32_t* count, const int32_t* mine, const int32_t* key, int64_t n) {
  vi sum[kVectors] = {}, of[kVectors];
  for (int v = 0; v < kVectors; ++v) of[v] = load(mine + v * kF);
  for (int64_t j = 0; j < n; ++j) {
    const vi other = set1(key[j]);
    for (int v = 0; v < kVectors; ++v) sum[v] = count_less(sum[v], other, of[v]);
  }
  for (int v = 0; v < kVectors; ++v) store(count + v * kF, sum[v]);
}

// The sorted pairs of at most kCounted keys: each goes where as many are smaller, behind equal ones
// that came before. Reads (whatever stands there) up to a whole vector of keys.
void count_sort(Pair* out, const int32_t* key, int64_t n) {
  int32_t smaller[kCounted];
  uint8_t equal[kCounted];
  memset(equal, 0, sizeof equal);
  int64_t b = 0;
  for (; b + 3 * kF < n; b += 4 * kF) count_smaller<4>(smaller + b, key + b, key, n);
  for (; b + kF < n; b += 2 * kF) count_smaller<2>(smaller + b, key + b, key, n);
  if (b < n) count_smaller<1>(smaller + b, key + b, key, n);
  for (int64_t i = 0; i < n; ++i) {
    const int32_t rank = smaller[i];
    out[rank + equal[rank]++] = pair_of(key[i], i);
  }
}

template <int kPasses>
MG_INLINE void count_digits(uint32_t (*count)[1 << kDigitBits], const Pair* p, int64_t n, int low,
                            int bits) {
  const uint32_t mask = (1u << bits) - 1;
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t k = static_cast<uint32_t>(p[i] >> low);
    for (int pass = 0; pass < kPasses; ++pass) ++count[pass][(k >> (pass * bits)) & mask];
  }
}

// Sorts pairs by their keys, which differ in the bits `differ`; the result stands in p or in other.
Pair* radix_sort(Pair* p, Pair* other, int64_t n, uint32_t differ) {
  if (!differ) return p;
  const int low = __builtin_ctz(differ), high = 32 - __builtin_clz(differ);
  const int most = n < kWideRow ? 8 : kDigitBits;
  const int passes = (high - low + most - 1) / most, bits = (high - low + passes - 1) / passes;
  const uint32_t mask = (1u << bits) - 1;
  uint32_t count[4][1 << kDigitBits];
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
  Pair* p = radix_sort(s.pairs, s.other, n, keys.differ);
  if (keys.shift == 0 || insert_rest(p, s.wide, n)) return p;
  return sort_wide(p, p == s.pairs ? s.other : s.pairs, s.wide, n, keys.shift);
}

Pair* sort_keys(const Scratch& s, int64_t n, const Keys& keys) {
  if (n > kCounted) {
    for (int64_t i = 0; i < n; ++i) s.pairs[i] = pair_of(s.key[i], i);
    return sort_pairs(s, n, keys);
  }
  count_sort(s.pairs, s.key, n);
  if (keys.shift == 0 || insert_rest(s.pairs, s.wide, n)) return s.pairs;
  return sort_wide(s.pairs, s.other, s.wide, n, keys.shift);
}

// ---- the first k ----

// A key that at least k keys do not exceed: the k-th smallest of the minima of `groups` groups.
int32_t bound(const Scratch& s, int64_t n, int64_t k, int64_t groups) {
  int32_t* least = reinterpret_cast<int32_t*>(s.other + n + kSortPadding) - groups - kF;
  memcpy(least, s.key, sizeof(int32_t) * groups);
  for (int64_t i = groups; i + groups <= n; i += groups) {
    for (int64_t j = 0; j < groups; j += kF) {
      const vi a = load(least + j), b = load(s.key + i + j);
      store(least + j, a < b ? a : b);
    }
  }
  Pair* p = s.pairs;
  if (groups <= kCounted) {
    count_sort(p, least, groups);
  } else {
    for (int64_t i = 0; i < groups; ++i) p[i] = pair_of(least[i], i);
    p = radix_sort(p, s.other, groups, ~0u);
  }
  return static_cast<int32_t>(static_cast<uint32_t>(p[k - 1] >> 32)) ^ kSign;
}

// The first k sorted pairs of many more.
Pair* first_pairs(const Scratch& s, int64_t n, int64_t k, const Keys& keys) {
  const int64_t groups = ceil_div(2 * k, kF) * kF;
  const int32_t top = bound(s, n, k, groups);
  Pair* p = s.pairs;
  int64_t found = 0, i = 0;
  for (; i + kF <= n; i += kF) {
    unsigned hits = lane_bits(load(s.key + i) <= set1(top));
    for (; hits; hits &= hits - 1) {
      const int64_t at = i + __builtin_ctz(hits);
      p[found++] = pair_of(s.key[at], at);
    }
  }
  for (; i < n; ++i) {
    p[found] = pair_of(s.key[i], i);
    found += s.key[i] <= top;
  }
  if (found > kFew) return sort_pairs(s, found, keys);
  for (i = 1; i < found; ++i) {  // few: by insertion
    const Pair mine = p[i];
    int64_t to = i;
    for (; to > 0 && p[to - 1] > mine; --to) p[to] = p[to - 1];
    p[to] = mine;
  }
  if (keys.shift && !insert_rest(p, s.wide, found)) return sort_pairs(s, found, keys);
  return p;
}

// ---- an element of a rank ----

// The place of the element of a rank; `place` has room for n.
template <class K>
int64_t select_place(const K* key, int64_t n, K differ, int64_t rank, int32_t* place) {
  uint32_t count[1 << kDigitBits];
  int64_t m = n;
  int shift = differ ? 8 * static_cast<int>(sizeof(K)) : 0;
  if (differ) {
    while (!(differ >> (shift - 1) & 1)) --shift;
  }
  bool all = true;  // candidates are all elements; otherwise those at `place`
  while (m > kFew && shift > 0) {
    const int bits = min_of(shift, m < 4096 ? 8 : kDigitBits);
    const K mask = (K{1} << bits) - 1;
    shift -= bits;
    memset(count, 0, sizeof(uint32_t) << bits);
    if (all) {
      for (int64_t i = 0; i < m; ++i) ++count[key[i] >> shift & mask];
    } else {
      for (int64_t i = 0; i < m; ++i) ++count[key[place[i]] >> shift & mask];
    }
    K digit = 0;
    for (; rank >= count[digit]; ++digit) rank -= count[digit];
    int64_t kept = 0;
    for (int64_t i = 0; i < m; ++i) {
      const int64_t at = all ? i : place[i];
      place[kept] = static_cast<int32_t>(at);
      kept += (key[at] >> shift & mask) == digit;
    }
    m = kept;
    all = false;
  }
  if (m > kFew) return all ? rank : place[rank];  // all equal
  for (int64_t i = 0; i < m; ++i) {
    const K mine = key[all ? i : place[i]];
    int64_t before = 0;
    for (int64_t j = 0; j < m; ++j) {
      const K other = key[all ? j : place[j]];
      before += other < mine || (other == mine && j < i);
    }
    if (before == rank) return all ? i : place[i];
  }
  return 0;  // not reached
}

template <class K>
int64_t place_of(K* key, int64_t n, const Extent<K>& e, bool is_float, Rank which, int64_t rank,
                 int32_t* place) {
  if (which != Rank::kNumber) {
    int64_t nans = 0;
    for (int64_t i = 0; is_float && i < n; ++i) nans += key[i] == ~K{0};
    const bool ignore = which == Rank::kNanMedian;
    if (nans && !ignore) rank = n - nans;
    if (!nans || ignore) rank = max_of(n - nans - 1, 0) / 2;
  }
  for (int64_t i = 0; i < n; ++i) key[i] -= e.least;
  return select_place(key, n, e.differ, rank, place);
}

// ---- rows ----

template <class U>
MG_INLINE void take(void* values, const void* row, int64_t at, int64_t from) {
  static_cast<U*>(values)[at] = static_cast<const U*>(row)[from];
}
MG_INLINE void copy_item(void* to, int64_t at, const void* row, int64_t from, int64_t item) {
  switch (item) {
    case 1:
      return take<uint8_t>(to, row, at, from);
    case 2:
      return take<uint16_t>(to, row, at, from);
    case 4:
      return take<uint32_t>(to, row, at, from);
    default:
      return take<uint64_t>(to, row, at, from);
  }
}

// Calls body(scratch, contiguous row, number of its first output, given `each` of them) for all
// rows.
template <class Body>
MG_INLINE void each_row(const SortRows& r, void* work, int64_t threads, int64_t each, Body body) {
  const int64_t slots = sort_slots(r, threads), item = item_size(r.dtype);
  char* const first = static_cast<char*>(work) + 64 * slots;
  for (int64_t i = 0; i < slots; ++i) static_cast<char*>(work)[64 * i] = 0;
  parallel_for(r.outer * r.inner, kGrain / (r.n + 1) + 1, [&](int64_t begin, int64_t end) {
    int64_t slot = 0;  // a free one: there is one for every thread, if not at once
    while (__atomic_exchange_n(static_cast<char*>(work) + 64 * slot, 1, __ATOMIC_ACQUIRE)) {
      slot = slot + 1 < slots ? slot + 1 : 0;
    }
    const Scratch s = scratch_at(first + slot * sort_slot(r.n), r.n);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t o = i / r.inner, c = i % r.inner;
      const char* row = static_cast<const char*>(r.x) + (o * r.n * r.inner + c) * item;
      if (r.inner != 1) {
        for (int64_t j = 0; j < r.n; ++j) copy_item(s.row, j, row, j * r.inner, item);
        row = static_cast<const char*>(s.row);
      }
      body(s, row, o * each * r.inner + c);
    }
    __atomic_store_n(static_cast<char*>(work) + 64 * slot, 0, __ATOMIC_RELEASE);
  });
}

template <class U>
void put_values(void* values, const void* row, const Pair* p, int64_t at, int64_t k,
                int64_t stride) {
  U* to = static_cast<U*>(values) + at;
  const U* from = static_cast<const U*>(row);
  for (int64_t i = 0; i < k; ++i) to[i * stride] = from[static_cast<uint32_t>(p[i])];
}

void sort(void* values, int64_t* indices, const SortRows& r, int64_t k, bool descending, void* work,
          int64_t threads) {
  using Put = void (*)(void*, const void*, const Pair*, int64_t, int64_t, int64_t);
  const int64_t item = item_size(r.dtype);
  const Put put = item == 1   ? put_values<uint8_t>
                  : item == 2 ? put_values<uint16_t>
                  : item == 4 ? put_values<uint32_t>
                              : put_values<uint64_t>;
  if (k == 0) return;
  each_row(r, work, threads, k, [&](const Scratch& s, const void* row, int64_t at) {
    const Keys keys = read_keys(s, r.dtype, row, r.n, descending);
    const Pair* p = 8 * k <= r.n - 4 * kF ? first_pairs(s, r.n, k, keys) : sort_keys(s, r.n, keys);
    if (indices) {
      for (int64_t i = 0; i < k; ++i) indices[at + i * r.inner] = static_cast<uint32_t>(p[i]);
    }
    if (values) put(values, row, p, at, k, r.inner);
  });
}

void select(void* values, int64_t* indices, const SortRows& r, Rank which, int64_t rank, void* work,
            int64_t threads) {
  const int64_t item = item_size(r.dtype);
  const bool is_float = r.dtype == DType::kFloat32 || r.dtype == DType::kFloat64 ||
                        r.dtype == DType::kFloat16 || r.dtype == DType::kBFloat16;
  each_row(r, work, threads, 1, [&](const Scratch& s, const void* row, int64_t at) {
    int32_t* place = reinterpret_cast<int32_t*>(s.other);
    int64_t from;
    if (item == 8) {
      const Extent<uint64_t> e = wide_keys(r.dtype, s.wide, row, r.n);
      from = place_of(s.wide, r.n, e, is_float, which, rank, place);
    } else {
      uint32_t* key = reinterpret_cast<uint32_t*>(s.key);
      const Extent<uint32_t> e = narrow_keys(r.dtype, key, row, r.n);
      from = place_of(key, r.n, e, is_float, which, rank, place);
    }
    if (indices) indices[at] = from;
    if (values) copy_item(values, at, row, from, item);
  });
}

}  // namespace

extern const SortKernels kSort = {sort, select};

}  // namespace mg::MG_ISA
