// Convolutions on matrix units.
#include "cuda/conv_core.cuh"

namespace mg::cuda {
namespace {

using Tile = MmaTile<64, 128, 2, 4, 3>;

template <class T>
Error run(ConvPart part, const Convolution& c) {
  return conv_product<T, float>(part, c,
                                [&](const auto& a, const auto& b, const auto& out, Extents e) {
                                  return launch_mma<T, Tile, true, true>(
                                      a, b, out, e, c.workspace, c.workspace_bytes, c.stream);
                                });
}

}  // namespace

Error conv_mma(ConvPart part, const Convolution& c, bool tf32) {
  if (c.dtype == DType::kFloat16) return run<__half>(part, c);
  if (c.dtype == DType::kBFloat16) return run<__nv_bfloat16>(part, c);
  return tf32 ? run<float>(part, c) : conv_simt(part, c);
}

}  // namespace mg::cuda
