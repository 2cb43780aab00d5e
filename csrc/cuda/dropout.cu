// Dropout with Philox 4x32-10 (Salmon, Moraes, Dror, Shaw 2011): the mask is computed in registers
// beside the product, in forward and again in backward, and never stored. A block of counters gives
// the words of four neighbouring elements; a thread does packs of 16 bytes.
#include "cuda/kernels_dropout.h"
#include "cuda/rows.cuh"

namespace mg::cuda {
namespace {

struct Words {
  uint32_t at[4];
};

MG_DEVICE Words words(uint64_t counter, uint64_t seed) {
  uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32);
  uint32_t c2 = 0, c3 = 0;
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(c0) * 0xD2511F53u;
    const uint64_t p1 = static_cast<uint64_t>(c2) * 0xCD9E8D57u;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

constexpr int kItems = 8;  // elements of a thread and step: two blocks of counters

// Calls body(at, n, stays) for every kItems elements.
template <class Body>
MG_DEVICE void each_pack(const DropoutCall& c, Body body) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const uint64_t offset = c.mask.offset + (c.offsets ? static_cast<uint64_t>(*c.offsets) : 0);
  for (int64_t pack = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       pack * kItems < c.n; pack += step) {
    bool stays[kItems];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const Words w = words(offset + static_cast<uint64_t>(pack * 2 + half), c.mask.seed);
#pragma unroll
      for (int i = 0; i < 4; ++i) stays[half * 4 + i] = !c.none && w.at[i] <= c.mask.limit;
    }
    const int64_t at = pack * kItems;
    body(at, c.n - at < kItems ? static_cast<int>(c.n - at) : kItems, stays);
  }
}

// `wide`: the arrays are aligned for packs.
template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    dropout_kernel(T* out, const T* x, const DropoutCall c, bool wide) {
  using V = Computed<T>;
  const V scale = static_cast<V>(c.scale.scale), kept = static_cast<V>(c.scale.kept);
  const V dropped = static_cast<V>(c.scale.dropped);
  const bool shift = c.scale.kept != 0 || c.scale.dropped != 0;
  each_pack(c, [&](int64_t at, int n, const bool (&stays)[kItems]) {
    V v[kItems];
    const bool whole = wide && n == kItems;
    whole ? load_pack<kItems>(v, x + at) : load_some<kItems>(v, x + at, n, V(0));
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      v[i] *= stays[i] ? scale : V(0);
      if (shift) v[i] += stays[i] ? kept : dropped;
    }
    whole ? store_pack<kItems>(out + at, v) : store_some<kItems>(out + at, v, n);
  });
}

__global__ void __launch_bounds__(kBlockThreads)
    mask_kernel(uint8_t* out, const DropoutCall c, bool wide) {
  each_pack(c, [&](int64_t at, int n, const bool (&stays)[kItems]) {
    uint8_t v[kItems];
#pragma unroll
    for (int i = 0; i < kItems; ++i) v[i] = stays[i];
    wide&& n == kItems ? store_pack<kItems>(out + at, v) : store_some<kItems>(out + at, v, n);
  });
}

template <class T>
Error dropout_as(void* out, const void* x, const DropoutCall& call, Stream stream) {
  const bool wide = aligned_to(out, 16) && aligned_to(x, 16);
  return MG_LAUNCH((dropout_kernel<T>), blocks_for(call.n, kBlockThreads * kItems),
                   dim3(kBlockThreads), 0, stream, static_cast<T*>(out), static_cast<const T*>(x),
                   call, wide);
}

}  // namespace

Error mask(uint8_t* out, const DropoutCall& call, Stream stream) {
  if (call.n == 0) return 0;
  return MG_LAUNCH(mask_kernel, blocks_for(call.n, kBlockThreads * kItems), dim3(kBlockThreads), 0,
                   stream, out, call, aligned_to(out, 8));
}
Error dropout(void* out, const void* x, const DropoutCall& call, Stream stream) {
  if (call.n == 0) return 0;
  switch (call.type) {
    case DType::kFloat64:
      return dropout_as<double>(out, x, call, stream);
    case DType::kFloat16:
      return dropout_as<__half>(out, x, call, stream);
    case DType::kBFloat16:
      return dropout_as<__nv_bfloat16>(out, x, call, stream);
    default:
      return dropout_as<float>(out, x, call, stream);
  }
}

}  // namespace mg::cuda
