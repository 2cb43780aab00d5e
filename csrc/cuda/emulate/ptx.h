// The wrappers of ../ptx.cuh for the emulation.
#pragma once

#include "cuda/emulate/device.h"

namespace mg {

template <int Bytes>
void async_copy(void* to, const void* from, int read = Bytes) {
  emu::async_copy(to, from, Bytes, read, MG_EMU_SITE);
}
inline void async_commit() { emu::async_commit(); }
#define async_wait ::emu::Wait{MG_EMU_SITE}.for_copies  // a macro, to know the place of the call

inline void load_matrices_x4(uint32_t (&r)[4], const void* row) {
  emu::load_matrices(r, 4, false, row, MG_EMU_SITE);
}
inline void load_matrices_x4_transposed(uint32_t (&r)[4], const void* row) {
  emu::load_matrices(r, 4, true, row, MG_EMU_SITE);
}

inline void mma(__nv_bfloat16, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  emu::mma_16816(emu::Element::kBFloat16, d, a, b, MG_EMU_SITE);
}
inline void mma(__half, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  emu::mma_16816(emu::Element::kHalf, d, a, b, MG_EMU_SITE);
}
inline void mma(float, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  emu::mma_1688(d, a, b, MG_EMU_SITE);
}
inline uint32_t to_tf32(float x) { return emu::to_tf32(x); }

}  // namespace mg
