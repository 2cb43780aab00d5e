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

// Blocks of floats from and to any type: what stands between the 16-bit types and the others.
constexpr int64_t kBlock = 256;
template <class T>
void read_block(float* out, const T* in, int64_t n) {
  if constexpr (sizeof(T) == 2) {
    int64_t i = 0;
    for (; i + kF <= n; i += kF) store(out + i, load(in + i));
    if (i < n) store(out + i, load_partial(in + i, n - i));
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(in[i]);
  }
}
template <class T>
void write_block(T* out, const float* in, int64_t n) {
  if constexpr (sizeof(T) == 2) {
    int64_t i = 0;
    for (; i + kF <= n; i += kF) store(out + i, load(in + i));
    if (i < n) store_partial(out + i, load(in + i), n - i);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(in[i]);
  }
}
template <class Out, class In>
void through_floats(void* out, const void* const* in, const Unit* unit, int64_t n, const double*,
                    bool) {
  alignas(64) float block[kBlock + kF];
  Out* y = static_cast<Out*>(out);
  const In* x = static_cast<const In*>(in[0]);
  if (unit[0] == Unit::kSame) {
    read_block(block, x, 1);
    for (int64_t i = 1; i < kBlock; ++i) block[i] = block[0];
  }
  for (int64_t i = 0; i < n; i += kBlock) {
    const int64_t count = min_of(kBlock, n - i);
    if (unit[0] == Unit::kDense) read_block(block, x + i, count);
    write_block(y + i, block, count);
  }
}
struct DoubleNotZero {
  using To = uint8_t;
  using From = uint64_t;
  static inline __attribute__((always_inline)) uint8_t convert(uint64_t x) { return x << 1 != 0; }
};
struct HalfNotZero {
  using To = uint8_t;
  using From = uint16_t;
  static inline __attribute__((always_inline)) uint8_t convert(uint16_t x) {
    return (x & 0x7fffu) != 0;
  }
};

template <class Out, class In>
constexpr Row kPlain = convert_row<Plain<Out, In>>;
template <class Out, class In>
constexpr Row kThrough = through_floats<Out, In>;

constexpr int kTypes = static_cast<int>(DType::kOther);
// By the order of DType: bool, uint8, int8, int16, int32, int64, float16, bfloat16, float32,
// float64.
using B = uint8_t;
using I = int32_t;
using L = int64_t;
using F = float;
using D = double;
using H = half;
using G = bfloat16;
template <class In>
constexpr Row kToBool = convert_row<NotZero<In>>;
constexpr Row kHalfToBool = convert_row<HalfNotZero>;
const Row kRows[kTypes][kTypes] = {
    {nullptr, kPlain<B, B>, nullptr, nullptr, kPlain<I, B>, kPlain<L, B>, kThrough<H, B>,
     kThrough<G, B>, kPlain<F, B>, kPlain<D, B>},
    {kToBool<B>, nullptr, nullptr, nullptr, kPlain<I, B>, kPlain<L, B>, kThrough<H, B>,
     kThrough<G, B>, kPlain<F, B>, kPlain<D, B>},
    {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, kPlain<F, int8_t>,
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, kPlain<F, int16_t>,
     nullptr},
    {kToBool<I>, nullptr, nullptr, nullptr, nullptr, kPlain<L, I>, kThrough<H, I>, kThrough<G, I>,
     kPlain<F, I>, kPlain<D, I>},
    {kToBool<L>, nullptr, nullptr, nullptr, kPlain<I, L>, nullptr, kThrough<H, L>, kThrough<G, L>,
     kPlain<F, L>, kPlain<D, L>},
    {kHalfToBool, nullptr, nullptr, nullptr, kThrough<I, H>, kThrough<L, H>, nullptr,
     kThrough<G, H>, nullptr, kThrough<D, H>},
    {kHalfToBool, nullptr, nullptr, nullptr, kThrough<I, G>, kThrough<L, G>, kThrough<H, G>,
     nullptr, nullptr, kThrough<D, G>},
    {convert_row<FloatNotZero>, nullptr, nullptr, nullptr, kPlain<I, F>, kPlain<L, F>, nullptr,
     nullptr, nullptr, kPlain<D, F>},
    {convert_row<DoubleNotZero>, nullptr, nullptr, nullptr, nullptr, kPlain<L, D>, kThrough<H, D>,
     kThrough<G, D>, kPlain<F, D>, nullptr},
};

}  // namespace

extern const CastKernels kCast = {
    cast<half, float>, cast<float, half>, cast<bfloat16, float>, cast<float, bfloat16>, kRows,
};

}  // namespace mg::MG_ISA
