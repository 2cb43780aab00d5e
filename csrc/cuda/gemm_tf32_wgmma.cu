// Matrix products of float32, rounded to TF32, by Hopper's own instructions.
#include "cuda/gemm_wgmma_forms.cuh"

namespace mg::cuda {

Error gemm_tf32_wgmma(const Product& p, Stream stream) { return wgmma_of_type<float>(p, stream); }

}  // namespace mg::cuda
