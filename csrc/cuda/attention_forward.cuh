// Attention forward, for one type of elements.
#pragma once

#include "cuda/attention_core.cuh"

namespace mg::cuda {

template <class T, class Tile>
MG_DEVICE void forward_block(const AttentionCall<T>& c) {
  constexpr int kWidth = Tile::kWidth, kRows = Tile::kRows, kColumns = Tile::kColumns;
  MG_DYN_SHARED(T, q_tile);
  T* const sides = q_tile + kRows * Tile::kRow;  // k and v of this step and of the next
  T* const scores = sides + 2 * Tile::kSide;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int first = blockIdx.x * kRows, own = first + warp * 16;
  const int depth = (c.width + 15) / 16 * 16;
  for (int64_t index = blockIdx.y; index < c.count; index += gridDim.y) {
    const T *q = c.q.at(index), *k = c.k.at(index), *v = c.v.at(index);
    const int64_t mask_offset = c.mask.batch(index);
    float sum[kWidth / 8][4] = {};
    float top[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0};  // of the rows g and g + 8
    load_rows<kRows, Tile::kThreads, kWidth>(q_tile, q, c.q.row, first, c.queries, c.width,
                                             c.q.wide);
    int end = c.keys;
    if (c.mask.causal && first + kRows < end) end = first + kRows;
    // One loop for the first load too, so that loading is compiled once.
#pragma unroll 1
    for (int column = -kColumns, side = 1; column < end; column += kColumns, side ^= 1) {
      if (column >= 0) {
        if constexpr (kCopiesAsync) async_wait<0>();
        __syncthreads();  // this step's tiles are there, and the last step's have been read
      }
      if (const int next = column + kColumns; next < end) {
        T* const to = sides + (side ^ 1) * Tile::kSide;
        load_rows<kColumns, Tile::kThreads, kWidth>(to, k, c.k.row, next, c.keys, c.width,
                                                    c.k.wide);
        load_rows<kColumns, Tile::kThreads, kWidth>(to + kColumns * Tile::kRow, v, c.v.row, next,
                                                    c.keys, c.value_width, c.v.wide);
        commit_copies();
      }
      if (column < 0) continue;
      const T* const k_tile = sides + side * Tile::kSide;
      const T* const v_tile = k_tile + kColumns * Tile::kRow;
      float s[kColumns / 8][4] = {};
      multiply<kColumns, Tile::kRow, Tile::kRow, true>(s, q_tile + warp * 16 * Tile::kRow, k_tile,
                                                       depth);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int query = own + lane / 4 + half * 8;
        float largest = top[half];
#pragma unroll
        for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
          for (int j = 0; j < 2; ++j) {
            float& x = s[n][half * 2 + j];
            const int key = column + n * 8 + lane % 4 * 2 + j;
            x = query < c.queries ? score(c.mask, mask_offset, query, key, c.keys, x) : -INFINITY;
            largest = fmaxf(largest, x);
          }
        }
        largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 1));
        largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 2));
        const float base = largest == -INFINITY ? 0.0f : largest;
        const float shrink = expf(top[half] - base);  // 0 at first
        top[half] = largest;
        float part = 0;
#pragma unroll
        for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
          for (int j = 0; j < 2; ++j) {
            float& x = s[n][half * 2 + j];
            x = expf(x - base);
            part += x;
          }
        }
        part += __shfl_xor_sync(0xffffffffu, part, 1);
        part += __shfl_xor_sync(0xffffffffu, part, 2);
        total[half] = total[half] * shrink + part;
#pragma unroll
        for (int n = 0; n < kWidth / 8; ++n) {
          sum[n][half * 2] *= shrink;
          sum[n][half * 2 + 1] *= shrink;
        }
      }
      multiply_values<kWidth, kColumns, Tile::kScoreRow, Tile::kRow>(
          sum, s, scores + warp * 16 * Tile::kScoreRow, v_tile);
    }
    float inverse[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      inverse[half] = total[half] == 0 ? 1.0f : 1.0f / total[half];
      const int query = own + lane / 4 + half * 8;
      if (lane % 4 == 0 && query < c.queries) {
        c.top[index * c.queries + query] = top[half] == -INFINITY ? 0.0f : top[half];
        c.inverse[index * c.queries + query] = inverse[half];
      }
    }
    store_rows<kWidth>(c.out.at(index), c.out.row, own, c.queries, c.value_width, sum, inverse[0],
                       inverse[1]);
    __syncthreads();  // before the next matrix's queries take the tile
  }
}

template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads) forward_kernel(const AttentionCall<T> call) {
  if constexpr (MG_ARCH != 0 && MG_ARCH < 800 && sizeof(T) == 2) {
    __trap();
  } else {
    forward_block<T, Tile>(call);
  }
}

template <class T, int kWidth>
Error launch_forward(const AttentionCall<T>& call, Stream stream) {
  using Tile = AttentionTile<T, kWidth>;
  const dim3 grid(static_cast<unsigned>(ceil_div(call.queries, Tile::kRows)),
                  grid_for(call.count, 1, kMostBatches));
  return MG_LAUNCH((forward_kernel<T, Tile>), grid, dim3(Tile::kThreads), Tile::shared_bytes(1),
                   stream, call);
}

template <class T>
Error forward_of(const AttentionCall<T>& call, Stream stream) {
  if (call.width <= 64 && call.value_width <= 64) return launch_forward<T, 64>(call, stream);
  return launch_forward<T, 128>(call, stream);
}

}  // namespace mg::cuda
