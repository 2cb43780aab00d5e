// Matrix products of bfloat16 on matrix units.
#include "cuda/gemm_mma_forms.cuh"

namespace mg::cuda {

Error gemm_bfloat16_mma(const Product& given, Stream stream) {
  const Product p = without_fourth_layout(given);
  if (takes_large_mma_tiles(p.extents))
    return mma_of_layout<__nv_bfloat16, LargeMmaTile>(p, stream);
  return mma_of_layout<__nv_bfloat16, SmallMmaTile>(p, stream);
}

}  // namespace mg::cuda
