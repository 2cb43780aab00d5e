// The matrix product on the ordinary arithmetic units: tiles of A and B in shared memory, k first,
// in two buffers; while one is multiplied the next is on its way in registers.
#pragma once

#include "cuda/gemm_core.cuh"

namespace mg::cuda {

// kM x kN sums a block, kItems x kItems a thread, in groups of four that lie apart so that a
// warp's reads of shared memory meet no bank twice.
template <int kM_, int kN_, int kItems_>
struct SimtTile {
  static constexpr int kM = kM_, kN = kN_, kItems = kItems_, kDepth = 16;
  static constexpr int kThreads = kM / kItems * (kN / kItems);
};
using LargeTile = SimtTile<128, 128, 8>;
using SmallTile = SimtTile<64, 64, 4>;

template <class Sum, class T>
MG_DEVICE Sum widened(T x) {
  if constexpr (sizeof(T) == 2) {
    return to_float(x);
  } else {
    return x;
  }
}

// Brings kExtent x kDepth elements of an operand to shared memory, by way of registers.
template <class Operand, class Sum, int kExtent, int kDepth, int kThreads>
struct Fetcher;

template <class T, class Sum, int kExtent, int kDepth, int kThreads>
struct Fetcher<MatrixOperand<T>, Sum, kExtent, kDepth, kThreads> {
  static constexpr int kGroups = kExtent * kDepth / kThreads / 4;
  static_assert(kGroups * kThreads * 4 == kExtent * kDepth, "every thread has as many groups");
  Pack<T, 4> group[kGroups];

  MG_DEVICE static void place(bool along_k, int i, int* o, int* k) {
    const int at = threadIdx.x + i * kThreads;
    *k = along_k ? at % (kDepth / 4) * 4 : at / (kExtent / 4);
    *o = along_k ? at / (kDepth / 4) : at % (kExtent / 4) * 4;
  }

  MG_DEVICE void get(const MatrixOperand<T>& x, int first, int k0, int depth) {
#pragma unroll
    for (int i = 0; i < kGroups; ++i) {
      int o, k;
      place(x.along_k, i, &o, &k);
      o += first;
      k += k0;
      if (x.wide && x.run(o, k, depth, 4) == 4) {
        group[i] = *reinterpret_cast<const Pack<T, 4>*>(x.address(o, k));
      } else {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          group[i].v[j] = x.along_k ? x.element(o, k + j, depth) : x.element(o + j, k, depth);
        }
      }
    }
  }

  template <class Row>
  MG_DEVICE void put(const MatrixOperand<T>& x, Row* tile) {
#pragma unroll
    for (int i = 0; i < kGroups; ++i) {
      int o, k;
      place(x.along_k, i, &o, &k);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const Sum value = widened<Sum>(group[i].v[j]);
        (x.along_k ? tile[k + j][o] : tile[k][o + j]) = value;
      }
    }
  }
};

template <class Tile, class A, class B, class Output>
MG_DEVICE void simt_block(const A& a_all, const B& b_all, const Output& out_all, const Extents& e) {
  using Sum = typename Output::Accumulator;
  constexpr int kM = Tile::kM, kN = Tile::kN, kItems = Tile::kItems, kDepth = Tile::kDepth;
  constexpr int kAcross = kN / kItems, kGroups = kItems / 4;
  MG_SHARED(Sum, a_tile, [2][kDepth][kM + 4]);
  MG_SHARED(Sum, b_tile, [2][kDepth][kN + 4]);
  const int tx = threadIdx.x % kAcross * 4, ty = threadIdx.x / kAcross * 4;
  int row, column;
  find_tile<kM, kN>(e, blockIdx.x, &row, &column);
  const int end = e.k_end(blockIdx.y);
  Fetcher<A, Sum, kM, kDepth, Tile::kThreads> a_next;
  Fetcher<B, Sum, kN, kDepth, Tile::kThreads> b_next;

  for (int64_t batch = blockIdx.z; batch < e.batches; batch += gridDim.z) {
    A a;
    B b;
    a.at(a_all, batch);
    b.at(b_all, batch);
    Sum sum[kItems][kItems] = {};
    int k0 = e.k_begin(blockIdx.y);
    a_next.get(a, row, k0, end);
    b_next.get(b, column, k0, end);
    a_next.put(a, a_tile[0]);
    b_next.put(b, b_tile[0]);
    __syncthreads();
    for (int buffer = 0; k0 < end; k0 += kDepth, buffer ^= 1) {
      const bool more = k0 + kDepth < end;
      if (more) {
        a_next.get(a, row, k0 + kDepth, end);
        b_next.get(b, column, k0 + kDepth, end);
      }
#pragma unroll
      for (int k = 0; k < kDepth; ++k) {
        Pack<Sum, 4> x[kGroups], y[kGroups];
#pragma unroll
        for (int g = 0; g < kGroups; ++g) {
          x[g] =
              *reinterpret_cast<const Pack<Sum, 4>*>(&a_tile[buffer][k][g * (kM / kGroups) + ty]);
          y[g] =
              *reinterpret_cast<const Pack<Sum, 4>*>(&b_tile[buffer][k][g * (kN / kGroups) + tx]);
        }
#pragma unroll
        for (int i = 0; i < kItems; ++i) {
#pragma unroll
          for (int j = 0; j < kItems; ++j) sum[i][j] += x[i / 4].v[i % 4] * y[j / 4].v[j % 4];
        }
      }
      if (more) {
        a_next.put(a, a_tile[buffer ^ 1]);
        b_next.put(b, b_tile[buffer ^ 1]);
        __syncthreads();
      }
    }
    Output out;
    out.at(out_all, batch);
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
#pragma unroll
      for (int g = 0; g < kGroups; ++g) {
        Pack<Sum, 4> four;
#pragma unroll
        for (int j = 0; j < 4; ++j) four.v[j] = sum[i][g * 4 + j];
        store_four(e, out, batch, blockIdx.y, row + i / 4 * (kM / kGroups) + ty + i % 4,
                   column + g * (kN / kGroups) + tx, four);
      }
    }
    __syncthreads();  // the next matrix of the batch takes the buffers over
  }
}

// 16-bit operands come here only where there are no matrix units for them.
template <class Tile, class A, class B, class Output>
__global__ void __launch_bounds__(Tile::kThreads)
    simt_kernel(const A a, const B b, const Output out, const Extents e) {
  if constexpr (MG_ARCH >= 800 && sizeof(typename A::Element) == 2) {
    __trap();
  } else {
    simt_block<Tile>(a, b, out, e);
  }
}

template <class Tile>
int64_t count_tiles(const Extents& e) {
  return ceil_div(e.m, Tile::kM) * ceil_div(e.n, Tile::kN);
}

template <class Tile, class A, class B, class Output>
Error launch_simt(const A& a, const B& b, const Output& out, Extents e, void* workspace,
                  int64_t bytes, Stream stream) {
  const int64_t tiles = count_tiles<Tile>(e);
  divide_depth(&e, tiles, sizeof(typename Output::Accumulator), bytes, workspace);
  const dim3 grid(static_cast<unsigned>(tiles), e.parts, grid_for(e.batches, 1, kMostBatches));
  const Error error = MG_LAUNCH((simt_kernel<Tile, A, B, Output>), grid, dim3(Tile::kThreads), 0,
                                stream, a, b, out, e);
  return error ? error : add_parts_if_any(out, e, stream);
}

// Large tiles read less and multiply faster, where there are enough of them for the chip.
inline bool takes_large_tiles(const Extents& e) {
  return count_tiles<LargeTile>(e) * e.batches >= device_traits().multiprocessors;
}

}  // namespace mg::cuda
