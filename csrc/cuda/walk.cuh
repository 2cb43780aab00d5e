// Places of strided operands on the device: csrc/kernels/elementwise.h's Walk as a kernel argument.
#pragma once

#include <functional>

#include "cuda/kernels_elementwise.h"
#include "cuda/rows.cuh"

namespace mg::cuda {

// Division of numbers below 2^31 by a number fixed at launch: the upper half of a product and a
// shift (Granlund and Montgomery 1994).
struct Divider {
  uint32_t by, factor, shift;

  MG_DEVICE uint32_t operator()(uint32_t n) const {
    const uint32_t high = static_cast<uint32_t>((static_cast<uint64_t>(n) * factor) >> 32);
    return (high + n) >> shift;
  }
};

inline Divider divider(uint32_t by) {
  uint32_t shift = 0;
  while ((uint64_t{1} << shift) < by) ++shift;
  const uint64_t one = 1;
  const uint64_t factor = ((one << 32) * ((one << shift) - by)) / by + 1;
  return {by, static_cast<uint32_t>(factor), shift};
}

// Up to kOperands arrays that are walked together. `units` are packs of elements along the
// innermost dimension (or single elements), fewer than 2^31.
template <int kOperands>
struct Spans {
  int ndim;
  uint32_t units;
  Divider extent[kWalkDims];             // in units, outermost first
  int64_t stride[kOperands][kWalkDims];  // elements between units
};

template <int kOperands>
MG_DEVICE void find_places(int64_t (&at)[kOperands], const Spans<kOperands>& spans, uint32_t unit) {
#pragma unroll
  for (int k = 0; k < kOperands; ++k) at[k] = 0;
  uint32_t rest = unit;
  for (int d = spans.ndim - 1; d > 0; --d) {
    const uint32_t quotient = spans.extent[d](rest);
    const int64_t digit = rest - quotient * spans.extent[d].by;
    rest = quotient;
#pragma unroll
    for (int k = 0; k < kOperands; ++k) at[k] += digit * spans.stride[k][d];
  }
#pragma unroll
  for (int k = 0; k < kOperands; ++k) at[k] += rest * spans.stride[k][0];
}

constexpr int64_t kMostUnits = int64_t{1} << 30;

// Calls run(spans, offsets) for parts of the walk that 32-bit numbers can count; `offsets` are the
// elements to add to each operand's address. `width`: elements of a unit; where it is not 1 it
// divides the innermost extent or there is one dimension only. The first error ends it.
template <int kOperands>
using RunPart = std::function<Error(const Spans<kOperands>&, const int64_t*)>;

template <int kOperands>
Error walk_parts(const StridedWalk<kOperands>& walk, int64_t width, const RunPart<kOperands>& run) {
  int64_t inside = 1;  // units of one step of dimension 0
  for (int d = 1; d < walk.ndim; ++d) inside *= walk.shape[d];
  if (walk.ndim > 1) inside /= width;
  if (inside > kMostUnits) {  // a step alone is too many: one part after the other, further inside
    StridedWalk<kOperands> rest = walk;
    rest.ndim = walk.ndim - 1;
    rest.size = walk.size / walk.shape[0];
    for (int d = 0; d < rest.ndim; ++d) {
      rest.shape[d] = walk.shape[d + 1];
      for (int k = 0; k < kOperands; ++k) rest.stride[k][d] = walk.stride[k][d + 1];
    }
    for (int64_t i = 0; i < walk.shape[0]; ++i) {
      const auto part = [&](const Spans<kOperands>& spans, const int64_t* at) {
        int64_t moved[kOperands];
        for (int k = 0; k < kOperands; ++k) moved[k] = at[k] + i * walk.stride[k][0];
        return run(spans, moved);
      };
      if (const Error error = walk_parts<kOperands>(rest, width, part)) return error;
    }
    return 0;
  }
  const int64_t unit = walk.ndim == 1 ? width : 1;  // elements of a step of dimension 0
  const int64_t steps = ceil_div(walk.shape[0], unit);
  const int64_t most = kMostUnits / inside;
  for (int64_t begin = 0; begin < steps; begin += most) {
    const int64_t count = steps - begin < most ? steps - begin : most;
    Spans<kOperands> spans = {};
    spans.ndim = walk.ndim;
    spans.units = static_cast<uint32_t>(count * inside);
    int64_t offsets[kOperands];
    for (int k = 0; k < kOperands; ++k) offsets[k] = begin * unit * walk.stride[k][0];
    for (int d = 0; d < walk.ndim; ++d) {
      const bool innermost = d == walk.ndim - 1;
      const int64_t extent = d == 0 ? count : innermost ? walk.shape[d] / width : walk.shape[d];
      spans.extent[d] = divider(static_cast<uint32_t>(extent));
      for (int k = 0; k < kOperands; ++k) {
        spans.stride[k][d] = walk.stride[k][d] * (innermost ? width : 1);
      }
    }
    if (const Error error = run(spans, offsets)) return error;
  }
  return 0;
}

}  // namespace mg::cuda
