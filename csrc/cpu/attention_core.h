// What forward and backward of attention share. Scores are kept transposed, keys by queries: then
// the softmax runs along whole vectors without horizontal sums, and every product reads its
// operands where they lie. Include only from csrc/cpu/attention*.cpp.
#pragma once

#include "cpu/transpose.h"
#include "kernels/attention.h"
#include "runtime/threads.h"
#include "vmath.h"

namespace mg::MG_ISA {

constexpr int64_t kPanel = 2 * kF;  // queries side by side
constexpr int64_t kBlock = 128;     // keys at a time: their scores stay in the first-level cache
#if defined(__AVX512F__)
constexpr int kTileRows = 8;  // x 2 vectors: half of the registers, four times the latency
#else
constexpr int kTileRows = 4;
#endif

// ---- products ----

// C = A B (+ C if `add`): element (i, s) of A at i * a_row + s * a_step, row s of B at s * b_step.
struct Factors {
  const float* a;
  int64_t a_row, a_step;
  const float* b;
  int64_t b_step, steps;
};

template <int kRows, int kVecs>
static void tile(float* c, int64_t c_row, const Factors& f, bool add) {
  vf acc[kRows][kVecs] = {};
  if (add) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      for (int v = 0; v < kVecs; ++v) acc[i][v] = load(c + i * c_row + v * kF);
    }
  }
  const float* a = f.a;
  const float* b = f.b;
  const int64_t a_row = f.a_row;
  for (int64_t s = 0; s < f.steps; ++s) {
    vf row[kVecs];
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) row[v] = load(b + v * kF);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const vf x = set1(a[i * a_row]);
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) acc[i][v] = fma(x, row[v], acc[i][v]);
    }
    a += f.a_step;
    b += f.b_step;
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) store(c + i * c_row + v * kF, acc[i][v]);
  }
}

template <int kRows, int kVecs>
MG_INLINE void tiles(float* c, int64_t c_row, int64_t rows, Factors f, bool add) {
  for (; rows >= kRows; rows -= kRows) {
    tile<kRows, kVecs>(c, c_row, f, add);
    c += kRows * c_row;
    f.a += kRows * f.a_row;
  }
  if constexpr (kRows > 1) {
    if (rows) tiles<kRows / 2, kVecs>(c, c_row, rows, f, add);
  }
}

// C (rows, columns); columns are rounded up to whole vectors, for which all rows have room.
MG_INLINE void product(float* c, int64_t c_row, int64_t rows, int64_t columns, Factors f,
                       bool add) {
  for (int64_t j = 0; j < columns; j += 2 * kF, f.b += 2 * kF) {
    if (columns - j > kF) {
      tiles<kTileRows, 2>(c + j, c_row, rows, f, add);
    } else {
      tiles<kTileRows, 1>(c + j, c_row, rows, f, add);
    }
  }
}

// ---- operands of one matrix of the batch ----

struct Place {
  int64_t at[kAttentionDims];  // its index
};

MG_INLINE Place place_of(const AttentionArgs& args, int64_t index) {
  Place p = {};
  for (int i = args.dims - 1; i >= 0; --i) {
    p.at[i] = index % args.shape[i];
    index /= args.shape[i];
  }
  return p;
}

MG_INLINE int64_t offset_of(const AttentionArgs& args, const Place& p, const int64_t* strides) {
  int64_t offset = 0;
  for (int i = 0; i < args.dims; ++i) offset += p.at[i] * strides[i];
  return offset;
}

struct Rows {
  float* data;
  int64_t row;
};

MG_INLINE Rows rows_of(const AttentionArgs& args, const Place& p, const AttentionOperand& x) {
  return {x.data ? x.data + offset_of(args, p, x.batch) : nullptr, x.row};
}

MG_INLINE int64_t round_up_to(int64_t n, int64_t unit) { return ceil_div(n, unit) * unit; }

// dst (count rows, `wide` apart) = src * factor, zero beyond `width`.
MG_INLINE void copy_rows(float* dst, int64_t wide, Rows src, int64_t count, int64_t width,
                         float factor) {
  for (int64_t i = 0; i < count; ++i) {
    const float* from = src.data + i * src.row;
    float* to = dst + i * wide;
    int64_t j = 0;
    for (; j + kF <= width; j += kF) store(to + j, load(from + j) * factor);
    if (j < width) {
      const vf last = load_partial(from + j, width - j) * factor;
      if (j + kF <= wide) {
        store(to + j, last);
      } else {
        store_partial(to + j, last, width - j);
      }
    }
  }
}

// The rows behind each other: those far apart would share few sets of the caches.
MG_INLINE Rows gathered(Rows src, int64_t count, int64_t width, float*& scratch) {
  if (src.row == width) return src;
  float* dst = scratch;
  scratch += round_up_to(count * width, 16);
  copy_rows(dst, width, src, count, width, 1.0f);
  return {dst, width};
}

// panel (width, kPanel) = the transpose of `count` rows times factor; missing columns are zero.
MG_INLINE void make_panel(float* panel, Rows src, int64_t count, int64_t width, float factor) {
  if (count < kPanel) {
    __builtin_memset(panel, 0, static_cast<size_t>(width * kPanel) * sizeof(float));
  }
  transpose(reinterpret_cast<char*>(panel), kPanel * 4, reinterpret_cast<const char*>(src.data),
            src.row * 4, width, count, 4, false);
  if (factor != 1.0f) {
    for (int64_t i = 0; i < width * kPanel; i += kF) store(panel + i, load(panel + i) * factor);
  }
}

// The inverse: `count` rows of dst from a panel (width, kPanel) times factor.
MG_INLINE void write_panel(Rows dst, const float* panel, int64_t count, int64_t width) {
  transpose(reinterpret_cast<char*>(dst.data), dst.row * 4, reinterpret_cast<const char*>(panel),
            kPanel * 4, count, width, 4, false);
}

// ---- scores ----

constexpr float kMinusInfinity = -__builtin_inff();

// Adds the mask's part of queries [i0, i0 + count) and keys [j0, j0 + keys) to scores (keys, row).
// `scratch`: 2 * kPanel * kBlock floats.
MG_INLINE void add_mask(const AttentionArgs& args, int64_t base, float* scores, int64_t row,
                        int64_t i0, int64_t count, int64_t j0, int64_t keys, float* scratch) {
  if (args.mask_kind == AttentionMask::kNone) return;
  base += i0 * args.mask_row + j0 * args.mask_column;
  const bool boolean = args.mask_kind == AttentionMask::kBool;
  const uint8_t* flags = static_cast<const uint8_t*>(args.mask) + base;
  const float* floats = static_cast<const float*>(args.mask) + base;
  const int64_t step = args.mask_column;
  if (args.mask_row == 0) {  // the same for all queries
    for (int64_t j = 0; j < keys; ++j) {
      const float shift = boolean ? (flags[j * step] ? 0.0f : kMinusInfinity) : floats[j * step];
      for (int64_t i = 0; i < count; i += kF) {
        float* s = scores + j * row + i;
        // A score of +inf or NaN that a boolean mask leaves out counts as -inf.
        store(s, boolean && shift != 0 ? set1(kMinusInfinity) : load(s) + shift);
      }
    }
    return;
  }
  float* const lines = scratch;  // (count, kBlock)
  float* const turned = scratch + kPanel * kBlock;
  Rows source = {lines, kBlock};
  if (boolean) {
    for (int64_t i = 0; i < count; ++i) {
      const uint8_t* line = flags + i * args.mask_row;
      for (int64_t j = 0; j < keys; ++j) {
        lines[i * kBlock + j] = line[j * step] ? 0.0f : kMinusInfinity;
      }
    }
  } else if (step == 1) {
    source = {const_cast<float*>(floats), args.mask_row};
  } else {
    for (int64_t i = 0; i < count; ++i) {
      const float* line = floats + i * args.mask_row;
      for (int64_t j = 0; j < keys; ++j) lines[i * kBlock + j] = line[j * step];
    }
  }
  make_panel(turned, source, count, keys, 1.0f);
  for (int64_t j = 0; j < keys; ++j) {
    for (int64_t i = 0; i < count; i += kF) {
      float* s = scores + j * row + i;
      const vf shift = load(turned + j * kPanel + i);
      const vf sum = load(s) + shift;
      store(s, boolean ? (shift != 0 ? shift : sum) : sum);
    }
  }
}

// Scores of keys after the query become -inf.
MG_INLINE void hide_later(float* scores, int64_t row, int64_t i0, int64_t count, int64_t j0,
                          int64_t keys) {
  vi lanes;
  for (int i = 0; i < kF; ++i) lanes[i] = i;
  for (int64_t j = max_of(0, i0 - j0 + 1); j < keys; ++j) {
    for (int64_t i = 0; i < count; i += kF) {
      float* s = scores + j * row + i;
      const vi query = lanes + static_cast<int32_t>(i0 + i - j0 - j);  // minus the key
      store(s, query >= 0 ? load(s) : set1(kMinusInfinity));
    }
  }
}

// Keys that queries [i0, i0 + count) see.
MG_INLINE int64_t keys_seen(const AttentionArgs& args, int64_t i0, int64_t count) {
  return args.causal ? min_of(args.keys, i0 + count) : args.keys;
}

// How many of keys [j0, j0 + keys) the first vector of queries i0 ... sees; the others are products
// for the second one only.
MG_INLINE int64_t keys_of_both(const AttentionArgs& args, int64_t i0, int64_t count, int64_t j0,
                               int64_t keys) {
  if (!args.causal || count <= kF) return keys;
  return max_of(0, min_of(keys, i0 + kF - j0));
}

// Scores (keys, c_row) of `count` queries; left alone where `both` spares the first vector.
MG_INLINE void score_product(float* c, int64_t c_row, int64_t keys, int64_t both, int64_t count,
                             Factors f) {
  product(c, c_row, both, count, f, false);
  if (both == keys) return;
  f.a += both * f.a_row;
  f.b += kF;
  product(c + both * c_row + kF, c_row, keys - both, count - kF, f, false);
}

// Sums (rows, kPanel) over keys, whose weights are rows of f.b.
MG_INLINE void sum_product(float* c, int64_t rows, int64_t both, int64_t count, Factors f,
                           bool add) {
  const int64_t keys = f.steps;
  f.steps = both;
  product(c, kPanel, rows, count, f, add);
  if (both == keys) return;
  f.a += both * f.a_step;
  f.b += both * f.b_step + kF;
  f.steps = keys - both;
  product(c + kF, kPanel, rows, count - kF, f, true);
}

// ---- scratch areas ----

// One area for each thread that is at work; which one a matrix gets does not matter.
class Slot {
 public:
  MG_INLINE int64_t header(int64_t slots) { return round_up_to(slots, 16); }
  Slot(const AttentionArgs& args, int64_t floats) {
    flags_ = static_cast<int32_t*>(args.workspace);
    for (index_ = 0; __atomic_exchange_n(flags_ + index_, 1, __ATOMIC_ACQUIRE);) {
      index_ = (index_ + 1) % args.slots;
    }
    data = static_cast<float*>(args.workspace) + header(args.slots) + index_ * floats;
  }
  ~Slot() { __atomic_store_n(flags_ + index_, 0, __ATOMIC_RELEASE); }
  float* data;

 private:
  int32_t* flags_;
  int64_t index_;
};

MG_INLINE void free_all_slots(const AttentionArgs& args) {
  __builtin_memset(args.workspace, 0, static_cast<size_t>(args.slots) * sizeof(int32_t));
}

}  // namespace mg::MG_ISA
