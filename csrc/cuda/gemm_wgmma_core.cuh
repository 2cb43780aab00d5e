// The matrix product by Hopper's own instructions (capability 9.0): one warpgroup of each block has
// the tensor memory accelerator bring tiles of A and B to shared memory, several stages ahead; two
// others multiply them, 64 rows each, their sums in registers. Blocks stay and take tile after
// tile, so that the next tile's operands come while the last one's sums go out.
//
//   producer   waits until a stage is empty, says how many bytes are to come, starts the copies
//   consumers  wait until the stage is full, issue the products, wait for those of the stage before
//              and say that it is empty
//
// Elements T are __nv_bfloat16, __half, or float, which the copies round to TF32. Whichever way an
// operand lies, its boxes in shared memory are rows of 128 bytes in the 128-byte swizzle:
//
//   along k       one box of all the tile's rows (columns), 128 bytes of k each
//   against it    boxes of 64 of the tile's rows (columns), one above the other; in each, a row of
//                 them for every k (16-bit elements alone)
//
// What it costs, for a tile of 128 x 256 of 16-bit elements (nothing here is measured):
//   - A stage is 64 deep: 2 * 128 * 256 * 64 = 4.2 MFLOP, 1024 cycles of a multiprocessor's matrix
//     units (4096 a cycle: 990 TFLOP/s on 132 at 1.83 GHz). The products read 2 * 4 * (64 + 256) *
//     32 bytes = 80 KiB of shared memory, 640 cycles at 128 bytes a cycle: not the limit.
//   - Its operands are 48 KiB from L2, 48 bytes a cycle for each multiprocessor, and in all m n k
//     (1 / 128 + 1 / 256) elements: at 4096^3, 1.6 GB, of which global memory sees the 100 MB of A,
//     B and C once if L2 keeps a band. 137 GFLOP take 0.14 ms at the peak rate, 100 MB 0.02 ms at
//     4.8 TB/s: matrix-bound by a factor of six, if L2 keeps up (11 TB/s at that rate; copies to
//     two blocks at once, in clusters, would halve that).
//   - 128 x 128: 512 cycles a stage, 32 KiB, 64 bytes a cycle from L2. It is for products with too
//     few tiles of 128 x 256 to give every multiprocessor one.
//   - One block a multiprocessor: 168 registers a thread at the start, then 232 for the consumers
//     and 40 for the producer (2 * 128 * 232 + 128 * 40 = 64512 of 65536); shared memory
//     4 * 48 KiB or 6 * 32 KiB of stages and 32 KiB for the sums' way out, 224 of 227 KiB.
//   - Writing a tile costs what the units then do not multiply: 128 KiB through shared memory twice
//     (2048 cycles) against 65536 cycles of products at k = 4096.
#pragma once

#include "cuda/gemm_core.cuh"
#include "cuda/hopper.cuh"

namespace mg::cuda {

template <class T, int kColumns>
struct WgmmaTile {
  static constexpr int kM = 128, kN = kColumns;
  static constexpr int kDepth = 128 / sizeof(T);  // of k in a stage: the rows of boxes
  static constexpr int kStep = 32 / sizeof(T);    // of k in one product
  static constexpr int kConsumers = 2, kThreads = 128 * (1 + kConsumers);
  static constexpr int kStageA = kM * 128, kStageB = kN * 128, kStage = kStageA + kStageB;
  static constexpr int kStages = kN == 256 ? 4 : 6;
  static constexpr int kSumsAcross = 64;  // columns of sums that a warp brings out at a time
  static constexpr int kOutBytes = 4 * kConsumers * 16 * kSumsAcross * 4;
  // Stages, sums on their way out, barriers.
  static constexpr int kSharedBytes = kStages * kStage + kOutBytes + kStages * 2 * 8;
  static_assert(kSharedBytes <= 227 * 1024, "what a block can have");
};

// How a matrix of the batch is found in an operand's map: `batch` has strides in its matrices.
struct WgmmaOperand {
  TensorMap map;
  BatchOffsets batch;
};

// A part of the work: a tile, a part of k, a matrix of the batch.
struct WgmmaWork {
  int row, column, part, batch, k, steps;
};

// `tiles` of one matrix.
template <class Tile>
MG_DEVICE WgmmaWork find_work(const Extents& e, int tiles, int index) {
  const int rest = index / tiles;
  WgmmaWork work;
  find_tile<Tile::kM, Tile::kN>(e, index - rest * tiles, &work.row, &work.column);
  work.batch = rest / e.parts;
  work.part = rest - work.batch * e.parts;
  work.k = e.k_begin(work.part);
  work.steps = (e.k_end(work.part) - work.k + Tile::kDepth - 1) / Tile::kDepth;
  return work;
}

// Stages are used in turn; every time around, their barriers' phases have the other parity.
template <int kStages>
struct StageTurn {
  int stage = 0;
  unsigned parity = 0;

  MG_DEVICE void advance() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

// One operand's part of a stage: kExtent rows (columns) from `first` on, at k.
template <class Tile, bool kAlongK, int kExtent>
MG_DEVICE void load_operand(char* to, const TensorMap* map, uint64_t* full, int first, int k,
                            int batch) {
  if constexpr (kAlongK) {
    load_box(to, map, full, k, first, batch);
  } else {
#pragma unroll
    for (int i = 0; i < kExtent; i += 64) {
      load_box(to + i * 128, map, full, first + i, k, batch);
    }
  }
}

// Where product number i of a stage begins, and how far it is to the next 64 rows (columns).
template <bool kAlongK>
MG_DEVICE auto operand_of_step(const char* box, int i) {
  constexpr int kTiles = 2 * 1024;  // against k: two tiles of eight k
  return box_descriptor(box + i * (kAlongK ? 32 : kTiles), kAlongK ? 0 : 64 * 128);
}

// A warp's 16 rows of sums go out through shared memory, so that a row's neighbours are written by
// neighbouring lanes. Eights of columns change places by their row to keep to different banks.
template <class Tile, class Output>
MG_DEVICE void store_sums(const Extents& e, const Output& out, const WgmmaWork& work, int row,
                          float* own, const float (&sum)[Tile::kN / 2]) {
  constexpr int kAcross = Tile::kSumsAcross;
  const int lane = threadIdx.x % 32;
  const auto at = [&](int r, int c) { return own + r * kAcross + (c ^ (r % 8 * 8)); };
#pragma unroll
  for (int first = 0; first < Tile::kN; first += kAcross) {
    if (work.column + first >= e.n) break;
#pragma unroll
    for (int c = 0; c < kAcross; c += 8) {
      const float* four = sum + (first + c) / 2;
      *reinterpret_cast<float2*>(at(lane / 4, c + lane % 4 * 2)) = make_float2(four[0], four[1]);
      *reinterpret_cast<float2*>(at(lane / 4 + 8, c + lane % 4 * 2)) =
          make_float2(four[2], four[3]);
    }
    __syncwarp();  // the sums are there
#pragma unroll 1
    for (int i = lane; i < 16 * kAcross / 4; i += 32) {
      const int r = i / (kAcross / 4), c = i % (kAcross / 4) * 4;
      store_four(e, out, work.batch, work.part, row + r, work.column + first + c,
                 *reinterpret_cast<const Pack<float, 4>*>(at(r, c)));
    }
    __syncwarp();  // and have been read
  }
}

template <class T, class Tile, bool kAAlongK, bool kBAlongK>
MG_DEVICE void wgmma_block(const WgmmaOperand& a, const WgmmaOperand& b,
                           const MatrixOutput<float>& out_all, const Extents& e, int tiles,
                           int count) {
  using Turn = StageTurn<Tile::kStages>;
  constexpr int kWarps = 4 * Tile::kConsumers;
  MG_DYN_SHARED(char, shared);
  float* const sums_out = reinterpret_cast<float*>(shared + Tile::kStages * Tile::kStage);
  uint64_t* const full =
      reinterpret_cast<uint64_t*>(shared + Tile::kStages * Tile::kStage + Tile::kOutBytes);
  uint64_t* const empty = full + Tile::kStages;
  if (threadIdx.x == 0) {
    for (int i = 0; i < Tile::kStages; ++i) {
      barrier_init(full + i, 1);
      barrier_init(empty + i, kWarps);
    }
    barriers_ready();
  }
  __syncthreads();  // the barriers are there

  if (threadIdx.x < 128) {
    give_registers<40>();
    if (threadIdx.x != 0) return;
    Turn turn;
    for (int index = blockIdx.x; index < count; index += gridDim.x) {
      const WgmmaWork work = find_work<Tile>(e, tiles, index);
      const int a_batch = static_cast<int>(a.batch(work.batch));
      const int b_batch = static_cast<int>(b.batch(work.batch));
#pragma unroll 1
      for (int step = 0; step < work.steps; ++step, turn.advance()) {
        const int k = work.k + step * Tile::kDepth;
        char* const to = shared + turn.stage * Tile::kStage;
        uint64_t* const barrier = full + turn.stage;
        barrier_wait(empty + turn.stage, turn.parity ^ 1);
        barrier_arrive(barrier, Tile::kStage);
        load_operand<Tile, kAAlongK, Tile::kM>(to, &a.map, barrier, work.row, k, a_batch);
        load_operand<Tile, kBAlongK, Tile::kN>(to + Tile::kStageA, &b.map, barrier, work.column, k,
                                               b_batch);
      }
    }
  } else {
    take_registers<232>();
    const int warp = threadIdx.x / 32 - 4, lane = threadIdx.x % 32, group = warp / 4;
    float* const own = sums_out + warp * 16 * Tile::kSumsAcross;
    Turn turn;
    float sum[Tile::kN / 2];
    for (int index = blockIdx.x; index < count; index += gridDim.x) {
      const WgmmaWork work = find_work<Tile>(e, tiles, index);
      int last = 0;  // the stage before
#pragma unroll 1
      for (int step = 0; step < work.steps; ++step, turn.advance()) {
        // 64 rows of A are 8 KiB, whichever way they lie.
        const char* const a_box = shared + turn.stage * Tile::kStage + group * 64 * 128;
        const char* const b_box = shared + turn.stage * Tile::kStage + Tile::kStageA;
        barrier_wait(full + turn.stage, turn.parity);
        warpgroup_begin();
#pragma unroll
        for (int i = 0; i < Tile::kDepth / Tile::kStep; ++i) {
          warpgroup_mma<T, !kAAlongK, !kBAlongK>(sum, operand_of_step<kAAlongK>(a_box, i),
                                                 operand_of_step<kBAlongK>(b_box, i),
                                                 step > 0 || i > 0);
        }
        warpgroup_commit();
        warpgroup_wait<1>();  // the stage before has been read
        if (step > 0 && lane == 0) barrier_arrive(empty + last);
        last = turn.stage;
      }
      warpgroup_wait<0>();
      after_wait(sum);
      if (lane == 0) barrier_arrive(empty + last);
      MatrixOutput<float> out;
      out.at(out_all, work.batch);
      store_sums<Tile>(e, out, work, work.row + warp * 16, own, sum);
    }
  }
}

template <class T, class Tile, bool kAAlongK, bool kBAlongK>
__global__ void __launch_bounds__(Tile::kThreads, 1)
    wgmma_kernel(const __grid_constant__ WgmmaOperand a, const __grid_constant__ WgmmaOperand b,
                 const __grid_constant__ MatrixOutput<float> out, const __grid_constant__ Extents e,
                 int tiles, int count) {
  wgmma_block<T, Tile, kAAlongK, kBAlongK>(a, b, out, e, tiles, count);
}

}  // namespace mg::cuda
