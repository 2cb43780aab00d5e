// Convolutions on the ordinary arithmetic units.
#include "cuda/conv_core.cuh"

namespace mg::cuda {
namespace {

template <class T, class Sum, class Tile>
Error run(ConvPart part, const Convolution& c) {
  return conv_product<T, Sum>(
      part, c, [&](const auto& a, const auto& b, const auto& out, Extents e) {
        return launch_simt<Tile>(a, b, out, e, c.workspace, c.workspace_bytes, c.stream);
      });
}

}  // namespace

Error conv_simt(ConvPart part, const Convolution& c) {
  switch (c.dtype) {
    case DType::kFloat64:
      return run<double, double, SmallTile>(part, c);
    case DType::kFloat16:
      return run<__half, float, SmallTile>(part, c);
    case DType::kBFloat16:
      return run<__nv_bfloat16, float, SmallTile>(part, c);
    default:
      break;
  }
  const ConvShape& s = c.shape;
  Extents e = {};
  e.m = static_cast<int>((part == ConvPart::kInput ? s.c : s.k) / s.groups);
  e.n = static_cast<int>(part == ConvPart::kForward ? s.n * s.o * s.p * s.q
                         : part == ConvPart::kInput ? s.n * s.d * s.h * s.w
                                                    : s.c / s.groups * s.t * s.r * s.s);
  e.batches = s.groups;
  // Few channels would leave half of a large tile empty.
  if (e.m > SmallTile::kM && takes_large_tiles(e)) return run<float, float, LargeTile>(part, c);
  return run<float, float, SmallTile>(part, c);
}

}  // namespace mg::cuda
