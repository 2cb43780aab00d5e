// Matrix products of float16 by Hopper's own instructions.
#include "cuda/gemm_wgmma_forms.cuh"

namespace mg::cuda {

Error gemm_half_wgmma(const Product& p, Stream stream) { return wgmma_of_type<__half>(p, stream); }

}  // namespace mg::cuda
