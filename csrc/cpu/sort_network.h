// Short lists of 64-bit numbers sorted by a network of comparisons, without a branch.
// A block is a matrix of rows of vectors: each lane sorts its column by comparisons of whole rows,
// then columns are merged by twos, blocks by twos; only that compares lanes with each other.
#pragma once

#include "simd.h"

namespace mg::MG_ISA {

constexpr int kNetRows = 16;              // of the largest block: they stay in registers
constexpr int kNetBlock = kNetRows * kD;  // numbers in it
constexpr int kNetMost = 4 * kNetBlock;   // the longest list
constexpr int64_t kNetSign = INT64_MIN;

MG_INLINE void order(vl& a, vl& b) {
  const vl low = a < b ? a : b;
  b = a < b ? b : a;
  a = low;
}

// Lane i gets lane i ^ w.
template <int w>
MG_INLINE vl swapped(vl v) {
  vl from;
  for (int i = 0; i < kD; ++i) from[i] = i ^ w;
  return __builtin_shuffle(v, from);
}
template <int w>
MG_INLINE vl lower_lanes() {
  vl mask;
  for (int i = 0; i < kD; ++i) mask[i] = i & w ? 0 : -1;
  return mask;
}

// Rows r and r + d, then half the distance, and so on.
template <int kRows, int d>
MG_INLINE void merge_rows(vl* v) {
  if constexpr (d > 0) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      if (!(r & d)) order(v[r], v[r + d]);
    }
    merge_rows<kRows, d / 2>(v);
  }
}
// Lanes at distance w, then half of it, and so on; then rows.
template <int kRows, int w>
MG_INLINE void merge_lanes(vl* v) {
  if constexpr (w > 0) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      vl low = v[r], high = swapped<w>(v[r]);
      order(low, high);
      v[r] = lower_lanes<w>() ? low : high;
    }
    merge_lanes<kRows, w / 2>(v);
  } else {
    merge_rows<kRows, kRows / 2>(v);
  }
}

// Sorts the columns: runs of `size` rows, until one is left.
template <int kRows, int size>
MG_INLINE void sort_columns(vl* v) {
  if constexpr (size <= kRows) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      if (!(r & (size / 2))) order(v[r], v[r ^ (size - 1)]);
    }
    merge_rows<kRows, size / 4>(v);
    sort_columns<kRows, 2 * size>(v);
  }
}
// Merges runs of `width` / 2 columns, until one is left.
template <int kRows, int width>
MG_INLINE void merge_columns(vl* v) {
  if constexpr (width <= kD) {
    const vl lower = lower_lanes<width / 2>();
#pragma GCC unroll 16
    for (int r = 0; r < kRows / 2; ++r) {  // the second run is read from its end
      vl low = v[r], high = swapped<width - 1>(v[kRows - 1 - r]);
      order(low, high);
      v[r] = lower ? low : high;
      v[kRows - 1 - r] = swapped<width - 1>(lower ? high : low);
    }
    merge_lanes<kRows, width / 4>(v);
    merge_columns<kRows, 2 * width>(v);
  }
}

template <int kRows>
void sort_block(vl* block) {
  vl v[kRows];
  memcpy(v, block, sizeof v);
  sort_columns<kRows, 2>(v);
  merge_columns<kRows, 2>(v);
  memcpy(block, v, sizeof v);
}
template <int kRows>
void merge_block(vl* block) {
  vl v[kRows];
  memcpy(v, block, sizeof v);
  merge_lanes<kRows, kD / 2>(v);
  memcpy(block, v, sizeof v);
}

// Sorts n numbers, unsigned; column by column of a block they come out in order.
template <int kRows>
MG_INLINE void sort_in_blocks(uint64_t* p, int64_t n) {
  constexpr int kBlock = kRows * kD;
  vl v[kRows == kNetRows ? kNetMost / kD : kRows];
  int64_t blocks = 1;
  while (blocks * kBlock < n) blocks *= 2;
  int64_t* at = reinterpret_cast<int64_t*>(v);
  memcpy(v, p, sizeof(int64_t) * n);
  for (int64_t i = n; i < blocks * kBlock; ++i) at[i] = -1;  // the largest
  for (int64_t i = 0; i < blocks * kRows; ++i) v[i] ^= kNetSign;
  for (int64_t b = 0; b < blocks; ++b) sort_block<kRows>(v + b * kRows);
  for (int64_t width = 2; width <= blocks; width *= 2) {
    for (int64_t b = 0; b < blocks; b += width) {
      vl *first = v + b * kRows, *last = v + (b + width) * kRows - 1;
      for (; first < last; ++first, --last) {
        vl other = swapped<kD - 1>(*last);
        order(*first, other);
        *last = swapped<kD - 1>(other);
      }
      for (int64_t d = width / 4; d > 0; d /= 2) {
        for (int64_t i = b * kRows; i < (b + width) * kRows; ++i) {
          if (!((i - b * kRows) / kRows & d)) order(v[i], v[i + d * kRows]);
        }
      }
      for (int64_t i = b; i < b + width; ++i) merge_block<kRows>(v + i * kRows);
    }
  }
  int64_t i = 0;
  for (int64_t b = 0; i < n; ++b) {
    const int64_t* block = at + b * kBlock;
    for (int lane = 0; lane < kD && i < n; ++lane) {
      const int64_t stop = min_of(kRows, n - i);
      for (int64_t r = 0; r < stop; ++r, ++i) {
        p[i] = static_cast<uint64_t>(block[r * kD + lane] ^ kNetSign);
      }
    }
  }
}

// Sorts at most kNetMost numbers.
MG_INLINE void network_sort(uint64_t* p, int64_t n) {
  if (n <= 2 * kD) {
    sort_in_blocks<2>(p, n);
  } else if (n <= 4 * kD) {
    sort_in_blocks<4>(p, n);
  } else if (n <= 8 * kD) {
    sort_in_blocks<8>(p, n);
  } else {
    sort_in_blocks<kNetRows>(p, n);
  }
}

}  // namespace mg::MG_ISA
