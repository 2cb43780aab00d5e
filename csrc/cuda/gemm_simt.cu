// Matrix products on the ordinary arithmetic units: float32, float64, and 16-bit operands where the
// chip has no matrix units for them.
#include "cuda/gemm_forms.cuh"
#include "cuda/gemm_simt_core.cuh"

namespace mg::cuda {
namespace {

template <class T, class Tile, class Output>
Error run(const Product& p, const Output& out, Stream stream) {
  return launch_simt<Tile>(as_type<T>(p.a), as_type<T>(p.b), out, p.extents, p.workspace,
                           p.workspace_bytes, stream);
}

}  // namespace

Error gemm_simt(const Product& p, Stream stream) {
  switch (p.dtype) {
    case DType::kFloat64:
      return run<double, SmallTile>(p, in_double(p), stream);
    case DType::kFloat16:
      return run<__half, SmallTile>(p, p.out, stream);
    case DType::kBFloat16:
      return run<__nv_bfloat16, SmallTile>(p, p.out, stream);
    default:
      if (takes_large_tiles(p.extents)) return run<float, LargeTile>(p, p.out, stream);
      return run<float, SmallTile>(p, p.out, stream);
  }
}

}  // namespace mg::cuda
