// The wrappers of ../hopper.cuh for the emulation.
#pragma once

#include <type_traits>

#include "cuda/emulate/device.h"

namespace mg {

inline void barrier_init(uint64_t* barrier, int arrivals) { emu::mbarrier_init(barrier, arrivals); }
inline void barriers_ready() {}
inline void barrier_arrive(uint64_t* barrier, int expected_bytes = 0) {
  emu::mbarrier_arrive(barrier, expected_bytes);
}
inline void barrier_wait(uint64_t* barrier, unsigned parity, emu::Site site = MG_EMU_CALLER) {
  emu::mbarrier_wait(barrier, parity, site);
}

using TensorMap = emu::TensorMap;

inline void load_box(void* to, const TensorMap* map, uint64_t* barrier, int column, int row,
                     int batch, emu::Site site = MG_EMU_CALLER) {
  emu::tensor_load(to, map, barrier, column, row, batch, site);
}

template <int kCount>
void give_registers() {}
template <int kCount>
void take_registers() {}

inline void warpgroup_begin() {}
inline void warpgroup_commit() { emu::warpgroup_commit(); }
#define warpgroup_wait ::emu::Wait{MG_EMU_SITE}.for_products
template <int kCount>
void after_wait(float (&)[kCount]) {}

struct BoxDescriptor {
  uintptr_t address;
  int step;
};
inline BoxDescriptor box_descriptor(const void* box, int step) {
  return {reinterpret_cast<uintptr_t>(box), step};
}

template <class T, bool kTurnA, bool kTurnB, int kSums>
void warpgroup_mma(float (&d)[kSums], BoxDescriptor a, BoxDescriptor b, bool adds) {
  constexpr emu::Element element = sizeof(T) == 4              ? emu::Element::kTf32
                                   : std::is_same_v<T, __half> ? emu::Element::kHalf
                                                               : emu::Element::kBFloat16;
  static_assert(kSums == 64 || kSums == 128, "128 or 256 columns");
  static_assert(sizeof(T) == 2 || (!kTurnA && !kTurnB), "TF32 takes operands along k alone");
  emu::warpgroup_issue({element, d, kSums * 2, a.address, b.address, kTurnA ? a.step : 0,
                        kTurnB ? b.step : 0, !adds, 0});
}

}  // namespace mg
