// Sorted rows, their first k elements and elements of a rank, for every type and any dimension.
// Elements become integer keys in their order, paired with their places: all pairs differ, so that
// any order of them is the stable one. Short rows go through a network of comparisons, long ones by
// radix digits; the first k are looked for below a bound that minima of groups give.
#include "runtime/threads.h"
#include "sort_order.h"

namespace mg::MG_ISA {
namespace {

constexpr int64_t kGrain = 1 << 13;  // elements in a task
constexpr int kDigitBits = 11;
constexpr int64_t kNear = 12;      // pairs that are sorted by insertion
constexpr int64_t kByBits = 2048;  // rows up to here are narrowed bit by bit

// ---- the first k ----

// In how many groups minima are looked for: a multiple of a vector.
MG_INLINE int64_t groups_for(int64_t k) { return ceil_div(2 * k, kF) * kF; }

// The k-th smallest of n keys, a few; reads up to a whole vector, where INT32_MAX must stand.
int32_t counted_key(const int32_t* key, int64_t n, int64_t k) {
  vi top = set1(kSign);  // the largest of those that fewer than k are smaller than
  for (int64_t j = 0; j < n; j += kF) {
    const vi mine = load(key + j);
    vi smaller = {};
    for (int64_t i = 0; i < n; ++i) smaller -= set1(key[i]) < mine;
    const vi held = smaller < static_cast<int32_t>(k) ? mine : set1(kSign);
    top = held > top ? held : top;
  }
  int32_t lane[kF], result = kSign;
  store(lane, top);
  for (int i = 0; i < kF; ++i) result = lane[i] > result ? lane[i] : result;
  return result;
}

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
  if (groups <= kFew) return counted_key(least, groups, k);
  for (int64_t i = 0; i < groups; ++i) s.pairs[i] = pair_of(least[i], i);
  const Pair* p = sort_pairs(s, groups, {~0u, 0});
  return static_cast<int32_t>(static_cast<uint32_t>(p[k - 1] >> 32)) ^ kSign;
}

// The first k sorted pairs of many more.
Pair* first_pairs(const Scratch& s, int64_t n, int64_t k, const Keys& keys) {
  const int64_t groups = groups_for(k);
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
  if (found > kNear) return sort_pairs(s, found, keys);
  for (i = 1; i < found; ++i) {
    const Pair mine = p[i];
    int64_t to = i;
    for (; to > 0 && p[to - 1] > mine; --to) p[to] = p[to - 1];
    p[to] = mine;
  }
  if (keys.shift) insert_rest(p, s.wide, found);
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
  int64_t i = 0;
  if (sizeof(K) == sizeof(int32_t)) {
    int32_t few[kFew + kF];
    for (; i < m; ++i) few[i] = static_cast<int32_t>(key[all ? i : place[i]]) ^ kSign;
    for (int64_t j = m; j < m + kF; ++j) few[j] = INT32_MAX;
    const int32_t wanted = counted_key(few, m, rank + 1);
    for (int64_t j = 0; j < m; ++j) rank -= few[j] < wanted;
    for (i = 0; few[i] != wanted || rank-- > 0; ++i) {
    }
    return all ? i : place[i];
  }
  for (; i < m - 1; ++i) {
    const K mine = key[all ? i : place[i]];
    int64_t before = 0;
    for (int64_t j = 0; j < m; ++j) {
      const K other = key[all ? j : place[j]];
      before += other < mine || (other == mine && j < i);
    }
    if (before == rank) break;
  }
  return all ? i : place[i];
}

// The same of short rows of 32-bit keys: a bit at a time, by counting the keys below a bound, whole
// vectors of them. `padded` keys may be written, a multiple of kStep.
int64_t select_by_bits(uint32_t* given, int64_t n, int64_t padded, uint32_t differ, int64_t rank) {
  int32_t* key = reinterpret_cast<int32_t*>(given);  // in an order of signed numbers
  for (int64_t i = 0; i < padded; ++i) key[i] = i < n ? key[i] ^ kSign : INT32_MAX;
  const auto hits = [key](int64_t i, uint32_t low, uint32_t high) {
    const vi v = load(key + i), least = set1(static_cast<int32_t>(low) ^ kSign);
    return lane_bits((v >= least) & (v <= (static_cast<int32_t>(high) ^ kSign)));
  };
  uint32_t low = 0, span = 2u << (31 - __builtin_clz(differ));  // the key is in [low, low + span)
  int64_t below = 0, within = n;  // how many keys are less than these (span 0: all are)
  while (span != 1 && within - below > 1) {
    span = span ? span / 2 : 1u << 31;
    const uint32_t middle = low + span;
    int64_t count = 0;
    for (int64_t i = 0; i < padded; i += kF) {
      count +=
          __builtin_popcount(lane_bits(load(key + i) < (static_cast<int32_t>(middle) ^ kSign)));
    }
    if (count <= rank) {
      low = middle;
      below = count;
    } else {
      within = count;
    }
  }
  rank -= below;
  for (int64_t i = 0;; i += kF) {
    unsigned here = hits(i, low, low + (span - 1));
    const int64_t count = __builtin_popcount(here);
    if (rank < count) {
      for (; rank > 0; --rank) here &= here - 1;
      return i + __builtin_ctz(here);
    }
    rank -= count;
  }
}

template <class K>
int64_t place_of(K* key, int64_t n, int64_t padded, const Extent<K>& e, bool is_float, Rank which,
                 int64_t rank, int32_t* place) {
  if (which != Rank::kNumber) {
    int64_t nans = 0;
    for (int64_t i = 0; is_float && i < n; ++i) nans += key[i] == ~K{0};
    const bool ignore = which == Rank::kNanMedian;
    if (nans && !ignore) rank = n - nans;
    if (!nans || ignore) rank = max_of(n - nans - 1, 0) / 2;
  }
  padded &= -kStep;
  for (int64_t i = 0; i < padded; ++i) key[i] -= e.least;
  if constexpr (sizeof(K) == 4) {
    if (e.differ && n > kFew && n <= kByBits) return select_by_bits(key, n, padded, e.differ, rank);
  }
  return select_place(key, n, e.differ, rank, place);
}

// ---- rows ----

// The functions that move elements, by their size.
template <class U>
struct Move {
  // Columns c < `columns` of x (n, stride) to rows of `pitch` elements, padded as above.
  static void columns_in(void* to, const void* x, int64_t n, int64_t stride, int64_t columns,
                         int64_t pitch, int64_t pad) {
    U* t = static_cast<U*>(to);
    const U* f = static_cast<const U*>(x);
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t c = 0; c < columns; ++c) t[c * pitch + j] = f[j * stride + c];
    }
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t j = 0; j < pad; ++j) t[c * pitch + n + j] = t[c * pitch + n - 1];
    }
  }
  static void columns_out(void* to, const void* from, int64_t n, int64_t stride, int64_t columns,
                          int64_t pitch) {
    U* t = static_cast<U*>(to);
    const U* f = static_cast<const U*>(from);
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t c = 0; c < columns; ++c) t[j * stride + c] = f[c * pitch + j];
    }
  }
  static void pick(void* to, const void* row, const Pair* p, int64_t k) {
    const U* from = static_cast<const U*>(row);
    for (int64_t i = 0; i < k; ++i) static_cast<U*>(to)[i] = from[static_cast<uint32_t>(p[i])];
  }
};
struct Moves {
  void (*columns_in)(void*, const void*, int64_t, int64_t, int64_t, int64_t, int64_t);
  void (*columns_out)(void*, const void*, int64_t, int64_t, int64_t, int64_t);
  void (*pick)(void*, const void*, const Pair*, int64_t);
};
template <class U>
constexpr Moves moves_of() {
  return {Move<U>::columns_in, Move<U>::columns_out, Move<U>::pick};
}
constexpr Moves kMoves[] = {moves_of<uint8_t>(), moves_of<uint16_t>(), moves_of<uint32_t>(),
                            moves_of<uint64_t>()};
const Moves& moves_for(int64_t item) { return kMoves[__builtin_ctz(static_cast<unsigned>(item))]; }

// Calls body(scratch, row, padded length, values, indices) for all rows: the row is contiguous, its
// last element repeated up to a multiple of kStep; `each` outputs are wanted. Rows that are columns
// in memory are copied side by side, some at a time, and what becomes of them is copied back.
template <class Body>
MG_INLINE void each_row(void* values, int64_t* indices, const SortRows& r, int64_t each, void* work,
                        int64_t threads, Body body) {
  const int64_t slots = sort_slots(r, threads), item = item_size(r.dtype);
  const Moves& move = moves_for(item);
  const int64_t padded = ceil_div(r.n, kStep) * kStep, pitch = padded + kStep;
  const int64_t columns = sort_columns(r), tiles = ceil_div(r.inner, columns);
  char *const flags = static_cast<char*>(work), *const first = flags + 64 * slots;
  for (int64_t i = 0; i < slots; ++i) flags[64 * i] = 0;
  parallel_for(r.outer * tiles, kGrain / (r.n * columns + 1) + 1, [&](int64_t begin, int64_t end) {
    int64_t slot = 0;  // a free one: there is one for every thread, if not at once
    while (__atomic_exchange_n(flags + 64 * slot, 1, __ATOMIC_ACQUIRE)) {
      slot = slot + 1 < slots ? slot + 1 : 0;
    }
    const Scratch s = scratch_at(first + slot * sort_slot(r), r.n);
    char* const copies = reinterpret_cast<char*>(s.row);
    char* const new_values = copies + columns * pitch * item;
    int64_t* const new_indices = reinterpret_cast<int64_t*>(copies + columns * pitch * 16);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t o = task / tiles, c = task % tiles * columns, out = o * each * r.inner + c;
      const int64_t count = min_of(columns, r.inner - c);
      const char* x = static_cast<const char*>(r.x) + (o * r.n * r.inner + c) * item;
      char* v = values ? static_cast<char*>(values) + out * item : nullptr;
      int64_t* at = indices ? indices + out : nullptr;
      if (r.inner == 1) {
        if (padded != r.n) {
          move.columns_in(copies, x, r.n, 1, 1, pitch, padded - r.n);
          x = copies;
        }
        body(s, x, padded, v, at);
        continue;
      }
      move.columns_in(copies, x, r.n, r.inner, count, pitch, padded - r.n);
      for (int64_t i = 0; i < count; ++i) {
        body(s, copies + i * pitch * item, padded, v ? new_values + i * pitch * item : nullptr,
             at ? new_indices + i * pitch : nullptr);
      }
      if (v) move.columns_out(v, new_values, each, r.inner, count, pitch);
      if (at) Move<uint64_t>::columns_out(at, new_indices, each, r.inner, count, pitch);
    }
    __atomic_store_n(flags + 64 * slot, 0, __ATOMIC_RELEASE);
  });
}

void sort(void* values, int64_t* indices, const SortRows& r, int64_t k, bool descending, void* work,
          int64_t threads) {
  if (k == 0) return;
  const Moves& move = moves_for(item_size(r.dtype));
  each_row(values, indices, r, k, work, threads,
           [&](const Scratch& s, const void* row, int64_t padded, void* v, int64_t* at) {
             const Keys keys = read_keys(s, r.dtype, row, padded, descending);
             const int64_t groups = groups_for(k);
             const bool few = (groups > kFew ? 4 : 2) * groups <= r.n;
             const Pair* p = few ? first_pairs(s, r.n, k, keys) : sort_keys(s, r.n, keys);
             for (int64_t i = 0; at && i < k; ++i) at[i] = static_cast<uint32_t>(p[i]);
             if (v) move.pick(v, row, p, k);
           });
}

void select(void* values, int64_t* indices, const SortRows& r, Rank which, int64_t rank, void* work,
            int64_t threads) {
  const Moves& move = moves_for(item_size(r.dtype));
  const bool is_float = r.dtype >= DType::kFloat16;
  each_row(values, indices, r, 1, work, threads,
           [&](const Scratch& s, const void* row, int64_t padded, void* v, int64_t* at) {
             int32_t* place = reinterpret_cast<int32_t*>(s.other);
             Pair from;
             if (item_size(r.dtype) == 8) {
               const Extent<uint64_t> e = wide_keys(r.dtype, s.wide, row, padded);
               from = place_of(s.wide, r.n, padded, e, is_float, which, rank, place);
             } else {
               uint32_t* key = reinterpret_cast<uint32_t*>(s.key);
               const Extent<uint32_t> e = narrow_keys(r.dtype, key, row, padded);
               from = place_of(key, r.n, padded, e, is_float, which, rank, place);
             }
             if (at) *at = static_cast<int64_t>(from);
             if (v) move.pick(v, row, &from, 1);
           });
}

// ---- places in sorted sequences ----

// kTogether searches at a time, whose loads do not wait for each other.
template <class T, class I, bool kRight>
void search_as(I* out, const T* sequence, int64_t n, const T* x, int64_t m) {
  constexpr int kTogether = 16;
  parallel_for(m, kGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kTogether) {
      const int count = static_cast<int>(min_of(kTogether, end - i));
      T value[kTogether];
      int64_t low[kTogether] = {};
      for (int j = 0; j < kTogether; ++j) value[j] = x[i + (j < count ? j : 0)];
      for (int64_t rest = n; rest > 0;) {
        const int64_t half = (rest + 1) / 2;
        for (int j = 0; j < kTogether; ++j) {
          const T probe = sequence[low[j] + half - 1];
          low[j] += (kRight ? probe > value[j] : probe >= value[j]) ? 0 : half;
        }
        rest -= half;
      }
      for (int j = 0; j < count; ++j) out[i + j] = static_cast<I>(low[j]);
    }
  });
}

template <class T>
void search_type(void* out, bool out_int32, const void* sequence, int64_t n, const void* x,
                 int64_t m, bool right) {
  const T *s = static_cast<const T*>(sequence), *v = static_cast<const T*>(x);
  if (out_int32) {
    int32_t* to = static_cast<int32_t*>(out);
    (right ? search_as<T, int32_t, true> : search_as<T, int32_t, false>)(to, s, n, v, m);
  } else {
    int64_t* to = static_cast<int64_t*>(out);
    (right ? search_as<T, int64_t, true> : search_as<T, int64_t, false>)(to, s, n, v, m);
  }
}

void search(void* out, bool out_int32, const void* sequence, int64_t n, const void* x, int64_t m,
            DType dtype, bool right) {
  switch (dtype) {
    case DType::kFloat32:
      return search_type<float>(out, out_int32, sequence, n, x, m, right);
    case DType::kFloat64:
      return search_type<double>(out, out_int32, sequence, n, x, m, right);
    case DType::kInt32:
      return search_type<int32_t>(out, out_int32, sequence, n, x, m, right);
    default:
      return search_type<int64_t>(out, out_int32, sequence, n, x, m, right);
  }
}

}  // namespace

extern const SortKernels kSort = {sort, select, search};

}  // namespace mg::MG_ISA
