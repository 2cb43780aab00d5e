// Hopper's own instructions (capability 9.0), one a wrapper: barriers in shared memory, copies of
// boxes of matrices by the tensor memory accelerator (TMA), products by a warpgroup of 128 threads.
// emulate/hopper.h has the twins. Only files of MG_CUDA_SM90A_SOURCES include this: they are
// compiled for 9.0a and nothing else.
#pragma once

#include "cuda/mgcuda.cuh"

#ifdef __CUDACC__

#include <cuda.h>

namespace mg {

// A barrier (mbarrier) has phases: one is over when as many threads have arrived as it was made
// for, and the bytes that they said to expect have come. Phases have parity 0, 1, 0 ...
MG_DEVICE void barrier_init(uint64_t* barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(arrivals)
               : "memory");
}
// Between barrier_init and the __syncthreads after it: TMA is to see the barriers too.
MG_DEVICE void barriers_ready() {
  asm volatile("fence.mbarrier_init.release.cluster; fence.proxy.async.shared::cta;" ::: "memory");
}
MG_DEVICE void barrier_arrive(uint64_t* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
               : "memory");
}
MG_DEVICE void barrier_arrive(uint64_t* barrier, int expected_bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
      "r"(expected_bytes)
      : "memory");
}
// Until the phase of this parity is over. The phase before the first one counts as over.
MG_DEVICE void barrier_wait(uint64_t* barrier, unsigned parity) {
  asm volatile(
      "{\n.reg .pred done;\n"
      "wait_%=:\nmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra wait_%=;\n}" ::"r"(shared_address(barrier)),
      "r"(parity)
      : "memory");
}

// What the copies have to know of a matrix in global memory; a kernel's parameter by value
// (const __grid_constant__).
using TensorMap = CUtensorMap;

// The box whose first element is (batch, row, column) to shared memory (1024-byte aligned), in the
// 128-byte swizzle; 0 where there is no element. Its bytes arrive at the barrier.
MG_DEVICE void load_box(void* to, const TensorMap* map, uint64_t* barrier, int column, int row,
                        int batch) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4, %5}], [%2];" ::"r"(shared_address(to)),
      "l"(map), "r"(shared_address(barrier)), "r"(column), "r"(row), "r"(batch)
      : "memory");
}

// Registers of each thread of the warpgroup, from here on: what one gives, another can take.
template <int kCount>
MG_DEVICE void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kCount));
}
template <int kCount>
MG_DEVICE void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kCount));
}

// Products run beside the threads: begin, then products, then commit makes a group of them.
MG_DEVICE void warpgroup_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
MG_DEVICE void warpgroup_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
// Until at most kKeep groups are under way.
template <int kKeep>
MG_DEVICE void warpgroup_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kKeep) : "memory");
}
// Sums are used only behind this, which stands behind the wait for them: to the compiler they are
// ready when the product is issued.
template <int kCount>
MG_DEVICE void after_wait(float (&sum)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(sum[i])::"memory");
}

// How a warpgroup finds its operand in shared memory: rows of 128 bytes with the 128-byte swizzle,
// eight of them a tile of 1024 bytes. Where the operand's neighbours lie along k, the next tile is
// the next eight of m (n); where they lie along m (n), the next tile is the next eight of k, and
// the next 64 of m (n) lie `step` bytes on.
MG_DEVICE uint64_t box_descriptor(const void* box, int step) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62, kTile = uint64_t{1024 >> 4} << 32;
  const uint64_t address = (shared_address(box) & 0x3ffff) >> 4;
  return kSwizzle128 | kTile | static_cast<uint64_t>(step ? step >> 4 : 1) << 16 | address;
}

// The registers of sums by their numbers in the text of the instruction.
// clang-format off
#define MG_REGISTERS_64 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define MG_REGISTERS_128 \
  MG_REGISTERS_64 ", " \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, " \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, " \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
// clang-format on

#define MG_SUMS_4(i) "+f"(d[i]), "+f"(d[(i) + 1]), "+f"(d[(i) + 2]), "+f"(d[(i) + 3])
#define MG_SUMS_16(i) MG_SUMS_4(i), MG_SUMS_4((i) + 4), MG_SUMS_4((i) + 8), MG_SUMS_4((i) + 12)
#define MG_SUMS_64(i) \
  MG_SUMS_16(i), MG_SUMS_16((i) + 16), MG_SUMS_16((i) + 32), MG_SUMS_16((i) + 48)

#define MG_WGMMA(n, types, depth, turns, registers, sums, a, b, add, turn_a, turn_b)             \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %" add                                      \
               ", 0;\n"                                                                          \
               "wgmma.mma_async.sync.aligned.m64n" n depth ".f32." types " {" registers "}, %" a \
               ", %" b ", add, 1, 1" turns(turn_a, turn_b) ";\n}"                                \
               : sums                                                                            \
               : "l"(a_box), "l"(b_box), "r"(int(adds)), "n"(int(kTurnA)), "n"(int(kTurnB)))
#define MG_WGMMA_128(types, depth, turns) \
  MG_WGMMA("128", types, depth, turns, MG_REGISTERS_64, MG_SUMS_64(0), "64", "65", "66", "67", "68")
#define MG_WGMMA_256(types, depth, turns)                                                         \
  MG_WGMMA("256", types, depth, turns, MG_REGISTERS_128, MG_SUMS_128, "128", "129", "130", "131", \
           "132")
#define MG_SUMS_128 MG_SUMS_64(0), MG_SUMS_64(64)
#define MG_TURNS(a, b) ", %" a ", %" b
#define MG_NO_TURNS(a, b)

// d (64, n) = [d +] a (64, 32 bytes) b (32 bytes, n) for n = 2 * kSums: a warpgroup's. d[4 j + 2 h
// + i] belongs to row 16 w + 8 h + lane / 4 and column 8 j + lane % 4 * 2 + i, w being the warp of
// four. kTurn: the operand's neighbours lie along m (n), which TF32 cannot take.
template <class T, bool kTurnA, bool kTurnB, int kSums>
MG_DEVICE void warpgroup_mma(float (&d)[kSums], uint64_t a_box, uint64_t b_box, bool adds) {
  static_assert(kSums == 64 || kSums == 128, "128 or 256 columns");
  static_assert(sizeof(T) == 2 || (!kTurnA && !kTurnB), "TF32 takes operands along k alone");
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    if constexpr (kSums == 64) {
      MG_WGMMA_128("bf16.bf16", "k16", MG_TURNS);
    } else {
      MG_WGMMA_256("bf16.bf16", "k16", MG_TURNS);
    }
  } else if constexpr (std::is_same_v<T, __half>) {
    if constexpr (kSums == 64) {
      MG_WGMMA_128("f16.f16", "k16", MG_TURNS);
    } else {
      MG_WGMMA_256("f16.f16", "k16", MG_TURNS);
    }
  } else {
    if constexpr (kSums == 64) {
      MG_WGMMA_128("tf32.tf32", "k8", MG_NO_TURNS);
    } else {
      MG_WGMMA_256("tf32.tf32", "k8", MG_NO_TURNS);
    }
  }
}

}  // namespace mg

#else

#include "cuda/emulate/hopper.h"

#endif
