// Matrix products of bfloat16 by Hopper's own instructions.
#include "cuda/gemm_wgmma_forms.cuh"

namespace mg::cuda {

Error gemm_bfloat16_wgmma(const Product& p, Stream stream) {
  return wgmma_of_type<__nv_bfloat16>(p, stream);
}

}  // namespace mg::cuda
