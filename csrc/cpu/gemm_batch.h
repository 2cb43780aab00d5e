// Batches of matrix products: small ones are shared out among the threads, and what a thread reads
// next comes to its L2 while it computes (Ahead in gemm_core.h). Include from csrc/cpu/gemm.cpp
// only.
#pragma once

#include "cpu/gemm_core.h"
#include "kernels/gemm.h"

namespace mg::MG_ISA {

MG_INLINE int64_t batch_size(const GemmArgs& g) {
  int64_t count = 1;
  for (int i = 0; i < g.batch_dims; ++i) count *= g.batch_shape[i];
  return count;
}

// Small matrices are shared out among the threads, large ones are cut up themselves.
MG_INLINE bool batch_in_parallel(const GemmArgs& g, int64_t count) {
  return count >= 8 || (count > 1 && g.m * g.n * g.k < 2 * kWorthThreads);
}

// A set of workspaces for the threads that run at once, behind a flag for each.
constexpr int64_t kSlots = 64, kFlagBytes = kSlots * 4;

struct Place {
  int64_t a, b, c;
};

// Bytes of a matrix that is worth fetching ahead, else 0: it lies together, stays in the L2 beside
// others, and is not so small that the hardware has it in time.
template <class T>
MG_INLINE int64_t bytes_ahead(int64_t rows, int64_t rs, int64_t columns, int64_t cs) {
  constexpr int64_t kLeast = 4 << 10, kMostAhead = 192 << 10;
  const int64_t bytes = rows * columns * int64_t{sizeof(T)};
  const bool dense = (cs == 1 && rs == columns) || (rs == 1 && cs == rows);
  return dense && bytes >= kLeast && bytes <= kMostAhead ? bytes : 0;
}

// Calls kernel(g, c, a, b, workspace of `bytes`, what follows) for each product of the batch.
template <class Out, class In, class Kernel>
static void over_batches(const GemmArgs& g, int64_t bytes, Kernel kernel) {
  const int64_t count = batch_size(g);
  if (count == 0 || g.m == 0 || g.n == 0) return;
  const auto place_of = [&](int64_t index) {
    Place at = {};
    for (int i = g.batch_dims - 1; i >= 0; --i) {
      const int64_t j = index % g.batch_shape[i];
      index /= g.batch_shape[i];
      at.a += j * g.a_batch[i];
      at.b += j * g.b_batch[i];
      at.c += j * g.c_batch[i];
    }
    return at;
  };
  const In *const a = static_cast<const In*>(g.a), *const b = static_cast<const In*>(g.b);
  const int64_t a_bytes = bytes_ahead<In>(g.m, g.a_rs, g.k, g.a_cs);
  const int64_t b_bytes = bytes_ahead<In>(g.k, g.b_rs, g.n, g.b_cs);
  // `next`: the product that this thread probably computes afterwards, if it is one.
  const auto one = [&](int64_t index, int64_t next, void* space) {
    const Place at = place_of(index);
    Following following = {};
    if (next < count) {
      const Place then = place_of(next);
      following = {a + then.a, b + then.b, then.a == at.a ? 0 : a_bytes,
                   then.b == at.b ? 0 : b_bytes};
    }
    kernel(g, static_cast<Out*>(g.c) + at.c, a + at.a, b + at.b, space, following);
  };
  if (!batch_in_parallel(g, count)) {
    for (int64_t i = 0; i < count; ++i) one(i, i + 1, g.workspace);
    return;
  }
  const int64_t grain = max_of(1, kWorthThreads / 8 / max_of(1, g.m * g.n * g.k));
  const int64_t others = (get_num_threads() - 1) * grain;  // what other threads do meanwhile
  const auto some = [&](int64_t begin, int64_t end, void* space) {
    for (int64_t i = begin; i < end; ++i) one(i, i + 1 < end ? i + 1 : end + others, space);
  };
  if (bytes == 0) {
    parallel_for(count, grain, [&](int64_t begin, int64_t end) { some(begin, end, nullptr); });
    return;
  }
  int32_t* const flags = static_cast<int32_t*>(g.workspace);
  char* const first = static_cast<char*>(g.workspace) + kFlagBytes;
  const int64_t slots = (g.workspace_bytes - kFlagBytes) / round_up(bytes, 64);
  for (int64_t i = 0; i < kSlots; ++i) flags[i] = 0;
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    int64_t slot = 0;
    while (__atomic_exchange_n(&flags[slot], 1, __ATOMIC_ACQUIRE)) slot = (slot + 1) % slots;
    some(begin, end, first + slot * round_up(bytes, 64));
    __atomic_store_n(&flags[slot], 0, __ATOMIC_RELEASE);
  });
}

}  // namespace mg::MG_ISA
