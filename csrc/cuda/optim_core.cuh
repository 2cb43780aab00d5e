// What the optimizer steps share: the table of tensors as a kernel argument, and the walk over it.
#pragma once

#include "cuda/kernels_optim.h"
#include "cuda/rows.cuh"
#include "cuda/vmath.cuh"

namespace mg::cuda {

// Arguments of a kernel have room for 4 KiB.
constexpr int kTableTensors = 40;
constexpr int kLanes = 4;  // elements that a thread updates at once

struct TensorTable {
  StepTensor tensors[kTableTensors];
  int32_t first_block[kTableTensors + 1];
  int count;
};
static_assert(sizeof(TensorTable) + sizeof(StepOptions) <= 4000);

// The tensor that a block belongs to.
MG_DEVICE int tensor_of(const TensorTable& table, int block) {
  int low = 0, high = table.count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    table.first_block[middle] <= block ? low = middle : high = middle;
  }
  return low;
}

// Elements [at, at + n) of an array of a floating-point type that is known at run time.
template <class V>
MG_DEVICE void load_typed(V (&v)[kLanes], const void* array, DType type, int64_t at, int n) {
  const bool all = n == kLanes;
  switch (type) {
    case DType::kFloat32:
      all ? load_pack<kLanes>(v, static_cast<const float*>(array) + at)
          : load_some<kLanes>(v, static_cast<const float*>(array) + at, n, V(0));
      break;
    case DType::kFloat16:
      all ? load_pack<kLanes>(v, static_cast<const __half*>(array) + at)
          : load_some<kLanes>(v, static_cast<const __half*>(array) + at, n, V(0));
      break;
    case DType::kBFloat16:
      all ? load_pack<kLanes>(v, static_cast<const __nv_bfloat16*>(array) + at)
          : load_some<kLanes>(v, static_cast<const __nv_bfloat16*>(array) + at, n, V(0));
      break;
    default:
      all ? load_pack<kLanes>(v, static_cast<const double*>(array) + at)
          : load_some<kLanes>(v, static_cast<const double*>(array) + at, n, V(0));
  }
}

template <class T, class V>
MG_DEVICE void load_part(V (&v)[kLanes], const void* array, int64_t at, int n, V fill) {
  const T* from = static_cast<const T*>(array) + at;
  n == kLanes ? load_pack<kLanes>(v, from) : load_some<kLanes>(v, from, n, fill);
}
template <class T, class V>
MG_DEVICE void store_part(void* array, int64_t at, const V (&v)[kLanes], int n) {
  T* to = static_cast<T*>(array) + at;
  n == kLanes ? store_pack<kLanes>(to, v) : store_some<kLanes>(to, v, n);
}

// Whether every array of a tensor can be read in packs of kLanes elements.
MG_DEVICE bool in_packs(const StepTensor& t) {
  uintptr_t all = reinterpret_cast<uintptr_t>(t.param) | reinterpret_cast<uintptr_t>(t.grad) |
                  reinterpret_cast<uintptr_t>(t.copy);
#pragma unroll
  for (int k = 0; k < 3; ++k) all |= reinterpret_cast<uintptr_t>(t.state[k]);
  return all % 16 == 0;
}

// Calls body(at, n) for the elements of a block's chunk: n = kLanes of them, or 1 where the arrays
// are misaligned, or what is left at the end.
template <class Body>
MG_DEVICE void walk_chunk(int64_t begin, int64_t end, bool packs, Body body) {
  if (packs) {
    for (int64_t at = begin + threadIdx.x * kLanes; at < end; at += blockDim.x * kLanes) {
      body(at, end - at < kLanes ? static_cast<int>(end - at) : kLanes);
    }
  } else {
    for (int64_t at = begin + threadIdx.x; at < end; at += blockDim.x) body(at, 1);
  }
}

// Calls launch(table, blocks) for tables of at most kTableTensors tensors, a block for every chunk;
// `blocks` is 0 where only steps are to be counted.
template <class Launch>
Error launch_tables(const StepTensor* tensors, int64_t count, int64_t chunk, const Launch& launch) {
  TensorTable table;
  int64_t blocks = 0;
  table.count = 0;
  const auto flush = [&]() -> Error {
    if (table.count == 0) return 0;
    table.first_block[table.count] = static_cast<int32_t>(blocks);
    const Error error = launch(table, static_cast<unsigned>(blocks));
    table.count = 0;
    blocks = 0;
    return error;
  };
  for (int64_t i = 0; i < count; ++i) {
    if (tensors[i].size == 0 && !tensors[i].step) continue;
    const int64_t more = ceil_div(tensors[i].size, chunk);
    if (table.count == kTableTensors || blocks + more > INT32_MAX / 2) {
      if (const Error error = flush()) return error;
    }
    table.tensors[table.count] = tensors[i];
    table.first_block[table.count++] = static_cast<int32_t>(blocks);
    blocks += more;
  }
  return flush();
}

template <class V>
MG_DEVICE V gradient(V g, V p, V decay, bool with_decay, bool maximize) {
  if (maximize) g = -g;
  return with_decay ? fma(p, decay, g) : g;
}

// start + weight (end - start), in PyTorch's form, which is exact at both ends.
template <class V>
MG_DEVICE V lerp(V start, V end, V weight, V other, bool small) {
  const V delta = end - start;
  return small ? fma(weight, delta, start) : fma(-delta, other, end);
}

// The larger of the two, NaN if one of them is NaN.
template <class V>
MG_DEVICE V maximum(V a, V b) {
  return a != a || a > b ? a : b;
}

}  // namespace mg::cuda
