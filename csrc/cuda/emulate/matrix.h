// The matrix units: fragments lie in the lanes' registers as the PTX manual says for mma.sync,
// ldmatrix and wgmma. Sums are added in float32 in the order of k; the hardware's order and
// rounding of a single instruction's sum are not documented.
#pragma once

#include <cstdint>

#include "cuda/emulate/barrier.h"

namespace emu {

enum class Element { kHalf, kBFloat16, kTf32 };

// d (16, 8) += a (16, 16) b (16, 8) for 16-bit elements.
void mma_16816(Element element, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
               Site site);
// d (16, 8) += a (16, 8) b (8, 8) in TF32.
void mma_1688(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site);
// A float rounded to TF32's 10 bits of mantissa: to nearest, ties away from zero.
uint32_t to_tf32(float x);

// `matrices` (1, 2 or 4) matrices of 8 rows of 16 bytes; lane 8 i + j gives the address of row j of
// matrix i.
void load_matrices(uint32_t* registers, int matrices, bool transposed, const void* row, Site site);

// One wgmma.mma_async m64nNk16, or k8 for TF32. Operands are tiles in shared memory with the
// 128-byte swizzle, read when the warpgroup waits: at once, after everything else has run, or
// either.
struct WarpgroupProduct {
  Element element;
  float* d;
  int n;
  uintptr_t a, b;
  // From one group of 64 elements to the next, in bytes, where the operand's rows run along m or n
  // ("transposed"); 0 where they run along k.
  int a_step, b_step;
  bool clear;  // d = a b in place of d += a b
  int group;
};
void warpgroup_issue(const WarpgroupProduct& product);
void warpgroup_commit();
void warpgroup_wait(int keep, Site site);

}  // namespace emu
