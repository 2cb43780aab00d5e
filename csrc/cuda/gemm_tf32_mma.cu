// Matrix products of float32, rounded to TF32, on matrix units.
#include "cuda/gemm_mma_forms.cuh"

namespace mg::cuda {

Error gemm_tf32_mma(const Product& p, Stream stream) {
  return mma_of_layout<float, LargeMmaTile>(without_fourth_layout(p), stream);
}

}  // namespace mg::cuda
