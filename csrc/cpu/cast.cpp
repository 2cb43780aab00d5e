// Casts between float32 and the two half-precision formats.
// Memory-bound: one vector load, conversion and store a step, chunks shared by the threads.
#include "kernels/cast.h"

#include "runtime/threads.h"
#include "simd.h"

namespace mg::MG_ISA {
namespace {

// About 400 KB of traffic, several microseconds: less does not pay for waking a thread.
constexpr int64_t kGrain = 1 << 16;

template <class Out, class In>
void cast(Out* MG_RESTRICT out, const In* MG_RESTRICT in, int64_t n) {
  parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + kF <= end; i += kF) store(out + i, load(in + i));
    if (i < end) store_partial(out + i, load_partial(in + i, end - i), end - i);
  });
}

}  // namespace

extern const CastKernels kCast = {
    cast<half, float>,
    cast<float, half>,
    cast<bfloat16, float>,
    cast<float, bfloat16>,
};

}  // namespace mg::MG_ISA
