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

// One element converted. Bools are bytes of 0 and 1; the bits of a float tell whether it is 0, so
// that subnormals are not.
template <class Out, class In>
struct Plain {
  using To = Out;
  using From = In;
  static inline __attribute__((always_inline)) Out convert(In x) { return static_cast<Out>(x); }
};
template <class In>
struct NotZero {
  using To = uint8_t;
  using From = In;
  static inline __attribute__((always_inline)) uint8_t convert(In x) { return x != 0; }
};
struct FloatNotZero {
  using To = uint8_t;
  using From = uint32_t;
  static inline __attribute__((always_inline)) uint8_t convert(uint32_t x) {
    return (x & 0x7fffffffu) != 0;
  }
};

template <class Map>
void convert_row(void* out, const void* const* in, const Unit* unit, int64_t n, const double*,
                 bool) {
  auto* MG_RESTRICT y = static_cast<typename Map::To*>(out);
  const auto* MG_RESTRICT x = static_cast<const typename Map::From*>(in[0]);
  if (unit[0] == Unit::kDense) {
    for (int64_t i = 0; i < n; ++i) y[i] = Map::convert(x[i]);
  } else {
    const auto value = Map::convert(*x);
    for (int64_t i = 0; i < n; ++i) y[i] = value;
  }
}

template <class Out, class In>
constexpr Row kPlain = convert_row<Plain<Out, In>>;

constexpr int kTypes = static_cast<int>(DType::kOther);
// By the order of DType: bool, uint8, int8, int16, int32, int64, float16, bfloat16, float32,
// float64.
using B = uint8_t;
using I = int32_t;
using L = int64_t;
using F = float;
using D = double;
constexpr Row kToBool = convert_row<NotZero<L>>;
const Row kRows[kTypes][kTypes] = {
    {nullptr, nullptr, nullptr, nullptr, nullptr, kPlain<L, B>, nullptr, nullptr, kPlain<F, B>,
     kPlain<D, B>},
    {nullptr, nullptr, nullptr, nullptr, nullptr, kPlain<L, B>, nullptr, nullptr, kPlain<F, B>,
     kPlain<D, B>},
    {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, kPlain<F, int8_t>,
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, kPlain<F, int16_t>,
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr, kPlain<L, I>, nullptr, nullptr, kPlain<F, I>,
     kPlain<D, I>},
    {kToBool, nullptr, nullptr, nullptr, kPlain<I, L>, nullptr, nullptr, nullptr, kPlain<F, L>,
     kPlain<D, L>},
    {},
    {},
    {convert_row<FloatNotZero>, nullptr, nullptr, nullptr, kPlain<I, F>, kPlain<L, F>, nullptr,
     nullptr, nullptr, kPlain<D, F>},
    {nullptr, nullptr, nullptr, nullptr, nullptr, kPlain<L, D>, nullptr, nullptr, kPlain<F, D>,
     nullptr},
};

}  // namespace

extern const CastKernels kCast = {
    cast<half, float>, cast<float, half>, cast<bfloat16, float>, cast<float, bfloat16>, kRows,
};

}  // namespace mg::MG_ISA
