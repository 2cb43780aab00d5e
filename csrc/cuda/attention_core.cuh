// What the kernels of attention share: tiles of rows in shared memory, products of 16 rows by one
// warp, scores with their mask.
//
// Every kernel keeps a block of rows (queries, or keys for the gradients of keys and values) and
// goes over the columns (keys, or queries) in steps, so that scores exist for one tile only. While
// one step is computed, asynchronous copies bring the next one's columns (one barrier a step). A
// warp owns 16 rows; its sums lie in its lanes' registers as mma.sync leaves them: of every 8
// columns a lane has two neighbours, in the rows g and g + 8, g being lane / 4.
//
// Elements T: __half and __nv_bfloat16 are multiplied on matrix units, float by ordinary
// arithmetic.
//
// What it costs on an H200 (reckoned, not measured; registers and shared memory as ptxas says):
//   - Forward, 16 bits, heads of 64: a step of 64 queries by 32 keys is 0.5 MFLOP, 206 cycles of
//     mma.sync at 62 % of a multiprocessor's 4096 FLOP a cycle. It reads 8 KiB of keys and values
//     from L2 (40 bytes a cycle at that rate) and, by ldmatrix, 40 KiB of shared memory: 320 cycles
//     at 128 bytes a cycle, which is the limit; queries in registers, or 32 rows a warp, would
//     lower it. 96 registers, 27 KiB: five blocks a multiprocessor, 20 warps.
//   - Heads of 128: 128 registers, 51 KiB, four blocks. Gradients of keys and values: 140 registers
//     and 36 KiB (heads of 64, three blocks), 222 and 68 KiB (128, two).
#pragma once

#include "cuda/gemm_core.cuh"

namespace mg::cuda {

// Of one batch's matrix; elements of a row are neighbours.
template <class T>
struct AttentionRows {
  T* data;
  int64_t row;
  BatchOffsets batch;
  bool wide;  // 16 bytes at a time

  MG_DEVICE T* at(int64_t index) const { return data + batch(index); }
};

struct ScoreMask {
  AttentionMask kind;
  DType dtype;  // of kFloat
  const void* data;
  int64_t row, column;
  BatchOffsets batch;
  bool causal;
  float scale;
};

// `width` of kWidth elements are there, the rest are 0. A row is padded by 16 bytes, so that eight
// rows lie in different banks.
template <class T, int kWidth>
struct RowTile {
  static constexpr int kChunk = 16 / sizeof(T);
  static constexpr int kRow = kWidth + kChunk;
  static constexpr int bytes(int rows) { return rows * kRow * int(sizeof(T)); }
};

// Chips before capability 8.0 have no asynchronous copies: there, they are made at once.
constexpr bool kCopiesAsync = MG_ARCH == 0 || MG_ARCH >= 800;

MG_DEVICE void commit_copies() {
  if constexpr (kCopiesAsync) async_commit();
}

// Starts to copy rows [first, first + kRows) of a matrix of `rows` to shared memory; those beyond
// become 0.
template <int kRows, int kThreads, int kWidth, class T>
MG_DEVICE void load_rows(T* tile, const T* from, int64_t stride, int first, int rows, int width,
                         bool wide) {
  using Tile = RowTile<T, kWidth>;
  constexpr int kChunk = Tile::kChunk, kChunks = kWidth / kChunk;
#pragma unroll 1
  for (int i = threadIdx.x; i < kRows * kChunks; i += kThreads) {
    const int r = i / kChunks, c = i % kChunks * kChunk;
    const int left = first + r < rows && c < width ? width - c : 0;
    const T* at = from + (first + r) * stride + c;
    T* to = tile + r * Tile::kRow + c;
    if (kCopiesAsync && wide) {
      async_copy<16>(to, left ? at : from, (left < kChunk ? left : kChunk) * int(sizeof(T)));
      continue;
    }
    Pack<T, kChunk> pack;
    if (wide && left >= kChunk) {
      pack = *reinterpret_cast<const Pack<T, kChunk>*>(at);
    } else {
#pragma unroll
      for (int j = 0; j < kChunk; ++j) pack.v[j] = j < left ? at[j] : from_float<T>(0.0f);
    }
    *reinterpret_cast<Pack<T, kChunk>*>(to) = pack;
  }
}

// sum (16, kN) += a (16, depth) b (depth, kN): rows of a along k, 16 rows from `a` on; b either
// with columns along k (its column n begins at b + n * kBRow) or with rows (k begins there).
template <int kN, int kARow, int kBRow, bool kBAlongK, class T>
MG_DEVICE void multiply(float (&sum)[kN / 8][4], const T* a, const T* b, int depth) {
  const int lane = threadIdx.x % 32;
  if constexpr (sizeof(T) == 2) {
#pragma unroll 2
    for (int k = 0; k < depth; k += 16) {
      uint32_t x[4];
      load_matrices_x4(x, a + lane % 16 * kARow + k + lane / 16 * 8);
      const int matrix = lane / 8, in = lane % 8;
#pragma unroll
      for (int n = 0; n < kN; n += 16) {
        uint32_t y[4];
        if constexpr (kBAlongK) {
          load_matrices_x4(y, b + (n + matrix / 2 * 8 + in) * kBRow + k + matrix % 2 * 8);
        } else {
          load_matrices_x4_transposed(y,
                                      b + (k + matrix % 2 * 8 + in) * kBRow + n + matrix / 2 * 8);
        }
        const uint32_t left[2] = {y[0], y[1]}, right[2] = {y[2], y[3]};
        mma(T(), sum[n / 8], x, left);
        mma(T(), sum[n / 8 + 1], x, right);
      }
    }
  } else {
    const int g = lane / 4, t = lane % 4 * 2;
#pragma unroll 1
    for (int k = 0; k < depth; k += 4) {
      const Pack<T, 4> x = *reinterpret_cast<const Pack<T, 4>*>(a + g * kARow + k);
      const Pack<T, 4> y = *reinterpret_cast<const Pack<T, 4>*>(a + (g + 8) * kARow + k);
#pragma unroll
      for (int n = 0; n < kN; n += 8) {
        Pack<T, 4> left, right;  // the two columns
        if constexpr (kBAlongK) {
          left = *reinterpret_cast<const Pack<T, 4>*>(b + (n + t) * kBRow + k);
          right = *reinterpret_cast<const Pack<T, 4>*>(b + (n + t + 1) * kBRow + k);
        } else {
#pragma unroll
          for (int j = 0; j < 4; ++j) {
            const Pack<T, 2> two =
                *reinterpret_cast<const Pack<T, 2>*>(b + (k + j) * kBRow + n + t);
            left.v[j] = two.v[0];
            right.v[j] = two.v[1];
          }
        }
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          sum[n / 8][0] += x.v[j] * left.v[j];
          sum[n / 8][1] += x.v[j] * right.v[j];
          sum[n / 8][2] += y.v[j] * left.v[j];
          sum[n / 8][3] += y.v[j] * right.v[j];
        }
      }
    }
  }
}

// A warp's (16, kN) values to its rows of a tile, from where it reads them as the next `a`.
template <int kN, int kRow, class T>
MG_DEVICE void put_values(T* tile, const float (&value)[kN / 8][4]) {
  const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4 * 2;
  __syncwarp();  // the last product has read them
#pragma unroll
  for (int n = 0; n < kN; n += 8) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const Pack<T, 2> pack = {
          {from_float<T>(value[n / 8][half * 2]), from_float<T>(value[n / 8][half * 2 + 1])}};
      *reinterpret_cast<Pack<T, 2>*>(tile + (g + half * 8) * kRow + n + t) = pack;
    }
  }
  __syncwarp();
}

template <class T>
MG_DEVICE uint32_t pack_two(float low, float high) {
  const Pack<T, 2> two = {{from_float<T>(low), from_float<T>(high)}};
  uint32_t bits;
  memcpy(&bits, &two, sizeof bits);
  return bits;
}

// sum (16, kN) += value (16, kK) b (kK, kN), b with rows. A warp's values lie as its sums do, which
// is how mma.sync wants 16-bit elements of its left operand; floats go by way of the warp's rows of
// a tile.
template <int kN, int kK, int kARow, int kBRow, class T>
MG_DEVICE void multiply_values(float (&sum)[kN / 8][4], const float (&value)[kK / 8][4], T* rows,
                               const T* b) {
  if constexpr (sizeof(T) == 2) {
    const int lane = threadIdx.x % 32, matrix = lane / 8, in = lane % 8;
#pragma unroll
    for (int k = 0; k < kK; k += 16) {
      const float (&left)[4] = value[k / 8], (&right)[4] = value[k / 8 + 1];
      const uint32_t x[4] = {pack_two<T>(left[0], left[1]), pack_two<T>(left[2], left[3]),
                             pack_two<T>(right[0], right[1]), pack_two<T>(right[2], right[3])};
#pragma unroll
      for (int n = 0; n < kN; n += 16) {
        uint32_t y[4];
        load_matrices_x4_transposed(y, b + (k + matrix % 2 * 8 + in) * kBRow + n + matrix / 2 * 8);
        const uint32_t first[2] = {y[0], y[1]}, second[2] = {y[2], y[3]};
        mma(T(), sum[n / 8], x, first);
        mma(T(), sum[n / 8 + 1], x, second);
      }
    }
  } else {
    put_values<kK, kARow>(rows, value);
    multiply<kN, kARow, kBRow, false>(sum, rows, b, kK);
  }
}

// A product of q and k made a score: -inf where there is none.
MG_DEVICE float score(const ScoreMask& mask, int64_t offset, int query, int key, int keys,
                      float product) {
  if (key >= keys || (mask.causal && key > query)) return -INFINITY;
  float s = product * mask.scale;
  if (mask.kind == AttentionMask::kNone) return s;
  const int64_t at = offset + query * mask.row + key * mask.column;
  if (mask.kind == AttentionMask::kBool) {
    return static_cast<const uint8_t*>(mask.data)[at] ? s : -INFINITY;
  }
  if (mask.dtype == DType::kFloat32) return s + static_cast<const float*>(mask.data)[at];
  if (mask.dtype == DType::kFloat16) return s + to_float(static_cast<const __half*>(mask.data)[at]);
  return s + to_float(static_cast<const __nv_bfloat16*>(mask.data)[at]);
}

// A warp's (16, kN) sums to rows [first, ...) of a matrix in global memory, times a factor a row.
template <int kN, class T>
MG_DEVICE void store_rows(T* to, int64_t stride, int first, int rows, int width,
                          const float (&sum)[kN / 8][4], float upper, float lower) {
  const int lane = threadIdx.x % 32, t = lane % 4 * 2;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int r = first + lane / 4 + half * 8;
    const float factor = half ? lower : upper;
    if (r >= rows) continue;
#pragma unroll
    for (int n = 0; n < kN; n += 8) {
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        if (n + t + j < width) {
          to[r * stride + n + t + j] = from_float<T>(sum[n / 8][half * 2 + j] * factor);
        }
      }
    }
  }
}

template <class T>
struct AttentionCall {
  AttentionRows<T> q, k, v, out;
  AttentionRows<T> grad, dq, dk, dv;  // backward; data is nullptr where nobody wants a gradient
  float *top, *inverse, *delta;
  ScoreMask mask;
  int64_t count;
  int queries, keys, width, value_width;
};

// Rows and columns of a tile for one element type and width of the heads. Float tiles are smaller,
// so that the backward kernels' find room.
template <class T, int kWidth_>
struct AttentionTile {
  static constexpr int kWidth = kWidth_;
  static constexpr int kRows = sizeof(T) == 2 ? 64 : 32;
  static constexpr int kColumns = sizeof(T) == 4 && kWidth == 128 ? 16 : 32;
  static constexpr int kThreads = kRows * 2;  // a warp for 16 rows
  static constexpr int kRow = RowTile<T, kWidth>::kRow;
  static constexpr int kScoreRow = RowTile<T, kColumns>::kRow;
  static constexpr int kSide = 2 * kColumns * kRow;  // both operands with columns, for one step
  // So many operands with rows, those with columns for this step and the next, and a tile of values
  // for multiply_values.
  static constexpr int shared_bytes(int operands) {
    return RowTile<T, kWidth>::bytes(kRows * operands) + 2 * kSide * int(sizeof(T)) +
           (sizeof(T) == 2 ? 0 : RowTile<T, kColumns>::bytes(kRows));
  }
};

inline int round_up(int x, int to) { return (x + to - 1) / to * to; }

template <class T>
Error forward_of(const AttentionCall<T>& call, Stream stream);
template <class T>
Error backward_of(const AttentionCall<T>& call, Stream stream);

}  // namespace mg::cuda
