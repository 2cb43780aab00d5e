// The matrix product on matrix units by mma.sync (capability 8.0): tiles of A and B come to shared
// memory by asynchronous copies, several stages ahead, and from there to registers by ldmatrix.
//
// Elements T are __nv_bfloat16, __half, or float, which is rounded to TF32. Everything is counted
// in chunks of 16 bytes: a step of mma.sync is two chunks deep whatever the type.
//
// What it costs on an H200 (reckoned, not measured), for tiles of 128 x 128 of 16-bit elements: a
// stage is 32 deep, 1 MFLOP, 413 cycles of a multiprocessor's matrix units at the 62 % of 4096 FLOP
// a cycle that mma.sync reaches there. It brings 16 KiB from L2 (40 bytes a cycle) and reads, a
// warp having 64 x 32 of the tile, 48 KiB of shared memory: 384 cycles at 128 bytes a cycle.
#pragma once

#include "cuda/gemm_core.cuh"

namespace mg::cuda {

template <int kM_, int kN_, int kDown, int kAcross, int kStages_>
struct MmaTile {
  static constexpr int kM = kM_, kN = kN_, kStages = kStages_;
  static constexpr int kThreads = 32 * kDown * kAcross;
  static constexpr int kWarpsAcross = kAcross;
  static constexpr int kWarpM = kM / kDown, kWarpN = kN / kAcross;  // of one warp
};
using LargeMmaTile = MmaTile<128, 128, 2, 4, 4>;
using SmallMmaTile = MmaTile<64, 64, 2, 2, 4>;

constexpr int kChunksDeep = 4;

// One stage of an operand in shared memory: rows along k, or (kAlongK false) along the operand's
// rows or columns; a chunk of padding keeps the eight rows of a matrix in different banks.
template <class T, bool kAlongK, int kExtent>
struct StageOf {
  static constexpr int kChunk = 16 / sizeof(T);
  static constexpr int kDepth = kChunksDeep * kChunk;
  static constexpr int kRow = (kAlongK ? kDepth : kExtent) + kChunk;
  static constexpr int kSize = (kAlongK ? kExtent : kDepth) * kRow;

  MG_DEVICE static T* at(T* stage, int o, int k) {
    return stage + (kAlongK ? o * kRow + k : k * kRow + o);
  }

  // A 16 rows by two chunks deep from (o, k) on.
  MG_DEVICE static void load_a(uint32_t (&r)[4], T* stage, int o, int k) {
    const int lane = threadIdx.x % 32;
    if constexpr (kAlongK) {
      load_matrices_x4(r, at(stage, o + lane % 16, k + lane / 16 * kChunk));
    } else if constexpr (sizeof(T) == 2) {
      const int matrix = lane / 8;
      load_matrices_x4_transposed(r, at(stage, o + matrix % 2 * 8, k + matrix / 2 * 8 + lane % 8));
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        r[i] = __float_as_uint(*at(stage, o + lane / 4 + i % 2 * 8, k + lane % 4 + i / 2 * 4));
      }
    }
    round(r);
  }
  // B two chunks deep by 16 columns: r[0] and r[1] belong to the first eight.
  MG_DEVICE static void load_b(uint32_t (&r)[4], T* stage, int o, int k) {
    const int lane = threadIdx.x % 32, matrix = lane / 8;
    if constexpr (kAlongK) {
      load_matrices_x4(r, at(stage, o + matrix / 2 * 8 + lane % 8, k + matrix % 2 * kChunk));
    } else if constexpr (sizeof(T) == 2) {
      load_matrices_x4_transposed(r, at(stage, o + matrix / 2 * 8, k + matrix % 2 * 8 + lane % 8));
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        r[i] = __float_as_uint(*at(stage, o + lane / 4 + i / 2 * 8, k + lane % 4 + i % 2 * 4));
      }
    }
    round(r);
  }
  MG_DEVICE static void round(uint32_t (&r)[4]) {
    if constexpr (sizeof(T) == 4) {
#pragma unroll
      for (int i = 0; i < 4; ++i) r[i] = to_tf32(__uint_as_float(r[i]));
    }
  }
};

// Fills a stage of an operand from (first, k0) on; what lies outside becomes 0. begin comes before
// the first stage, fetch before the products of the stage at hand, put, for what fetch could not
// copy asynchronously, after them.
template <class Operand, class Stage, bool kAlongK, int kExtent, int kThreads>
struct Filler;

template <class T, class Stage, bool kAlongK, int kExtent, int kThreads>
struct Filler<MatrixOperand<T>, Stage, kAlongK, kExtent, kThreads> {
  MG_DEVICE void begin(const MatrixOperand<T>&, int) const {}
  MG_DEVICE void put(T*) const {}
  MG_DEVICE static void fetch(const MatrixOperand<T>& x, T* stage, int first, int k0, int depth) {
    constexpr int kChunk = Stage::kChunk, kDepth = Stage::kDepth;
    constexpr int kRowChunks = (kAlongK ? kDepth : kExtent) / kChunk;
    constexpr int kChunks = kExtent * kDepth / kChunk;
    static_assert(kChunks % kThreads == 0, "every thread has as many chunks");
    const auto place = [](int i, int* o, int* k) {
      const int chunk = threadIdx.x + i * kThreads;
      const int near = chunk % kRowChunks * kChunk, far = chunk / kRowChunks;
      *o = kAlongK ? far : near;
      *k = kAlongK ? near : far;
    };
    if (x.wide) {
#pragma unroll
      for (int i = 0; i < kChunks / kThreads; ++i) {
        int o, k;
        place(i, &o, &k);
        const int run = x.run(first + o, k0 + k, depth, kChunk);
        async_copy<16>(Stage::at(stage, o, k), run ? x.address(first + o, k0 + k) : x.data,
                       run * int(sizeof(T)));
      }
      return;
    }
#pragma unroll 1  // the rare case, kept short
    for (int i = 0; i < kChunks / kThreads; ++i) {
      int o, k;
      place(i, &o, &k);
      T* to = Stage::at(stage, o, k);
      for (int j = 0; j < kChunk; ++j) {
        to[j] = x.element(first + o + (kAlongK ? 0 : j), k0 + k + (kAlongK ? j : 0), depth);
      }
    }
  }
};

template <class T, class Tile, bool kAAlongK, bool kBAlongK>
constexpr int mma_shared_bytes() {
  constexpr int stages =
      Tile::kStages * int(sizeof(T)) *
      (StageOf<T, kAAlongK, Tile::kM>::kSize + StageOf<T, kBAlongK, Tile::kN>::kSize);
  static_assert(stages >= Tile::kM * (Tile::kN + 4) * 4, "the sums find room in the stages");
  return stages;
}

// A warp's sums += its rows of a stage of A times its columns of one of B.
template <class Tile, class StageA, class StageB, class T>
MG_DEVICE void multiply_stage(float (&sum)[Tile::kWarpM / 16][Tile::kWarpN / 8][4], T* a, T* b,
                              int row, int column) {
  constexpr int kDown = Tile::kWarpM / 16, kAcross = Tile::kWarpN / 8;
#pragma unroll
  for (int k = 0; k < StageA::kDepth; k += 2 * StageA::kChunk) {
    uint32_t x[kDown][4], y[kAcross / 2][4];
#pragma unroll
    for (int i = 0; i < kDown; ++i) StageA::load_a(x[i], a, row + i * 16, k);
#pragma unroll
    for (int j = 0; j < kAcross / 2; ++j) StageB::load_b(y[j], b, column + j * 16, k);
#pragma unroll
    for (int i = 0; i < kDown; ++i) {
#pragma unroll
      for (int j = 0; j < kAcross; ++j) {
        const uint32_t pair[2] = {y[j / 2][j % 2 * 2], y[j / 2][j % 2 * 2 + 1]};
        mma(T(), sum[i][j], x[i], pair);
      }
    }
  }
}

template <class T, class Tile, bool kAAlongK, bool kBAlongK, class A, class B, class Output>
MG_DEVICE void mma_block(const A& a_all, const B& b_all, const Output& out_all, const Extents& e) {
  using StageA = StageOf<T, kAAlongK, Tile::kM>;
  using StageB = StageOf<T, kBAlongK, Tile::kN>;
  using FillA = Filler<A, StageA, kAAlongK, Tile::kM, Tile::kThreads>;
  using FillB = Filler<B, StageB, kBAlongK, Tile::kN, Tile::kThreads>;
  constexpr int kStages = Tile::kStages, kDepth = StageA::kDepth;
  constexpr int kDown = Tile::kWarpM / 16, kAcross = Tile::kWarpN / 8;
  MG_DYN_SHARED(T, shared);
  T* const a_stages = shared;
  T* const b_stages = shared + kStages * StageA::kSize;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int warp_row = warp / Tile::kWarpsAcross * Tile::kWarpM;
  const int warp_column = warp % Tile::kWarpsAcross * Tile::kWarpN;
  int row, column;
  find_tile<Tile::kM, Tile::kN>(e, blockIdx.x, &row, &column);
  const int begin = e.k_begin(blockIdx.y), end = e.k_end(blockIdx.y);
  const int steps = begin < end ? (end - begin + kDepth - 1) / kDepth : 0;

  for (int64_t batch = blockIdx.z; batch < e.batches; batch += gridDim.z) {
    A a;
    B b;
    a.at(a_all, batch);
    b.at(b_all, batch);
    float sum[kDown][kAcross][4] = {};
    FillA fill_a;
    FillB fill_b;
    fill_a.begin(a, row);
    fill_b.begin(b, column);
    // One loop for the way in too, so that filling is compiled once.
#pragma unroll 1
    for (int step = 1 - kStages; step < steps; ++step) {
      const int next = step + kStages - 1;
      T* const a_next = a_stages + next % kStages * StageA::kSize;
      T* const b_next = b_stages + next % kStages * StageB::kSize;
      if (step >= 0) {
        async_wait<kStages - 2>();
        __syncthreads();  // this stage is there, and the one before it is no longer read
      }
      if (next < steps) {
        fill_a.fetch(a, a_next, row, begin + next * kDepth, end);
        fill_b.fetch(b, b_next, column, begin + next * kDepth, end);
      }
      async_commit();  // an empty group too: the waits count them
      if (step >= 0) {
        multiply_stage<Tile, StageA, StageB>(sum, a_stages + step % kStages * StageA::kSize,
                                             b_stages + step % kStages * StageB::kSize, warp_row,
                                             warp_column);
      }
      if (next < steps) {
        fill_a.put(a_next);
        fill_b.put(b_next);
      }
    }
    __syncthreads();  // the stages make room for the sums, which go out row by row
    float* const sums = reinterpret_cast<float*>(shared);
    constexpr int kRow = Tile::kN + 4;
#pragma unroll
    for (int i = 0; i < kDown; ++i) {
#pragma unroll
      for (int j = 0; j < kAcross; ++j) {
        float* to =
            sums + (warp_row + i * 16 + lane / 4) * kRow + warp_column + j * 8 + lane % 4 * 2;
        *reinterpret_cast<float2*>(to) = make_float2(sum[i][j][0], sum[i][j][1]);
        *reinterpret_cast<float2*>(to + 8 * kRow) = make_float2(sum[i][j][2], sum[i][j][3]);
      }
    }
    __syncthreads();
    Output out;
    out.at(out_all, batch);
#pragma unroll 1
    for (int i = threadIdx.x; i < Tile::kM * Tile::kN / 4; i += Tile::kThreads) {
      const int r = i / (Tile::kN / 4), c = i % (Tile::kN / 4) * 4;
      const Pack<float, 4> four = *reinterpret_cast<const Pack<float, 4>*>(sums + r * kRow + c);
      store_four(e, out, batch, blockIdx.y, row + r, column + c, four);
    }
    __syncthreads();  // the next matrix of the batch takes the stages over
  }
}

template <class T, class Tile, bool kAAlongK, bool kBAlongK, class A, class B, class Output>
__global__ void __launch_bounds__(Tile::kThreads)
    mma_kernel(const __grid_constant__ A a, const __grid_constant__ B b,
               const __grid_constant__ Output out, const __grid_constant__ Extents e) {
  if constexpr (MG_ARCH != 0 && MG_ARCH < 800) {
    __trap();
  } else {
    mma_block<T, Tile, kAAlongK, kBAlongK>(a, b, out, e);
  }
}

template <class T, class Tile, bool kAAlongK, bool kBAlongK, class A, class B, class Output>
Error launch_mma(const A& a, const B& b, const Output& out, Extents e, void* workspace,
                 int64_t bytes, Stream stream) {
  const int64_t tiles = ceil_div(e.m, Tile::kM) * ceil_div(e.n, Tile::kN);
  divide_depth(&e, tiles, sizeof(float), bytes, workspace);
  const dim3 grid(static_cast<unsigned>(tiles), e.parts, grid_for(e.batches, 1, kMostBatches));
  const Error error =
      MG_LAUNCH((mma_kernel<T, Tile, kAAlongK, kBAlongK, A, B, Output>), grid, dim3(Tile::kThreads),
                (mma_shared_bytes<T, Tile, kAAlongK, kBAlongK>()), stream, a, b, out, e);
  return error ? error : add_parts_if_any(out, e, stream);
}

inline bool takes_large_mma_tiles(const Extents& e) {
  return ceil_div(e.m, LargeMmaTile::kM) * ceil_div(e.n, LargeMmaTile::kN) * e.batches >=
         device_traits().multiprocessors;
}

}  // namespace mg::cuda
