// What the files of the pool family share: writing planes, and the kernels of pool_adaptive.cpp.
#pragma once

#include "kernels/pool.h"
#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {

void adaptive_avg(float* out, const float* x, const PoolShape& shape);
void adaptive_avg(double* out, const double* x, const PoolShape& shape);
void adaptive_avg_backward(float* out, const float* g, const PoolShape& shape);
void adaptive_avg_backward(double* out, const double* g, const PoolShape& shape);
void adaptive_max(float* out, int32_t* index, const float* x, const PoolShape& shape);
void adaptive_max(double* out, int32_t* index, const double* x, const PoolShape& shape);

namespace {

constexpr int64_t kPlaneBytes = 16 << 10;  // planes up to here are put together on the stack

// Calls build(plane, i) for each of `planes` planes of `size` elements of out, in parallel. It
// writes the whole plane, which may stand elsewhere and be streamed to out afterwards.
template <class T, class Build>
void each_plane(T* out, int64_t planes, int64_t size, int64_t grain, Build&& build) {
  constexpr int64_t bytes = static_cast<int64_t>(sizeof(T));
  const bool past = planes * size * bytes >= kStreamBytes && size * bytes <= kPlaneBytes &&
                    size * bytes % kVectorBytes == 0 &&
                    reinterpret_cast<uintptr_t>(out) % kVectorBytes == 0;
  parallel_for(planes, grain, [&](int64_t begin, int64_t end) {
    alignas(64) unsigned char memory[kPlaneBytes];
    T* buffer = reinterpret_cast<T*>(memory);
    for (int64_t i = begin; i < end; ++i) {
      T* to = out + i * size;
      if (!past) {
        build(to, i);
        continue;
      }
      build(buffer, i);
      for (int64_t j = 0; j < size; j += Vec<T>::lanes) stream(to + j, load(buffer + j));
    }
    if (past) stream_fence();
  });
}

}  // namespace
}  // namespace mg::MG_ISA
