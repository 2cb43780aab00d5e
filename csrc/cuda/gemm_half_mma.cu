// Matrix products of float16 on matrix units.
#include "cuda/gemm_mma_forms.cuh"

namespace mg::cuda {

Error gemm_half_mma(const Product& given, Stream stream) {
  const Product p = without_fourth_layout(given);
  if (takes_large_mma_tiles(p.extents)) return mma_of_layout<__half, LargeMmaTile>(p, stream);
  return mma_of_layout<__half, SmallMmaTile>(p, stream);
}

}  // namespace mg::cuda
