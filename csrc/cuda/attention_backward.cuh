// Gradients of attention, for one type of elements: one kernel with rows of queries for q's, one
// with rows of keys for k's and v's. Each computes the probabilities anew; no sum depends on the
// order of blocks.
#pragma once

#include "cuda/attention_core.cuh"

namespace mg::cuda {

constexpr int kDeltaThreads = 256;

// delta = the sum of grad times out along each row: a warp a row.
template <class T>
__global__ void __launch_bounds__(kDeltaThreads) delta_kernel(const AttentionCall<T> c) {
  const int lane = threadIdx.x % 32;
  const int64_t step = static_cast<int64_t>(gridDim.x) * (kDeltaThreads / 32);
  for (int64_t i = blockIdx.x * static_cast<int64_t>(kDeltaThreads / 32) + threadIdx.x / 32;
       i < c.count * c.queries; i += step) {
    const int64_t index = i / c.queries, query = i % c.queries;
    const T* grad = c.grad.at(index) + query * c.grad.row;
    const T* out = c.out.at(index) + query * c.out.row;
    float sum = 0;
    for (int j = lane; j < c.value_width; j += 32) sum += to_float(grad[j]) * to_float(out[j]);
    sum = warp_sum(sum);
    if (lane == 0) c.delta[i] = sum;
  }
}

// kKeys: rows are keys, columns queries; else the other way round.
template <class T, class Tile, bool kKeys>
MG_DEVICE void backward_block(const AttentionCall<T>& c) {
  constexpr int kWidth = Tile::kWidth, kRows = Tile::kRows, kColumns = Tile::kColumns;
  constexpr int kRow = Tile::kRow;
  MG_DYN_SHARED(T, rows_left);                     // q (k) of the rows
  T* const rows_right = rows_left + kRows * kRow;  // grad (v)
  T* const sides = rows_right + kRows * kRow;  // both of the columns, of this step and of the next
  T* const values = sides + 2 * Tile::kSide;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int first = blockIdx.x * kRows, own = first + warp * 16;
  const int row_count = kKeys ? c.keys : c.queries, column_count = kKeys ? c.queries : c.keys;
  const int depth = (c.width + 15) / 16 * 16, value_depth = (c.value_width + 15) / 16 * 16;
  T* const own_values = values + warp * 16 * Tile::kScoreRow;
  for (int64_t index = blockIdx.y; index < c.count; index += gridDim.y) {
    const AttentionRows<T>&left = kKeys ? c.k : c.q, &right = kKeys ? c.v : c.grad;
    const AttentionRows<T>&across = kKeys ? c.q : c.k, &down = kKeys ? c.grad : c.v;
    load_rows<kRows, Tile::kThreads, kWidth>(rows_left, left.at(index), left.row, first, row_count,
                                             c.width, left.wide);
    load_rows<kRows, Tile::kThreads, kWidth>(rows_right, right.at(index), right.row, first,
                                             row_count, c.value_width, right.wide);
    const int64_t mask_offset = c.mask.batch(index);
    const float* top = c.top + index * c.queries;
    const float* inverse = c.inverse + index * c.queries;
    const float* delta = c.delta + index * c.queries;
    float grad_left[kWidth / 8][4] = {};               // of q (k)
    float grad_value[kKeys ? kWidth / 8 : 1][4] = {};  // of v
    int begin = 0, end = column_count;
    if (c.mask.causal) {
      if (kKeys) begin = first / kColumns * kColumns;  // queries before them do not see these keys
      if (!kKeys && first + kRows < end) end = first + kRows;
    }
#pragma unroll 1
    for (int column = begin - kColumns, side = 1; column < end; column += kColumns, side ^= 1) {
      if (column >= begin) {
        if constexpr (kCopiesAsync) async_wait<0>();
        __syncthreads();  // this step's tiles are there, and the last step's have been read
      }
      if (const int next = column + kColumns; next < end) {
        T* const to = sides + (side ^ 1) * Tile::kSide;
        load_rows<kColumns, Tile::kThreads, kWidth>(to, across.at(index), across.row, next,
                                                    column_count, c.width, across.wide);
        load_rows<kColumns, Tile::kThreads, kWidth>(to + kColumns * kRow, down.at(index), down.row,
                                                    next, column_count, c.value_width, down.wide);
        commit_copies();
      }
      if (column < begin) continue;
      const T* const columns_left = sides + side * Tile::kSide;
      const T* const columns_right = columns_left + kColumns * kRow;
      float p[kColumns / 8][4] = {}, ds[kColumns / 8][4] = {};
      multiply<kColumns, kRow, kRow, true>(p, rows_left + warp * 16 * kRow, columns_left, depth);
      multiply<kColumns, kRow, kRow, true>(ds, rows_right + warp * 16 * kRow, columns_right,
                                           value_depth);
#pragma unroll
      for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int r = own + lane / 4 + j / 2 * 8, s = column + n * 8 + lane % 4 * 2 + j % 2;
          const int query = kKeys ? s : r, key = kKeys ? r : s;
          float probability = 0, change = 0;
          if (query < c.queries) {
            const float x = score(c.mask, mask_offset, query, key, c.keys, p[n][j]);
            probability = expf(x - top[query]) * inverse[query];
            change = probability * (ds[n][j] - delta[query]) * c.mask.scale;
          }
          p[n][j] = probability;
          ds[n][j] = probability == 0 ? 0.0f : change;
        }
      }
      if constexpr (kKeys) {
        multiply_values<kWidth, kColumns, Tile::kScoreRow, kRow>(grad_value, p, own_values,
                                                                 columns_right);
      }
      multiply_values<kWidth, kColumns, Tile::kScoreRow, kRow>(grad_left, ds, own_values,
                                                               columns_left);
    }
    const AttentionRows<T>& to = kKeys ? c.dk : c.dq;
    if (to.data) {
      store_rows<kWidth>(to.at(index), to.row, own, row_count, c.width, grad_left, 1.0f, 1.0f);
    }
    if constexpr (kKeys) {
      if (c.dv.data) {
        store_rows<kWidth>(c.dv.at(index), c.dv.row, own, row_count, c.value_width, grad_value,
                           1.0f, 1.0f);
      }
    }
    __syncthreads();  // before the next matrix's rows take the tiles
  }
}

template <class T, class Tile, bool kKeys>
__global__ void __launch_bounds__(Tile::kThreads) backward_kernel(const AttentionCall<T> call) {
  if constexpr (MG_ARCH != 0 && MG_ARCH < 800 && sizeof(T) == 2) {
    __trap();
  } else {
    backward_block<T, Tile, kKeys>(call);
  }
}

template <class T, int kWidth>
Error launch_backward(const AttentionCall<T>& call, Stream stream) {
  using Tile = AttentionTile<T, kWidth>;
  constexpr int kBytes = Tile::shared_bytes(2);
  const unsigned across = grid_for(call.count, 1, kMostBatches);
  Error error = 0;
  if (call.dq.data) {
    const dim3 grid(static_cast<unsigned>(ceil_div(call.queries, Tile::kRows)), across);
    error = MG_LAUNCH((backward_kernel<T, Tile, false>), grid, dim3(Tile::kThreads), kBytes, stream,
                      call);
  }
  if (!error && (call.dk.data || call.dv.data)) {
    const dim3 grid(static_cast<unsigned>(ceil_div(call.keys, Tile::kRows)), across);
    error = MG_LAUNCH((backward_kernel<T, Tile, true>), grid, dim3(Tile::kThreads), kBytes, stream,
                      call);
  }
  return error;
}

template <class T>
Error backward_of(const AttentionCall<T>& call, Stream stream) {
  const Error error = MG_LAUNCH(delta_kernel<T>, dim3(grid_for(call.count * call.queries, 8)),
                                dim3(kDeltaThreads), 0, stream, call);
  if (error) return error;
  if (call.width <= 64 && call.value_width <= 64) return launch_backward<T, 64>(call, stream);
  return launch_backward<T, 128>(call, stream);
}

}  // namespace mg::cuda
